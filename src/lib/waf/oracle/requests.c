/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/oracle/requests.h"

static bool take_headers(struct cursor *cursor, struct request_header *headers, uint32_t *count)
{
    *count = cursor_u32(cursor);
    if (*count > REQUEST_HEADERS_MAX)
        return false;
    for (uint32_t i = 0; i < *count; i++) {
        headers[i].name = cursor_block(cursor);
        headers[i].value = cursor_block(cursor);
    }
    return true;
}

bool request_next(struct cursor *cursor, struct request *out)
{
    if (cursor->left == 0)
        return false;
    out->name = cursor_block(cursor);
    out->method = cursor_block(cursor);
    out->uri = cursor_block(cursor);
    out->protocol = cursor_block(cursor);
    if (!take_headers(cursor, out->headers, &out->header_count))
        return false;
    out->body = cursor_block(cursor);
    out->status = cursor_u32(cursor);
    if (!take_headers(cursor, out->answer_headers, &out->answer_header_count))
        return false;
    out->answer = cursor_block(cursor);
    return !cursor->failed;
}

static void run_answer(struct waf_tx *tx, const struct request *request)
{
    for (uint32_t i = 0; i < request->answer_header_count; i++)
        waf_tx_response_header(tx, request->answer_headers[i].name,
                               request->answer_headers[i].value);
    if (waf_tx_response_headers_end(tx, request->status, request->protocol)->action >= WAF_DENY)
        return;
    (void)waf_tx_response_body(tx, request->answer);
    (void)waf_tx_response_body_end(tx);
}

void request_run(struct waf_tx *tx, const struct request *request)
{
    struct waf_connection connection = {.client_addr = span_str("127.0.0.1"),
                                        .server_addr = span_str("127.0.0.1"),
                                        .client_port = 40000,
                                        .server_port = 80};

    waf_tx_start(tx, &connection);
    waf_tx_uri(tx, request->method, request->uri, request->protocol);
    for (uint32_t i = 0; i < request->header_count; i++)
        waf_tx_request_header(tx, request->headers[i].name, request->headers[i].value);
    if (waf_tx_request_headers_end(tx)->action < WAF_DENY) {
        if (request->body.len > 0)
            (void)waf_tx_request_body(tx, request->body);
        if (waf_tx_request_body_end(tx)->action < WAF_DENY)
            run_answer(tx, request);
    }
    waf_tx_log(tx);
}
