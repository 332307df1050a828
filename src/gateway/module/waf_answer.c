/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firewall's look at answers of roles and engines. One whose body is looked at is held, headers
 * and all, until it is whole or as long as the rules look; then it passes as it came, or something
 * else is said in its place. Streams are never held: of those the rules see the headers.
 *
 * This filter is the first of the platform's: what the guard and the meter see has passed here.
 */
#include "gateway/module/waf.h"

#include "base/mem.h"
#include "base/num.h"
#include "waf/body/body.h"

/* Of an answer in memory, whatever SecResponseBodyLimit says; and room for the buffer that goes
 * beyond it. */
enum { HOLD_MAX = 8 * 1024 * 1024, LAST_BUFFER_MAX = 1024 * 1024 };

enum stage { BEFORE_HEADERS, HOLDING, PASSING, WITHHELD };

/* In the request's pool. */
struct follow {
    struct gw_waf_subject subject;
    struct gw_waf_logged logged;
    enum gw_waf_answers answers;
    struct gw_waf_seen asked;
    struct gw_waf_answer_seen seen;
    enum stage stage;
    size_t most; /* bytes to be held */
    struct buf held;
};

static ngx_http_output_header_filter_pt next_header;
static ngx_http_output_body_filter_pt next_body;

/* ------------------------------------------------------------------ from the request */

static struct follow *follow_of(ngx_http_request_t *r)
{
    return r == r->main ? ngx_http_get_module_ctx(r, ngx_http_drun_waf_module) : NULL;
}

static void give_back(void *data)
{
    struct follow *follow = data;

    buf_free(&follow->held);
}

/* The request's own texts live as long as it; those that were made for the rules do not. */
static bool keep(ngx_pool_t *pool, struct span *text)
{
    uint8_t *copy = ngx_pnalloc(pool, text->len + 1);

    if (copy == NULL)
        return false;
    if (text->len > 0)
        memcpy(copy, text->p, text->len);
    *text = span_of(copy, text->len);
    return true;
}

bool gw_waf_follow(ngx_http_request_t *r, const struct gw_waf_subject *subject,
                   const struct gw_waf_seen *seen, enum gw_waf_answers answers,
                   const struct gw_waf_logged *logged)
{
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, sizeof(struct follow));

    if (cleanup == NULL)
        return false;
    struct follow *follow = cleanup->data;
    *follow = (struct follow){.subject = *subject,
                              .logged = *logged,
                              .answers = answers,
                              .asked = *seen,
                              .held = BUF_INIT(0)};
    cleanup->handler = give_back;
    if (!keep(r->pool, &follow->subject.namespace) || !keep(r->pool, &follow->subject.service))
        return false;
    if (seen->length.p != NULL &&
        (!keep(r->pool, &follow->asked.body) || !keep(r->pool, &follow->asked.length)))
        return false;
    ngx_http_set_ctx(r, follow, ngx_http_drun_waf_module);
    return true;
}

/* ------------------------------------------------------------------ what is looked at */

static bool has_body(const ngx_http_request_t *r)
{
    ngx_uint_t status = r->headers_out.status;

    return r->method != NGX_HTTP_HEAD && status >= NGX_HTTP_OK && status != NGX_HTTP_NO_CONTENT &&
           status != NGX_HTTP_NOT_MODIFIED;
}

/* Objects are their tenants' and may be watched without an end, so only what says that something
 * went wrong is looked at. In a model's answer, prose is the guard's. */
static void look_at(const ngx_http_request_t *r, struct follow *follow)
{
    const ngx_table_elt_t *coding = r->headers_out.content_encoding;
    struct gw_waf_answer_seen *seen = &follow->seen;
    bool fine = r->headers_out.status < NGX_HTTP_BAD_REQUEST;

    seen->coding = coding == NULL ? span_of("", 0) : gw_span(coding->value);
    seen->has_prose = fine && follow->subject.call != NULL;
    seen->has_body = has_body(r) && !(fine && follow->subject.shape == SHAPE_OBJECT) &&
                     waf_engine_takes_type(gw_waf_engine(), gw_span(r->headers_out.content_type)) &&
                     (seen->coding.len == 0 || waf_inflate_known(seen->coding));
}

