/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of LimitPolicies that are rates: a limit of the minute before, whenever one looks. */
#include "gateway/module/module.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

enum { NS_PER_MS = 1000000 };

static const uint64_t minute_ns = UINT64_C(60000) * NS_PER_MS;

static ngx_int_t refuse(ngx_http_request_t *r, struct gw_call *call, const struct gw_budget *budget,
                        uint64_t cost, const struct limit_answer *answer)
{
    static const char *const measures[] = {
        [POLICY_REQUESTS] = "requests", [POLICY_TOKENS] = "tokens", [POLICY_COST] = "cost"};
    bool never = answer->verdict == LIMIT_NEVER;
    struct gw_refusal refusal = {.status = NGX_HTTP_TOO_MANY_REQUESTS,
                                 .type = measures[budget->measure],
                                 .code = "rate_limit_exceeded",
                                 .retry_after_ms =
                                     never ? 0 : answer->retry_after_ns / NS_PER_MS + 1};
    struct gw_amount most = gw_amount(call, budget->measure, cost, never);
    struct gw_amount limit = gw_amount(call, budget->measure, budget->limit, true);
    struct gw_amount left = gw_amount(call, budget->measure, budget->answer.left, false);
    const char *name = (const char *)budget->name.data;
    char message[512];

    if (call->quiet)
        return NGX_BUSY;
    if (never)
        snprintf(message, sizeof(message),
                 "The request may take %s, more than the limit \"%s\" of %s a minute; shorten it "
                 "or lower max_tokens",
                 most.text, name, limit.text);
    else if (answer->verdict == LIMIT_FULL)
        snprintf(message, sizeof(message),
                 "There are too many limits at once for another one of \"%s\"; try again later",
                 name);
    else
        snprintf(message, sizeof(message),
                 "The limit \"%s\" of %s a minute is reached; %s are left, this request may take "
                 "%s; try again in %" PRIu64 " ms",
                 name, limit.text, left.text, most.text, refusal.retry_after_ms);
    return gw_refuse(r, call, &refusal, message);
}

ngx_int_t gw_rate_reserve(ngx_http_request_t *r, struct gw_call *call, struct gw_budget *budget,
                          enum policy_algorithm algorithm, uint64_t key, uint64_t cost)
{
    struct limit_ask ask = {.key = key,
                            .cost = cost,
                            .limit = budget->limit,
                            .window_ns = minute_ns,
                            .algorithm = algorithm == POLICY_SLIDING_WINDOW ? LIMIT_SLIDING_WINDOW
                                                                            : LIMIT_TOKEN_BUCKET};
    UNINITIALIZED struct limit_answer answer;

    budget->rate = ngx_palloc(r->pool, sizeof(*budget->rate));
    if (budget->rate == NULL) {
        call->budget_count--; /* nothing is held of it */
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    limit_reserve(gw_worker_limits(), &ask, 1, clock_mono_ns(), budget->rate, &answer);
    budget->answer.left = answer.remaining[0];
    budget->whole_after_ns = answer.full_after_ns[0];
    return answer.verdict == LIMIT_GRANTED ? NGX_DECLINED : refuse(r, call, budget, cost, &answer);
}
