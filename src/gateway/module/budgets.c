/* SPDX-License-Identifier: Apache-2.0 */
/* The budgets and rates of a namespace's LimitPolicies: the most that a call can take is reserved
 * before it, what it did take is settled behind it. */
#include "gateway/module/routing.h"

#include "base/clock.h"
#include "base/num.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum { MOMENT_MS = 1000, MICROS = 1000000 };

static_assert((int)LIMIT_MINUTE == (int)POLICY_MINUTE && (int)LIMIT_HOUR == (int)POLICY_HOUR &&
                  (int)LIMIT_DAY == (int)POLICY_DAY && (int)LIMIT_MONTH == (int)POLICY_MONTH,
              "a window of the policy is one of the limits");

static const char *const measures[] = {
    [POLICY_REQUESTS] = "requests", [POLICY_TOKENS] = "tokens", [POLICY_COST] = "cost"};
static const char *const windows[] = {[POLICY_MINUTE] = "minute",
                                      [POLICY_HOUR] = "hour",
                                      [POLICY_DAY] = "day",
                                      [POLICY_MONTH] = "month"};

static const char *const shares[] = {
    [POLICY_SHARED] = "namespace", [POLICY_EACH_USER] = "user", [POLICY_EACH_KEY] = "key"};

static struct span owner_of(const struct gw_call *call, const struct policy_budget *budget)
{
    const struct auth_principal *who = &call->principal;

    return budget->share == POLICY_EACH_KEY    ? gw_caller(call)
           : budget->share == POLICY_EACH_USER ? auth_text(who, who->name)
                                               : span_of("", 0);
}

/* Whose budget it is. Another measure, window or algorithm is another budget, and so is that of a
 * namespace made anew; another limit is not, nor a policy made anew. */
static uint64_t key_of(const struct gw_call *call, const struct policy_namespace *ns,
                       const struct policy_budget *budget)
{
    const char kind[] = {(char)('a' + budget->measure), (char)('a' + budget->window),
                         (char)('a' + budget->share), (char)('a' + budget->algorithm)};
    /* Keys of the calendar's budgets outlive the program in a file, without the last letter. */
    size_t kind_len = budget->algorithm == POLICY_CALENDAR ? sizeof(kind) - 1 : sizeof(kind);
    uint64_t key = limit_key(ns->uid, budget->policy);

    key = limit_key(span_of(&key, sizeof(key)), budget->rule);
    key = limit_key(span_of(&key, sizeof(key)), span_of(kind, kind_len));
    return limit_key(span_of(&key, sizeof(key)), owner_of(call, budget));
}

/* ------------------------------------------------------------------ refusing */

struct gw_amount gw_amount(const struct gw_call *call, enum policy_measure measure, uint64_t value,
                           bool with_unit)
{
    struct gw_amount out;

    if (measure != POLICY_COST) {
        snprintf(out.text, sizeof(out.text), "%" PRIu64 "%s%s", value, with_unit ? " " : "",
                 with_unit ? measures[measure] : "");
        return out;
    }
    int len = snprintf(out.text, sizeof(out.text), "%" PRIu64 ".%06" PRIu64, value / MICROS,
                       value % MICROS);
    /* Cents stay. */
    while (out.text[len - 1] == '0' && out.text[len - 3] != '.')
        len--;
    snprintf(out.text + len, sizeof(out.text) - (size_t)len, " %.*s", (int)call->currency.len,
             (const char *)call->currency.data);
    return out;
}

static ngx_int_t refuse_unpriced(ngx_http_request_t *r, struct gw_call *call,
                                 const struct gw_budget *budget)
{
    static const struct gw_refusal refusal = {.status = NGX_HTTP_FORBIDDEN,
                                              .type = "invalid_request_error",
                                              .code = "model_not_priced",
                                              .param = "model"};
    char message[320];

    if (call->quiet)
        return NGX_BUSY;
    snprintf(message, sizeof(message),
             "The budget \"%s\" is of cost, and no PriceList says what this model costs; ask who "
             "administers the platform for a price",
             (const char *)budget->name.data);
    return gw_refuse(r, call, &refusal, message);
}

