/* SPDX-License-Identifier: Apache-2.0 */
/* What goes to an engine: its socket, and the client's body with the edits for it. */
#include "gateway/module/cache.h"

#include "openai/anthropic.h"
#include "openai/rewrite.h"

/* ------------------------------------------------------------------ the body */

ngx_int_t gw_body(ngx_http_request_t *r, struct span *out)
{
    ngx_chain_t *chain = r->request_body != NULL ? r->request_body->bufs : NULL;
    size_t len = 0;

    for (ngx_chain_t *link = chain; link != NULL; link = link->next) {
        if (link->buf->in_file)
            return NGX_ERROR;
        len += (size_t)(link->buf->last - link->buf->pos);
    }
    *out = span_of(chain != NULL ? chain->buf->pos : (u_char *)"", len);
    if (chain == NULL || chain->next == NULL)
        return NGX_OK;
    u_char *joined = ngx_pnalloc(r->pool, len);
    if (joined == NULL)
        return NGX_ERROR;
    out->p = joined;
    for (ngx_chain_t *link = chain; link != NULL; link = link->next)
        if (link->buf->last > link->buf->pos)
            joined = ngx_cpymem(joined, link->buf->pos, (size_t)(link->buf->last - link->buf->pos));
    return NGX_OK;
}

static ngx_chain_t *part_of(ngx_pool_t *pool, struct span bytes)
{
    ngx_buf_t *buf = ngx_calloc_buf(pool);
    ngx_chain_t *link = ngx_alloc_chain_link(pool);

    if (buf == NULL || link == NULL)
        return NULL;
    buf->start = buf->pos = (u_char *)(uintptr_t)bytes.p;
    buf->end = buf->last = buf->pos + bytes.len;
    buf->memory = 1;
    link->buf = buf;
    link->next = NULL;
    return link;
}

/* The body for the engine: the client's bytes where they are, with the edits between them. */
static ngx_int_t put_body(ngx_http_request_t *r, struct gw_call *call,
                          const struct openai_edits *edits)
{
    struct span parts[2 * OPENAI_EDITS_MAX + 1];
    size_t count = openai_edits_parts(edits, call->request.body, parts);
    ngx_chain_t **at = &r->request_body->bufs;

    for (size_t i = 0; i < count; i++) {
        if (parts[i].len == 0)
            continue;
        *at = part_of(r->pool, parts[i]);
        if (*at == NULL)
            return NGX_ERROR;
        at = &(*at)->next;
    }
    r->headers_in.content_length_n = (off_t)openai_edits_len(edits, call->request.body.len);
    return NGX_OK;
}

static ngx_int_t put_copy(ngx_http_request_t *r, struct span body)
{
    u_char *room = ngx_pnalloc(r->pool, body.len);

    if (room == NULL)
        return NGX_ERROR;
    memcpy(room, body.p, body.len);
    r->request_body->bufs = part_of(r->pool, span_of(room, body.len));
    r->headers_in.content_length_n = (off_t)body.len;
    return r->request_body->bufs == NULL ? NGX_ERROR : NGX_OK;
}

/* Anthropic's requests have everything that ours adds to the others. */
static ngx_int_t put_translated(ngx_http_request_t *r, struct gw_call *call,
                                const struct policy_route *route)
{
    CLEANUP(buf_free) struct buf made = BUF_INIT(ANTHROPIC_BODY_MAX);
    struct err err = ERR_INIT;

    if (anthropic_to_openai(call->request.body, route->engine_model, &made, &err) < 0)
        return NGX_ERROR;
    return put_copy(r, buf_span(&made));
}

static ngx_int_t edit_body(ngx_http_request_t *r, struct gw_call *call,
                           const struct policy_route *route)
{
    const struct gw_loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_drun_module);
    struct openai_edits *edits = ngx_palloc(r->pool, sizeof(*edits));
    u_char *quoted = ngx_pnalloc(r->pool, route->engine_model.len + 2);

    if (edits == NULL || quoted == NULL)
        return NGX_ERROR;
    if (conf->api == OPENAI_MESSAGES)
        return put_translated(r, call, route);
    edits->count = 0;
    quoted[0] = '"';
    memcpy(quoted + 1, route->engine_model.p, route->engine_model.len);
    quoted[route->engine_model.len + 1] = '"';
    openai_edits_set_model(edits, &call->request, span_of(quoted, route->engine_model.len + 2));
    if (call->request.stream && gw_makes_text(conf))
        openai_edits_force_usage(edits, &call->request);
    uint64_t answer = gw_answer_limit(conf, call, route);
    if (!call->request.max_tokens_given && answer > 0 && gw_makes_text(conf))
        openai_edits_set_max_tokens(edits, &call->request, answer);
    return put_body(r, call, edits);
}

/* ------------------------------------------------------------------ the engine */

ngx_int_t gw_copy_text(ngx_pool_t *pool, struct span text, ngx_str_t *out)
{
    out->len = text.len;
    out->data = ngx_pnalloc(pool, text.len + 1);
    if (out->data == NULL)
        return NGX_ERROR;
    memcpy(out->data, text.p, text.len);
    out->data[text.len] = '\0';
    return NGX_OK;
}

static ngx_int_t keep_engine(ngx_http_request_t *r, struct gw_call *call,
                             const struct snapshot *policy, const struct policy_route *route)
{
    struct span socket = route->socket;

    INVARIANT(gw_has_engine(route));
    if (route->replica_count > 0)
        socket = gw_replica_pick(call, policy, route);
    else if (call->of_several)
        gw_replica_leave(call);
    if (socket.len >= sizeof(call->engine.sun_path))
        return NGX_ERROR;
    memset(&call->engine, 0, sizeof(call->engine));
    call->engine.sun_family = AF_UNIX;
    memcpy(call->engine.sun_path, socket.p, socket.len);
    return gw_copy_text(r->pool, socket, &call->engine_name);
}

ngx_int_t gw_engine_again(ngx_http_request_t *r, struct gw_call *call)
{
    const struct snapshot *policy = gw_worker_policy(r);
    struct policy_backend backend;
    bool is_there = policy != NULL;

    if (is_there && call->plan != NULL)
        is_there = gw_plan_current(call, policy, &backend);
    else if (is_there)
        is_there = policy_find_route(policy, gw_span(call->namespace), gw_span(call->service),
                                     &backend.route) &&
                   gw_has_engine(&backend.route);
    if (!is_there)
        return NGX_BUSY;
    gw_cache_check(call, &backend.route);
    return keep_engine(r, call, policy, &backend.route);
}

/* The members that this backend gets and does not get, in the body that is set. */
static ngx_int_t rewrite(ngx_http_request_t *r, const struct policy_backend *backend)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(ANTHROPIC_BODY_MAX);
    struct err err = ERR_INIT;
    struct span body;

    if (backend->edit_set.len == 0 && backend->edit_drop.len == 0)
        return NGX_OK;
    if (gw_body(r, &body) != NGX_OK ||
        openai_rewrite(body, backend->edit_drop, backend->edit_set, &out, &err) < 0)
        return NGX_ERROR;
    return put_copy(r, buf_span(&out));
}

ngx_int_t gw_engine_set(ngx_http_request_t *r, struct gw_call *call, const struct snapshot *policy,
                        const struct policy_backend *backend)
{
    if (keep_engine(r, call, policy, &backend->route) != NGX_OK ||
        edit_body(r, call, &backend->route) != NGX_OK)
        return NGX_ERROR;
    return rewrite(r, backend);
}
