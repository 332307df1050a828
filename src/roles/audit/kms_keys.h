/* SPDX-License-Identifier: Apache-2.0 */
/* The log's keys in kms: data keys of the collection "audit/log", signatures by the key "audit". */
#ifndef DRUN_ROLES_AUDIT_KMS_KEYS_H
#define DRUN_ROLES_AUDIT_KMS_KEYS_H

#include "audit/log.h"
#include "keys/keys.h"

struct kms_keys {
    struct ipc_client *kms;
    const char *origin;
    struct keys_public current; /* kid is "" until it was asked for */
};

/* `keys` must outlive the log. */
struct audit_log_keys kms_keys_functions(struct kms_keys *keys);
/* All generations, for audit_service_config.load_signers; ctx is a struct kms_keys. */
int kms_keys_signers(void *ctx, struct note_keys *out, struct err *err) MUST_USE;

#endif
