/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call of a model route: in which order its backends are tried, and what happens when one does
 * not answer. nginx itself closes the one connection and opens the next (proxy_next_upstream), as
 * long as no byte went to the client; here is said when, where to, and with which body. The
 * configuration that it goes by is a copy of the location's, made for this call alone.
 *
 * The order is made when the call is decided. What else is needed of a backend is looked up when it
 * is tried: the policy in force then counts.
 */
#include "gateway/module/cache.h"
#include "gateway/module/routing_plan.h"

#include "base/clock.h"
#include "base/num.h"

#include <stdio.h>

enum {
    NS_PER_SEC = 1000000000,
    NS_PER_MS = 1000000,
    MINUTE_SEC = 60,
    DAY_SEC = 86400,
    /* A retry in the store that calls fill; so many can be saved up. */
    RETRY_UNITS = 100,
    RETRIES_SAVED = 50,
};

size_t gw_plan_count(const struct gw_plan *plan)
{
    return plan->count;
}

/* One that is on trial gets one call at a time. */
static bool may_try(const struct gw_call *call, size_t at)
{
    const struct gw_plan *plan = call->plan;
    char room[LIMIT_BREAKER_NAME];

    return plan->rules.breaker_failures == 0 || plan->panics ||
           limit_breaker_try(
               gw_worker_breakers(),
               gw_plan_full_name(gw_span(call->namespace), gw_span(plan->names[at]), room),
               clock_mono_ns());
}

bool gw_plan_start(struct gw_call *call, size_t at)
{
    call->plan->at = at;
    return may_try(call, at);
}

/* What the names of the call share counts for the backend, too: an answer has the same ceiling
 * whoever gives it. */
bool gw_plan_backend(const struct gw_call *call, const struct snapshot *policy, size_t at,
                     struct policy_backend *out)
{
    struct span ns = gw_span(call->namespace);
    struct policy_routing routing;
    struct policy_route route;

    if (!policy_find_route(policy, ns, gw_span(call->plan->alias), &route) || route.routing == 0)
        return false;
    policy_routing_of(policy, &route, &routing);
    for (size_t i = 0; i < routing.backend_count; i++) {
        policy_backend_at(policy, &routing, i, out);
        if (!span_eq(out->route.name, gw_span(call->plan->names[at])))
            continue;
        out->route.max_tokens = route.max_tokens;
        out->route.context_tokens = route.context_tokens;
        return out->route.ready && gw_has_engine(&out->route);
    }
    return false;
}

bool gw_plan_current(const struct gw_call *call, const struct snapshot *policy,
                     struct policy_backend *out)
{
    return gw_plan_backend(call, policy, call->plan->at, out);
}

/* ------------------------------------------------------------------ how many retries there are */

static struct limit_ask ask(const struct gw_call *call, const char *what, uint64_t cost,
                            uint64_t limit, uint64_t window_sec)
{
    uint64_t key = limit_key(gw_span(call->namespace), gw_span(call->plan->alias));

    return (struct limit_ask){.key = limit_key(span_of(&key, sizeof(key)), span_str(what)),
                              .cost = cost,
                              .limit = limit,
                              .window_ns = window_sec * NS_PER_SEC};
}

/* Each call puts a part of a retry into the store; what stands in it drains away only slowly. */
static void put_retry(const struct gw_call *call, uint64_t units)
{
    uint64_t now = clock_mono_ns();
    struct limit_reservation part = {.count = 1};

    part.ask[0] = ask(call, "retry", units, RETRIES_SAVED * RETRY_UNITS, DAY_SEC);
    part.until_ns[0] = now + part.ask[0].window_ns;
    limit_settle(gw_worker_limits(), &part, 0, 0, now);
}

static bool takes(const struct limit_ask *ask, bool for_good)
{
    struct limit_reservation taken;
    struct limit_answer answer;

    uint64_t now = clock_mono_ns();
    limit_reserve(gw_worker_limits(), ask, 1, now, &taken, &answer);
    if (answer.verdict == LIMIT_GRANTED && !for_good)
        limit_settle(gw_worker_limits(), &taken, 0, 0, now);
    return answer.verdict == LIMIT_GRANTED;
}

