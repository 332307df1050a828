/* SPDX-License-Identifier: Apache-2.0 */
/* What routing.c and routing_order.c keep of one call. For these two. */
#ifndef DRUN_GATEWAY_ROUTING_PLAN_H
#define DRUN_GATEWAY_ROUTING_PLAN_H

#include "gateway/module/routing.h"

enum { TOLD_MAX = 256 };

struct gw_plan {
    ngx_http_request_t *r;
    struct policy_routing_rules rules;
    ngx_str_t alias;                      /* what was called, without its namespace */
    ngx_str_t names[POLICY_BACKENDS_MAX]; /* of the services, in the order of trying */
    size_t count;
    size_t at;
    ngx_uint_t tries;    /* begun */
    ngx_uint_t left;     /* what nginx was told that it has left */
    uint64_t sticky;     /* whose call it is; 0: anybody's */
    bool panics;         /* all were left out, so none is */
    bool running;        /* a try whose end is not noted */
    ngx_msec_t patience; /* of the location */
    ngx_http_upstream_conf_t conf;
    char told[TOLD_MAX];
    size_t told_len;
};

/* "namespace/name", by which a service has its breaker. */
struct span gw_plan_full_name(struct span ns, struct span name, char room[LIMIT_BREAKER_NAME]);

#endif
