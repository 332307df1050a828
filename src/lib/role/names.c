/* SPDX-License-Identifier: Apache-2.0 */
#include "role/role.h"

static const char *const names[ROLE_COUNT] = {
    [ROLE_SUPERVISOR] = "supervisor",
    [ROLE_KMS] = "kms",
    [ROLE_AUDIT] = "audit",
    [ROLE_API] = "api",
    [ROLE_IDP] = "idp",
    [ROLE_SECRETS] = "secrets",
    [ROLE_AGENT] = "agent",
    [ROLE_POSTURE] = "posture",
    [ROLE_GATEWAY] = "gateway",
};

const char *role_name(enum role_id id)
{
    INVARIANT(id < ROLE_COUNT);
    return names[id];
}

int role_by_name(const char *name)
{
    for (int id = 0; id < ROLE_COUNT; id++)
        if (strcmp(names[id], name) == 0)
            return id;
    return -1;
}