static ngx_int_t refuse(ngx_http_request_t *r, struct gw_call *call, const struct gw_budget *budget,
                        const struct limit_budget_ask *ask, enum limit_verdict verdict)
{
    const char *what = measures[budget->measure];
    const char *window = windows[budget->window];
    const char *name = (const char *)budget->name.data;
    bool used_up = verdict == LIMIT_REFUSED && !budget->answer.by_others;
    bool is_long = budget->window == POLICY_DAY || budget->window == POLICY_MONTH;
    struct gw_refusal refusal = {.status = NGX_HTTP_TOO_MANY_REQUESTS,
                                 .type = what,
                                 .code = used_up && is_long ? "insufficient_quota"
                                                            : "rate_limit_exceeded",
                                 .retry_after_ms = MOMENT_MS};
    struct gw_amount cost = gw_amount(call, budget->measure, ask->cost, verdict == LIMIT_NEVER);
    struct gw_amount limit = gw_amount(call, budget->measure, ask->limit, true);
    struct gw_amount settled = gw_amount(call, budget->measure, budget->answer.settled, false);
    struct gw_amount left = gw_amount(call, budget->measure, budget->answer.left, false);
    char message[512];
    char at[CLOCK_TEXT_SIZE];

    if (call->quiet)
        return NGX_BUSY;
    clock_format_sec(budget->answer.ends_sec, at);
    if (verdict == LIMIT_NEVER) {
        refusal.retry_after_ms = 0;
        snprintf(message, sizeof(message),
                 "The request may take %s, more than the budget \"%s\" of %s a %s; shorten it or "
                 "lower max_tokens",
                 cost.text, name, limit.text, window);
    } else if (verdict == LIMIT_FULL) {
        snprintf(message, sizeof(message),
                 "There are too many budgets at once for another one of \"%s\"; try again later",
                 name);
    } else if (used_up) {
        int64_t wait = budget->answer.ends_sec - ngx_time();
        refusal.retry_after_ms = (uint64_t)NUM_MAX(wait, 1) * 1000;
        snprintf(
            message, sizeof(message),
            "The budget \"%s\" of %s a %s is used up: %s are used, this request may take %s; it "
            "begins anew at %s",
            name, limit.text, window, settled.text, cost.text, at);
    } else {
        snprintf(message, sizeof(message),
                 "The budget \"%s\" of %s a %s has %s left while other requests run, this one may "
                 "take %s; try again in a moment",
                 name, limit.text, window, left.text, cost.text);
    }
    return gw_refuse(r, call, &refusal, message);
}

/* ------------------------------------------------------------------ reserving */

static ngx_int_t put_name(ngx_http_request_t *r, const struct policy_budget *from, ngx_str_t *out)
{
    out->len = from->policy.len + 1 + from->rule.len;
    out->data = ngx_pnalloc(r->pool, out->len + 1);
    if (out->data == NULL)
        return NGX_ERROR;
    u_char *p = ngx_cpymem(out->data, from->policy.p, from->policy.len);
    *p++ = '/';
    p = ngx_cpymem(p, from->rule.p, from->rule.len);
    *p = '\0';
    return NGX_OK;
}

static uint64_t most_of(const struct gw_call *call, enum policy_measure measure,
                        const struct gw_most *most)
{
    struct limit_tokens tokens = {.input = most->input, .output = most->output};

    switch (measure) {
    case POLICY_TOKENS: return most->sum;
    case POLICY_COST: return limit_cost(&call->rates, &tokens);
    default: return 1;
    }
}

/* What hangs on the model: budgets of the service alone, and what the price makes of a call. */
static bool hangs_on_model(const struct policy_budget *from)
{
    return from->service.len > 0 || from->measure == POLICY_COST;
}

