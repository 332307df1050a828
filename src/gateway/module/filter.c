/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer on its way to the client. Each buffer passes as it is, without a copy, but for two
 * cases of a stream: an event that is cut between two buffers is put together, and the final event
 * with the usage is left out when the client did not ask for it.
 */
#include "gateway/module/cache.h"

#define ENGINE_DIED                                                                                \
    "data: {\"error\":{\"message\":\"The model's engine stopped in the middle of the answer\","    \
    "\"type\":\"server_error\",\"param\":null,\"code\":\"engine_failed\"}}\n\n"

enum { ROOM_SIZE = 8192 };

static ngx_http_output_header_filter_pt next_header;
static ngx_http_output_body_filter_pt next_body;

/* ------------------------------------------------------------------ headers */

static bool is_stream(const ngx_http_request_t *r)
{
    static const char stream[] = "text/event-stream";
    ngx_str_t type = r->headers_out.content_type;

    return type.len >= sizeof(stream) - 1 &&
           ngx_strncasecmp(type.data, (u_char *)(uintptr_t)stream, sizeof(stream) - 1) == 0;
}

static void start_metering(ngx_http_request_t *r, struct gw_call *call)
{
    bool stream = is_stream(r);

    call->metering = true;
    call->last_out = &call->out;
    openai_meter_start(&call->meter, stream ? OPENAI_METER_EVENTS : OPENAI_METER_JSON,
                       call->request.stream && !call->request.include_usage);
    r->filter_need_in_memory = 1;
    call->answer = gw_answer_new(r, call, stream);
    if (stream)
        ngx_http_clear_content_length(r);
}

static void take_refusal(ngx_http_request_t *r, struct gw_call *call)
{
    call->answer = gw_answer_new_error(r, call);
    call->metering = call->answer != NULL;
    call->last_out = &call->out;
    if (call->metering)
        r->filter_need_in_memory = 1;
}

static ngx_int_t on_headers(ngx_http_request_t *r)
{
    struct gw_call *call = r == r->main ? gw_call_of(r) : NULL;

    if (call == NULL)
        return next_header(r);
    if (gw_header_add(r, "x-request-id", call->request_id) != NGX_OK ||
        gw_fields_put(r, call) != NGX_OK ||
        (call->cache != NULL && gw_cache_put_field(r, call) != NGX_OK))
        return NGX_ERROR;
    if (call->plan != NULL && r->upstream != NULL && !r->error_page)
        gw_plan_answered(call, r->upstream->headers_in.status_n);
    if (call->of_several && r->upstream != NULL && !r->error_page)
        gw_replica_answered(call, r->upstream->headers_in.status_n);
    bool answered =
        call->stage == GW_DECIDED && r->upstream != NULL && !r->error_page && !call->withheld;
    /* An engine that refuses used nothing. */
    if (answered && r->headers_out.status < NGX_HTTP_BAD_REQUEST)
        start_metering(r, call);
    else if (answered)
        take_refusal(r, call);
    if (call->answer != NULL && gw_answer_holds_headers(call->answer))
        return NGX_OK;
    return next_header(r);
}

static void drop(void *ctx UNUSED, struct span bytes UNUSED)
{
}

void gw_call_withhold(struct gw_call *call, struct span answer)
{
    call->withheld = true;
    openai_meter_start(&call->meter, OPENAI_METER_JSON, false);
    openai_meter_feed(&call->meter, answer, drop, NULL);
    (void)openai_meter_end(&call->meter, false, drop, NULL);
}

ngx_int_t gw_out_headers(ngx_http_request_t *r, ngx_uint_t status, size_t len)
{
    r->headers_out.status = status;
    r->headers_out.status_line.len = 0;
    ngx_http_clear_content_length(r);
    r->headers_out.content_length_n = (off_t)len;
    r->headers_out.content_type_len = sizeof("application/json") - 1;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_lowcase = NULL;
    ngx_int_t rc = next_header(r);
    return rc == NGX_ERROR || rc > NGX_OK ? NGX_ERROR : NGX_OK;
}

/* ------------------------------------------------------------------ what goes out */

