/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line in front of an engine that takes only so many calls at the same time (limit/queue.h). A
 * call that finds no place stays in its access phase; the worker serves others meanwhile. Who gives
 * a place to a call of another worker rings that worker's bell, an event descriptor that the master
 * made: each worker has all of them.
 */
#include "gateway/module/routing.h"

#include "base/num.h"

#include <ngx_channel.h>
#include <stdio.h>
#include <sys/eventfd.h>

enum { MOMENT_MS = 1000, PRIORITY_PROOF = POLICY_PRIORITY_HIGH };

static int bells[LIMIT_SEATS];
static bool has_bells;

/* This worker's calls that wait: struct gw_call by its `in_line`. */
static ngx_queue_t waiting;

ngx_int_t gw_line_make_bells(ngx_cycle_t *cycle)
{
    for (size_t i = 0; !has_bells && i < LIMIT_SEATS; i++) {
        bells[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (bells[i] >= 0)
            continue;
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno, "drun: cannot make a bell");
        return NGX_ERROR;
    }
    has_bells = true;
    return NGX_OK;
}

/* A limit_queue_wake_fn. */
void gw_line_ring(void *ctx UNUSED, unsigned seat)
{
    static const uint64_t one = 1;

    /* It fails only when it rings already, 2^64 times. */
    (void)!write(bells[seat], &one, sizeof(one));
}

/* ------------------------------------------------------------------ going on */

static void stop_waiting(struct gw_call *call)
{
    if (call->waits && call->stage == GW_WAITING) {
        ngx_queue_remove(&call->in_line); /* a macro of several statements */
    }
    gw_wait_end(call);
}

static void on_timeout(ngx_event_t *timer)
{
    ngx_http_request_t *r = timer->data;

    stop_waiting(gw_call_of(r));
    gw_wait_go_on(r);
}

/* One that goes on may end others, so each time the search begins anew. */
static struct gw_call *next_granted(void)
{
    for (ngx_queue_t *at = ngx_queue_head(&waiting); at != ngx_queue_sentinel(&waiting);
         at = ngx_queue_next(at)) {
        struct gw_call *call = ngx_queue_data(at, struct gw_call, in_line);
        if (limit_queue_take(gw_worker_queue(), &call->turn))
            return call;
    }
    return NULL;
}

static void on_bell(ngx_event_t *event)
{
    const ngx_connection_t *c = event->data;
    struct gw_call *call;
    uint64_t times;

    (void)!read(c->fd, &times, sizeof(times));
    while ((call = next_granted()) != NULL) {
        stop_waiting(call);
        gw_wait_go_on(call->wait_timer.data);
    }
}

ngx_int_t gw_line_listen(ngx_cycle_t *cycle)
{
    ngx_queue_init(&waiting);
    return ngx_add_channel_event(cycle, bells[limit_queue_seat(gw_worker_queue())], NGX_READ_EVENT,
                                 on_bell);
}

/* ------------------------------------------------------------------ a call */

/* Tenants take turns: the namespace of the credential, or who has none. The proofs of the platform
 * say whether the engine answers, not whether it is busy. */
static void set_group(const struct snapshot *policy, const struct gw_call *call,
                      struct limit_queue_ask *ask)
{
    const struct auth_principal *who = &call->principal;
    struct span name = auth_text(who, who->name);
    struct span group = auth_text(who, who->namespace);
    struct policy_namespace ns;

    ask->priority = POLICY_PRIORITY_NORMAL;
    if (span_eq_str(name, AUTH_POSTURE))
        ask->priority = PRIORITY_PROOF;
    else if (group.len > 0 && policy_find_namespace(policy, group, &ns))
        ask->priority = ns.priority;
    ask->group = limit_key(group.len > 0 ? group : name, span_str(group.len > 0 ? "ns" : "user"));
}

/* Back in the access phase it asks gw_line_waited(). */
static ngx_int_t wait_in_line(ngx_http_request_t *r, struct gw_call *call, ngx_msec_t timeout_ms)
{
    ngx_int_t rc = gw_wait_begin(r, call, on_timeout, timeout_ms);

    if (rc != NGX_AGAIN)
        return rc;
    call->stage = GW_WAITING;
    ngx_queue_insert_tail(&waiting, &call->in_line);
    return rc;
}

static ngx_int_t refuse(ngx_http_request_t *r, struct gw_call *call, const char *code,
                        const char *message)
{
    const struct gw_refusal refusal = {.status = NGX_HTTP_SERVICE_UNAVAILABLE,
                                       .type = "server_error",
                                       .code = code,
                                       .retry_after_ms = MOMENT_MS};

    if (call->quiet)
        return NGX_BUSY;
    return gw_refuse(r, call, &refusal, message);
}

static struct limit_queue_ask ask_for(const struct gw_call *call, const struct snapshot *policy,
                                      const struct policy_route *route)
{
    uint64_t key = limit_key(route->namespace, route->name);
    struct limit_queue_ask ask = {.key = limit_key(span_of(&key, sizeof(key)), span_str("line")),
                                  .limit = (uint32_t)gw_share_part(route->line.places),
                                  .length = route->line.length};

    set_group(policy, call, &ask);
    return ask;
}

ngx_int_t gw_line_enter(ngx_http_request_t *r, struct gw_call *call, const struct snapshot *policy,
                        const struct policy_route *route)
{
    char message[160];

    if (route->line.places == 0)
        return NGX_OK;
    struct limit_queue_ask ask = ask_for(call, policy, route);
    switch (limit_queue_enter(gw_worker_queue(), &ask, &call->turn)) {
    case LIMIT_QUEUE_GO: return NGX_OK;
    case LIMIT_QUEUE_FULL: break;
    case LIMIT_QUEUE_WAIT:
        return limit_queue_take(gw_worker_queue(), &call->turn)
                   ? NGX_OK
                   : wait_in_line(r, call, route->line.timeout_ms);
    }
    snprintf(message, sizeof(message),
             "The model serves %u calls at the same time, and %u wait already; try again in a "
             "moment",
             ask.limit, ask.length);
    return refuse(r, call, "queue_full", message);
}

ngx_int_t gw_line_waited(ngx_http_request_t *r, struct gw_call *call)
{
    if (call->waits)
        return NGX_AGAIN;
    if (limit_queue_take(gw_worker_queue(), &call->turn))
        return NGX_OK;
    gw_line_leave(call);
    return refuse(r, call, "queue_timeout",
                  "The model is busy, and the call waited as long as a call may; try again in a "
                  "moment");
}

void gw_line_leave(struct gw_call *call)
{
    stop_waiting(call);
    if (gw_worker_queue() != NULL)
        limit_queue_leave(gw_worker_queue(), &call->turn);
}

bool gw_line_move(struct gw_call *call, const struct snapshot *policy,
                  const struct policy_route *to)
{
    struct limit_turn turn = {0};

    if (to->line.places > 0) {
        struct limit_queue_ask ask = ask_for(call, policy, to);
        if (limit_queue_enter(gw_worker_queue(), &ask, &turn) != LIMIT_QUEUE_GO &&
            !limit_queue_take(gw_worker_queue(), &turn)) {
            limit_queue_leave(gw_worker_queue(), &turn);
            return false;
        }
    }
    gw_line_leave(call);
    call->turn = turn;
    return true;
}