static bool is_wanted(const ngx_http_request_t *r, const struct follow *follow)
{
    ngx_uint_t status = r->headers_out.status;

    return r->upstream != NULL && status >= NGX_HTTP_OK &&
           (follow->answers == GW_WAF_ALL_ANSWERS || status >= NGX_HTTP_BAD_REQUEST);
}

static bool is_leak(ngx_http_request_t *r, struct follow *follow)
{
    struct waf_tx *tx = gw_waf_tx(r->connection->log);

    follow->seen.body = buf_span(&follow->held);
    follow->seen.is_beginning = follow->held.len > follow->most;
    return tx != NULL && gw_waf_judge_answer(r, tx, &follow->subject, &follow->asked,
                                             &follow->logged, &follow->seen);
}

/* ------------------------------------------------------------------ something else in its place */

static void wipe(ngx_http_headers_out_t *out)
{
    for (ngx_list_part_t *part = &out->headers.part; part != NULL; part = part->next) {
        ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++)
            headers[i].hash = 0;
    }
    out->content_encoding = out->location = out->refresh = out->last_modified = NULL;
    out->content_length = out->content_range = out->accept_ranges = out->www_authenticate = NULL;
    out->expires = out->etag = out->server = out->date = NULL;
    out->last_modified_time = -1;
    ngx_str_null(&out->charset);
    out->status_line.len = 0;
}

static ngx_int_t send_refusal(ngx_http_request_t *r, ngx_str_t request_id, ngx_buf_t *out)
{
    static const struct gw_refusal withheld = {
        .status = NGX_HTTP_FORBIDDEN, .type = "invalid_request_error", .code = "answer_withheld"};
    CLEANUP(buf_free) struct buf body = BUF_INIT(4096);
    char message[GW_WAF_MESSAGE_MAX];

    gw_waf_message("The answer looks like a leak of inner data and was withheld", request_id,
                   message);
    const char *type = gw_refusal_put(r, &withheld, message, &body);
    out->pos = out->last = ngx_pnalloc(r->pool, body.len);
    if (out->pos == NULL)
        return NGX_ERROR;
    out->last = ngx_cpymem(out->pos, body.data, body.len);
    out->memory = out->last_buf = out->last_in_chain = 1;
    wipe(&r->headers_out);
    r->expect_trailers = 0;
    r->headers_out.status = withheld.status;
    r->headers_out.content_length_n = (off_t)body.len;
    r->headers_out.content_type.data = (u_char *)(uintptr_t)type;
    r->headers_out.content_type.len = r->headers_out.content_type_len = strlen(type);
    r->headers_out.content_type_lowcase = NULL;
    return next_header(r);
}

static ngx_int_t withhold(ngx_http_request_t *r, struct follow *follow)
{
    struct gw_call *call = gw_call_of(r);
    ngx_buf_t *buf = ngx_calloc_buf(r->pool);
    ngx_chain_t link = {.buf = buf, .next = NULL};

    if (buf == NULL)
        return NGX_ERROR;
    follow->stage = WITHHELD;
    if (call != NULL)
        gw_call_withhold(call, r->headers_out.status < NGX_HTTP_BAD_REQUEST
                                   ? buf_span(&follow->held)
                                   : span_of("", 0));
    ngx_int_t rc = send_refusal(r, follow->subject.request_id, buf);
    if (rc == NGX_ERROR || rc > NGX_OK)
        return NGX_ERROR;
    rc = r->header_only ? NGX_OK : next_body(r, &link);
    return rc == NGX_ERROR ? rc : NGX_OK;
}

/* ------------------------------------------------------------------ headers */

