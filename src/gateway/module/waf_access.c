/* SPDX-License-Identifier: Apache-2.0 */
/* Where the firewall stands: before everything that is no model call (PREACCESS), and in a model
 * call behind the schema, when it is known what of the body is prose. */
#include "gateway/module/waf.h"

enum { SERVICE_MAX = 512 };

static const struct gw_refusal refused = {
    .status = NGX_HTTP_FORBIDDEN, .type = "invalid_request_error", .code = "request_refused"};
static const struct gw_refusal early = {.status = NGX_HTTP_SERVICE_UNAVAILABLE,
                                        .type = "server_error",
                                        .code = "not_ready",
                                        .retry_after_ms = 1000};
static const char no_rules[] = "The platform is starting; try again in a moment";

static const char attack[] = "This request looks like an attack and was refused";

/* ------------------------------------------------------------------ model calls */

/* "namespace/name" as the call names it; what it names wrongly goes nowhere afterwards. */
static void name_service(const struct gw_call *call, char room[SERVICE_MAX],
                         struct gw_waf_subject *subject)
{
    struct span ns = auth_text(&call->principal, call->principal.namespace);
    const char *slash = strchr(call->request.model, '/');

    if (slash != NULL)
        snprintf(room, SERVICE_MAX, "%s", call->request.model);
    else
        snprintf(room, SERVICE_MAX, "%.*s/%s", SPAN_ARG(ns), call->request.model);
    subject->service = span_str(room);
    subject->namespace =
        slash != NULL ? span_of(call->request.model, (size_t)(slash - call->request.model)) : ns;
}

ngx_int_t gw_waf_call(ngx_http_request_t *r, struct gw_call *call)
{
    const struct gw_main_conf *conf = ngx_http_get_module_main_conf(r, ngx_http_drun_module);
    struct gw_waf_subject subject = {.call = call, .request_id = call->request_id};
    char room[SERVICE_MAX];
    char message[GW_WAF_MESSAGE_MAX];

    if (conf->waf == GW_WAF_OFF)
        return NGX_DECLINED;
    struct waf_tx *tx = gw_waf_tx(r->connection->log);
    if (tx == NULL)
        return conf->waf == GW_WAF_OPEN ? NGX_DECLINED : gw_refuse(r, call, &early, no_rules);
    name_service(call, room, &subject);
    if (!gw_waf_judge(r, tx, &subject, call->request.body))
        return NGX_DECLINED;
    gw_waf_message(attack, call->request_id, message);
    return gw_refuse(r, call, &refused, message);
}

/* ------------------------------------------------------------------ everything else */

/* That of nginx, which roles are told, too. */
static ngx_str_t request_id_of(ngx_http_request_t *r)
{
    ngx_str_t name = ngx_string("request_id");
    ngx_str_t none = ngx_null_string;
    ngx_uint_t key = ngx_hash_key(name.data, name.len);
    ngx_http_variable_value_t *value = ngx_http_get_variable(r, &name, key);

    if (value == NULL || value->not_found)
        return none;
    return (ngx_str_t){value->len, value->data};
}

/* "/…/namespaces/NAME/…" */
static struct span namespace_of(const ngx_http_request_t *r)
{
    static const char word[] = "/namespaces/";
    struct span uri = gw_span(r->uri);
    const uint8_t *found = memmem(uri.p, uri.len, word, sizeof(word) - 1);

    if (found == NULL)
        return span_of("", 0);
    const uint8_t *start = found + sizeof(word) - 1;
    size_t left = uri.len - (size_t)(start - uri.p);
    const uint8_t *end = memchr(start, '/', left);
    return span_of(start, end == NULL ? left : (size_t)(end - start));
}

static bool has_body(const ngx_http_request_t *r)
{
    return r->headers_in.content_length_n > 0 || r->headers_in.chunked ||
           (r->http_version >= NGX_HTTP_VERSION_20 && r->headers_in.content_length_n < 0 &&
            r->method != NGX_HTTP_GET && r->method != NGX_HTTP_HEAD);
}

static bool is_json(const ngx_http_request_t *r)
{
    const ngx_table_elt_t *type = r->headers_in.content_type;

    return type == NULL || ngx_strcasestrn(type->value.data, (char *)(uintptr_t) "json", 3) != NULL;
}

/* nginx calls this when the whole body is there, maybe at once. */
static void body_ready(ngx_http_request_t *r)
{
    r->preserve_body = 1;
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}

static ngx_int_t read_body(ngx_http_request_t *r)
{
    r->request_body_in_single_buf = 1;
    ngx_int_t rc = ngx_http_read_client_request_body(r, body_ready);
    if (rc >= NGX_HTTP_SPECIAL_RESPONSE)
        return rc;
    ngx_http_finalize_request(r, NGX_DONE);
    return NGX_DONE;
}

static ngx_int_t refuse(ngx_http_request_t *r, const struct gw_refusal *refusal,
                        const char *message)
{
    ngx_http_finalize_request(r, gw_refuse_path(r, refusal, message));
    return NGX_DONE;
}

/* What of the body is looked at; an object that is no JSON is left to api, which knows its format.
 */
static struct span visible_body(ngx_http_request_t *r, struct span body)
{
    const struct gw_loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_drun_module);

    return conf->waf_objects && !is_json(r) ? span_of("", 0) : body;
}

static ngx_int_t judge(ngx_http_request_t *r, struct waf_tx *tx)
{
    const struct gw_loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_drun_module);
    struct gw_waf_subject subject = {.request_id = request_id_of(r),
                                     .namespace = namespace_of(r),
                                     .service = span_of("", 0),
                                     .shape = conf->waf_objects ? SHAPE_OBJECT : SHAPE_WHOLE};
    char message[GW_WAF_MESSAGE_MAX];
    struct span body;

    if (gw_body(r, &body) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    if (!gw_waf_judge(r, tx, &subject, visible_body(r, body)))
        return NGX_DECLINED;
    gw_waf_message(attack, subject.request_id, message);
    return refuse(r, &refused, message);
}

ngx_int_t gw_waf_preaccess(ngx_http_request_t *r)
{
    const struct gw_main_conf *main = ngx_http_get_module_main_conf(r, ngx_http_drun_module);
    const struct gw_loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_drun_module);

    if (main->waf == GW_WAF_OFF || conf->model_api || r != r->main || r->internal)
        return NGX_DECLINED;
    if (r->request_body == NULL && has_body(r))
        return read_body(r);
    struct waf_tx *tx = gw_waf_tx(r->connection->log);
    if (tx != NULL)
        return judge(r, tx);
    return main->waf == GW_WAF_OPEN ? NGX_DECLINED : refuse(r, &early, no_rules);
}
