/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and tokens a minute, of the key, the namespace and the route: reserved before the call,
 * settled behind it. */
#include "gateway/module/routing.h"

#include "base/clock.h"
#include "base/num.h"

#include <inttypes.h>
#include <stdio.h>

enum { NS_PER_MS = 1000000, MINUTE_MS = 60000 };

static struct limit_ask ask(struct span who, const char *what, uint64_t cost, uint64_t limit)
{
    return (struct limit_ask){.key = limit == 0 ? 0 : limit_key(who, span_str(what)),
                              .cost = cost,
                              .limit = gw_share_part(limit),
                              .window_ns = (uint64_t)MINUTE_MS * NS_PER_MS};
}

/* The route's name behind its namespace's: the two lie together in a model's name, too. */
struct route_name {
    char text[2 * OPENAI_MODEL_MAX];
};

static struct span name_of(const struct policy_route *route, struct route_name *room)
{
    size_t ns_len = NUM_MIN(route->namespace.len, sizeof(room->text) / 2 - 1);
    size_t name_len = NUM_MIN(route->name.len, sizeof(room->text) / 2);

    memcpy(room->text, route->namespace.p, ns_len);
    room->text[ns_len] = '/';
    memcpy(room->text + ns_len + 1, route->name.p, name_len);
    return span_of(room->text, ns_len + 1 + name_len);
}

struct span gw_caller(const struct gw_call *call)
{
    const struct auth_principal *who = &call->principal;

    return auth_text(who, who->credential.len > 0 ? who->credential : who->name);
}

static void fill_asks(struct gw_call *call, uint64_t tokens, const struct policy_namespace *ns,
                      const struct policy_route *route)
{
    const struct auth_principal *who = &call->principal;
    struct span key = gw_caller(call);
    UNINITIALIZED struct route_name room;
    struct span service = name_of(route, &room);
    struct limit_ask *asks = call->asks;

    asks[GW_KEY_REQUESTS] = ask(key, "kr", 1, who->requests_per_min);
    asks[GW_KEY_TOKENS] = ask(key, "kt", tokens, who->tokens_per_min);
    asks[GW_NAMESPACE_REQUESTS] = ask(ns->name, "nr", 1, ns->limits.requests_per_min);
    asks[GW_NAMESPACE_TOKENS] = ask(ns->name, "nt", tokens, ns->limits.tokens_per_min);
    asks[GW_ROUTE_REQUESTS] = ask(service, "rr", 1, route->limits.requests_per_min);
    asks[GW_ROUTE_TOKENS] = ask(service, "rt", tokens, route->limits.tokens_per_min);
}

static ngx_int_t refuse(ngx_http_request_t *r, struct gw_call *call)
{
    static const char *const whose[] = {"API key",   "API key", "namespace",
                                        "namespace", "model",   "model"};
    const struct limit_answer *answer = &call->limits;
    const struct limit_ask *refused = &call->asks[answer->which];
    const char *what = gw_limit_is_tokens(answer->which) ? "tokens" : "requests";
    struct gw_refusal refusal = {.status = NGX_HTTP_TOO_MANY_REQUESTS,
                                 .type = what,
                                 .code = "rate_limit_exceeded",
                                 .retry_after_ms = answer->retry_after_ns / NS_PER_MS + 1};
    char message[192];

    if (call->quiet)
        return NGX_BUSY;
    if (answer->verdict == LIMIT_NEVER) {
        snprintf(message, sizeof(message),
                 "The request may take %" PRIu64 " tokens, more than the %s's limit of %" PRIu64
                 " a minute; shorten it or lower max_tokens",
                 refused->cost, whose[answer->which], refused->limit);
        refusal.retry_after_ms = 0;
    } else {
        snprintf(message, sizeof(message),
                 "The %s's limit of %" PRIu64 " %s a minute is reached; %" PRIu64
                 " are left, this request needs %" PRIu64 "; try again in %" PRIu64 " ms",
                 whose[answer->which], refused->limit, what, answer->remaining[answer->which],
                 refused->cost, refusal.retry_after_ms);
    }
    return gw_refuse(r, call, &refusal, message);
}

static ngx_int_t refuse_place(ngx_http_request_t *r, struct gw_call *call, const char *whose,
                              uint32_t limit)
{
    static const struct gw_refusal refusal = {.status = NGX_HTTP_TOO_MANY_REQUESTS,
                                              .type = "requests",
                                              .code = "rate_limit_exceeded",
                                              .retry_after_ms = 1000};
    char message[128];

    if (call->quiet)
        return NGX_BUSY;
    snprintf(message, sizeof(message),
             "The %s's limit of %" PRIu32 " requests at the same time is reached; wait until one "
             "has ended",
             whose, limit);
    return gw_refuse(r, call, &refusal, message);
}

