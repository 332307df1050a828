/* SPDX-License-Identifier: Apache-2.0 */
/* How much a call will take: what is likely, for the limits of a minute, and the most, for budgets.
 */
#include "gateway/module/module.h"

#include "base/num.h"

/* What an engine's template may put before the first message. */
enum { TEMPLATE_TOKENS = 64 };

bool gw_makes_text(const struct gw_loc_conf *conf)
{
    return conf->api != OPENAI_EMBEDDINGS && conf->api != OPENAI_COUNT_TOKENS;
}

uint64_t gw_answer_limit(const struct gw_loc_conf *conf, const struct gw_call *call,
                         const struct policy_route *route)
{
    if (route->max_tokens > 0)
        return route->max_tokens;
    return call->answer_budgeted && route->context_tokens == 0 ? conf->default_tokens : 0;
}

/* Of one answer, if it goes as the request or the route says. */
static uint64_t answer_tokens(const struct gw_loc_conf *conf, const struct gw_call *call,
                              const struct policy_route *route)
{
    return call->request.max_tokens_given ? call->request.max_tokens
           : route->max_tokens > 0        ? route->max_tokens
                                          : conf->default_tokens;
}

uint64_t gw_likely_tokens(ngx_http_request_t *r, const struct gw_call *call,
                          const struct policy_route *route)
{
    const struct gw_loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_drun_module);
    const struct openai_request *request = &call->request;
    uint64_t prompt = openai_estimate_prompt(request->prompt_bytes, request->prompt_ids);

    if (conf->api == OPENAI_COUNT_TOKENS)
        return 0;
    return conf->api == OPENAI_EMBEDDINGS ? prompt
                                          : prompt + answer_tokens(conf, call, route) * request->n;
}

/*
 * No token is shorter than a byte of the body, whose JSON also makes up for what the engine's
 * template puts around each message; and nothing is longer than the context, where it is known. An
 * answer that nobody limits is limited by gw_answer_limit(), or else may fill the context.
 */
void gw_most_tokens(ngx_http_request_t *r, const struct gw_call *call,
                    const struct policy_route *route, struct gw_most *out)
{
    const struct gw_loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_drun_module);
    const struct openai_request *request = &call->request;
    uint64_t whole = (uint64_t)route->context_tokens * request->n;
    bool is_open = !request->max_tokens_given && route->max_tokens == 0;

    *out = (struct gw_most){0};
    if (conf->api == OPENAI_COUNT_TOKENS)
        return;
    out->input = request->body.len + TEMPLATE_TOKENS;
    if (gw_makes_text(conf))
        out->output = NUM_MIN(answer_tokens(conf, call, route), LIMIT_BUDGET_MAX) * request->n;
    out->sum = out->input + out->output;
    if (whole == 0)
        return;
    if (is_open && gw_makes_text(conf))
        out->output = out->sum = whole;
    out->input = NUM_MIN(out->input, whole);
    out->output = NUM_MIN(out->output, whole);
    out->sum = NUM_MIN(out->sum, whole);
}
