/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every role shares. The supervisor starts a role with its descriptors passed by name;
 * role_start() collects them, and role_ready() tells the supervisor that requests may come.
 *
 *     int kms_main(struct role *role, struct err *err)
 *     {
 *         TRY(keyring_load(...));                       init
 *         TRY(role_lock_down(role, &kms_promises, err)); drop privileges, lock down
 *         return role_run(role, err);                    ready, loop
 *     }
 */
#ifndef DRUN_ROLE_ROLE_H
#define DRUN_ROLE_ROLE_H

#include "base/attr.h"
#include "base/err.h"
#include "ipc/ipc.h"
#include "loop/loop.h"

/* The processes. The number is the peer number on a channel and the bit in a message table. */
enum role_id {
    ROLE_SUPERVISOR,
    ROLE_KMS,
    ROLE_AUDIT,
    ROLE_API,
    ROLE_IDP,
    ROLE_SECRETS,
    ROLE_AGENT,
    ROLE_POSTURE,
    ROLE_GATEWAY,
    ROLE_COUNT
};

const char *role_name(enum role_id id);
/* -1 for a name that is no role's. */
int role_by_name(const char *name);

#endif
