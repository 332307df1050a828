/* SPDX-License-Identifier: Apache-2.0 */
/* The platform on one screen: each process, whom it may call, and what it listens on. What it may
 * do is const data in its own folder (`NAME_lockdown`), what it answers in its message table. */
#include "cli/role_table.h"

#include "kms/kms.h"

#define KMS   IPC_FROM(ROLE_KMS)
#define AUDIT IPC_FROM(ROLE_AUDIT)
#define API   IPC_FROM(ROLE_API)

const struct role_entry role_table[] = {
    {.id = ROLE_KMS, .main = kms_main},
    {.id = ROLE_AGENT,
     .calls = KMS | AUDIT | API,
     .calls_late = API,
     .keeps_root = true},
    {0},
};
