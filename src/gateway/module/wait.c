/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that wait in their access phase, where they take no thread: the worker serves others
 * meanwhile. For a place in a line (line.c), or for a share of a budget (shares.c). */
#include "gateway/module/module.h"

ngx_int_t gw_wait_begin(ngx_http_request_t *r, struct gw_call *call, ngx_event_handler_pt over,
                        ngx_msec_t timeout_ms)
{
    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    /* A client that goes away ends the request, and so the wait. */
    r->read_event_handler = ngx_http_test_reading;
    call->waits = true;
    call->wait_timer = (ngx_event_t){.handler = over, .data = r, .log = r->connection->log};
    ngx_add_timer(&call->wait_timer, timeout_ms);
    return NGX_AGAIN;
}

void gw_wait_end(struct gw_call *call)
{
    if (call->waits && call->wait_timer.timer_set)
        ngx_del_timer(&call->wait_timer);
    call->waits = false;
}

void gw_wait_go_on(ngx_http_request_t *r)
{
    ngx_connection_t *c = r->connection;

    r->read_event_handler = ngx_http_block_reading;
    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}
