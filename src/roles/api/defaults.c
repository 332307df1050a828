/* SPDX-License-Identifier: Apache-2.0 */
/* What every installation has: namespaces, roles, bindings, the firewall. Made when missing. As in
 * Kubernetes, a start adds to a built-in role or binding what it lacks, and takes nothing away,
 * unless its annotation rbac.authorization.kubernetes.io/autoupdate is "false". */
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

static bool has_item(const json_t *list, const json_t *item)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), item))
            return true;
    return false;
}

/* Subjects of a binding. */
static void add_subjects(json_t *found, const json_t *wanted, bool *changed)
{
    const json_t *subject;
    size_t i;

    if (json_object_get(found, "subjects") == NULL)
        json_object_set_new(found, "subjects", json_array());
    json_array_foreach (json_object_get(wanted, "subjects"), i, subject) {
        if (has_item(json_object_get(found, "subjects"), subject))
            continue;
        json_array_append(json_object_get(found, "subjects"), (json_t *)(uintptr_t)subject);
        *changed = true;
    }
}

static int add_rules(json_t *found, const json_t *wanted, bool *changed, struct err *err)
{
    CLEANUP_JSON json_t *missing = NULL;

    TRY(rbac_missing_rules(found, wanted, &missing, err));
    *changed = json_array_size(missing) > 0;
    if (json_object_get(found, "rules") == NULL)
        json_object_set_new(found, "rules", json_array());
    json_array_extend(json_object_get(found, "rules"), missing);
    return 0;
}

static int reconcile(struct api *api, const struct kube_kind *kind, json_t *found,
                     const json_t *wanted, struct err *err)
{
    const char *autoupdate = json_string_value(codec_json_at(
        found, "metadata", "annotations", "rbac.authorization.kubernetes.io/autoupdate", NULL));
    bool changed = false;

    if (autoupdate == NULL || strcmp(autoupdate, "true") != 0)
        return 0;
    json_object_set_new(found, "apiVersion", json_string(kube_kind_api_version(kind)));
    json_object_set_new(found, "kind", json_string(kind->kind));
    if (kind == &kube_cluster_role_binding || kind == &kube_role_binding)
        add_subjects(found, wanted, &changed);
    else if (json_object_get(found, "aggregationRule") == NULL)
        TRY(add_rules(found, wanted, &changed, err));
    return changed ? kube_object_put(serve_kube(api->serve), kind, found, err) : 0;
}

static int make(struct api *api, const struct kube_kind *kind, json_t *object, struct err *err)
{
    CLEANUP_JSON json_t *found = NULL;
    struct kube_server *kube = serve_kube(api->serve);
    const json_t *metadata = json_object_get(object, "metadata");

    if (kube_object_get(kube, kind, codec_json_text(metadata, "namespace", ""),
                        codec_json_text(metadata, "name", ""), &found, err) == 0)
        return rbac_is_kind(kind->kind) ? reconcile(api, kind, found, object, err) : 0;
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
