/* SPDX-License-Identifier: Apache-2.0 */
/* Calls from pages of other origins (the Fetch standard, section 3.2), for the origins of the
 * setting cors-origins and the APIs that take bearer tokens. Cookies are never allowed with them.
 */
#include "gateway/module/edge.h"

static ngx_http_output_header_filter_pt next_header;

static const char *const paths[] = {"/v1/", "/oauth2/", "/.well-known/"};

static bool is_open_path(ngx_str_t uri)
{
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (uri.len >= strlen(paths[i]) && memcmp(uri.data, paths[i], strlen(paths[i])) == 0)
            return true;
    return false;
}

/* The origin when it is one that may; else NULL. */
static const ngx_str_t *allowed(ngx_http_request_t *r)
{
    const struct edge_conf *conf = edge_conf_of(r);
    const ngx_table_elt_t *origin = conf->origins == NULL ? NULL : gw_header_in(r, "Origin");

    for (ngx_uint_t i = 0; origin != NULL && i < conf->origins->nelts; i++) {
        const ngx_str_t *known = (const ngx_str_t *)conf->origins->elts + i;
        if (known->len == origin->value.len &&
            memcmp(known->data, origin->value.data, known->len) == 0)
            return known;
    }
    return NULL;
}

static ngx_int_t add(ngx_http_request_t *r, const char *name, const char *value)
{
    ngx_str_t text = {strlen(value), (u_char *)(uintptr_t)value};

    return gw_header_add(r, name, text);
}

/* Where an answer depends on the origin, a cache must know. */
static ngx_int_t on_headers(ngx_http_request_t *r)
{
    const struct edge_conf *conf = edge_conf_of(r);

    if (conf->origins == NULL || r != r->main || !is_open_path(r->unparsed_uri))
        return next_header(r);
    const ngx_str_t *origin = allowed(r);
    if (add(r, "Vary", "Origin") != NGX_OK ||
        (origin != NULL &&
         (gw_header_add(r, "Access-Control-Allow-Origin", *origin) != NGX_OK ||
          add(r, "Access-Control-Expose-Headers",
              "Retry-After, RateLimit, RateLimit-Policy, X-Request-Id, X-Drun-Cache, "
              "WWW-Authenticate") != NGX_OK)))
        return NGX_ERROR;
    return next_header(r);
}

ngx_int_t edge_cors(ngx_http_request_t *r)
{
    if (r->method != NGX_HTTP_OPTIONS || !is_open_path(r->unparsed_uri) ||
        gw_header_in(r, "Access-Control-Request-Method") == NULL || allowed(r) == NULL)
        return NGX_DECLINED;
    if (add(r, "Access-Control-Allow-Methods", "GET, POST") != NGX_OK ||
        add(r, "Access-Control-Allow-Headers",
            "Authorization, Content-Type, DPoP, X-Request-Id, X-Stainless-Arch, X-Stainless-Lang, "
            "X-Stainless-OS, X-Stainless-Package-Version, X-Stainless-Retry-Count, "
            "X-Stainless-Runtime, X-Stainless-Runtime-Version, X-Stainless-Timeout") != NGX_OK ||
        add(r, "Access-Control-Max-Age", "600") != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK)
        return rc;
    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;
    ngx_http_finalize_request(r, ngx_http_send_header(r));
    return NGX_DONE;
}

ngx_int_t edge_cors_init(void)
{
    next_header = ngx_http_top_header_filter;
    ngx_http_top_header_filter = on_headers;
    return NGX_OK;
}
