/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/proof_table.h"

#include "agent/audit_file.h"
#include "agent/service.h"
#include "base/mem.h"
#include "wire/proofs.h"

static struct sandbox *pick(struct agent *agent, struct span body, struct err *err)
{
    CLEANUP_JSON json_t *question = NULL;
    struct sandbox *sandbox = NULL;

    if (body.len == 0) {
        sandbox = services_any_sandbox(agent->services);
    } else {
        if (codec_json_parse(body, "the question", &question, err) < 0)
            return NULL;
        struct service *service =
            services_find(agent->services, codec_json_text(question, "namespace", ""),
                          codec_json_text(question, "name", ""));
        sandbox = service != NULL && service->state == SERVICE_READY ? service->sandbox : NULL;
    }
    if (sandbox == NULL)
        err_set(err, ERR_NOT_FOUND, "no such engine runs now");
    return sandbox;
}

static int handle_probe(void *ctx, struct ipc_request *request, struct buf *reply, struct err *err)
{
    struct agent *agent = ctx;
    const char *const args[] = {sandbox_probe, "attack", NULL};
    CLEANUP(buf_free) struct buf output = BUF_INIT(64 * 1024);
    CLEANUP_JSON json_t *answer = NULL;
    struct sandbox *sandbox = pick(agent, request->body, err);

    if (sandbox == NULL)
        return -1;
    int status = sandbox_exec(sandbox, args, &output, err);
    TRY(status);
    if (status != 0)
        return err_set(err, ERR_UNAVAILABLE, "the probe ended with status %d: %.200s", status,
                       buf_text(&output));
    TRY(codec_json_parse(buf_span(&output), "the probe's answer", &answer, err));
    json_object_set_new(answer, "sandbox", json_string(sandbox_id(sandbox)));
    json_object_set_new(answer, "host", host_describe(agent->host));
    codec_json_put(answer, reply);
    return IPC_ANSWER;
}

static int handle_audit_file(void *ctx, struct ipc_request *request, struct buf *reply,
                             struct err *err)
{
    struct agent *agent = ctx;
    struct cursor cursor = cursor_of(request->body);
    uint32_t number = cursor_u32(&cursor);

    TRY(cursor_done(&cursor, "the question", err));
    request->reply_fds->fd[0] = audit_file_open(agent, number, reply, err);
    TRY(request->reply_fds->fd[0]);
    request->reply_fds->count = 1;
    return IPC_ANSWER;
}

static const struct ipc_message messages[] = {
    {AGENT_PROBE_SANDBOX, "probe_sandbox", IPC_FROM(ROLE_POSTURE), 1024, 0, handle_probe},
    {AGENT_AUDIT_FILE, "audit_file", IPC_FROM(ROLE_POSTURE), 4, 0, handle_audit_file},
    {0},
};

const struct ipc_table agent_table = {.server = "agent", .messages = messages};