static ngx_int_t on_headers(ngx_http_request_t *r)
{
    struct follow *follow = follow_of(r);

    if (follow == NULL || follow->stage != BEFORE_HEADERS)
        return next_header(r);
    /* Between the request and now the rules may have gone, but for the worker's end. */
    if (!is_wanted(r, follow) || gw_waf_engine() == NULL) {
        follow->stage = PASSING;
        return next_header(r);
    }
    look_at(r, follow);
    if (follow->seen.has_body) {
        uint64_t most = waf_engine_answer_limits(gw_waf_engine()).bytes;
        follow->most = most == 0 ? HOLD_MAX : (size_t)NUM_MIN(most, (uint64_t)HOLD_MAX);
        follow->held.max = follow->most + LAST_BUFFER_MAX;
        follow->stage = HOLDING;
        r->filter_need_in_memory = 1;
        return NGX_OK;
    }
    follow->stage = PASSING;
    return is_leak(r, follow) ? withhold(r, follow) : next_header(r);
}

/* ------------------------------------------------------------------ the body */

/* A buffer for what is said to nginx alone. */
static ngx_chain_t *put_sign(ngx_http_request_t *r, bool last)
{
    ngx_chain_t *link = ngx_alloc_chain_link(r->pool);
    ngx_buf_t *buf = ngx_calloc_buf(r->pool);

    if (link == NULL || buf == NULL)
        return NULL;
    buf->flush = 1;
    buf->last_buf = buf->last_in_chain = last;
    *link = (ngx_chain_t){.buf = buf};
    return link;
}

static ngx_int_t release(ngx_http_request_t *r, struct follow *follow, bool last)
{
    ngx_int_t rc = next_header(r);
    ngx_chain_t *sign = put_sign(r, last);
    ngx_buf_t *buf = ngx_calloc_buf(r->pool);
    ngx_chain_t link = {.buf = buf, .next = sign};

    if (rc == NGX_ERROR || rc > NGX_OK || sign == NULL || buf == NULL)
        return NGX_ERROR;
    follow->stage = PASSING;
    buf->pos = buf->start = follow->held.data;
    buf->last = buf->end = follow->held.data + follow->held.len;
    buf->memory = 1;
    return next_body(r, follow->held.len > 0 ? &link : sign);
}

static ngx_int_t hold(ngx_http_request_t *r, struct follow *follow, ngx_chain_t *in)
{
    bool last = false;
    bool died = false;

    for (; in != NULL; in = in->next) {
        ngx_buf_t *buf = in->buf;
        died = died || gw_engine_died(r, buf);
        last = last || buf->last_buf;
        if (!ngx_buf_in_memory(buf))
            continue;
        buf_put(&follow->held, buf->pos, (size_t)(buf->last - buf->pos));
        buf->pos = buf->last;
    }
    if (follow->held.overflowed)
        return NGX_ERROR;
    if (!last && !died && follow->held.len <= follow->most)
        return NGX_OK;
    if (!is_leak(r, follow))
        return release(r, follow, last);
    ngx_int_t rc = withhold(r, follow);
    if (!last && !died)
        gw_let_go(r);
    return rc;
}

static ngx_int_t swallow(ngx_http_request_t *r, ngx_chain_t *in)
{
    bool more = false;

    for (; in != NULL; in = in->next) {
        more = more || !(in->buf->last_buf || ngx_buf_special(in->buf));
        in->buf->pos = in->buf->last;
    }
    if (more && r->upstream != NULL)
        gw_let_go(r);
    return next_body(r, NULL);
}

static ngx_int_t on_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    struct follow *follow = follow_of(r);

    if (follow == NULL || in == NULL)
        return next_body(r, in);
    switch (follow->stage) {
    case HOLDING: return hold(r, follow, in);
    case WITHHELD: return swallow(r, in);
    default: return next_body(r, in);
    }
}

static ngx_int_t after_conf(ngx_conf_t *cf UNUSED)
{
    next_header = ngx_http_top_header_filter;
    ngx_http_top_header_filter = on_headers;
    next_body = ngx_http_top_body_filter;
    ngx_http_top_body_filter = on_body;
    return NGX_OK;
}

static ngx_http_module_t context = {.postconfiguration = after_conf};

__attribute__((visibility("default"))) ngx_module_t ngx_http_drun_waf_module = {
    NGX_MODULE_V1, &context, NULL, NGX_HTTP_MODULE,      NULL, NULL, NULL, NULL,
    NULL,          NULL,     NULL, NGX_MODULE_V1_PADDING};
