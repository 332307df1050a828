/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/programs/table.h"

#include "codec/json.h"
#include "idp/factors/signin.h"
#include "role/role.h"
#include "wire/proofs.h"

enum { PROBE_SEC = 300 };

/* No more than who attacks the platform needs: a name. What it may do is in RBAC like everyone's.
 */
static int handle_probe_token(void *ctx, struct ipc_request *request UNUSED, struct buf *reply,
                              struct err *err)
{
    struct idp *idp = ctx;
    CLEANUP_JSON json_t *groups = json_pack("[s]", AUTH_GROUP_POSTURE);
    char jti[CLAIMS_ID_SIZE];
    struct claims claims = {.subject = AUTH_POSTURE, .groups = groups, .ttl_sec = PROBE_SEC};
    struct audit_event event = {
        .event = span_str(AUDIT_TOKEN_ISSUED),
        .actor = {.name = span_str(AUTH_POSTURE), .source = AUDIT_SOURCE_ROLE},
    };

    TRY(claims_access_token(idp, &claims, reply, jti, err));
    serve_record(idp->serve, &event);
    return IPC_ANSWER;
}

static int handle_probe_account(void *ctx, struct ipc_request *request UNUSED, struct buf *reply,
                                struct err *err)
{
    return probe_account_make(ctx, reply, err) < 0 ? -1 : IPC_ANSWER;
}

static int handle_probe_drop(void *ctx, struct ipc_request *request UNUSED,
                             struct buf *reply UNUSED, struct err *err)
{
    return probe_account_drop(ctx, err) < 0 ? -1 : IPC_ANSWER;
}

static const struct ipc_message messages[] = {
    {IDP_PROBE_TOKEN, "probe_token", IPC_FROM(ROLE_POSTURE), 0, IPC_EMPTY, handle_probe_token},
    {IDP_PROBE_ACCOUNT, "probe_account", IPC_FROM(ROLE_POSTURE), 0, IPC_EMPTY,
     handle_probe_account},
    {IDP_PROBE_DROP, "probe_drop", IPC_FROM(ROLE_POSTURE), 0, IPC_EMPTY, handle_probe_drop},
    {0},
};

const struct ipc_table idp_table = {.server = "idp", .messages = messages};
