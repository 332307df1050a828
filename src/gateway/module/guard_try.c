/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/guard {"model", "direction", "text"}: what the policy in force would make of a text. It
 * goes nowhere. */
#include "gateway/module/module.h"

#include "snapshot/policy.h"

enum { REPLY_MAX = 256 * 1024 * 1024, FINDINGS_MAX = 1000 };

struct trying {
    struct buf findings;
    size_t count;
};

static void on_finding(void *ctx, const struct guard_finding *finding)
{
    struct trying *trying = ctx;
    const struct guard_detector *about = guard_detector(finding->detector);

    if (trying->count++ >= FINDINGS_MAX)
        return;
    buf_printf(&trying->findings,
               "%s{\"detector\":\"%s\",\"group\":\"%s\",\"action\":\"%s\",\"offset\":%lu,"
               "\"length\":%u,\"encoded\":%s}",
               trying->count > 1 ? "," : "", about->name, guard_group_name(about->group),
               guard_action_name(finding->action), (unsigned long)finding->offset, finding->len,
               finding->encoded ? "true" : "false");
}

/* The one text of such a request. */
static void text_of(const struct gw_call *call, struct buf *out)
{
    const struct openai_texts *texts = gw_worker_texts();

    for (size_t i = 0; i < texts->count; i++)
        if (texts->text[i].kind == OPENAI_PROSE)
            openai_text_decode(
                span_of(call->request.body.p + texts->text[i].at, texts->text[i].len), out);
}

static void try(const struct gw_call *call, const struct guard_policy *policy, struct buf *out)
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(REPLY_MAX);
    CLEANUP(buf_free_wiped) struct buf clean = BUF_INIT(REPLY_MAX);
    struct trying trying = {.findings = BUF_INIT(REPLY_MAX)};
    struct guard *guard = gw_guard_take();

    text_of(call, &text);
    guard_start(guard, policy, on_finding, &trying);
    bool blocked = guard_feed(guard, buf_span(&text), true, &clean) == GUARD_BLOCKED;
    gw_guard_give(guard);
    bool same = span_eq(buf_span(&text), buf_span(&clean));
    buf_printf(out, "{\"object\":\"guard.verdict\",\"verdict\":\"%s\",\"text\":",
               blocked ? "blocked"
               : same  ? "passed"
                       : "masked");
    openai_string_put(blocked ? span_of("", 0) : buf_span(&clean), out);
    buf_put_str(out, ",\"findings\":[");
    buf_put_span(out, buf_span(&trying.findings));
    buf_put_str(out, "]}");
    buf_free(&trying.findings);
}

ngx_int_t gw_guard_try(ngx_http_request_t *r, struct gw_call *call,
                       const struct policy_route *route)
{
    CLEANUP(buf_free_wiped) struct buf out = BUF_INIT(REPLY_MAX);
    const uint8_t *actions = route->guard == NULL        ? NULL
                             : call->request.for_answers ? route->guard->answer
                                                         : route->guard->request;
    struct guard_policy policy;

    (void)gw_guard_policy(actions, &policy);
    try(call, &policy, &out);
    call->stage = GW_REFUSED;
    ngx_http_finalize_request(r, out.overflowed ? NGX_HTTP_INTERNAL_SERVER_ERROR
                                                : gw_reply_json(r, NGX_HTTP_OK, buf_span(&out)));
    return NGX_DONE;
}
