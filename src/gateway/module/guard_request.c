/* SPDX-License-Identifier: Apache-2.0 */
/* The strings of a request through the guard; all but base64 and a few fixed words. */
#include "gateway/module/module.h"

#include "snapshot/policy.h"

#include <stdio.h>

enum { BODY_MAX = 256 * 1024 * 1024, KEPT_MAX = 1024 * 1024 };

/* One request at a time: what a string stands for, what the guard makes of it, the whole body. */
static struct buf plain = BUF_INIT(BODY_MAX);
static struct buf clean = BUF_INIT(BODY_MAX);
static struct buf masked = BUF_INIT(BODY_MAX);

struct looking {
    struct gw_notes notes;
    const struct openai_text *text;
    bool changed;                        /* the text at hand */
    const struct guard_detector *reason; /* to block; or NULL */
    uint64_t offset;
    size_t copied; /* of the body, into `masked` */
};

static void on_finding(void *ctx, const struct guard_finding *finding)
{
    struct looking *looking = ctx;

    gw_note(&looking->notes, finding, (enum openai_role)looking->text->role, looking->text->index);
    looking->changed |= finding->action >= GUARD_MASK;
    if (finding->action < GUARD_BLOCK || looking->reason != NULL)
        return;
    looking->reason = guard_detector(finding->detector);
    looking->offset = finding->offset;
}

static struct span text_of(struct span body, const struct openai_text *text)
{
    struct span raw = span_of(body.p + text->at, text->len);

    if (!text->escaped)
        return raw;
    buf_reset(&plain);
    openai_text_decode(raw, &plain);
    return buf_span(&plain);
}

/* Quotes stand around the text in the body; the string that comes in its place has its own. */
static void replace(struct looking *looking, struct span body)
{
    size_t from = looking->text->at - 1U;

    buf_put(&masked, body.p + looking->copied, from - looking->copied);
    openai_string_put(buf_span(&clean), &masked);
    looking->copied = (size_t)looking->text->at + looking->text->len + 1;
}

static bool look_at(struct looking *looking, struct guard *guard, const struct guard_policy *policy,
                    struct span body)
{
    buf_reset(&clean);
    looking->changed = false;
    guard_start(guard, policy, on_finding, looking);
    enum guard_verdict verdict = guard_feed(guard, text_of(body, looking->text), true, &clean);
    if (verdict == GUARD_BLOCKED)
        return false;
    if (looking->changed)
        replace(looking, body);
    return true;
}

/* False: one of them is to be blocked. */
static bool look(struct looking *looking, const struct guard_policy *policy, struct span body)
{
    const struct openai_texts *texts = gw_worker_texts();
    struct guard *guard = gw_guard_take();
    bool good = true;

    buf_reset(&masked);
    for (size_t i = 0; i < texts->count && good; i++) {
        looking->text = &texts->text[i];
        if (looking->text->kind != OPENAI_DATA && looking->text->len > 0)
            good = look_at(looking, guard, policy, body);
    }
    gw_guard_give(guard);
    return good;
}

/* ------------------------------------------------------------------ what comes of it */

static ngx_int_t refuse(ngx_http_request_t *r, struct gw_call *call, const struct looking *looking)
{
    const struct gw_loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_drun_module);
    struct gw_refusal refusal = {.status = NGX_HTTP_BAD_REQUEST,
                                 .type = "invalid_request_error",
                                 .code = "content_policy_violation"};
    char param[32] = "";
    char message[256];

    if (looking->text->role != OPENAI_NO_ROLE)
        snprintf(param, sizeof(param), "messages[%u]", looking->text->index);
    else if (looking->text->kind == OPENAI_PROSE)
        snprintf(param, sizeof(param), "%s",
                 conf->api == OPENAI_COMPLETIONS  ? "prompt"
                 : conf->api == OPENAI_EMBEDDINGS ? "input"
                                                  : "");
    refusal.param = param;
    snprintf(message, sizeof(message),
             "The request has %s (%s) in it%s%s, at byte %lu of the text, which is not allowed "
             "here; take it out",
             looking->reason->doc, looking->reason->name, param[0] != '\0' ? ", in " : "", param,
             (unsigned long)looking->offset);
    return gw_refuse(r, call, &refusal, message);
}

/* The body with masks in it is read again: it is what the engine gets. */
static ngx_int_t take_masked(ngx_http_request_t *r, struct gw_call *call, struct looking *looking)
{
    const struct gw_loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_drun_module);
    struct span body = call->request.body;
    struct gw_refusal refusal = {.status = NGX_HTTP_BAD_REQUEST, .type = "invalid_request_error"};
    struct err err = ERR_INIT;

    buf_put(&masked, body.p + looking->copied, body.len - looking->copied);
    if (masked.overflowed || plain.overflowed || clean.overflowed)
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    u_char *room = ngx_pnalloc(r->pool, masked.len);
    if (room == NULL)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    memcpy(room, masked.data, masked.len);
    if (openai_request_scan(conf->api, span_of(room, masked.len), 0, gw_worker_texts(),
                            &call->request, &call->fault, &err) == 0)
        return NGX_DECLINED;
    refusal.code = call->fault.code;
    refusal.param = call->fault.param;
    return gw_refuse(r, call, &refusal, call->fault.msg);
}

/* One large prompt is no reason to keep its memory. */
static void forget(void)
{
    struct buf *all[] = {&plain, &clean, &masked};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i]->cap > KEPT_MAX)
            buf_free(all[i]);
}

static ngx_int_t act(ngx_http_request_t *r, struct gw_call *call, struct looking *looking,
                     bool good)
{
    static const struct gw_refusal unrecorded = {.status = NGX_HTTP_SERVICE_UNAVAILABLE,
                                                 .type = "server_error",
                                                 .code = "audit_unavailable",
                                                 .retry_after_ms = 1000};

    if (looking->notes.count > 0) {
        size_t promised = gw_notes_room(call);
        if (!gw_worker_promise(&promised))
            return gw_refuse(r, call, &unrecorded,
                             "The audit log takes no more records; try again in a moment");
        gw_notes_record(r, call, &looking->notes, false, !good, promised);
    }
    if (!good)
        return refuse(r, call, looking);
    return looking->copied > 0 ? take_masked(r, call, looking) : NGX_DECLINED;
}

ngx_int_t gw_guard_request(ngx_http_request_t *r, struct gw_call *call,
                           const struct policy_route *route)
{
    UNINITIALIZED struct looking looking;
    struct guard_policy policy;

    if (!gw_guard_policy(route->guard == NULL ? NULL : route->guard->request, &policy))
        return NGX_DECLINED;
    looking.notes.count = 0;
    looking.reason = NULL;
    looking.copied = 0;
    bool good = look(&looking, &policy, call->request.body);
    ngx_int_t rc = act(r, call, &looking, good);
    forget();
    return rc;
}
