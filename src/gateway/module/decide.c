/* SPDX-License-Identifier: Apache-2.0 */
/* The decision, when the whole body is there: schema, route, RBAC, scope, limits; and the body for
 * the engine. */
#include "gateway/module/module.h"

#include "base/num.h"
#include "openai/anthropic.h"
#include "rbac/rbac.h"

#include <stdio.h>

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

/* Anthropic's requests have everything that ours adds to the others. */
static ngx_int_t put_translated(ngx_http_request_t *r, struct gw_call *call,
                                const struct policy_route *route)
{
    CLEANUP(buf_free) struct buf made = BUF_INIT(ANTHROPIC_BODY_MAX);
    struct err err = ERR_INIT;

    if (anthropic_to_openai(call->request.body, route->engine_model, &made, &err) < 0)
        return NGX_ERROR;
    u_char *room = ngx_pnalloc(r->pool, made.len);
    if (room == NULL)
        return NGX_ERROR;
    memcpy(room, made.data, made.len);
    r->request_body->bufs = part_of(r->pool, span_of(room, made.len));
    r->headers_in.content_length_n = (off_t)made.len;
    return r->request_body->bufs == NULL ? NGX_ERROR : NGX_OK;
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

/* ------------------------------------------------------------------ the route */

/* "namespace/name", or "name" in the credential's own namespace. */
static bool split_model(const struct gw_call *call, struct span *ns, struct span *name)
{
    struct span model = span_str(call->request.model);
    const uint8_t *slash = memchr(model.p, '/', model.len);

    *ns = auth_text(&call->principal, call->principal.namespace);
    *name = model;
    if (slash == NULL)
        return ns->len > 0;
    *ns = span_of(model.p, (size_t)(slash - model.p));
    *name = span_of(slash + 1, model.len - ns->len - 1);
    return true;
}

static bool may_invoke(const struct snapshot *policy, const struct auth_principal *principal,
                       struct span ns, struct span name)
{
    UNINITIALIZED struct span groups[AUTH_GROUPS_MAX];
    struct rbac_request request = {
        .user = {.name = auth_text(principal, principal->name), .groups = groups},
        .verb = span_str("invoke"),
        .api_group = span_str("drun.io"),
        .resource = span_str("models"),
        .subresource = span_of("", 0),
        .namespace = ns,
        .name = name,
        .path = span_of("", 0),
    };

    request.user.group_count = auth_groups(principal, groups);
    return auth_scope_allows_model(principal, ns, name) && rbac_decide(policy, &request, NULL);
}

bool gw_may_invoke(const struct snapshot *policy, const struct auth_principal *principal,
                   const struct policy_route *route)
{
    return may_invoke(policy, principal, route->namespace, route->name);
}

/* One answer for what is not there and what is not the caller's, so that no name leaks. */
static bool find_route(const struct snapshot *policy, const struct gw_call *call,
                       struct policy_namespace *ns, struct policy_route *route)
{
    struct span ns_name;
    struct span name;

    return split_model(call, &ns_name, &name) && policy_find_namespace(policy, ns_name, ns) &&
           ns->phase == POLICY_ACTIVE && policy_find_route(policy, ns_name, name, route) &&
           may_invoke(policy, &call->principal, ns_name, name);
}

static ngx_int_t copy_text(ngx_pool_t *pool, struct span text, ngx_str_t *out)
{
    out->len = text.len;
    out->data = ngx_pnalloc(pool, text.len + 1);
    if (out->data == NULL)
        return NGX_ERROR;
    memcpy(out->data, text.p, text.len);
    out->data[text.len] = '\0';
    return NGX_OK;
}

static ngx_int_t keep_route(ngx_http_request_t *r, struct gw_call *call,
                            const struct policy_route *route)
{
    INVARIANT(route->socket.len < sizeof(call->engine.sun_path));
    call->engine.sun_family = AF_UNIX;
    memcpy(call->engine.sun_path, route->socket.p, route->socket.len);
    if (copy_text(r->pool, route->namespace, &call->namespace) != NGX_OK ||
        copy_text(r->pool, route->name, &call->service) != NGX_OK ||
        copy_text(r->pool, route->socket, &call->engine_name) != NGX_OK)
        return NGX_ERROR;
    call->rates = (struct limit_rates){.input = route->rates.input,
                                       .cached_input = route->rates.cached_input,
                                       .output = route->rates.output};
    if (route->currency.len > 0)
        return copy_text(r->pool, route->currency, &call->currency);
    return NGX_OK;
}

/* ------------------------------------------------------------------ the decision */

static ngx_int_t refuse_model(ngx_http_request_t *r, struct gw_call *call)
{
    static const struct gw_refusal refusal = {.status = NGX_HTTP_NOT_FOUND,
                                              .type = "invalid_request_error",
                                              .code = "model_not_found",
                                              .param = "model"};
    char message[OPENAI_MODEL_MAX + 64];

    snprintf(message, sizeof(message), "There is no model \"%s\" that you may use",
             call->request.model);
    return gw_refuse(r, call, &refusal, message);
}

/* What the route itself demands. NGX_DECLINED: nothing is wrong. */
static ngx_int_t check_route(ngx_http_request_t *r, struct gw_call *call,
                             const struct policy_route *route)
{
    static const struct gw_refusal away = {.status = NGX_HTTP_SERVICE_UNAVAILABLE,
                                           .type = "server_error",
                                           .code = "model_not_ready",
                                           .retry_after_ms = 5000};
    static const struct gw_refusal large = {.status = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                            .type = "invalid_request_error",
                                            .code = "request_too_large"};
    static const struct gw_refusal tokens = {.status = NGX_HTTP_BAD_REQUEST,
                                             .type = "invalid_request_error",
                                             .code = "integer_above_max_value",
                                             .param = "max_tokens"};
    static const struct gw_refusal remote = {.status = NGX_HTTP_BAD_REQUEST,
                                             .type = "invalid_request_error",
                                             .code = "remote_url_not_allowed",
                                             .param = "messages"};
    char message[96];

    if (!route->ready || route->socket.len == 0 ||
        route->socket.len >= sizeof(call->engine.sun_path))
        return gw_refuse(r, call, &away, "The model is not running; try again in a moment");
    if (route->max_body > 0 && call->request.body.len > route->max_body) {
        snprintf(message, sizeof(message), "The body is larger than %u bytes", route->max_body);
        return gw_refuse(r, call, &large, message);
    }
    if (call->request.remote && !route->remote_media)
        return gw_refuse(r, call, &remote,
                         "This model fetches nothing from elsewhere; send images as data URLs");
    if (route->max_tokens > 0 && call->request.max_tokens > route->max_tokens) {
        snprintf(message, sizeof(message), "max_tokens must be at most %u", route->max_tokens);
        return gw_refuse(r, call, &tokens, message);
    }
    return NGX_DECLINED;
}

static ngx_int_t refuse_early(ngx_http_request_t *r, struct gw_call *call)
{
    static const struct gw_refusal refusal = {.status = NGX_HTTP_SERVICE_UNAVAILABLE,
                                              .type = "server_error",
                                              .code = "not_ready",
                                              .retry_after_ms = 1000};

    return gw_refuse(r, call, &refusal, "The platform is starting; try again in a moment");
}

/* Whose limits and budgets the call has to fit into: those of the model's namespace and of the
 * route. A proof of the platform goes the same way, but takes nothing of what tenants have: it is
 * charged to the platform's own namespace, which may have limits like any other. */
static bool find_payer(const struct snapshot *policy, const struct gw_call *call,
                       struct policy_namespace *ns, struct policy_route *route)
{
    struct span name = auth_text(&call->principal, call->principal.name);

    if (!span_eq_str(name, AUTH_POSTURE))
        return true;
    route->limits = (struct policy_limits){0};
    return policy_find_namespace(policy, span_str(AUTH_POSTURE_NAMESPACE), ns);
}

/* A place among the calls that run, and room in what may be used: NGX_DECLINED when it has both. */
static ngx_int_t charge(ngx_http_request_t *r, struct gw_call *call, const struct snapshot *policy,
                        struct policy_namespace ns, struct policy_route route)
{
    uint64_t likely = gw_likely_tokens(r, call, &route);
    struct gw_most most;

    gw_most_tokens(r, call, &route, &most);
    if (!find_payer(policy, call, &ns, &route))
        return refuse_early(r, call);
    ngx_int_t rc = gw_limits_enter(r, call, &ns, &route);
    if (rc == NGX_DECLINED)
        rc = gw_limits_reserve(r, call, likely, &ns, &route);
    return rc != NGX_DECLINED ? rc : gw_budgets_reserve(r, call, policy, &most, &ns, &route);
}

static ngx_int_t admit(ngx_http_request_t *r, struct gw_call *call)
{
    static const struct gw_refusal verb = {
        .status = NGX_HTTP_FORBIDDEN, .type = "invalid_request_error", .code = "permission_denied"};
    static const struct gw_refusal unrecorded = {.status = NGX_HTTP_SERVICE_UNAVAILABLE,
                                                 .type = "server_error",
                                                 .code = "audit_unavailable",
                                                 .retry_after_ms = 1000};
    const struct gw_loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_drun_module);
    const struct snapshot *policy = gw_worker_policy(r);
    struct policy_namespace ns;
    struct policy_route route;

    if (policy == NULL)
        return refuse_early(r, call);
    if (!auth_scope_allows_verb(&call->principal, span_str("invoke")))
        return gw_refuse(r, call, &verb, "This credential may not be used to call models");
    if (!find_route(policy, call, &ns, &route))
        return refuse_model(r, call);
    if (conf->api == OPENAI_TRY_GUARD)
        return gw_guard_try(r, call, &route);
    ngx_int_t rc = check_route(r, call, &route);
    if (rc != NGX_DECLINED)
        return rc;
    if (keep_route(r, call, &route) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    rc = gw_guard_request(r, call, &route);
    if (rc != NGX_DECLINED)
        return rc;
    call->looks =
        gw_guard_policy(route.guard == NULL ? NULL : route.guard->answer, &call->answer_policy);
    if (!gw_record_promise(r, call))
        return gw_refuse(r, call, &unrecorded,
                         "The audit log takes no more records; try again in a moment");
    rc = charge(r, call, policy, ns, route);
    if (rc != NGX_DECLINED)
        return rc;
    if (edit_body(r, call, &route) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    call->only_counts = conf->api == OPENAI_COUNT_TOKENS;
    rc = gw_line_enter(r, call, policy, &route);
    if (rc == NGX_OK)
        call->stage = GW_DECIDED;
    return rc;
}

ngx_int_t gw_decide(ngx_http_request_t *r, struct gw_call *call)
{
    const struct gw_loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_drun_module);
    struct gw_refusal refusal = {.status = NGX_HTTP_BAD_REQUEST, .type = "invalid_request_error"};
    unsigned flags = conf->refuse_unknown ? OPENAI_REFUSE_UNKNOWN : 0;
    struct openai_texts *texts = gw_worker_texts();
    struct err err = ERR_INIT;
    struct span body;

    if (gw_body(r, &body) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    if (openai_request_scan(conf->api, body, flags, texts, &call->request, &call->fault, &err) ==
        0) {
        ngx_int_t rc = gw_waf_call(r, call);
        return rc == NGX_DECLINED ? admit(r, call) : rc;
    }
    refusal.code = call->fault.code;
    refusal.param = call->fault.param;
    return gw_refuse(r, call, &refusal, call->fault.msg);
}
