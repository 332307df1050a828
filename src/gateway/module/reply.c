/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are made here. */
#include "gateway/module/module.h"

#include <stdio.h>

/* RFC 6585, which nginx has no name for. */
enum { BODY_MAX = 4096, HEADERS_TOO_LARGE = 431 };

ngx_int_t gw_header_add(ngx_http_request_t *r, const char *name, ngx_str_t value)
{
    ngx_table_elt_t *header = ngx_list_push(&r->headers_out.headers);

    if (header == NULL || value.data == NULL)
        return NGX_ERROR;
    memset(header, 0, sizeof(*header));
    header->hash = 1;
    header->key.data = (u_char *)(uintptr_t)name;
    header->key.len = strlen(name);
    header->value = value;
    return NGX_OK;
}

static bool begins(ngx_str_t text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

/* Their lists of models have the same path. */
bool gw_is_anthropic(const ngx_http_request_t *r)
{
    static const char messages[] = "/v1/messages";
    static const char models[] = "/v1/models";

    return begins(r->unparsed_uri, messages) ||
           (begins(r->unparsed_uri, models) && gw_header_in(r, "anthropic-version") != NULL);
}

static ngx_int_t put_retry_after(ngx_http_request_t *r, uint64_t ms)
{
    ngx_str_t sec = {0, ngx_pnalloc(r->pool, GW_HEADER_MAX)};
    ngx_str_t exact = {0, ngx_pnalloc(r->pool, GW_HEADER_MAX)};

    if (sec.data == NULL || exact.data == NULL)
        return NGX_ERROR;
    sec.len = (size_t)snprintf((char *)sec.data, GW_HEADER_MAX, "%lu",
                               (unsigned long)((ms + 999) / 1000));
    exact.len = (size_t)snprintf((char *)exact.data, GW_HEADER_MAX, "%lu", (unsigned long)ms);
    if (gw_header_add(r, "Retry-After", sec) != NGX_OK)
        return NGX_ERROR;
    return gw_header_add(r, "retry-after-ms", exact);
}

ngx_int_t gw_reply(ngx_http_request_t *r, ngx_uint_t status, const char *type, struct span body)
{
    ngx_buf_t *buf = ngx_create_temp_buf(r->pool, body.len > 0 ? body.len : 1);
    ngx_chain_t link = {.buf = buf, .next = NULL};

    if (buf == NULL)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    buf->last = ngx_cpymem(buf->last, body.p, body.len);
    buf->last_buf = r == r->main;
    buf->last_in_chain = 1;
    /* nginx prefers the number of the error that led here. */
    if (r->err_status != 0)
        r->err_status = status;
    r->headers_out.status = status;
    r->headers_out.content_length_n = (off_t)body.len;
    r->headers_out.content_type.data = (u_char *)(uintptr_t)type;
    r->headers_out.content_type.len = strlen(type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    ngx_int_t rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only)
        return rc;
    return ngx_http_output_filter(r, &link);
}

ngx_int_t gw_reply_json(ngx_http_request_t *r, ngx_uint_t status, struct span body)
{
    return gw_reply(r, status, "application/json", body);
}

static void put_error(ngx_http_request_t *r, const struct gw_refusal *refusal, const char *message,
                      struct buf *out)
{
    if (gw_is_anthropic(r))
        gw_anthropic_error_put(refusal->status, message, refusal->code, out);
    else
        openai_error_put(message, refusal->type, refusal->param, refusal->code, out);
}

/* The status of an error page is nginx's; it is in the request already. */
static ngx_int_t reply_error(ngx_http_request_t *r, const struct gw_refusal *refusal,
                             const char *message)
{
    static const ngx_str_t bearer = ngx_string("Bearer");
    static uint8_t room[BODY_MAX + 1]; /* one answer at a time; copied before this returns */
    struct buf body = {.data = room, .cap = sizeof(room), .max = BODY_MAX};

    put_error(r, refusal, message, &body);
    if (refusal->status == NGX_HTTP_UNAUTHORIZED &&
        gw_header_add(r, "WWW-Authenticate", bearer) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    if (refusal->retry_after_ms > 0 && put_retry_after(r, refusal->retry_after_ms) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    return gw_reply_json(r, refusal->status, buf_span(&body));
}

static void keep_reason(struct gw_call *call, const char *message)
{
    snprintf(call->reason_room, sizeof(call->reason_room), "%s", message);
    call->reason = call->reason_room;
}

ngx_int_t gw_refuse_content(ngx_http_request_t *r, struct gw_call *call,
                            const struct gw_refusal *refusal, const char *message)
{
    bool body_was_read = call->stage == GW_READING;

    keep_reason(call, message);
    call->stage = GW_REFUSED;
    ngx_int_t rc = body_was_read ? NGX_OK : ngx_http_discard_request_body(r);
    return rc == NGX_OK ? reply_error(r, refusal, message) : rc;
}

ngx_int_t gw_refuse(ngx_http_request_t *r, struct gw_call *call, const struct gw_refusal *refusal,
                    const char *message)
{
    ngx_http_finalize_request(r, gw_refuse_content(r, call, refusal, message));
    return NGX_DONE;
}

/* ------------------------------------------------------------------ errors that nginx met */

struct page {
    ngx_uint_t status;
    const char *type;
    const char *code;
    const char *message;
    uint64_t retry_after_ms;
};

static const struct page pages[] = {
    {NGX_HTTP_FORBIDDEN, "invalid_request_error", "permission_denied", "This is not allowed here",
     0},
    {NGX_HTTP_NOT_ALLOWED, "invalid_request_error", "method_not_allowed",
     "This method is not allowed here", 0},
    {NGX_HTTP_LENGTH_REQUIRED, "invalid_request_error", "length_required",
     "The request must say how long its body is", 0},
    {NGX_HTTP_UNSUPPORTED_MEDIA_TYPE, "invalid_request_error", "unsupported_media_type",
     "The type of the body is not supported", 0},
    {NGX_HTTP_MISDIRECTED_REQUEST, "invalid_request_error", "misdirected_request",
     "The host of the request is not the one of its connection", 0},
    {NGX_HTTP_REQUEST_HEADER_TOO_LARGE, "invalid_request_error", "headers_too_large",
     "The headers of the request are larger than is allowed", 0},
    {NGX_HTTPS_CERT_ERROR, "invalid_request_error", "certificate_error",
     "The client's certificate does not hold", 0},
    {NGX_HTTPS_NO_CERT, "invalid_request_error", "certificate_required",
     "This needs a client's certificate", 0},
    {NGX_HTTP_TO_HTTPS, "invalid_request_error", "tls_required",
     "This port speaks TLS only; use https://", 0},
    {NGX_HTTP_NOT_IMPLEMENTED, "invalid_request_error", "not_implemented", "This is not supported",
     0},
    {NGX_HTTP_BAD_REQUEST, "invalid_request_error", "bad_request", "The request is malformed", 0},
    {NGX_HTTP_REQUEST_TIME_OUT, "invalid_request_error", "timeout", "The request came too slowly",
     0},
    {NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "invalid_request_error", "request_too_large",
     "The body is larger than is allowed", 0},
    {NGX_HTTP_REQUEST_URI_TOO_LARGE, "invalid_request_error", "uri_too_long",
     "The path is longer than is allowed", 0},
    {NGX_HTTP_NOT_FOUND, "invalid_request_error", "unknown_url", "There is nothing at this path",
     0},
    {NGX_HTTP_BAD_GATEWAY, "server_error", "engine_failed",
     "The model's engine is away or gave no answer; try again in a moment", 2000},
    {NGX_HTTP_SERVICE_UNAVAILABLE, "server_error", "unavailable",
     "The model is not available; try again in a moment", 2000},
    {NGX_HTTP_GATEWAY_TIME_OUT, "server_error", "engine_timeout",
     "The model's engine gave no answer in time", 2000},
};

static const struct page other_page = {NGX_HTTP_INTERNAL_SERVER_ERROR, "server_error",
                                       "internal_error", "Something went wrong here", 0};

static const struct page *page_of(ngx_uint_t status)
{
    for (size_t i = 0; i < ARRAY_LEN(pages); i++)
        if (pages[i].status == status)
            return &pages[i];
    return &other_page;
}

/* What is answered for a number of nginx' own. */
static ngx_uint_t status_of(ngx_uint_t met)
{
    switch (met) {
    case 0: return NGX_HTTP_INTERNAL_SERVER_ERROR;
    case NGX_HTTP_REQUEST_HEADER_TOO_LARGE: return HEADERS_TOO_LARGE;
    case NGX_HTTPS_CERT_ERROR:
    case NGX_HTTPS_NO_CERT:
    case NGX_HTTP_TO_HTTPS: return NGX_HTTP_BAD_REQUEST;
    default: return met;
    }
}

ngx_int_t gw_error_page(ngx_http_request_t *r)
{
    struct gw_call *call = gw_call_of(r);
    const struct page *page = page_of(r->err_status);
    const struct gw_refusal refusal = {.status = status_of(r->err_status),
                                       .type = page->type,
                                       .code = page->code,
                                       .retry_after_ms = page->retry_after_ms};

    if (call != NULL && call->reason == NULL)
        call->reason = page->message;
    ngx_int_t rc = ngx_http_discard_request_body(r);
    return rc != NGX_OK ? rc : reply_error(r, &refusal, page->message);
}

/* ------------------------------------------------------------------ errors before any location */

/* The request line as far as it was read; an early error may come before there is a path. */
static bool is_model_api(const ngx_http_request_t *r)
{
    return begins(r->unparsed_uri, "/v1/");
}

static bool is_object_api(const ngx_http_request_t *r)
{
    return begins(r->unparsed_uri, "/api") || begins(r->unparsed_uri, "/openapi") ||
           begins(r->unparsed_uri, "/version");
}

static const char *reason_of(ngx_uint_t status)
{
    switch (status) {
    case NGX_HTTP_BAD_REQUEST: return "BadRequest";
    case NGX_HTTP_FORBIDDEN: return "Forbidden";
    case NGX_HTTP_NOT_FOUND: return "NotFound";
    case NGX_HTTP_NOT_ALLOWED: return "MethodNotAllowed";
    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE: return "RequestEntityTooLarge";
    case NGX_HTTP_UNSUPPORTED_MEDIA_TYPE: return "UnsupportedMediaType";
    case NGX_HTTP_TOO_MANY_REQUESTS: return "TooManyRequests";
    case NGX_HTTP_REQUEST_TIME_OUT:
    case NGX_HTTP_GATEWAY_TIME_OUT: return "Timeout";
    case NGX_HTTP_BAD_GATEWAY:
    case NGX_HTTP_SERVICE_UNAVAILABLE: return "ServiceUnavailable";
    default: return status < NGX_HTTP_INTERNAL_SERVER_ERROR ? "BadRequest" : "InternalError";
    }
}

/* Our messages have nothing in them that JSON would escape. */
const char *gw_refusal_put(ngx_http_request_t *r, const struct gw_refusal *refusal,
                           const char *message, struct buf *out)
{
    if (is_model_api(r)) {
        put_error(r, refusal, message, out);
        return "application/json";
    }
    if (is_object_api(r)) {
        buf_printf(out,
                   "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
                   "\"status\":\"Failure\",\"message\":\"%s\",\"reason\":\"%s\",\"code\":%lu}",
                   message, reason_of(refusal->status), (unsigned long)refusal->status);
        return "application/json";
    }
    buf_printf(out, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%lu,\"detail\":\"%s\"}",
               refusal->code, (unsigned long)refusal->status, message);
    return "application/problem+json";
}

ngx_int_t gw_reply_problem(ngx_http_request_t *r, ngx_uint_t status, const char *code,
                           const char *message, uint64_t retry_after_ms)
{
    static uint8_t room[BODY_MAX + 1]; /* one answer at a time; copied before this returns */
    struct buf body = {.data = room, .cap = sizeof(room), .max = BODY_MAX};
    const struct gw_refusal refusal = {
        .status = status,
        .type = status == NGX_HTTP_TOO_MANY_REQUESTS ? "requests" : "invalid_request_error",
        .code = code,
        .retry_after_ms = retry_after_ms};

    if (is_model_api(r))
        return reply_error(r, &refusal, message);
    if (retry_after_ms > 0 && put_retry_after(r, retry_after_ms) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    const char *type = gw_refusal_put(r, &refusal, message, &body);
    return gw_reply(r, status, type, buf_span(&body));
}

ngx_int_t gw_early_error(ngx_http_request_t *r)
{
    const struct page *page = page_of(r->err_status);

    if (is_model_api(r))
        return gw_error_page(r);
    ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK)
        return rc;
    return gw_reply_problem(r, status_of(r->err_status), page->code, page->message,
                            page->retry_after_ms);
}

ngx_int_t gw_refuse_path(ngx_http_request_t *r, const struct gw_refusal *refusal,
                         const char *message)
{
    if (is_model_api(r))
        return reply_error(r, refusal, message);
    return gw_reply_problem(r, refusal->status, refusal->code, message, refusal->retry_after_ms);
}
