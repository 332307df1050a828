/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and tokens a minute, of the key, the namespace and the route: reserved before the call,
 * settled behind it, told to the client in the headers that OpenAI's clients know. */
#include "gateway/module/module.h"

#include "base/clock.h"

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

static void fill_asks(struct gw_call *call, uint64_t tokens, const struct policy_namespace *ns,
                      const struct policy_route *route)
{
    const struct auth_principal *who = &call->principal;
    struct span key = auth_text(who, who->credential.len > 0 ? who->credential : who->name);
    char name[2 * OPENAI_MODEL_MAX];
    int len = snprintf(name, sizeof(name), "%.*s/%.*s", SPAN_ARG(route->namespace),
                       SPAN_ARG(route->name));
    struct span service =
        span_of(name, (size_t)len < sizeof(name) ? (size_t)len : sizeof(name) - 1);
    struct limit_ask *asks = call->asks;

    asks[GW_KEY_REQUESTS] = ask(key, "key requests", 1, who->requests_per_min);
    asks[GW_KEY_TOKENS] = ask(key, "key tokens", tokens, who->tokens_per_min);
    asks[GW_NAMESPACE_REQUESTS] =
        ask(ns->name, "namespace requests", 1, ns->limits.requests_per_min);
    asks[GW_NAMESPACE_TOKENS] =
        ask(ns->name, "namespace tokens", tokens, ns->limits.tokens_per_min);
    asks[GW_ROUTE_REQUESTS] = ask(service, "route requests", 1, route->limits.requests_per_min);
    asks[GW_ROUTE_TOKENS] = ask(service, "route tokens", tokens, route->limits.tokens_per_min);
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
    for (size_t i = 0; i < GW_LIMIT_COUNT; i++)
        if (is_tokens(i))
            limit_settle(gw_worker_limits(), &call->reservation, i, used, clock_mono_ns());
}

/* ------------------------------------------------------------------ headers */

ngx_str_t gw_duration(ngx_pool_t *pool, uint64_t ns)
{
    uint64_t ms = (ns + NS_PER_MS - 1) / NS_PER_MS;
    ngx_str_t out = {0, ngx_pnalloc(pool, GW_HEADER_MAX)};

    if (out.data == NULL)
        return out;
    int len = ms < 1000        ? snprintf((char *)out.data, GW_HEADER_MAX, "%" PRIu64 "ms", ms)
              : ms < MINUTE_MS ? snprintf((char *)out.data, GW_HEADER_MAX,
                                          "%" PRIu64 ".%03" PRIu64 "s", ms / 1000, ms % 1000)
                               : snprintf((char *)out.data, GW_HEADER_MAX,
                                          "%" PRIu64 "m%" PRIu64 ".%03" PRIu64 "s", ms / MINUTE_MS,
                                          ms % MINUTE_MS / 1000, ms % 1000);
    out.len = (size_t)len;
    return out;
}

static ngx_int_t put_number(ngx_http_request_t *r, const char *name, uint64_t number)
{
    ngx_str_t text = {0, ngx_pnalloc(r->pool, GW_HEADER_MAX)};

    if (text.data == NULL)
        return NGX_ERROR;
    text.len = (size_t)snprintf((char *)text.data, GW_HEADER_MAX, "%" PRIu64, number);
    return gw_header_add(r, name, text);
}

/* The limit of a kind that has the least left, in parts of itself; -1 when there is none. */
static int tightest(const struct gw_call *call, bool tokens)
{
    int found = -1;

    for (int i = tokens; i < GW_LIMIT_COUNT; i += 2) {
        if (call->asks[i].limit == 0)
            continue;
        bool tighter = found < 0 ||
                       (double)call->limits.remaining[i] / (double)call->asks[i].limit <
                           (double)call->limits.remaining[found] / (double)call->asks[found].limit;
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

    if (i < 0)
        return NGX_OK;
    if (put_number(r, names[tokens][0], call->asks[i].limit) != NGX_OK ||
        put_number(r, names[tokens][1], call->limits.remaining[i]) != NGX_OK)
        return NGX_ERROR;
    return gw_header_add(r, names[tokens][2], gw_duration(r->pool, call->limits.full_after_ns[i]));
}

ngx_int_t gw_limits_put(ngx_http_request_t *r, const struct gw_call *call)
{
    if (!call->answer_limits)
        return NGX_OK;
    return put_kind(r, call, false) == NGX_OK ? put_kind(r, call, true) : NGX_ERROR;
}
