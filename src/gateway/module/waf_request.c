/* SPDX-License-Identifier: Apache-2.0 */
/* A request through the rules: phases 1, 2 and 5 in one go. */
#include "gateway/module/waf.h"

#include <arpa/inet.h>

enum { BODY_MAX = 64 * 1024 * 1024 };

struct span gw_waf_user(const struct gw_waf_subject *subject)
{
    const struct auth_principal *who = subject->call == NULL ? NULL : &subject->call->principal;

    return who == NULL ? span_of("", 0) : auth_text(who, who->name);
}

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
    const struct waf_connection about = {
        .client_addr = gw_span(connection->addr_text),
        .server_addr = gw_span(connection->listening->addr_text),
        .client_port = port_of(connection->sockaddr),
        .server_port = port_of(connection->listening->sockaddr),
        .unique_id = gw_span(subject->request_id),
        .remote_user = gw_waf_user(subject),
    };

    waf_tx_start(tx, &about);
    waf_tx_set_variable(tx, GW_WAF_NAMESPACE, subject->namespace);
    waf_tx_set_variable(tx, GW_WAF_SERVICE, subject->service);
}

static void put_headers(const ngx_http_request_t *r, struct waf_tx *tx, struct span length)
{
    for (const ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL;
         part = part->next) {
        const ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            bool is_length = &headers[i] == r->headers_in.content_length && length.p != NULL;
            waf_tx_request_header(tx, gw_span(headers[i].key),
                                  is_length ? length : gw_span(headers[i].value));
        }
    }
}

/* ------------------------------------------------------------------ the body */

static void put_piece(void *ctx, struct span piece)
{
    buf_put_span(ctx, piece);
}

/* A body that is cut has the length of what is left: what the rules see is one request. */
struct gw_waf_seen gw_waf_look(enum shape shape, struct span body)
{
    static struct buf left = BUF_INIT(BODY_MAX); /* one request at a time */
    static char length[24];

    if (shape == SHAPE_WHOLE || body.len == 0)
        return (struct gw_waf_seen){.body = body};
    buf_reset(&left);
    shape_cut(shape, body, put_piece, &left);
    int len = snprintf(length, sizeof(length), "%zu", left.len);
    return (struct gw_waf_seen){.body = buf_span(&left), .length = span_of(length, (size_t)len)};
}

/* ------------------------------------------------------------------ the rules */

static bool is_refused(const struct waf_tx *tx)
{
    return waf_tx_verdict(tx)->action >= WAF_DENY;
}

/* True: no rule met it. */
static bool run(ngx_http_request_t *r, struct waf_tx *tx, const struct gw_waf_subject *subject,
                const struct gw_waf_seen *seen)
{
    size_t hits;

    start(r, tx, subject);
    waf_tx_uri(tx, gw_span(r->method_name), gw_span(r->unparsed_uri), gw_span(r->http_protocol));
    put_headers(r, tx, seen->length);
    (void)waf_tx_request_headers_end(tx);
    if (!is_refused(tx)) {
        (void)waf_tx_request_body(tx, seen->body);
        (void)waf_tx_request_body_end(tx);
    }
    waf_tx_log(tx);
    (void)waf_tx_hits(tx, &hits);
    return hits == 0 && waf_tx_events(tx) == 0 && !is_refused(tx);
}

bool gw_waf_judge(ngx_http_request_t *r, struct waf_tx *tx, const struct gw_waf_subject *subject,
                  struct span body)
{
    struct gw_waf_seen seen = gw_waf_look(subject->shape, body);
    struct gw_waf_print print;
    bool has_print = gw_waf_is_repeatable() && gw_waf_print_of(r, subject, &seen, &print);

    if (has_print && gw_waf_is_known(&print))
        return false;
    if (run(r, tx, subject, &seen)) {
        if (has_print)
            gw_waf_remember(&print);
        return false;
    }
    gw_waf_record(r, tx, subject);
    return is_refused(tx);
}
