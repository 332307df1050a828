/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firewall inside a worker (docs/decisions/0032): the image in force, its engine and the one
 * transaction that all requests use, one after the other. A request is judged at once, when its
 * body is there; nothing of a transaction outlives that. For this folder.
 */
#ifndef DRUN_GATEWAY_MODULE_WAF_H
#define DRUN_GATEWAY_MODULE_WAF_H

#include "gateway/module/module.h"
#include "gateway/shape.h"
#include "waf/waf.h"

/* ------------------------------------------------------------------ the worker (waf_worker.c) */

ngx_int_t gw_waf_start(ngx_cycle_t *cycle, const struct gw_main_conf *conf);
void gw_waf_stop(void);
/* The transaction of the rules in force, not started; NULL when there are none. Valid until the
 * next call. */
struct waf_tx *gw_waf_tx(ngx_log_t *log);

/* ------------------------------------------------------------------ a request (waf_request.c) */

/* Who asks, where that is known: `call` is NULL for what is no model call. */
struct gw_waf_subject {
    struct gw_call *call;
    ngx_str_t request_id;
    struct span namespace;
    struct span service; /* "namespace/name" */
    enum shape shape;
};

/* Runs the rules. True: the request is to be refused. */
bool gw_waf_judge(ngx_http_request_t *r, struct waf_tx *tx, const struct gw_waf_subject *subject,
                  struct span body);
/* What it met, as records (waf_hits.c). */
void gw_waf_record(ngx_http_request_t *r, struct waf_tx *tx, const struct gw_waf_subject *subject);

#endif
