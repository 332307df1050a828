/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of this folder. */
#ifndef DRUN_API_API_INTERNAL_H
#define DRUN_API_API_INTERNAL_H

#include "kube/kube_store.h"
#include "rbac/rbac.h"
#include "role/role.h"
#include "serve/serve.h"
#include "snapshot/policy.h"

struct api {
    struct role *role;
    struct store *store;
    struct kube_store *objects;
    struct serve *serve;
    struct policy *policy;
    struct orders *orders;         /* the agent's */
    struct orders *outside_orders; /* the exporter's */
    struct orders *waf_orders;
    struct ends *ends;
    struct logs *logs;
    json_t *budget_use[ROLE_GATEWAYS_MAX]; /* what each gateway said last; NULL: nothing yet */
    struct leases *leases; /* NULL: there is one gateway, which shares budgets with nobody */
    json_t *left_out;      /* by gateway: NAMESPACE/NAME of each service that it leaves out */
};

/* Is it one of this role's kinds? */
bool api_serves(const struct kube_kind *kind);

/* ------------------------------------------------------------------ policy.c: the policy snapshot
 */

struct policy;

int policy_new(struct api *api, struct policy **out, struct err *err) MUST_USE;
void policy_free(struct policy *policy);
/* Reads every object that matters and publishes. */
int policy_load(struct policy *policy, struct err *err) MUST_USE;
/* This object has changed; the snapshot follows when the change is durable. */
void policy_touch(struct policy *policy, const struct kube_kind *kind, const char *namespace,
                  const char *name);
/* The batch is durable: takes in what was touched and publishes. */
void policy_follow(struct policy *policy);
struct rbac_model *policy_rbac(struct policy *policy);
/* Whether a model service is called. */
bool policy_is_ready(const json_t *service);

/* ------------------------------------------------------------------ budgets.c: LimitPolicies, for
 * policy.c */

struct budgets;

/* All there are. To be freed whatever is returned. */
int budgets_read(struct kube_server *kube, struct budgets **out, struct err *err) MUST_USE;
void budgets_free_ptr(struct budgets **budgets);
/* Those of a namespace, for the caller to free; the texts in them live as long as `budgets`. */
struct policy_budget_in *budgets_of(const struct budgets *budgets, const char *namespace,
                                    size_t *out_count);
/* The highest that a LimitPolicy of the namespace says. */
enum policy_priority budgets_priority(const struct budgets *budgets, const char *namespace);

/* ------------------------------------------------------------------ budget_use.c: the status of
 * LimitPolicies */

ipc_handler_fn budget_use_handle;
/* The status of a policy that is written: of new rules nothing is used. */
void budget_use_admit(const struct api *api, struct kube_change *change);

/* ------------------------------------------------------------------ leases.c: shares of budgets */

struct leases;

/* With one gateway *out is NULL. */
int leases_new(struct role *role, struct leases **out, struct err *err) MUST_USE;
void leases_free(struct leases *leases);
ipc_handler_fn leases_handle_tell, leases_handle_recalls;

/* ------------------------------------------------------------------ guards.c: GuardPolicies, for
 * policy.c */

struct guards;

/* All there are. To be freed whatever is returned. */
int guards_read(struct kube_server *kube, struct guards **out, struct err *err) MUST_USE;
void guards_free_ptr(struct guards **guards);
/* What holds for a model service: the usual actions, the default of all namespaces, the policies of
 * its own, those for it alone; the later ones override. */
void guards_of(const struct guards *guards, const char *namespace, const char *service,
               struct policy_guard *out);