/* `for_good`: else it is only looked whether there is one. */
static bool take_retry(const struct gw_call *call, bool for_good)
{
    const struct policy_routing_rules *rules = &call->plan->rules;
    struct limit_ask often = ask(call, "retries", 1, rules->retry_min_per_min, MINUTE_SEC);
    struct limit_ask store = ask(call, "retry", RETRY_UNITS, RETRIES_SAVED * RETRY_UNITS, DAY_SEC);

    return (rules->retry_min_per_min > 0 && takes(&often, for_good)) ||
           (rules->retry_percent > 0 && takes(&store, for_good));
}

/* ------------------------------------------------------------------ the ends of tries */

/* "primary:503,spare:200" */
static void note(struct gw_plan *plan, const char *how)
{
    const ngx_str_t *name = &plan->names[plan->at];
    size_t left = sizeof(plan->told) - plan->told_len;
    int len =
        snprintf(plan->told + plan->told_len, left, "%s%.*s:%s", plan->told_len > 0 ? "," : "",
                 (int)name->len, (const char *)name->data, how);

    plan->running = false;
    if (len > 0 && (size_t)len < left)
        plan->told_len += (size_t)len;
    else
        plan->told[plan->told_len] = '\0';
}

static void count(const struct gw_call *call, bool failed)
{
    const struct gw_plan *plan = call->plan;
    const struct policy_routing_rules *rules = &plan->rules;
    char room[LIMIT_BREAKER_NAME];
    struct span who =
        gw_plan_full_name(gw_span(call->namespace), gw_span(plan->names[plan->at]), room);
    uint64_t now = clock_mono_ns();

    if (rules->breaker_failures == 0)
        return;
    if (!failed)
        limit_breaker_succeeded(gw_worker_breakers(), who, now);
    else if (limit_breaker_failed(gw_worker_breakers(), who, rules->breaker_failures,
                                  (uint64_t)rules->breaker_ms * NS_PER_MS, now))
        ngx_log_error(NGX_LOG_WARN, plan->r->connection->log, 0,
                      "drun: %*s fails and is left out for a while", who.len, who.p);
}

/* What says nothing against the engine is a success: a request may be wrong. */
static void note_status(const struct gw_call *call, ngx_uint_t status)
{
    struct gw_plan *plan = call->plan;
    char text[24];

    count(call, status >= NGX_HTTP_INTERNAL_SERVER_ERROR || status == NGX_HTTP_TOO_MANY_REQUESTS);

    snprintf(text, sizeof(text), "%lu", (unsigned long)status);
    note(plan, text);
}

/* nginx has made a new state for the try that begins, if one begins. True: no answer came at all,
 * and not because of the time. */
static bool note_failure(const struct gw_call *call, ngx_uint_t behind)
{
    struct gw_plan *plan = call->plan;
    const ngx_http_request_t *r = plan->r;
    const ngx_array_t *states = r->upstream_states;
    ngx_uint_t said = r->upstream->headers_in.status_n;
    ngx_uint_t met = 0;

    if (states != NULL && states->nelts > behind)
        met = ((ngx_http_upstream_state_t *)states->elts)[states->nelts - 1 - behind].status;
    if (said != 0) {
        note_status(call, said);
        return false;
    }
    count(call, true);
    note(plan, met == NGX_HTTP_GATEWAY_TIME_OUT ? "timeout" : "connect-failure");
    return met != NGX_HTTP_GATEWAY_TIME_OUT;
}

void gw_plan_answered(struct gw_call *call, ngx_uint_t status)
{
    struct gw_plan *plan = call->plan;

    if (!plan->running)
        return;
    note_status(call, status);
    /* From here on the engine has the time that the location gives it. */
    plan->conf.read_timeout = plan->patience;
}

void gw_plan_end(struct gw_call *call)
{
    struct gw_plan *plan = call->plan;
    const ngx_http_request_t *r = plan->r;

    if (!plan->running)
        return;
    /* Who did not wait says nothing of the engine. */
    if (r->headers_out.status == NGX_HTTP_CLIENT_CLOSED_REQUEST || r->connection->error)
        note(plan, "client-left");
    else
        (void)note_failure(call, 0);
}

