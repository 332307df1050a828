/* SPDX-License-Identifier: Apache-2.0 */
/* The decision, when the whole body is there: schema, route, RBAC, scope, limits; and the body for
 * the engine. */
#include "gateway/module/cache.h"

#include "base/num.h"
#include "rbac/rbac.h"

#include <stdio.h>

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

static ngx_int_t keep_route(ngx_http_request_t *r, struct gw_call *call,
                            const struct policy_route *route)
{
    if (gw_copy_text(r->pool, route->namespace, &call->namespace) != NGX_OK ||
        gw_copy_text(r->pool, route->name, &call->service) != NGX_OK)
        return NGX_ERROR;
    return NGX_OK;
}

bool gw_has_engine(const struct policy_route *route)
{
    static const struct sockaddr_un address;

    return route->socket.len > 0 && route->socket.len < sizeof(address.sun_path);
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

static ngx_int_t refuse_away(ngx_http_request_t *r, struct gw_call *call)
{
    static const struct gw_refusal away = {.status = NGX_HTTP_SERVICE_UNAVAILABLE,
                                           .type = "server_error",
                                           .code = "model_not_ready",
                                           .retry_after_ms = 5000};

    return gw_refuse(r, call, &away, "The model is not running; try again in a moment");
}

/* What the route itself demands. NGX_DECLINED: nothing is wrong. */
static ngx_int_t check_route(ngx_http_request_t *r, struct gw_call *call,
                             const struct policy_route *route)
{
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

    if (!route->ready || (route->routing == 0 && !gw_has_engine(route)))
        return refuse_away(r, call);
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

/* What the one who answers costs. */
static ngx_int_t keep_price(ngx_http_request_t *r, struct gw_call *call,
                            const struct policy_route *route)
{
    call->rates = (struct limit_rates){.input = route->rates.input,
                                       .cached_input = route->rates.cached_input,
                                       .output = route->rates.output};
    ngx_str_null(&call->currency);
    if (route->currency.len > 0)
        return gw_copy_text(r->pool, route->currency, &call->currency);
    return NGX_OK;
}

/* A place among the calls that run, and room in what may be used: NGX_DECLINED when it has both. */
static ngx_int_t charge(ngx_http_request_t *r, struct gw_call *call, const struct snapshot *policy,
                        struct policy_namespace ns, struct policy_route route)
{
    uint64_t likely = gw_likely_tokens(r, call, &route);
    struct gw_most most;

    gw_most_tokens(r, call, &route, &most);
    if (keep_price(r, call, &route) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    if (!find_payer(policy, call, &ns, &route))
        return refuse_early(r, call);
    ngx_int_t rc = gw_limits_enter(r, call, &ns, &route);
    if (rc == NGX_DECLINED)
        rc = gw_limits_reserve(r, call, likely, &ns, &route);
    return rc != NGX_DECLINED ? rc : gw_budgets_reserve(r, call, policy, &most, &ns, &route);
}

bool gw_charge_move(ngx_http_request_t *r, struct gw_call *call, const struct snapshot *policy,
                    const struct policy_route *to)
{
    struct policy_route route = *to;
    struct policy_namespace ns;
    struct gw_most most;

    call->quiet = true;
    gw_most_tokens(r, call, to, &most);
    return policy_find_namespace(policy, to->namespace, &ns) && ns.phase == POLICY_ACTIVE &&
           keep_price(r, call, to) == NGX_OK && find_payer(policy, call, &ns, &route) &&
           gw_limits_move(call, &route) && gw_budgets_move(r, call, policy, &most, &ns, &route) &&
           gw_line_move(call, policy, to);
}

/* NGX_OK: it goes to this one. NGX_AGAIN: it will, when it is its turn. */
static ngx_int_t send_to(ngx_http_request_t *r, struct gw_call *call, const struct snapshot *policy,
                         struct policy_namespace ns, const struct policy_backend *backend)
{
    ngx_int_t rc = charge(r, call, policy, ns, backend->route);

    if (rc == NGX_DECLINED)
        rc = gw_cache_answer(r, call, policy, backend);
    if (rc != NGX_DECLINED)
        return rc;
    if (gw_engine_set(r, call, policy, backend) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    return gw_line_enter(r, call, policy, &backend->route);
}

/* To the first of the route's backends that has room for it; when none has, the last one says why.
 */
static ngx_int_t send_to_one_of(ngx_http_request_t *r, struct gw_call *call,
                                const struct snapshot *policy, struct policy_namespace ns)
{
    size_t count = gw_plan_count(call->plan);
    struct policy_backend backend;
    ngx_int_t rc = NGX_BUSY;

    for (size_t i = 0; i < count && rc == NGX_BUSY; i++) {
        if (!gw_plan_backend(call, policy, i, &backend))
            continue;
        call->quiet = i + 1 < count;
        if (!gw_plan_start(call, i) && call->quiet)
            continue;
        rc = send_to(r, call, policy, ns, &backend);
        if (rc != NGX_BUSY)
            break;
        gw_limits_undo(call);
        gw_budgets_settle(call);
    }
    call->quiet = false;
    return rc == NGX_BUSY ? refuse_away(r, call) : rc;
}

static ngx_int_t send_somewhere(ngx_http_request_t *r, struct gw_call *call,
                                const struct snapshot *policy, struct policy_namespace ns,
                                const struct policy_route *route)
{
    const struct policy_backend only = {.route = *route};

    if (route->routing == 0)
        return send_to(r, call, policy, ns, &only);
    /* Of a call that tries again the strings are another's by now, and the order is made. */
    if (call->plan == NULL && gw_plan_make(r, call, policy, route) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    return send_to_one_of(r, call, policy, ns);
}

/* A call that waits for a share of a budget holds nothing meanwhile. */
static ngx_int_t send_on(ngx_http_request_t *r, struct gw_call *call, const struct snapshot *policy,
                         struct policy_namespace ns, const struct policy_route *route)
{
    ngx_int_t rc = send_somewhere(r, call, policy, ns, route);

    if (rc == NGX_OK)
        call->stage = GW_DECIDED;
    if (rc == NGX_AGAIN && call->stage == GW_SHARING) {
        gw_limits_undo(call);
        gw_budgets_settle(call);
    }
    return rc;
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
    if (!gw_record_promise(r, call, route.routing != 0))
        return gw_refuse(r, call, &unrecorded,
                         "The audit log takes no more records; try again in a moment");
    call->only_counts = conf->api == OPENAI_COUNT_TOKENS;
    return send_on(r, call, policy, ns, &route);
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

/* The policy in force now counts; what it says of the body has been done. */
ngx_int_t gw_decide_again(ngx_http_request_t *r, struct gw_call *call)
{
    const struct snapshot *policy = gw_worker_policy(r);
    struct policy_namespace ns;
    struct policy_route route;

    call->stage = GW_READING;
    if (policy == NULL)
        return refuse_early(r, call);
    if (!find_route(policy, call, &ns, &route))
        return refuse_model(r, call);
    /* The name was a service and is a route by now, or the other way round. */
    if ((route.routing != 0) != (call->plan != NULL))
        return refuse_away(r, call);
    ngx_int_t rc = check_route(r, call, &route);
    return rc == NGX_DECLINED ? send_on(r, call, policy, ns, &route) : rc;
}