/* ERR_INVALID for a detector that there is not. */
int guards_admit(struct kube_change *change, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ prices.c: PriceLists, for
 * policy.c */

struct prices;

/* All there are. To be freed whatever is returned. */
int prices_read(struct kube_server *kube, struct prices **out, struct err *err) MUST_USE;
void prices_free_ptr(struct prices **prices);
/* What a model service costs; zeroed when no list says. The text in it lives as long as `prices`.
 */
void prices_of(const struct prices *prices, const char *namespace, const char *service,
               struct policy_price_in *out);
/* ERR_INVALID for a currency that is not the other lists'. */
int prices_admit(struct kube_server *kube, const struct kube_change *change,
                 struct err *err) MUST_USE;

/* ------------------------------------------------------------------ cache.c */

enum { CACHE_VERSION_SIZE = 192 };
/* What is kept of the service's answers; *out stays as it is when nothing is. Its text is `room`.
 */
void cache_of(const json_t *object, char room[CACHE_VERSION_SIZE], struct policy_cache_in *out);

/* ------------------------------------------------------------------ routes.c: ModelRoutes */

/* Names that are free, backends that the writer has a say over; and its status. */
int routes_admit(struct api *api, struct kube_change *change, struct err *err) MUST_USE;
/* A model service must not have the name of a route. */
int routes_admit_service(struct api *api, const struct kube_change *change,
                         struct err *err) MUST_USE;
/* A model service of the namespace (NULL: of any) has changed: so may what its routes say. */
void routes_refresh(struct api *api, const char *namespace);
ipc_handler_fn routes_handle_left_out;
enum { ROUTES_NAMES_MAX = 16 };
/* What a route is called by: returns how many. */
size_t routes_names(const json_t *route, const char *out[ROUTES_NAMES_MAX]);
/* For policy.c, after all services. */
int routes_add(struct policy_builder *builder, const json_t *route, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ orders.c: what agent and
 * exporter are to do */

struct orders;
extern const struct ipc_table api_table;

struct orders *orders_new(struct api *api, enum role_id follower) MUST_USE;
void orders_free(struct orders *orders);
int orders_load(struct orders *orders, struct err *err) MUST_USE;
void orders_touch(struct orders *orders, const struct kube_kind *kind, const char *namespace,
                  const char *name);
/* The batch is durable, or there is a log to ask for: answers a follower that waits. */
void orders_follow(struct orders *orders);
/* The batch is durable or was taken back: the agent, which told statuses in it, hears so. */
void orders_settle(struct orders *orders, bool stored);

/* ------------------------------------------------------------------ ends.c: namespaces that go */

struct ends;
struct ends *ends_new(void) MUST_USE;
void ends_free(struct ends *ends);
serve_emptied_fn ends_emptied;
ipc_handler_fn ends_handle_emptied, ends_handle_owner;

/* ------------------------------------------------------------------ logs.c: what engines say */

struct logs;
int logs_new(struct api *api, struct logs **out, struct err *err) MUST_USE;
/* Answers who waits; before serve_free(). */
void logs_stop(struct logs *logs);
void logs_free(struct logs *logs);
serve_route_fn logs_route;
/* Appends the next question to the agent, if there is one. */
bool logs_put_order(struct logs *logs, struct buf *out);
/* The agent was started again: what it was telling is over. */
void logs_agent_is_new(struct logs *logs);
ipc_handler_fn logs_handle_piece;

/* ------------------------------------------------------------------ access.c: who has what */

serve_route_fn access_route;

/* ------------------------------------------------------------------ aggregate.c */

/* Gives a ClusterRole with an aggregationRule the rules that it gathers. */
int aggregate_admit(struct api *api, json_t *role, struct err *err) MUST_USE;
/* A ClusterRole has changed: so may what others gather from it. */
void aggregate_follow(struct api *api, const struct kube_change *change);
/* Brings every aggregated ClusterRole up to date. */
int aggregate_refresh(struct api *api, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ waf.c */

/* What the schema of a WafRuleSet or a WafPolicy cannot say. */
int waf_admit(const struct kube_change *change, struct err *err) MUST_USE;
/* The rules of the host and the policy that every installation has. */
json_t *waf_default_objects(void) MUST_USE;

/* ------------------------------------------------------------------ admit.c, defaults.c */

kube_admit_fn api_admit;
/* The principal's groups, at most `room`; returns how many. */
size_t admit_groups(const struct kube_principal *principal, struct span *out, size_t room);
/* Makes the namespaces, roles and bindings that every installation has. */
int defaults_make(struct api *api, struct err *err) MUST_USE;

#endif
