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
#include "gateway/module/routing.h"

#include "base/clock.h"
#include "base/num.h"
#include "crypto/crypto.h"

#include <math.h>
#include <stdio.h>

enum {
    TOLD_MAX = 256,
    NS_PER_SEC = 1000000000,
    NS_PER_MS = 1000000,
    MINUTE_SEC = 60,
    DAY_SEC = 86400,
    /* A retry in the store that calls fill; so many can be saved up. */
    RETRY_UNITS = 100,
    RETRIES_SAVED = 50,
};

struct gw_plan {
    ngx_http_request_t *r;
    struct policy_routing_rules rules;
    ngx_str_t alias;                      /* what was called, without its namespace */
    ngx_str_t names[POLICY_BACKENDS_MAX]; /* of the services, in the order of trying */
    size_t count;
    size_t at;
    ngx_uint_t tries;    /* begun */
    ngx_uint_t left;     /* what nginx was told that it has left */
    uint64_t sticky;     /* whose call it is; 0: anybody's */
    bool panics;         /* all were left out, so none is */
    bool running;        /* a try whose end is not noted */
    ngx_msec_t patience; /* of the location */
    ngx_http_upstream_conf_t conf;
    char told[TOLD_MAX];
    size_t told_len;
};

/* ------------------------------------------------------------------ the order */

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* SplitMix64 (Steele, Lea and Flood, 2014), begun at random: nothing secret hangs on it. */
static uint64_t chance(void)
{
    static uint64_t state;
    struct err err = ERR_INIT;

    if (state == 0)
        INVARIANT(crypto_random(&state, sizeof(state), &err) == 0);
    state += UINT64_C(0x9e3779b97f4a7c15);
    return mix(state);
}

static struct span full_name(struct span ns, struct span name, char room[LIMIT_BREAKER_NAME])
{
    int len = snprintf(room, LIMIT_BREAKER_NAME, "%.*s/%.*s", SPAN_ARG(ns), SPAN_ARG(name));

    return span_of(room, NUM_MIN((size_t)len, (size_t)LIMIT_BREAKER_NAME - 1));
}

/* Rendezvous hashing by weight (Schindelhauer and Schomaker, 2005): one that is left out takes only
 * its own calls elsewhere. */
static size_t choose(const struct gw_plan *plan, const uint32_t *weights, const uint64_t *keys,
                     size_t count)
{
    double best_score = -1;
    size_t best = count;

    for (size_t i = 0; i < count; i++) {
        if (weights[i] == 0)
            continue;
        double share =
            ((double)(mix(plan->sticky ^ keys[i]) >> 11) + 1) / (double)(UINT64_C(1) << 53);
        double score = share < 1 ? -(double)weights[i] / log(share) : INFINITY;
        if (score > best_score) {
            best_score = score;
            best = i;
        }
    }
    return best;
}

/* One of those that are left, by weight: the place in `weights`, or `count`. */
static size_t draw(const struct gw_plan *plan, const uint32_t *weights, const uint64_t *keys,
                   size_t count)
{
    uint64_t total = 0;

    if (plan->sticky != 0)
        return choose(plan, weights, keys, count);

    for (size_t i = 0; i < count; i++)
        total += weights[i];
    if (total == 0)
        return count;
    uint64_t point = chance() % total;
    for (size_t i = 0; i < count; i++) {
        if (point < weights[i])
            return i;
        point -= weights[i];
    }
    return count;
}

static ngx_int_t copy_name(ngx_pool_t *pool, struct span name, ngx_str_t *out)
{
    out->len = name.len;
    out->data = ngx_pnalloc(pool, name.len + 1);
    if (out->data == NULL)
        return NGX_ERROR;
    *ngx_cpymem(out->data, name.p, name.len) = '\0';
    return NGX_OK;
}

