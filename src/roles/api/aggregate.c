/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules that an aggregated ClusterRole shows. Decisions do not need them: lib/rbac gathers by
 * itself. People and `kubectl get` do, so they are kept as Kubernetes' controller keeps them: in
 * the object, and in the same batch as the change that they follow.
 */
#include "api/api_internal.h"

#include "base/mem.h"
#include "codec/json.h"
#include "log/log.h"

static int load_one(void *ctx, const json_t *object, struct err *err UNUSED)
{
    struct err why = ERR_INIT;

    /* What cannot be read gives no right either, see policy.c. */
    if (rbac_model_put(ctx, object, &why) < 0)
        log_error("api.aggregate", &why);
    return 0;
}

/* All ClusterRoles as they are in this batch, which the policy's own model does not know yet. */
static int load(struct api *api, struct rbac_model *model, struct err *err)
{
    return kube_object_each(serve_kube(api->serve), &kube_cluster_role, NULL, load_one, model, err);
}

static bool is_aggregated(const json_t *role)
{
    return json_is_object(json_object_get(role, "aggregationRule"));
}

int aggregate_admit(struct api *api, json_t *role, struct err *err)
{
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = rbac_model_new();
    const char *name = codec_json_text(json_object_get(role, "metadata"), "name", "");

    if (!is_aggregated(role))
        return 0;
    TRY(load(api, model, err));
    TRY(rbac_model_put(model, role, err));
    json_t *rules = rbac_model_aggregated_rules(model, name);
    if (rules != NULL)
        json_object_set_new(role, "rules", rules);
    return 0;
}

struct refresh {
    struct api *api;
    struct rbac_model *model;
};

static int refresh_one(void *ctx, const json_t *object, struct err *err)
{
    struct refresh *refresh = ctx;
    const char *name = codec_json_text(json_object_get(object, "metadata"), "name", "");
    CLEANUP_JSON json_t *rules = rbac_model_aggregated_rules(refresh->model, name);

    if (rules == NULL || json_equal(rules, json_object_get(object, "rules")))
        return 0;
    CLEANUP_JSON json_t *role = json_copy((json_t *)(uintptr_t)object);
    json_object_set(role, "rules", rules);
    return kube_object_put(serve_kube(refresh->api->serve), &kube_cluster_role, role, err);
}

int aggregate_refresh(struct api *api, struct err *err)
{
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = rbac_model_new();
    struct refresh refresh = {.api = api, .model = model};

    TRY(load(api, model, err));
    return kube_object_each(serve_kube(api->serve), &kube_cluster_role, NULL, refresh_one, &refresh,
                            err);
}

/* Only what has labels is gathered by another, and only what gathers passes on. */
static bool matters(const json_t *role)
{
    return is_aggregated(role) ||
           json_object_size(codec_json_at(role, "metadata", "labels", NULL)) > 0;
}

void aggregate_follow(struct api *api, const struct kube_change *change)
{
    struct err err = ERR_INIT;

    if (change->kind != &kube_cluster_role || (!matters(change->old) && !matters(change->object)))
        return;
    if (aggregate_refresh(api, &err) < 0)
        log_error("api.aggregate", &err);
}
