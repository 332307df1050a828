/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kms role: holds the root of all keys and answers its message table. This is what its main
 * and the tests share; the table itself is in table.c.
 *
 *     TRY(kms_new(&place, &unseal_keyfile, material, &kms, err));
 *     TRY(kms_serve(kms, loop, &fd, ROLE_IDP, err));   for each peer
 *     TRY(kms_schedule(kms, loop, err));
 *     return loop_run(loop, err);
 */
#ifndef DRUN_KMS_KMS_H
#define DRUN_KMS_KMS_H

#include "ipc/ipc.h"
#include "keyring.h"
#include "loop/loop.h"

struct kms;
struct role;

/* The role's main. */
int kms_main(struct role *role, struct err *err) MUST_USE;

/*
 * With material: opens the keyring, or makes one if there is none. Without (NULL): starts sealed,
 * and there must be a keyring. `provider` is for a new keyring; one on disk names its own. The
 * place's descriptor and text stay the caller's and must outlive kms.
 */
int kms_new(const struct keyring_place *place, const struct unseal_provider *provider,
            const struct secret *material, struct kms **out, struct err *err) MUST_USE;
void kms_free(struct kms *kms);
void kms_free_ptr(struct kms **kms);

/* Takes *fd and answers the role at its other end. */
int kms_serve(struct kms *kms, struct loop *loop, int *fd, unsigned peer, struct err *err) MUST_USE;
/* Rotates what is due, now and every hour. */
int kms_schedule(struct kms *kms, struct loop *loop, struct err *err) MUST_USE;

/* Opens the sealed keyring; `peer` is who asked. */
int kms_unseal(struct kms *kms, const struct secret *material, unsigned peer,
               struct err *err) MUST_USE;
/* Rotates what is due; failures are logged and become events. */
void kms_rotate_due(struct kms *kms);

#endif
