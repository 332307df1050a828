/* SPDX-License-Identifier: Apache-2.0 */
/* What every installation has: namespaces, roles, bindings, the firewall. Made when missing; an
 * operator's changes stay. */
#include "api/api_internal.h"

#include "codec/json.h"

static const struct kube_kind *kind_of(const json_t *object)
{
    const char *kind = codec_json_text(object, "kind", "");

    if (strcmp(kind, "ClusterRole") == 0)
        return &kube_cluster_role;
    if (strcmp(kind, "ClusterRoleBinding") == 0)
        return &kube_cluster_role_binding;
    if (strcmp(kind, "Role") == 0)
        return &kube_role;
    if (strcmp(kind, "WafRuleSet") == 0)
        return &kube_waf_rule_set;
    if (strcmp(kind, "WafPolicy") == 0)
        return &kube_waf_policy;
    INVARIANT(strcmp(kind, "RoleBinding") == 0);
    return &kube_role_binding;
}

static int make(struct api *api, const struct kube_kind *kind, json_t *object, struct err *err)
{
    CLEANUP_JSON json_t *found = NULL;
    struct kube_server *kube = serve_kube(api->serve);
    const json_t *metadata = json_object_get(object, "metadata");

    if (kube_object_get(kube, kind, codec_json_text(metadata, "namespace", ""),
                        codec_json_text(metadata, "name", ""), &found, err) == 0)
        return 0;
    if (err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    return kube_object_put(kube, kind, object, err);
}

static int make_namespaces(struct api *api, struct err *err)
{
    static const char *const names[] = {"default", "drun-system", "drun-posture"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP_JSON json_t *object = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind",
                                                "Namespace", "metadata", "name", names[i]);
        TRY(make(api, &kube_namespace, object, err));
    }
    return 0;
}

int defaults_make(struct api *api, struct err *err)
{
    CLEANUP_JSON json_t *objects = rbac_default_objects();
    CLEANUP_JSON json_t *firewall = waf_default_objects();
    json_t *object;
    size_t i;

    TRY(make_namespaces(api, err));
    json_array_extend(objects, firewall);
    json_array_foreach (objects, i, object)
        TRY(make(api, kind_of(object), object, err));
    TRY(aggregate_refresh(api, err));
    return store_needs_flush(api->store) ? store_flush(api->store, err) : 0;
}
