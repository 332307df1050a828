/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and tokens a minute, of the key, the namespace and the route: reserved before the call,
 * settled behind it, told to the client in the headers that OpenAI's clients know. */
#include "gateway/module/module.h"

#include "base/clock.h"
#include "base/num.h"

#include <inttypes.h>
#include <stdio.h>

enum { NS_PER_MS = 1000000, MINUTE_MS = 60000 };

static bool is_tokens(size_t which)
{
    return which % 2 == 1;
}

static struct limit_ask ask(struct span who, const char *what, uint64_t cost, uint64_t limit)
{
    return (struct limit_ask){.key = limit == 0 ? 0 : limit_key(who, span_str(what)),
                              .cost = cost,
                              .limit = limit,
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
    const char *what = is_tokens(answer->which) ? "tokens" : "requests";
    struct gw_refusal refusal = {.status = NGX_HTTP_TOO_MANY_REQUESTS,
                                 .type = what,
                                 .code = "rate_limit_exceeded",
                                 .retry_after_ms = answer->retry_after_ns / NS_PER_MS + 1};
    char message[192];

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

    snprintf(message, sizeof(message),
             "The %s's limit of %" PRIu32 " requests at the same time is reached; wait until one "
             "has ended",
             whose, limit);
    return gw_refuse(r, call, &refusal, message);
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
        {"API key", gw_caller(call), "kc", call->principal.concurrent},
        {"namespace", ns->name, "nc", ns->limits.concurrent},
        {"model", name_of(route, &room), "rc", route->limits.concurrent},
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

void gw_limits_settle(struct gw_call *call)
{
    uint64_t used = call->usage.prompt_tokens + call->usage.completion_tokens;

    if (!call->reserved)
        return;
    call->reserved = false;
    uint64_t now = clock_mono_ns();
    for (size_t i = 0; i < GW_LIMIT_COUNT; i++)
        if (is_tokens(i))
            limit_settle(gw_worker_limits(), &call->reservation, i, used, now);
}

/* ------------------------------------------------------------------ headers */

/* With at least `width` digits. */
static u_char *put_number(u_char *p, uint64_t number, size_t width)
{
    u_char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (u_char)('0' + number % 10);
        number /= 10;
    } while (number > 0 || sizeof(digits) - at < width);
    return ngx_cpymem(p, digits + at, sizeof(digits) - at);
}

/* "20ms", "1.500s", "6m0.000s" */
static u_char *put_duration(u_char *p, uint64_t ns)
{
    uint64_t ms = (ns + NS_PER_MS - 1) / NS_PER_MS;

    if (ms < 1000) {
        p = put_number(p, ms, 1);
        *p++ = 'm';
    } else {
        if (ms >= MINUTE_MS) {
            p = put_number(p, ms / MINUTE_MS, 1);
            *p++ = 'm';
        }
        p = put_number(p, ms % MINUTE_MS / 1000, 1);
        *p++ = '.';
        p = put_number(p, ms % 1000, 3);
    }
    *p++ = 's';
    return p;
}

/* The limit of a kind that has the least left, in parts of itself; -1 when there is none. */
static int tightest(const struct gw_call *call, bool tokens)
{
    int found = -1;

    for (int i = tokens; i < GW_LIMIT_COUNT; i += 2) {
        if (call->asks[i].limit == 0)
            continue;
        bool tighter =
            found < 0 || (unsigned __int128)call->limits.remaining[i] * call->asks[found].limit <
                             (unsigned __int128)call->limits.remaining[found] * call->asks[i].limit;
        if (tighter)
            found = i;
    }
    return found;
}

static ngx_int_t put_kind(ngx_http_request_t *r, const struct gw_call *call, bool tokens)
{
    static const char *const names[2][3] = {
        {"x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
         "x-ratelimit-reset-requests"},
        {"x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"}};
    int i = tightest(call, tokens);
    u_char *room = i < 0 ? NULL : ngx_pnalloc(r->pool, 3 * GW_HEADER_MAX);

    if (i < 0)
        return NGX_OK;
    if (room == NULL)
        return NGX_ERROR;
    u_char *end[] = {put_number(room, call->asks[i].limit, 1),
                     put_number(room + GW_HEADER_MAX, call->limits.remaining[i], 1),
                     put_duration(room + 2 * GW_HEADER_MAX, call->limits.full_after_ns[i])};
    for (size_t j = 0; j < ARRAY_LEN(end); j++) {
        u_char *from = room + j * GW_HEADER_MAX;
        ngx_str_t value = {(size_t)(end[j] - from), from};
        if (gw_header_add(r, names[tokens][j], value) != NGX_OK)
            return NGX_ERROR;
    }
    return NGX_OK;
}

ngx_int_t gw_limits_put(ngx_http_request_t *r, const struct gw_call *call)
{
    if (!call->answer_limits)
        return NGX_OK;
    if (put_kind(r, call, false) != NGX_OK || put_kind(r, call, true) != NGX_OK)
        return NGX_ERROR;
    return gw_fields_put(r, call);
}