static ngx_int_t reserve_one(ngx_http_request_t *r, struct gw_call *call,
                             const struct gw_most *most, const struct policy_namespace *ns,
                             const struct policy_budget *from)
{
    struct gw_budget *budget = &call->budgets[call->budget_count];
    struct limit_budget_ask ask = {.key = key_of(call, ns, from),
                                   .cost = most_of(call, from->measure, most),
                                   .limit = NUM_MIN(from->limit, LIMIT_BUDGET_MAX),
                                   .window = (enum limit_window)from->window,
                                   .alerts = from->alerts,
                                   .label = {ns->name, ns->uid, from->policy, from->rule,
                                             span_str(measures[from->measure]),
                                             span_str(windows[from->window]),
                                             span_str(shares[from->share]), owner_of(call, from)}};

    budget->limit = ask.limit;
    budget->measure = from->measure;
    budget->window = from->window;
    budget->of_model = hangs_on_model(from);
    if (put_name(r, from, &budget->name) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    if (from->measure == POLICY_COST && call->currency.len == 0)
        return refuse_unpriced(r, call, budget);
    if (ask.cost == 0) /* what takes nothing fits into what is left of anything */
        return NGX_DECLINED;
    call->budget_count++;
    if (from->algorithm != POLICY_CALENDAR) {
        budget->limit = gw_share_part(ask.limit);
        return gw_rate_reserve(r, call, budget, from->algorithm, ask.key, ask.cost);
    }
    enum limit_verdict verdict = limit_budget_reserve(gw_worker_budgets(), &ask, ngx_time(),
                                                      &budget->charge, &budget->answer);
    if (verdict == LIMIT_GRANTED)
        return NGX_DECLINED;
    ngx_int_t rc = verdict == LIMIT_WAIT ? gw_share_wait(r, call) : NGX_DECLINED;
    return rc == NGX_DECLINED ? refuse(r, call, budget, &ask, verdict) : rc;
}

ngx_int_t gw_budgets_reserve(ngx_http_request_t *r, struct gw_call *call,
                             const struct snapshot *policy, const struct gw_most *most,
                             const struct policy_namespace *ns, const struct policy_route *route)
{
    struct policy_budget from;

    if (ns->budget_count == 0)
        return NGX_DECLINED;
    call->budgets = ngx_pcalloc(r->pool, ns->budget_count * sizeof(*call->budgets));
    if (call->budgets == NULL)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    for (size_t i = 0; i < ns->budget_count; i++) {
        policy_budget_at(policy, ns, i, &from);
        if (from.service.len > 0 && !span_eq(from.service, route->name))
            continue;
        ngx_int_t rc = reserve_one(r, call, most, ns, &from);
        if (rc != NGX_DECLINED)
            return rc;
        call->answer_budgeted |= from.measure != POLICY_REQUESTS;
    }
    return NGX_DECLINED;
}

static void settle_one(struct gw_budget *budget, uint64_t used)
{
    if (budget->rate == NULL)
        limit_budget_settle(gw_worker_budgets(), &budget->charge, used, ngx_time());
    else
        limit_settle(gw_worker_limits(), budget->rate, 0, used, clock_mono_ns());
}

static void leave_model(struct gw_call *call)
{
    size_t kept = 0;

    for (size_t i = 0; i < call->budget_count; i++) {
        struct gw_budget *budget = &call->budgets[i];
        if (!budget->of_model)
            call->budgets[kept++] = *budget;
        else
            settle_one(budget, 0);
    }
    call->budget_count = kept;
}

bool gw_budgets_move(ngx_http_request_t *r, struct gw_call *call, const struct snapshot *policy,
                     const struct gw_most *most, const struct policy_namespace *ns,
                     const struct policy_route *to)
{
    struct gw_budget *room =
        ngx_pcalloc(r->pool, (call->budget_count + ns->budget_count) * sizeof(*room));
    struct policy_budget from;

    if (room == NULL)
        return false;
    leave_model(call);
    for (size_t i = 0; i < call->budget_count; i++)
        room[i] = call->budgets[i];
    call->budgets = room;
    for (size_t i = 0; i < ns->budget_count; i++) {
        policy_budget_at(policy, ns, i, &from);
        bool concerns = from.service.len == 0 || span_eq(from.service, to->name);
        if (concerns && hangs_on_model(&from) &&
            reserve_one(r, call, most, ns, &from) != NGX_DECLINED)
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------ settling */

static uint64_t used_of(const struct gw_call *call, enum policy_measure measure)
{
    switch (measure) {
    case POLICY_TOKENS: return call->usage.prompt_tokens + call->usage.completion_tokens;
    case POLICY_COST: return call->cost;
    default: return 1;
    }
}

/* A call that was refused here or elsewhere took nothing. */
void gw_budgets_settle(struct gw_call *call)
{
    if (gw_worker_budgets() == NULL)
        return;
    for (size_t i = 0; i < call->budget_count; i++) {
        struct gw_budget *budget = &call->budgets[i];
        bool took = call->stage == GW_DECIDED || call->stage == GW_KEPT;
        uint64_t used = took ? used_of(call, budget->measure) : 0;
        settle_one(budget, used);
    }
    call->budget_count = 0;
}