static uint32_t part_of(uint32_t limit)
{
    return (uint32_t)gw_share_part(limit);
}

ngx_int_t gw_limits_enter(ngx_http_request_t *r, struct gw_call *call,
                          const struct policy_namespace *ns, const struct policy_route *route)
{
    UNINITIALIZED struct route_name room;
    const struct {
        const char *whose;
        struct span who;
        const char *what;
        uint32_t limit;
    } asks[GW_PLACES] = {
        {"API key", gw_caller(call), "kc", part_of(call->principal.concurrent)},
        {"namespace", ns->name, "nc", part_of(ns->limits.concurrent)},
        {"model", name_of(route, &room), "rc", part_of(route->limits.concurrent)},
    };

    for (size_t i = 0; i < GW_PLACES; i++) {
        uint64_t key = asks[i].limit == 0 ? 0 : limit_key(asks[i].who, span_str(asks[i].what));
        if (!limit_enter(gw_worker_places(), key, asks[i].limit, &call->places[i])) {
            gw_limits_leave(call);
            return refuse_place(r, call, asks[i].whose, asks[i].limit);
        }
    }
    return NGX_DECLINED;
}

void gw_limits_leave(struct gw_call *call)
{
    struct limit_places *places = gw_worker_places();

    for (size_t i = 0; places != NULL && i < GW_PLACES; i++)
        limit_leave(places, &call->places[i]);
    if (call->of_several)
        gw_replica_leave(call);
}

ngx_int_t gw_limits_reserve(ngx_http_request_t *r, struct gw_call *call, uint64_t tokens,
                            const struct policy_namespace *ns, const struct policy_route *route)
{
    fill_asks(call, tokens, ns, route);
    limit_reserve(gw_worker_limits(), call->asks, GW_LIMIT_COUNT, clock_mono_ns(),
                  &call->reservation, &call->limits);
    call->answer_limits = true;
    if (call->limits.verdict != LIMIT_GRANTED)
        return refuse(r, call);
    call->reserved = true;
    return NGX_DECLINED;
}

bool gw_limits_move(struct gw_call *call, const struct policy_route *to)
{
    UNINITIALIZED struct route_name room;
    struct span service = name_of(to, &room);
    uint64_t place_key = to->limits.concurrent == 0 ? 0 : limit_key(service, span_str("rc"));
    struct limit_ask asks[] = {
        ask(service, "rr", 1, to->limits.requests_per_min),
        ask(service, "rt", call->asks[GW_ROUTE_TOKENS].cost, to->limits.tokens_per_min)};
    struct limit_reservation taken;
    struct limit_answer answer;
    struct limit_place place;
    uint64_t now = clock_mono_ns();

    if (!limit_enter(gw_worker_places(), place_key, part_of(to->limits.concurrent), &place))
        return false;
    limit_reserve(gw_worker_limits(), asks, ARRAY_LEN(asks), now, &taken, &answer);
    if (answer.verdict != LIMIT_GRANTED) {
        limit_leave(gw_worker_places(), &place);
        return false;
    }
    limit_leave(gw_worker_places(), &call->places[GW_PLACES - 1]);
    call->places[GW_PLACES - 1] = place;
    limit_settle(gw_worker_limits(), &call->reservation, GW_ROUTE_TOKENS, 0, now);
    for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
        call->reservation.ask[GW_ROUTE_REQUESTS + i] = taken.ask[i];
        call->reservation.until_ns[GW_ROUTE_REQUESTS + i] = taken.until_ns[i];
    }
    return true;
}

void gw_limits_undo(struct gw_call *call)
{
    gw_limits_leave(call);
    for (size_t i = 0; call->reserved && i < GW_LIMIT_COUNT; i++)
        limit_settle(gw_worker_limits(), &call->reservation, i, 0, clock_mono_ns());
    call->reserved = false;
}

void gw_limits_settle(struct gw_call *call, uint64_t now)
{
    uint64_t used = call->usage.prompt_tokens + call->usage.completion_tokens;

    if (!call->reserved)
        return;
    call->reserved = false;
    for (size_t i = 0; i < GW_LIMIT_COUNT; i++)
        if (gw_limit_is_tokens(i))
            limit_settle(gw_worker_limits(), &call->reservation, i, used, now);
}