struct span gw_plan_told(const struct gw_plan *plan)
{
    return span_of(plan->told, plan->told_len);
}

struct span gw_plan_name(const struct gw_plan *plan)
{
    return plan->count == 0 ? span_of("", 0) : gw_span(plan->names[plan->at]);
}

/* ------------------------------------------------------------------ the next try */

/* The next of the order that can take the call, and has room for it. */
static ngx_int_t move(struct gw_call *call)
{
    struct gw_plan *plan = call->plan;
    const struct snapshot *policy = gw_worker_policy(plan->r);
    struct policy_backend backend;

    for (size_t i = 1; policy != NULL && i <= plan->count; i++) {
        size_t at = (plan->at + i) % plan->count;
        if (!gw_plan_backend(call, policy, at, &backend))
            continue;
        if (at != plan->at && !may_try(call, at))
            continue;
        if (at != plan->at && !gw_charge_move(plan->r, call, policy, &backend.route))
            continue;
        plan->at = at;
        gw_cache_check(call, &backend.route);
        return gw_engine_set(plan->r, call, policy, &backend);
    }
    return NGX_BUSY;
}

ngx_int_t gw_plan_next(struct gw_call *call, ngx_peer_connection_t *pc)
{
    struct gw_plan *plan = call->plan;
    ngx_http_upstream_t *u = plan->r->upstream;

    /* A connection that was kept turned out to be closed; this is no other try. */
    if (plan->tries > 0 && pc->tries > plan->left)
        return NGX_OK;
    if (plan->tries++ > 0) {
        bool is_wanted =
            !note_failure(call, 1) || (plan->rules.retry_on & POLICY_RETRY_CONNECT) != 0;
        if (!is_wanted || !take_retry(call, true) || move(call) != NGX_OK)
            return NGX_BUSY;
        u->request_bufs = plan->r->request_body->bufs;
        if (u->create_request(plan->r) != NGX_OK)
            return NGX_ERROR;
    }
    plan->running = true;
    return NGX_OK;
}

void gw_plan_tried(struct gw_call *call, ngx_peer_connection_t *pc)
{
    call->plan->left = pc->tries;
}

static ngx_uint_t next_upstream(uint32_t retry_on)
{
    static const struct {
        uint32_t bit;
        ngx_uint_t type;
    } types[] = {
        {POLICY_RETRY_TIMEOUT, NGX_HTTP_UPSTREAM_FT_TIMEOUT},
        {POLICY_RETRY_429, NGX_HTTP_UPSTREAM_FT_HTTP_429},
        {POLICY_RETRY_500, NGX_HTTP_UPSTREAM_FT_HTTP_500},
        {POLICY_RETRY_502, NGX_HTTP_UPSTREAM_FT_HTTP_502},
        {POLICY_RETRY_503, NGX_HTTP_UPSTREAM_FT_HTTP_503},
        {POLICY_RETRY_504, NGX_HTTP_UPSTREAM_FT_HTTP_504},
    };
    /* Without the first, a kept connection that was closed would be an error, too. */
    ngx_uint_t mask = NGX_HTTP_UPSTREAM_FT_ERROR | NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT;

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if ((retry_on & types[i].bit) != 0)
            mask |= types[i].type;
    return mask;
}

void gw_plan_begin(struct gw_call *call, ngx_peer_connection_t *pc)
{
    struct gw_plan *plan = call->plan;
    ngx_http_upstream_t *u = plan->r->upstream;

    plan->conf = *u->conf;
    plan->conf.next_upstream = next_upstream(plan->rules.retry_on);
    plan->patience = plan->conf.read_timeout;
    if (plan->rules.try_timeout_ms > 0)
        plan->conf.read_timeout = ngx_min(plan->patience, (ngx_msec_t)plan->rules.try_timeout_ms);
    u->conf = &plan->conf;
    pc->tries = 1;
    if (plan->rules.retries == 0)
        return;
    if (plan->rules.retry_percent > 0)
        put_retry(call, plan->rules.retry_percent);
    /* Without one at hand the engine's own refusal is told. */
    if (take_retry(call, false))
        pc->tries += plan->rules.retries;
}