static ngx_int_t append(ngx_http_request_t *r, struct gw_call *call, ngx_buf_t *buf)
{
    ngx_chain_t *link = ngx_alloc_chain_link(r->pool);

    if (link == NULL)
        return NGX_ERROR;
    link->buf = buf;
    link->next = NULL;
    *call->last_out = link;
    call->last_out = &link->next;
    return NGX_OK;
}

/* A buffer of our own with room in it, behind what goes out already. */
static ngx_buf_t *room(ngx_http_request_t *r, struct gw_call *call)
{
    if (call->room != NULL && call->room->last < call->room->end)
        return call->room;
    ngx_chain_t *link = ngx_chain_get_free_buf(r->pool, &call->free);
    if (link == NULL)
        return NULL;
    ngx_buf_t *buf = link->buf;
    if (buf->start == NULL) {
        buf->start = ngx_palloc(r->pool, ROOM_SIZE);
        if (buf->start == NULL)
            return NULL;
        buf->end = buf->start + ROOM_SIZE;
        buf->temporary = 1;
        buf->tag = (ngx_buf_tag_t)&ngx_http_drun_module;
    }
    buf->pos = buf->last = buf->start;
    buf->flush = 1;
    *call->last_out = link;
    call->last_out = &link->next;
    link->next = NULL;
    call->room = buf;
    return buf;
}

struct copy {
    ngx_http_request_t *r;
    struct gw_call *call;
    bool failed;
};

static void copy_out(void *ctx, struct span bytes)
{
    struct copy *copy = ctx;

    while (bytes.len > 0 && !copy->failed) {
        ngx_buf_t *buf = room(copy->r, copy->call);
        if (buf == NULL) {
            copy->failed = true;
            return;
        }
        size_t len = ngx_min(bytes.len, (size_t)(buf->end - buf->last));
        buf->last = ngx_cpymem(buf->last, bytes.p, len);
        bytes = span_of(bytes.p + len, bytes.len - len);
    }
}

bool gw_out_put(ngx_http_request_t *r, struct gw_call *call, struct span bytes)
{
    struct copy copy = {.r = r, .call = call};

    copy_out(&copy, bytes);
    return !copy.failed;
}

/* Copies only from the first piece on that differs from the buffer; so a buffer that passes as it
 * is costs nothing. */
struct sieve {
    struct copy copy;
    struct span whole;
    bool pending; /* the whole buffer was emitted, and nothing else so far */
};

static void sift(void *ctx, struct span bytes)
{
    struct sieve *sieve = ctx;

    if (bytes.p == sieve->whole.p && bytes.len == sieve->whole.len)
        sieve->pending = true;
    else
        copy_out(&sieve->copy, bytes);
}

/* What is still sent is for nobody. */
void gw_let_go(ngx_http_request_t *r)
{
    r->upstream->length = 0;
    r->upstream->keepalive = 0;
}

static ngx_int_t on_buffer_looked_at(ngx_http_request_t *r, struct gw_call *call, ngx_buf_t *buf)
{
    struct gw_answer *answer = call->answer;

    struct span bytes = span_of(buf->pos, (size_t)(buf->last - buf->pos));
    if (gw_answer_is_error(answer))
        gw_answer_take(answer, bytes);
    else if (!gw_answer_is_over(answer))
        openai_meter_feed(&call->meter, bytes, gw_answer_take, answer);
    buf->pos = buf->last;
    call->room = NULL;
    if (gw_answer_was_blocked(answer) || (gw_answer_is_over(answer) && call->cut))
        gw_let_go(r);
    return gw_answer_failed(answer) ? NGX_ERROR : NGX_OK;
}

static ngx_int_t on_buffer(ngx_http_request_t *r, struct gw_call *call, ngx_buf_t *buf)
{
    struct sieve sieve = {.copy = {.r = r, .call = call},
                          .whole = span_of(buf->pos, (size_t)(buf->last - buf->pos))};

    openai_meter_feed(&call->meter, sieve.whole, sift, &sieve);
    if (sieve.copy.failed)
        return NGX_ERROR;
    if (!sieve.pending)
        buf->pos = buf->last;
    else if (append(r, call, buf) != NGX_OK)
        return NGX_ERROR;
    call->room = NULL;
    return NGX_OK;
}

/* ------------------------------------------------------------------ the end */

