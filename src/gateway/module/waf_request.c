/* SPDX-License-Identifier: Apache-2.0 */
/* A request through the rules: phases 1, 2 and 5 in one go. */
#include "gateway/module/waf.h"

#include <arpa/inet.h>

/* As the waf role's rules call them (roles/waf/rules_text.h). */
#define NAMESPACE_VARIABLE "drun_namespace"
#define SERVICE_VARIABLE   "drun_service"

static uint16_t port_of(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
    if (address->sa_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    return 0;
}

static void start(ngx_http_request_t *r, struct waf_tx *tx, const struct gw_waf_subject *subject)
{
    const ngx_connection_t *connection = r->connection;
    const struct auth_principal *who = subject->call == NULL ? NULL : &subject->call->principal;
    const struct waf_connection about = {
        .client_addr = gw_span(connection->addr_text),
        .server_addr = gw_span(connection->listening->addr_text),
        .client_port = port_of(connection->sockaddr),
        .server_port = port_of(connection->listening->sockaddr),
        .unique_id = gw_span(subject->request_id),
        .remote_user = who == NULL ? span_of("", 0) : auth_text(who, who->name),
    };

    waf_tx_start(tx, &about);
    waf_tx_set_variable(tx, NAMESPACE_VARIABLE, subject->namespace);
    waf_tx_set_variable(tx, SERVICE_VARIABLE, subject->service);
}

static void put_headers(const ngx_http_request_t *r, struct waf_tx *tx)
{
    for (const ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL;
         part = part->next) {
        const ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++)
            waf_tx_request_header(tx, gw_span(headers[i].key), gw_span(headers[i].value));
    }
}

static void put_piece(void *ctx, struct span piece)
{
    (void)waf_tx_request_body(ctx, piece);
}

static bool is_refused(const struct waf_tx *tx)
{
    return waf_tx_verdict(tx)->action >= WAF_DENY;
}

bool gw_waf_judge(ngx_http_request_t *r, struct waf_tx *tx, const struct gw_waf_subject *subject,
                  struct span body)
{
    size_t hits;

    start(r, tx, subject);
    waf_tx_uri(tx, gw_span(r->method_name), gw_span(r->unparsed_uri), gw_span(r->http_protocol));
    put_headers(r, tx);
    (void)waf_tx_request_headers_end(tx);
    if (!is_refused(tx)) {
        if (waf_tx_wants_request_body(tx) && body.len > 0)
            shape_cut(subject->shape, body, put_piece, tx);
        (void)waf_tx_request_body_end(tx);
    }
    waf_tx_log(tx);
    (void)waf_tx_hits(tx, &hits);
    if (hits > 0 || waf_tx_events(tx) != 0)
        gw_waf_record(r, tx, subject);
    return is_refused(tx);
}
