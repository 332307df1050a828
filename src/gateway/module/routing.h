/* SPDX-License-Identifier: Apache-2.0 */
/* The way of one call of a model route through its backends. For this folder. */
#ifndef DRUN_GATEWAY_ROUTING_H
#define DRUN_GATEWAY_ROUTING_H

#include "gateway/module/module.h"

#include "snapshot/policy_routing.h"

struct gw_plan;

/* Draws the order of the backends that are ready; call->plan is made of the request's pool. */
ngx_int_t gw_plan_make(ngx_http_request_t *r, struct gw_call *call, const struct snapshot *policy,
                       const struct policy_route *route);
/* How many there are; 0: none is ready. */
size_t gw_plan_count(const struct gw_plan *plan);
/* The backend at this place of the order as the policy has it; false when it cannot be called. */
bool gw_plan_backend(const struct gw_call *call, const struct snapshot *policy, size_t at,
                     struct policy_backend *out);
/* The first try is at this one; false: it is on trial by another call. */
bool gw_plan_start(struct gw_call *call, size_t at);

/* ------------------------------------------------------------------ for engine.c */

/* nginx begins: how often it may try. */
void gw_plan_begin(struct gw_call *call, ngx_peer_connection_t *pc);
/* It wants an address: NGX_OK when call->engine is the one, NGX_BUSY when there is no further try.
 */
ngx_int_t gw_plan_next(struct gw_call *call, ngx_peer_connection_t *pc);
/* It has given one up, and counted. */
void gw_plan_tried(struct gw_call *call, ngx_peer_connection_t *pc);

/* The backend that is tried, as the policy has it now. */
bool gw_plan_current(const struct gw_call *call, const struct snapshot *policy,
                     struct policy_backend *out);
/* Whose calls stay together; 0: anybody's. */
uint64_t gw_plan_sticky(const struct gw_plan *plan);
/* For who draws: nothing secret hangs on these. */
uint64_t gw_chance(void);
uint64_t gw_mix(uint64_t z);

/* ------------------------------------------------------------------ several engines (replicas.c)
 */

/* route->replica_count is not 0. The call counts at this one until gw_replica_leave(). */
struct span gw_replica_pick(struct gw_call *call, const struct snapshot *policy,
                            const struct policy_route *route);
void gw_replica_leave(struct gw_call *call);
/* For engine.c, of a call->of_several: as gw_plan_begin() and so on. */
void gw_replica_begin(ngx_http_request_t *r, struct gw_call *call);
ngx_int_t gw_replica_next(struct gw_call *call, const ngx_peer_connection_t *pc);
void gw_replica_tried(struct gw_call *call, const ngx_peer_connection_t *pc, ngx_uint_t state);
/* The headers of an answer are there. */
void gw_replica_answered(const struct gw_call *call, ngx_uint_t status);

/* ------------------------------------------------------------------ ends */

/* The headers of an answer are there: no further try. */
void gw_plan_answered(struct gw_call *call, ngx_uint_t status);
/* The call is over. */
void gw_plan_end(struct gw_call *call);
/* "primary:503,spare:200"; and the service that was tried last. */
struct span gw_plan_told(const struct gw_plan *plan);
struct span gw_plan_name(const struct gw_plan *plan);

/* ------------------------------------------------------------------ body.c and the charges */

/* With a NUL behind it. */
ngx_int_t gw_copy_text(ngx_pool_t *pool, struct span text, ngx_str_t *out);
/* The service has a socket that fits. */
bool gw_has_engine(const struct policy_route *route);
/* The engine's socket, and the body for it. */
ngx_int_t gw_engine_set(ngx_http_request_t *r, struct gw_call *call, const struct snapshot *policy,
                        const struct policy_backend *backend);
/* The socket again, by the policy in force: time has passed, or the engine takes no calls.
 * NGX_BUSY: there is no other. */
ngx_int_t gw_engine_again(ngx_http_request_t *r, struct gw_call *call);
/* The limits and budgets of the service itself: of this one instead of the one before. False: it
 * has no room; then nothing of the call is reserved at any service. */
bool gw_charge_move(ngx_http_request_t *r, struct gw_call *call, const struct snapshot *policy,
                    const struct policy_route *to);
bool gw_limits_move(struct gw_call *call, const struct policy_route *to);
bool gw_budgets_move(ngx_http_request_t *r, struct gw_call *call, const struct snapshot *policy,
                     const struct gw_most *most, const struct policy_namespace *ns,
                     const struct policy_route *to);
/* A place at its engine, without waiting, instead of the one before. */
bool gw_line_move(struct gw_call *call, const struct snapshot *policy,
                  const struct policy_route *to);
/* Gives back what was reserved for a call that is not let through. */
void gw_limits_undo(struct gw_call *call);

#endif
