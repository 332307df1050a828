/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ngx_http_drun_edge_module: what every connection and request meets before anything else looks at
 * it, whatever it asks for.
 *
 *     accept           bans, connections of one source               sources.c
 *     ClientHello      handshakes of one source                      sources.c
 *     server rewrite   the form of the request                       hygiene.c
 *                      bans, requests, sign-ins, bytes of a source   sources.c
 *                      preflights of other origins                   cors.c
 *     while it runs    slow bodies, endless answers                  pace.c
 *     log              bytes that it took                            sources.c
 *
 * Behind ngx_http_realip_module the address of a request is the client's, also behind a proxy that
 * the settings trust. The directives are in edge.c. For this folder.
 */
#ifndef DRUN_GATEWAY_EDGE_H
#define DRUN_GATEWAY_EDGE_H

#include "gateway/module/module.h"
#include "limit/floods.h"
#include "limit/sources.h"

extern ngx_module_t ngx_http_drun_edge_module;

struct edge_conf {
    ngx_str_t state_dir;  /* where the workers share what sources do; empty: nothing is limited */
    ngx_array_t *free;    /* ngx_cidr_t: whom no limit here is for; NULL: nobody */
    ngx_array_t *origins; /* ngx_str_t that may call from browsers; NULL: none */
    struct limit_rate rates[LIMIT_MEASURES];
    ngx_uint_t connections, connections_network;
    ngx_uint_t ban_sec, long_ban_sec; /* 0: nobody is banned */
    ngx_uint_t answer_max_sec;        /* of one answer; 0: no end */
};

static inline const struct edge_conf *edge_conf_of(ngx_http_request_t *r)
{
    return ngx_http_get_module_main_conf(r, ngx_http_drun_edge_module);
}

/* An answer in the form of the API that the path belongs to, and the end of the request; gives what
 * a phase handler returns. retry_ms 0: no Retry-After. */
ngx_int_t edge_refuse(ngx_http_request_t *r, ngx_uint_t status, const char *code,
                      const char *message, uint64_t retry_ms);

/* NGX_DECLINED: nothing is wrong; hygiene.c. */
ngx_int_t edge_hygiene(ngx_http_request_t *r);
/* NGX_DECLINED: it is no preflight; cors.c. */
ngx_int_t edge_cors(ngx_http_request_t *r);
ngx_int_t edge_cors_init(void);
ngx_int_t edge_pace_init(void);

/* sources.c */
ngx_int_t edge_sources_start(ngx_cycle_t *cycle, const struct edge_conf *conf);
void edge_sources_stop(void);
ngx_int_t edge_sources_request(ngx_http_request_t *r);
void edge_sources_log(ngx_http_request_t *r);
struct limit_sources *edge_sources(void);
/* False for a client without one, on a Unix socket. */
bool edge_address(const ngx_http_request_t *r, uint8_t out[LIMIT_ADDRESS_LEN]);

/* The work that a browser does for its first page in a flood; challenge.c. NGX_DECLINED: it is
 * none.
 */
bool edge_challenge_passed(const ngx_http_request_t *r, const uint8_t address[LIMIT_ADDRESS_LEN]);
ngx_int_t edge_challenge(ngx_http_request_t *r);
ngx_int_t edge_challenge_page(ngx_http_request_t *r);

/* GET and DELETE of /apis/limits.drun.io/v1/bans; bans.c. */
ngx_int_t edge_bans(ngx_http_request_t *r);

#endif
