/* SPDX-License-Identifier: Apache-2.0 */
/* The access phase: who calls, and the body. Who is nobody cannot make us read a body. */
#include "gateway/module/cache.h"

const struct gw_refusal gw_no_key = {
    .status = NGX_HTTP_UNAUTHORIZED, .type = "invalid_request_error", .code = "invalid_api_key"};

const struct gw_refusal *gw_refusal_of(const struct err *err)
{
    static const struct gw_refusal denied = {
        .status = NGX_HTTP_FORBIDDEN, .type = "invalid_request_error", .code = "permission_denied"};
    static const struct gw_refusal away = {.status = NGX_HTTP_SERVICE_UNAVAILABLE,
                                           .type = "server_error",
                                           .code = "not_ready",
                                           .retry_after_ms = 1000};

    switch (err->code) {
    case ERR_UNAUTHENTICATED: return &gw_no_key;
    case ERR_DENIED: return &denied;
    default: return &away;
    }
}

static bool is_json(const ngx_http_request_t *r)
{
    static const char json[] = "application/json";
    const ngx_table_elt_t *type = r->headers_in.content_type;

    return type == NULL ||
           (type->value.len >= sizeof(json) - 1 &&
            ngx_strncasecmp(type->value.data, (u_char *)(uintptr_t)json, sizeof(json) - 1) == 0);
}

/* nginx calls this when the whole body is there, maybe at once. */
static void body_ready(ngx_http_request_t *r)
{
    r->preserve_body = 1;
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}

static ngx_int_t read_body(ngx_http_request_t *r, struct gw_call *call)
{
    call->stage = GW_READING;
    gw_tls_read_once(r);
    r->request_body_in_single_buf = 1;
    ngx_int_t rc = ngx_http_read_client_request_body(r, body_ready);
    if (rc >= NGX_HTTP_SPECIAL_RESPONSE)
        return rc;
    ngx_http_finalize_request(r, NGX_DONE);
    return NGX_DONE;
}

/* Anthropic's clients say which version of the API they were written for: a date. */
static bool has_version(const ngx_http_request_t *r)
{
    const ngx_table_elt_t *header = gw_header_in(r, "anthropic-version");
    static const char shape[] = "0000-00-00";

    if (header == NULL || header->value.len != sizeof(shape) - 1)
        return false;
    for (size_t i = 0; i < header->value.len; i++) {
        u_char c = header->value.data[i];
        if (shape[i] == '-' ? c != '-' : c < '0' || c > '9')
            return false;
    }
    return true;
}

static ngx_int_t begin(ngx_http_request_t *r, struct gw_call *call)
{
    static const struct gw_refusal version = {.status = NGX_HTTP_BAD_REQUEST,
                                              .type = "invalid_request_error",
                                              .code = "missing_header",
                                              .param = "anthropic-version"};
    static const struct gw_refusal method = {.status = NGX_HTTP_NOT_ALLOWED,
                                             .type = "invalid_request_error",
                                             .code = "method_not_allowed"};
    static const struct gw_refusal type = {.status = NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                           .type = "invalid_request_error",
                                           .code = "unsupported_media_type"};
    struct err err = ERR_INIT;

    if (gw_worker_authenticate(r, &call->principal, &err) < 0)
        return gw_refuse(r, call, gw_refusal_of(&err), err.msg);
    if (call->principal.source == AUTH_NOBODY)
        return gw_refuse(r, call, &gw_no_key,
                         "This needs an API key: Authorization: Bearer sk-drun-...");
    if (r->method != NGX_HTTP_POST)
        return gw_refuse(r, call, &method, "Only POST is allowed here");
    if (!is_json(r))
        return gw_refuse(r, call, &type, "The body must be application/json");
    if (gw_is_anthropic(r) && !has_version(r))
        return gw_refuse(r, call, &version,
                         "The header anthropic-version is missing, such as 2023-06-01");
    return read_body(r, call);
}

static ngx_int_t waited(ngx_http_request_t *r, struct gw_call *call)
{
    ngx_int_t rc = gw_line_waited(r, call);

    if (rc != NGX_OK)
        return rc;
    call->stage = GW_DECIDED;
    /* Engines may have come and gone; without any the old address says so. */
    if (gw_engine_again(r, call) == NGX_ERROR)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    rc = gw_cache_waited(r, call);
    return rc == NGX_DECLINED ? NGX_OK : rc;
}

ngx_int_t gw_access(ngx_http_request_t *r)
{
    const struct gw_loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_drun_module);

    if (!conf->model_api || r != r->main)
        return NGX_DECLINED;
    struct gw_call *call = gw_call_of(r);
    if (call == NULL)
        call = gw_call_new(r);
    if (call == NULL)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    switch (call->stage) {
    case GW_NEW: return begin(r, call);
    case GW_READING: return gw_decide(r, call);
    case GW_SHARING: return call->waits ? NGX_AGAIN : gw_decide_again(r, call);
    case GW_WAITING: return waited(r, call);
    case GW_DECIDED: return NGX_OK;
    default: return NGX_DONE;
    }
}
