/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that are kept (docs/decisions/0045): those of services that say so, to questions whose
 * answer is the same each time. The memory is of the whole gateway; a worker asks it when a call is
 * decided and charged, and puts in what went out to the client. For this folder.
 */
#ifndef DRUN_GATEWAY_MODULE_CACHE_H
#define DRUN_GATEWAY_MODULE_CACHE_H

#include "gateway/module/routing.h"

/* In the master, once: the workers inherit it. */
ngx_int_t gw_cache_make(ngx_cycle_t *cycle, const struct gw_main_conf *conf);

/* NGX_DECLINED: the call goes to the engine. Else it is answered, and this is what to return. */
ngx_int_t gw_cache_answer(ngx_http_request_t *r, struct gw_call *call,
                          const struct snapshot *policy, const struct policy_backend *backend);
/* The same once more, when the call has waited in line. */
ngx_int_t gw_cache_waited(ngx_http_request_t *r, struct gw_call *call);
/* The call goes to an engine of this service as the policy has it now. */
void gw_cache_check(struct gw_call *call, const struct policy_route *route);
/* What goes out now, call->out, is part of the answer. */
void gw_cache_take(const ngx_http_request_t *r, struct gw_call *call);
/* The header that tells the client. */
ngx_int_t gw_cache_put_field(ngx_http_request_t *r, const struct gw_call *call);
/* "hit", "miss"; empty where the service keeps nothing. */
struct span gw_cache_told(const struct gw_call *call);

#endif
