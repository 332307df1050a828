/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include "audit/audit.h"
#include "role/role.h"
#include "service.h"

#define API      IPC_FROM(ROLE_API)
#define IDP      IPC_FROM(ROLE_IDP)
#define SECRETS  IPC_FROM(ROLE_SECRETS)
#define AGENT    IPC_FROM(ROLE_AGENT)
#define POSTURE  IPC_FROM(ROLE_POSTURE)
#define EXPORTER IPC_FROM(ROLE_EXPORTER)
#define WAF      IPC_FROM(ROLE_WAF)
#define SUPER    IPC_FROM(ROLE_SUPERVISOR)
/* kms calls nobody; what it has to report is fetched from it. */
#define ALL (SUPER | API | IDP | SECRETS | AGENT | POSTURE | ROLE_GATEWAYS | EXPORTER | WAF)

static int handle_append(void *ctx, struct ipc_request *request, struct buf *reply UNUSED,
                         struct err *err)
{
    return audit_service_append(ctx, request, err);
}

/* Only of the role that asks. */
static int handle_anchor(void *ctx, struct ipc_request *request, struct buf *reply, struct err *err)
{
    struct audit_log *log = audit_service_log(ctx);

    if (log == NULL)
        return err_set(err, ERR_UNAVAILABLE, "the audit log is not open yet");
    buf_put_u64(reply, audit_log_anchor(log, span_str(role_name(request->peer))));
    return IPC_ANSWER;
}

static int handle_checkpoint(void *ctx, struct ipc_request *request UNUSED, struct buf *reply,
                             struct err *err)
{
    struct audit_log *log = audit_service_log(ctx);

    if (log == NULL)
        return err_set(err, ERR_UNAVAILABLE, "the audit log is not open yet");
    TRY(audit_log_checkpoint(log, err));
    buf_put_span(reply, audit_log_newest_note(log));
    return IPC_ANSWER;
}

static int handle_ring(void *ctx, struct ipc_request *request, struct buf *reply UNUSED,
                       struct err *err)
{
    return audit_service_add_ring(ctx, request, err);
}

static int handle_key_uses(void *ctx, struct ipc_request *request UNUSED, struct buf *reply,
                           struct err *err UNUSED)
{
    audit_service_take_key_uses(ctx, reply);
    return IPC_ANSWER;
}

static const struct ipc_message messages[] = {
    {AUDIT_MSG_APPEND, "append", ALL, IPC_BODY_MAX, 0, handle_append},
    {AUDIT_MSG_ANCHOR, "anchor", API | IDP | SECRETS | AGENT, 0, IPC_EMPTY, handle_anchor},
    {AUDIT_MSG_CHECKPOINT, "checkpoint", SUPER | POSTURE, 0, IPC_EMPTY, handle_checkpoint},
    {AUDIT_MSG_RING, "ring", ROLE_GATEWAYS, 0, IPC_EMPTY | IPC_FDS, handle_ring},
    {AUDIT_MSG_KEY_USES, "key uses", IDP, 0, IPC_EMPTY, handle_key_uses},
    {0},
};

const struct ipc_table audit_table = {.server = "audit", .messages = messages};
