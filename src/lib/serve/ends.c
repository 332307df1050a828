/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes without a request of its own: the content of namespaces that go, which each owner of
 * kinds learns from the policy snapshot, and objects that have lost their owners. Both are done in
 * small pieces, each of them a batch with its audit records; what a crash interrupts is found
 * again.
 */
#include "base/clock.h"
#include "log/log.h"
#include "serve/serve_internal.h"
#include "snapshot/policy.h"

/* A walk over everything, as at the start, must not be what the role is busy with. */
enum { SLICE = 100, SOON_MS = 1, WALK_MS = 10 };

static const uint64_t never_ms = 1ULL << 40;

/* 1 when there is more to do at once. */
static int empty(struct serve *serve, const char *name, const char *uid, struct err *err)
{
    struct store *store = serve->config.store;
    struct kube_left left;

    TRY(kube_namespace_empty(serve->kube, name, SLICE, &left, err));
    if (left.ended > 0)
        return 1;
    /* Only what is durable is reported. */
    if (store != NULL && store_needs_flush(store))
        return 1;
    serve->config.emptied(serve->config.ctx, name, uid, &left);
    return 0;
}

static bool empty_namespaces(struct serve *serve)
{
    const struct snapshot *policy = serve_policy(serve);
    bool more = false;

    for (size_t i = 0; policy != NULL && i < policy_namespace_count(policy); i++) {
        struct policy_namespace at;
        struct err err = ERR_INIT;
        policy_namespace_at(policy, i, &at);
        if (at.phase != POLICY_TERMINATING)
            continue;
        int result = empty(serve, (const char *)at.name.p, (const char *)at.uid.p, &err);
        if (result < 0)
            log_error("serve.namespace", &err);
        more = more || result == 1;
    }
    return more;
}

static void look_again(struct serve *serve, uint64_t delay_ms)
{
    if (serve->looks_again)
        return;
    serve->looks_again = true;
    loop_rearm(serve->soon, delay_ms, 0);
}

static void look(struct serve *serve)
{
    struct err err = ERR_INIT;
    bool emptying = serve->config.emptied != NULL && empty_namespaces(serve);
    int walking = kube_server_collect(serve->kube, &err);

    if (walking < 0)
        log_error("serve.collect", &err); /* tried again with the next tick */
    if (emptying || walking == 1)
        look_again(serve, emptying ? SOON_MS : WALK_MS);
}

static void on_soon(void *ctx)
{
    struct serve *serve = ctx;

    serve->looks_again = false;
    look(serve);
}

void serve_ends_tick(struct serve *serve)
{
    look(serve);
}

void serve_ends_follow(struct serve *serve)
{
    if (serve->kube != NULL && kube_server_has_garbage(serve->kube))
        look_again(serve, WALK_MS);
}

void serve_ends_record(struct serve *serve, const struct kube_change *change)
{
    const struct audit_event event = {
        .time_ns = clock_wall_ns(),
        .event = span_str(AUDIT_API_REQUEST),
        .actor = {.name = span_str(change->principal == NULL ? "" : change->principal->name),
                  .source = AUDIT_SOURCE_ROLE},
        .action = {.verb = span_str(change->verb),
                   .api_group = span_str(change->kind->group),
                   .resource = span_str(change->kind->plural),
                   .namespace = span_str(change->namespace),
                   .name = span_str(change->name)},
        .status = 200,
    };

    serve_record(serve, &event);
}

int serve_ends_start(struct serve *serve, struct err *err)
{
    return loop_add_timer(role_loop(serve->config.role), never_ms, 0, on_soon, serve, &serve->soon,
                          err);
}
