/* SPDX-License-Identifier: Apache-2.0 */
/* In which order a call of a model route tries its backends: by priority, then by weight; at
 * random, or always the same for who is sticky. */
#include "gateway/module/routing_plan.h"

#include "base/clock.h"
#include "base/num.h"
#include "crypto/crypto.h"

#include <math.h>
#include <stdio.h>

enum { PREFIX_TEXTS = 32, PREFIX_BYTES = 1024 }; /* of each text */

struct span gw_plan_full_name(struct span ns, struct span name, char room[LIMIT_BREAKER_NAME])
{
    int len = snprintf(room, LIMIT_BREAKER_NAME, "%.*s/%.*s", SPAN_ARG(ns), SPAN_ARG(name));

    return span_of(room, NUM_MIN((size_t)len, (size_t)LIMIT_BREAKER_NAME - 1));
}

uint64_t gw_mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* SplitMix64 (Steele, Lea and Flood, 2014), begun at random: nothing secret hangs on it. */
uint64_t gw_chance(void)
{
    static uint64_t state;
    struct err err = ERR_INIT;

    if (state == 0)
        INVARIANT(crypto_random(&state, sizeof(state), &err) == 0);
    state += UINT64_C(0x9e3779b97f4a7c15);
    return gw_mix(state);
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
            ((double)(gw_mix(plan->sticky ^ keys[i]) >> 11) + 1) / (double)(UINT64_C(1) << 53);
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
    uint64_t point = gw_chance() % total;
    for (size_t i = 0; i < count; i++) {
        if (point < weights[i])
            return i;
        point -= weights[i];
    }
    return count;
}

static bool is_left_out(const struct gw_plan *plan, const struct policy_route *service)
{
    char room[LIMIT_BREAKER_NAME];

    return plan->rules.breaker_failures > 0 &&
           limit_breaker_is_open(gw_worker_breakers(),
                                 gw_plan_full_name(service->namespace, service->name, room),
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
        if (gw_copy_text(plan->r->pool, backend.route.name, &plan->names[plan->count++]) != NGX_OK)
            return NGX_ERROR;
        weights[i] = 0;
    }
    return NGX_OK;
}

/* How the conversation begins: up to the first text of a user, which stays while it grows. */
static uint64_t prefix_of(const struct gw_call *call)
{
    const struct openai_texts *texts = gw_worker_texts();
    struct span body = call->request.body;
    uint64_t all = 0;

    for (size_t i = 0, used = 0; i < texts->count && used < PREFIX_TEXTS; i++) {
        const struct openai_text *text = &texts->text[i];
        if (text->kind != OPENAI_PROSE)
            continue;
        used++;
        struct span start =
            span_of(body.p + text->at, NUM_MIN((size_t)text->len, (size_t)PREFIX_BYTES));
        all = limit_key(start, span_of(&all, sizeof(all)));
        if (text->role == OPENAI_USER)
            break;
    }
    return all;
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
    else if (routing->rules.sticky == POLICY_STICKY_PREFIX)
        return prefix_of(call);
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

uint64_t gw_plan_sticky(const struct gw_plan *plan)
{
    return plan->sticky;
}

ngx_int_t gw_plan_make(ngx_http_request_t *r, struct gw_call *call, const struct snapshot *policy,
                       const struct policy_route *route)
{
    struct gw_plan *plan = ngx_pcalloc(r->pool, sizeof(*plan));
    struct policy_routing routing;

    if (plan == NULL || gw_copy_text(r->pool, route->name, &plan->alias) != NGX_OK)
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
