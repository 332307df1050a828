/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/models and /v1/models/NAME: what the caller may invoke, and nothing else. */
#include "gateway/module/module.h"

#include "base/clock.h"

#include <inttypes.h>

#define LIST_PATH "/v1/models"
enum { LIST_MAX = 4 * 1024 * 1024 };

static void put_anthropic_model(const struct policy_route *route, struct buf *out)
{
    char created[CLOCK_TEXT_SIZE];

    clock_format_sec(route->created_at, created);
    buf_printf(out,
               "{\"type\":\"model\",\"id\":\"%.*s/%.*s\",\"display_name\":\"%.*s\","
               "\"created_at\":\"%s\"}",
               SPAN_ARG(route->namespace), SPAN_ARG(route->name), SPAN_ARG(route->name), created);
}

static void put_model(const ngx_http_request_t *r, const struct policy_route *route,
                      struct buf *out)
{
    if (gw_is_anthropic(r)) {
        put_anthropic_model(route, out);
        return;
    }
    buf_printf(out,
               "{\"id\":\"%.*s/%.*s\",\"object\":\"model\",\"created\":%" PRId64
               ",\"owned_by\":\"%.*s\"}",
               SPAN_ARG(route->namespace), SPAN_ARG(route->name), route->created_at,
               SPAN_ARG(route->namespace));
}

static bool is_shown(const struct snapshot *policy, const struct gw_call *call,
                     const struct policy_route *route)
{
    struct policy_namespace ns;

    return policy_find_namespace(policy, route->namespace, &ns) && ns.phase == POLICY_ACTIVE &&
           gw_may_invoke(policy, &call->principal, route);
}

static ngx_int_t list(ngx_http_request_t *r, const struct snapshot *policy,
                      const struct gw_call *call)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(LIST_MAX);
    struct policy_route route;
    bool first = true;

    buf_put_str(&out, gw_is_anthropic(r) ? "{\"data\":[" : "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < policy_route_count(policy); i++) {
        policy_route_at(policy, i, &route);
        if (!is_shown(policy, call, &route))
            continue;
        buf_put_str(&out, first ? "" : ",");
        put_model(r, &route, &out);
        first = false;
    }
    buf_put_str(&out, gw_is_anthropic(r)
                          ? "],\"has_more\":false,\"first_id\":null,\"last_id\":null}"
                          : "]}");
    return out.overflowed ? NGX_HTTP_INTERNAL_SERVER_ERROR
                          : gw_reply_json(r, NGX_HTTP_OK, buf_span(&out));
}

static ngx_int_t one(ngx_http_request_t *r, const struct snapshot *policy, struct gw_call *call,
                     struct span name)
{
    static const struct gw_refusal missing = {.status = NGX_HTTP_NOT_FOUND,
                                              .type = "invalid_request_error",
                                              .code = "model_not_found",
                                              .param = "model"};
    CLEANUP(buf_free) struct buf out = BUF_INIT(LIST_MAX);
    const uint8_t *slash = memchr(name.p, '/', name.len);
    struct span ns = slash == NULL ? auth_text(&call->principal, call->principal.namespace)
                                   : span_of(name.p, (size_t)(slash - name.p));
    struct policy_route route;

    if (slash != NULL)
        name = span_of(slash + 1, name.len - ns.len - 1);
    if (!policy_find_route(policy, ns, name, &route) || !is_shown(policy, call, &route))
        return gw_refuse_content(r, call, &missing, "There is no such model that you may use");
    put_model(r, &route, &out);
    return gw_reply_json(r, NGX_HTTP_OK, buf_span(&out));
}

ngx_int_t gw_models(ngx_http_request_t *r)
{
    static const struct gw_refusal method = {.status = NGX_HTTP_NOT_ALLOWED,
                                             .type = "invalid_request_error",
                                             .code = "method_not_allowed"};
    static const struct gw_refusal early = {.status = NGX_HTTP_SERVICE_UNAVAILABLE,
                                            .type = "server_error",
                                            .code = "not_ready",
                                            .retry_after_ms = 1000};
    struct gw_call *call = gw_call_new(r);
    struct err err = ERR_INIT;

    if (call == NULL)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    if (gw_worker_authenticate(r, &call->principal, &err) < 0)
        return gw_refuse_content(r, call, gw_refusal_of(&err), err.msg);
    if (call->principal.source == AUTH_NOBODY)
        return gw_refuse_content(r, call, &gw_no_key,
                                 "This needs an API key: Authorization: Bearer sk-drun-...");
    if (r->method != NGX_HTTP_GET && r->method != NGX_HTTP_HEAD)
        return gw_refuse_content(r, call, &method, "Only GET is allowed here");
    ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK)
        return rc;
    const struct snapshot *policy = gw_worker_policy(r);
    if (policy == NULL)
        return gw_refuse_content(r, call, &early,
                                 "The platform is starting; try again in a moment");
    size_t skip = sizeof(LIST_PATH "/") - 1;
    if (r->uri.len <= skip)
        return list(r, policy, call);
    return one(r, policy, call, span_of(r->uri.data + skip, r->uri.len - skip));
}