static bool is_left_out(const struct gw_plan *plan, const struct policy_route *service)
{
    char room[LIMIT_BREAKER_NAME];

    return plan->rules.breaker_failures > 0 &&
           limit_breaker_is_open(gw_worker_breakers(),
                                 full_name(service->namespace, service->name, room),
                                 clock_mono_ns());
}

/* Those of one priority, from `from` on: they are in the order of priority. *next: where the next
 * begins. `all`: also those that are left out at the time. */
static ngx_int_t put_priority(struct gw_plan *plan, const struct snapshot *policy,
                              const struct policy_routing *routing, size_t from, bool all,
                              size_t *next)
{
    uint32_t weights[POLICY_BACKENDS_MAX];
    uint64_t keys[POLICY_BACKENDS_MAX];
    struct policy_backend backend;
    uint32_t priority = 0;
    size_t count = 0;

    for (; from + count < routing->backend_count && count < POLICY_BACKENDS_MAX; count++) {
        policy_backend_at(policy, routing, from + count, &backend);
        if (count > 0 && backend.priority != priority)
            break;
        priority = backend.priority;
        bool welcome = backend.route.ready && (all || !is_left_out(plan, &backend.route));
        weights[count] = welcome ? backend.weight : 0;
        keys[count] = limit_key(backend.route.name, span_str("backend"));
    }
    *next = from + count;
    for (size_t i;
         (i = draw(plan, weights, keys, count)) < count && plan->count < POLICY_BACKENDS_MAX;) {
        policy_backend_at(policy, routing, from + i, &backend);
        if (copy_name(plan->r->pool, backend.route.name, &plan->names[plan->count++]) != NGX_OK)
            return NGX_ERROR;
        weights[i] = 0;
    }
    return NGX_OK;
}

static uint64_t sticky_of(ngx_http_request_t *r, const struct gw_call *call,
                          const struct policy_routing *routing)
{
    const struct auth_principal *who = &call->principal;
    struct span id = span_of("", 0);

    if (routing->rules.sticky == POLICY_STICKY_USER)
        id = auth_text(who, who->name);
    else if (routing->rules.sticky == POLICY_STICKY_KEY)
        id = gw_caller(call);
    else if (routing->rules.sticky == POLICY_STICKY_HEADER) {
        const ngx_table_elt_t *header = gw_header_in(r, (const char *)routing->sticky_header.p);
        id = header == NULL ? id : gw_span(header->value);
    }
    return id.len == 0 ? 0 : limit_key(id, span_str("sticky"));
}

static ngx_int_t put_all(struct gw_plan *plan, const struct snapshot *policy,
                         const struct policy_routing *routing, bool all)
{
    for (size_t at = 0; at < routing->backend_count;)
        if (put_priority(plan, policy, routing, at, all, &at) != NGX_OK)
            return NGX_ERROR;
    return NGX_OK;
}

ngx_int_t gw_plan_make(ngx_http_request_t *r, struct gw_call *call, const struct snapshot *policy,
                       const struct policy_route *route)
{
    struct gw_plan *plan = ngx_pcalloc(r->pool, sizeof(*plan));
    struct policy_routing routing;

    if (plan == NULL || copy_name(r->pool, route->name, &plan->alias) != NGX_OK)
        return NGX_ERROR;
    policy_routing_of(policy, route, &routing);
    plan->r = r;
    plan->rules = routing.rules;
    call->plan = plan;
    plan->sticky = sticky_of(r, call, &routing);
    if (put_all(plan, policy, &routing, false) != NGX_OK)
        return NGX_ERROR;
    /* When all of them are left out, leaving out helps nobody. */
    plan->panics = plan->count == 0;
    return plan->panics ? put_all(plan, policy, &routing, true) : NGX_OK;
}

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
           limit_breaker_try(gw_worker_breakers(),
                             full_name(gw_span(call->namespace), gw_span(plan->names[at]), room),
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
    struct span who = full_name(gw_span(call->namespace), gw_span(plan->names[plan->at]), room);
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
    char text[16];

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
        return gw_engine_set(plan->r, call, &backend);
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
