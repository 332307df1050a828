/* SPDX-License-Identifier: Apache-2.0 */
/* api's orders, one after the other, and the answers to them. */
#include "agent/agent_internal.h"
#include "agent/engine_log.h"
#include "base/mem.h"
#include "log/log.h"
#include "wire/orders.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { RETRY_MS = 500, SETTLE_MS = 1000 };

struct follow {
    struct agent *agent;
    struct ipc_client *api;
    struct loop_source *source; /* NULL while nothing was asked */
    struct loop_source *retry;
    struct loop_source *settle;
    uint32_t id;
    int asked_fd; /* the channel on which the answer will come */
    uint64_t epoch;
    uint64_t place;
    bool settled;
};

static void ask(struct follow *follow);

static void stop_waiting(struct follow *follow)
{
    loop_remove(role_loop(follow->agent->role), follow->source);
    follow->source = NULL;
}

static void dispatch(struct follow *follow, const json_t *order)
{
    const char *kind = codec_json_text(order, "kind", "");
    const char *namespace = codec_json_text(order, "namespace", "");
    const char *name = codec_json_text(order, "name", "");
    const json_t *object = json_object_get(order, "object");
    struct agent *agent = follow->agent;

    if (strcmp(kind, "Model") == 0) {
        if (json_is_object(object))
            models_put(agent->models, namespace, name, object);
        else
            models_delete(agent->models, namespace, name);
    } else if (strcmp(kind, "ModelService") == 0) {
        if (json_is_object(object))
            services_put(agent->services, namespace, name, object);
        else
            services_delete(agent->services, namespace, name);
    } else if (strcmp(kind, "Log") == 0) {
        engine_log_order(agent->engine_log, namespace, name, object);
    }
}

/* A new epoch tells everything again; what it does not tell is gone. */
static void begin_epoch(struct follow *follow, uint64_t epoch)
{
    follow->epoch = epoch;
    follow->settled = false;
    models_mark(follow->agent->models);
    services_mark(follow->agent->services);
}

static int take_order(struct follow *follow, struct span answer, struct err *err)
{
    CLEANUP_JSON json_t *order = NULL;
    struct cursor cursor = cursor_of(answer);
    uint64_t epoch = cursor_u64(&cursor);
    uint64_t place = cursor_u64(&cursor);
    struct span text = cursor_bytes(&cursor, cursor.left);

    TRY(cursor_done(&cursor, "an order", err));
    TRY(codec_json_parse(text, "an order", &order, err));
    if (epoch != follow->epoch)
        begin_epoch(follow, epoch);
    follow->place = place;
    dispatch(follow, order);
    return 0;
}

static void on_answer(void *ctx, int fd UNUSED, uint32_t events UNUSED)
{
    struct follow *follow = ctx;
    CLEANUP(buf_free) struct buf answer = BUF_INIT(IPC_BODY_MAX);
    struct err err = ERR_INIT;
    int result = ipc_wait(follow->api, follow->id, &answer, &err);

    stop_waiting(follow);
    if (result == 0)
        result = take_order(follow, buf_span(&answer), &err);
    if (result == 0) {
        ask(follow);
        return;
    }
    if (err.code != ERR_UNAVAILABLE)
        log_error("agent.orders", &err);
    loop_rearm(follow->retry, RETRY_MS, 0);
}

static void ask(struct follow *follow)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(16);
    struct loop *loop = role_loop(follow->agent->role);
    struct err err = ERR_INIT;

    buf_put_u64(&body, follow->epoch);
    buf_put_u64(&body, follow->place);
    if (ipc_send(follow->api, API_NEXT, buf_span(&body), &follow->id, &err) < 0 ||
        loop_add_fd(loop, ipc_client_fd(follow->api), EPOLLIN, on_answer, follow, &follow->source,
                    &err) < 0) {
        loop_rearm(follow->retry, RETRY_MS, 0);
        return;
    }
    follow->asked_fd = ipc_client_fd(follow->api);
    if (!follow->settled)
        loop_rearm(follow->settle, SETTLE_MS, 0);
}

static void on_retry(void *ctx)
{
    struct follow *follow = ctx;

    if (follow->source == NULL)
        ask(follow);
}

/* api answers at once as long as it has something. */
static void on_settle(void *ctx)
{
    struct follow *follow = ctx;

    if (follow->source == NULL || follow->settled || follow->epoch == 0)
        return;
    follow->settled = true;
    services_settle(follow->agent->services);
    models_settle(follow->agent->models);
}

/* Told once for each channel to api; the question stays where its channel is still the same. */
void follow_anew(struct follow *follow)
{
    if (follow->source != NULL && ipc_client_fd(follow->api) == follow->asked_fd)
        return;
    stop_waiting(follow);
    ask(follow);
}

int follow_new(struct agent *agent, struct follow **out, struct err *err)
{
    struct loop *loop = role_loop(agent->role);
    struct follow *follow = mem_new(sizeof(*follow));

    *out = follow;
    follow->agent = agent;
    follow->api = role_waiting_peer(agent->role, ROLE_API);
    TRY(loop_add_timer(loop, 1, 0, on_retry, follow, &follow->retry, err));
    return loop_add_timer(loop, 1ULL << 40, 0, on_settle, follow, &follow->settle, err);
}

void follow_free(struct follow *follow)
{
    free(follow);
}

void follow_status(struct agent *agent, struct report *report, const char *kind,
                   const char *namespace, const char *name, json_t *status)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(IPC_BODY_MAX);
    CLEANUP(buf_free) struct buf body = BUF_INIT(IPC_BODY_MAX);
    CLEANUP_JSON json_t *message = NULL;
    struct err err = ERR_INIT;

    codec_json_put(status, &text);
    if (report->told != NULL && strcmp(report->told, buf_text(&text)) == 0)
        return;
    json_decref(report->conditions);
    report->conditions = json_deep_copy(json_object_get(status, "conditions"));
    message = json_pack("{s:s, s:s, s:s, s:O}", "kind", kind, "namespace", namespace, "name", name,
                        "status", status);
    codec_json_put(message, &body);
    free(report->told);
    report->told = NULL;
    if (ipc_call(role_peer(agent->role, ROLE_API), API_STATUS, buf_span(&body), NULL, NULL, &err) ==
        0) {
        report->told = buf_take(&text);
        return;
    }
    /* Deleted meanwhile: the order that says so is on its way. */
    if (err.code != ERR_UNAVAILABLE && err.code != ERR_NOT_FOUND)
        log_error("agent.status", &err);
}

int agent_audit(struct agent *agent, const char *event, enum audit_outcome outcome,
                const char *resource, const char *namespace, const char *name, const char *reason,
                struct err *err)
{
    const struct audit_event one = {
        .event = span_str(event),
        .outcome = outcome,
        .actor = {.name = span_str("system:drun:agent"), .source = AUDIT_SOURCE_ROLE},
        .action = {.api_group = span_str("drun.io"),
                   .resource = span_str(resource),
                   .namespace = span_str(namespace),
                   .name = span_str(name)},
        .reason = span_str(reason),
    };

    return audit_send(role_peer(agent->role, ROLE_AUDIT), &one, 1, err);
}