/* nginx flushes once more after it lost the engine, and closes; see ngx_http_upstream. */
bool gw_engine_died(const ngx_http_request_t *r, const ngx_buf_t *buf)
{
    return buf->flush && !buf->last_buf && ngx_buf_size(buf) == 0 && !r->keepalive &&
           r->upstream != NULL && r->upstream->peer.connection == NULL;
}

static ngx_int_t put_end(ngx_http_request_t *r, struct gw_call *call)
{
    ngx_buf_t *buf = ngx_calloc_buf(r->pool);

    if (buf == NULL)
        return NGX_ERROR;
    buf->last_buf = 1;
    buf->last_in_chain = 1;
    buf->flush = 1;
    call->metering = false;
    return append(r, call, buf);
}

static ngx_int_t on_end(ngx_http_request_t *r, struct gw_call *call, bool cut)
{
    struct copy copy = {.r = r, .call = call};
    bool stream = call->meter.kind == OPENAI_METER_EVENTS;
    bool whole = openai_meter_end(&call->meter, cut, copy_out, &copy);

    call->cut = cut;
    call->room = NULL;
    if (cut && stream) {
        if (!whole)
            copy_out(&copy, span_str("\n\n"));
        copy_out(&copy, span_str(ENGINE_DIED));
        call->room = NULL;
    }
    if (copy.failed)
        return NGX_ERROR;
    return cut && !stream ? NGX_OK : put_end(r, call);
}

static ngx_int_t on_end_looked_at(ngx_http_request_t *r, struct gw_call *call, bool cut)
{
    if (!gw_answer_is_error(call->answer))
        (void)openai_meter_end(&call->meter, cut, gw_answer_take, call->answer);
    call->cut |= cut;
    gw_answer_end(call->answer, cut);
    call->room = NULL;
    return gw_answer_failed(call->answer) ? NGX_ERROR : put_end(r, call);
}

static ngx_int_t on_link_looked_at(ngx_http_request_t *r, struct gw_call *call, ngx_buf_t *buf)
{
    bool last = buf->last_buf;
    bool died = gw_engine_died(r, buf);

    if (ngx_buf_in_memory(buf) && buf->last > buf->pos) {
        buf->last_buf = 0;
        if (on_buffer_looked_at(r, call, buf) != NGX_OK)
            return NGX_ERROR;
    }
    return last || died ? on_end_looked_at(r, call, died) : NGX_OK;
}

static ngx_int_t on_link(ngx_http_request_t *r, struct gw_call *call, ngx_buf_t *buf)
{
    bool last = buf->last_buf;
    bool died = gw_engine_died(r, buf);

    if (ngx_buf_in_memory(buf) && buf->last > buf->pos) {
        buf->last_buf = 0;
        if (on_buffer(r, call, buf) != NGX_OK)
            return NGX_ERROR;
    } else if (!last && !died && append(r, call, buf) != NGX_OK) {
        return NGX_ERROR;
    }
    return last || died ? on_end(r, call, died) : NGX_OK;
}

void gw_out_begin(struct gw_call *call)
{
    call->out = NULL;
    call->last_out = &call->out;
    call->room = NULL;
}

ngx_int_t gw_out_end(ngx_http_request_t *r, struct gw_call *call)
{
    call->room = NULL;
    if (call->cache != NULL)
        gw_cache_take(r, call);
    ngx_int_t rc = next_body(r, call->out);
    ngx_chain_update_chains(r->pool, &call->free, &call->busy, &call->out,
                            (ngx_buf_tag_t)&ngx_http_drun_module);
    return rc;
}

static ngx_int_t on_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    struct gw_call *call = r == r->main ? gw_call_of(r) : NULL;

    if (call == NULL || !call->metering || in == NULL)
        return next_body(r, in);
    gw_out_begin(call);
    for (; in != NULL; in = in->next)
        if ((call->answer != NULL ? on_link_looked_at : on_link)(r, call, in->buf) != NGX_OK)
            return NGX_ERROR;
    return gw_out_end(r, call);
}

ngx_int_t gw_filters_init(ngx_conf_t *cf UNUSED)
{
    next_header = ngx_http_top_header_filter;
    ngx_http_top_header_filter = on_headers;
    next_body = ngx_http_top_body_filter;
    ngx_http_top_body_filter = on_body;
    return NGX_OK;
}
