/* SPDX-License-Identifier: Apache-2.0 */
/* How long a request may take: nginx bounds the time between two bytes, not that of all of them. */
#include "gateway/module/edge.h"

/* A body may begin slowly, but has to come with a least rate on the whole. */
enum { BODY_GRACE_SEC = 20, BODY_BYTES_PER_SEC = 1024 };

struct pace {
    uint64_t bytes;
};

static ngx_http_request_body_filter_pt next_body_in;
static ngx_http_output_body_filter_pt next_body_out;

static struct pace *pace_of(ngx_http_request_t *r)
{
    struct pace *pace = ngx_http_get_module_ctx(r, ngx_http_drun_edge_module);

    if (pace == NULL) {
        pace = ngx_pcalloc(r->pool, sizeof(*pace));
        if (pace != NULL)
            ngx_http_set_ctx(r, pace, ngx_http_drun_edge_module);
    }
    return pace;
}

static ngx_int_t on_body_in(ngx_http_request_t *r, ngx_chain_t *in)
{
    struct pace *pace = pace_of(r);
    time_t passed = ngx_time() - r->start_sec;

    if (pace == NULL)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    for (const ngx_chain_t *link = in; link != NULL; link = link->next)
        pace->bytes += (uint64_t)ngx_buf_size(link->buf);
    if (passed > BODY_GRACE_SEC &&
        pace->bytes < (uint64_t)(passed - BODY_GRACE_SEC) * BODY_BYTES_PER_SEC) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0, "drun: a body comes too slowly");
        return NGX_HTTP_REQUEST_TIME_OUT;
    }
    return next_body_in(r, in);
}

/* Of streams: a watch, events of a model. */
static ngx_int_t on_body_out(ngx_http_request_t *r, ngx_chain_t *in)
{
    const struct edge_conf *conf = edge_conf_of(r);

    if (r == r->main && r->upstream != NULL && conf->answer_max_sec > 0 &&
        ngx_time() - r->start_sec > (time_t)conf->answer_max_sec) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0, "drun: an answer lasts too long");
        return NGX_ERROR;
    }
    return next_body_out(r, in);
}

ngx_int_t edge_pace_init(void)
{
    next_body_in = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = on_body_in;
    next_body_out = ngx_http_top_body_filter;
    ngx_http_top_body_filter = on_body_out;
    return NGX_OK;
}
