/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs me: the supervisor. What I hold: my collections and their data keys; no credential. Who
 * may speak to me: clients over HTTP on my socket, behind the gateway, with their own credentials;
 * the agent and the exporter by messages.
 */
#include "api/api.h"

#include "api/api_internal.h"

static const struct kube_kind *const kinds[] = {
    &kube_namespace,
    &kube_service_account,
    &kube_config_map,
    &kube_event_kind,
    &kube_role,
    &kube_cluster_role,
    &kube_role_binding,
    &kube_cluster_role_binding,
    &kube_model,
    &kube_model_service,
    &kube_model_route,
    &kube_limit_policy,
    &kube_price_list,
    &kube_waf_rule_set,
    &kube_waf_policy,
    &kube_guard_policy,
    &kube_self_subject_access_review,
    &kube_self_subject_rules_review,
    &kube_subject_access_review,
    &kube_local_subject_access_review,
    &kube_self_subject_review,
    &kube_token_review,
    NULL,
};

bool api_serves(const struct kube_kind *kind)
{
    for (size_t i = 0; kinds[i] != NULL; i++)
        if (kinds[i] == kind)
            return true;
    return false;
}

static void on_changed(void *ctx, const struct kube_change *change)
{
    struct api *api = ctx;

    aggregate_follow(api, change);
    if (change->kind == &kube_model_service)
        routes_refresh(api, change->namespace);
    policy_touch(api->policy, change->kind, change->namespace, change->name);
    orders_touch(api->orders, change->kind, change->namespace, change->name);
    orders_touch(api->outside_orders, change->kind, change->namespace, change->name);
    orders_touch(api->waf_orders, change->kind, change->namespace, change->name);
}

static void after_flush(void *ctx)
{
    struct api *api = ctx;

    orders_settle(api->orders, true);
    policy_follow(api->policy);
    orders_follow(api->orders);
    orders_follow(api->outside_orders);
    orders_follow(api->waf_orders);
}

static void after_discard(void *ctx)
{
    struct api *api = ctx;

    orders_settle(api->orders, false);
    orders_follow(api->orders);
    orders_follow(api->outside_orders);
    orders_follow(api->waf_orders);
}

static bool route(void *ctx, struct serve_request *request)
{
    return logs_route(ctx, request) || access_route(ctx, request);
}

static void release(struct api *api)
{
    if (api->logs != NULL)
        logs_stop(api->logs);
    serve_free(api->serve);
    logs_free(api->logs);
    orders_free(api->orders);
    orders_free(api->outside_orders);
    orders_free(api->waf_orders);
    ends_free(api->ends);
    policy_free(api->policy);
    kube_store_free(api->objects);
    store_close(api->store);
    json_decref(api->left_out);
    for (size_t i = 0; i < ROLE_GATEWAYS_MAX; i++)
        json_decref(api->budget_use[i]);
    leases_free(api->leases);
}

static int start(struct api *api, struct err *err)
{
    struct serve_config config = {
        .role = api->role,
        .route = route,
        .kinds = kinds,
        .admit = api_admit,
        .changed = on_changed,
        .after_flush = after_flush,
        .after_discard = after_discard,
        .emptied = ends_emptied,
        .ctx = api,
    };

    TRY(serve_store_open(api->role, &api->store, err));
    api->objects = kube_store_new(api->store);
    config.store = api->store;
    config.storage = kube_store_storage(api->objects);
    TRY(policy_new(api, &api->policy, err));
    api->orders = orders_new(api, ROLE_AGENT);
    api->outside_orders = orders_new(api, ROLE_EXPORTER);
    api->waf_orders = orders_new(api, ROLE_WAF);
    api->ends = ends_new();
    TRY(logs_new(api, &api->logs, err));
    TRY(leases_new(api->role, &api->leases, err));
    TRY(serve_new(&config, &api->serve, err));
    TRY(defaults_make(api, err));
    routes_refresh(api, NULL);
    if (store_needs_flush(api->store))
        TRY(store_flush(api->store, err));
    TRY(policy_load(api->policy, err));
    TRY(orders_load(api->orders, err));
    TRY(orders_load(api->outside_orders, err));
    return orders_load(api->waf_orders, err);
}

int api_main(struct role *role, struct err *err)
{
    struct api api = {.role = role, .left_out = json_object()};
    int result = serve_lock_down(role, err);

    if (result == 0)
        result = start(&api, err);
    if (result == 0)
        result = role_serve(role, &api_table, &api, err);
    if (result == 0)
        result = role_run(role, err);
    release(&api);
    return result;
}
