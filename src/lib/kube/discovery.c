/* SPDX-License-Identifier: Apache-2.0 */
/* /api and /apis: which kinds there are, for the whole platform. */
#include "kube/kube_internal.h"

static const struct {
    unsigned bit;
    const char *name;
} verb_names[] = {
    {KUBE_CREATE, "create"}, {KUBE_DELETE, "delete"}, {KUBE_DELETE_COLLECTION, "deletecollection"},
    {KUBE_GET, "get"},       {KUBE_LISTING, "list"},  {KUBE_PATCH, "patch"},
    {KUBE_UPDATE, "update"}, {KUBE_WATCH, "watch"},
};

static json_t *verb_list(unsigned bits)
{
    json_t *list = json_array();

    for (size_t i = 0; i < ARRAY_LEN(verb_names); i++)
        if ((bits & verb_names[i].bit) != 0)
            json_array_append_new(list, json_string(verb_names[i].name));
    return list;
}

static json_t *name_list(const char *const *names)
{
    json_t *list = json_array();

    for (size_t i = 0; names != NULL && names[i] != NULL; i++)
        json_array_append_new(list, json_string(names[i]));
    return list;
}

static bool listed(const struct kube_kind *kind, const char *group, const char *version)
{
    return kind->special != KUBE_SUBRESOURCE_KIND && strcmp(kind->group, group) == 0 &&
           (version == NULL || strcmp(kind->version, version) == 0);
}

/* True for the first kind of each group (and version). */
static bool is_first(size_t at, bool with_version)
{
    const struct kube_kind *kind = kube_kinds[at];

    for (size_t i = 0; i < at; i++)
        if (listed(kube_kinds[i], kind->group, with_version ? kind->version : NULL))
            return false;
    return kind->special != KUBE_SUBRESOURCE_KIND;
}

/* ------------------------------------------------------------------ the old form */

static json_t *resource_entry(const struct kube_kind *kind)
{
    json_t *entry = json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", kind->plural, "singularName",
                              kind->singular, "namespaced", kind->namespaced, "kind", kind->kind,
                              "verbs", verb_list(kind->verbs));

    if (kind->short_names != NULL)
        json_object_set_new(entry, "shortNames", name_list(kind->short_names));
    if (kind->categories != NULL)
        json_object_set_new(entry, "categories", name_list(kind->categories));
    return entry;
}

static json_t *part_entry(const struct kube_kind *kind, const char *part,
                          const struct kube_kind *body, unsigned verbs)
{
    json_t *entry =
        json_pack("{s:o, s:s, s:b, s:s, s:o}", "name", json_sprintf("%s/%s", kind->plural, part),
                  "singularName", "", "namespaced", kind->namespaced, "kind", body->kind, "verbs",
                  verb_list(verbs));

    if (body != kind) {
        json_object_set_new(entry, "group", json_string(body->group));
        json_object_set_new(entry, "version", json_string(body->version));
    }
    return entry;
}

static json_t *resource_list(const char *group, const char *version)
{
    json_t *resources = json_array();
    const char *api_version = NULL;

    for (size_t i = 0; kube_kinds[i] != NULL; i++) {
        const struct kube_kind *kind = kube_kinds[i];
        if (!listed(kind, group, version))
            continue;
        api_version = kube_kind_api_version(kind);
        json_array_append_new(resources, resource_entry(kind));
        if (kind->has_status)
            json_array_append_new(
                resources, part_entry(kind, "status", kind, KUBE_GET | KUBE_PATCH | KUBE_UPDATE));
        for (const struct kube_subresource *o = kind->others; o != NULL && o->name != NULL; o++)
            json_array_append_new(resources, part_entry(kind, o->name, o->body, o->verbs));
    }
    if (api_version == NULL) {
        json_decref(resources);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:s, s:o}", "kind", "APIResourceList", "apiVersion", "v1",
                     "groupVersion", api_version, "resources", resources);
}

/* Each group has one version so far; the first is the preferred one. */
static json_t *group_entry(const char *group)
{
    json_t *versions = json_array();

    for (size_t i = 0; kube_kinds[i] != NULL; i++)
        if (listed(kube_kinds[i], group, NULL) && is_first(i, true))
            json_array_append_new(versions, json_pack("{s:s, s:s}", "groupVersion",
                                                      kube_kind_api_version(kube_kinds[i]),
                                                      "version", kube_kinds[i]->version));
    if (json_array_size(versions) == 0) {
        json_decref(versions);
        return NULL;
    }
    json_t *preferred = json_array_get(versions, 0);
    return json_pack("{s:s, s:o, s:O}", "name", group, "versions", versions, "preferredVersion",
                     preferred);
}

static json_t *group_list(void)
{
    json_t *groups = json_array();

    for (size_t i = 0; kube_kinds[i] != NULL; i++)
        if (kube_kinds[i]->group[0] != '\0' && is_first(i, false))
            json_array_append_new(groups, group_entry(kube_kinds[i]->group));
    return json_pack("{s:s, s:s, s:o}", "kind", "APIGroupList", "apiVersion", "v1", "groups",
                     groups);
}

/* ------------------------------------------------------------------ the aggregated form */

static json_t *response_kind(const struct kube_kind *kind)
{
    return json_pack("{s:s, s:s, s:s}", "group", kind->group, "version", kind->version, "kind",
                     kind->kind);
}

static json_t *part_discovery(const char *name, const struct kube_kind *body, unsigned verbs)
{
    return json_pack("{s:s, s:o, s:o}", "subresource", name, "responseKind", response_kind(body),
                     "verbs", verb_list(verbs));
}

static json_t *resource_discovery(const struct kube_kind *kind)
{
    json_t *parts = json_array();
    json_t *entry =
        json_pack("{s:s, s:o, s:s, s:s, s:o}", "resource", kind->plural, "responseKind",
                  response_kind(kind), "scope", kind->namespaced ? "Namespaced" : "Cluster",
                  "singularResource", kind->singular, "verbs", verb_list(kind->verbs));

    if (kind->short_names != NULL)
        json_object_set_new(entry, "shortNames", name_list(kind->short_names));
    if (kind->categories != NULL)
        json_object_set_new(entry, "categories", name_list(kind->categories));
    if (kind->has_status)
        json_array_append_new(parts,
                              part_discovery("status", kind, KUBE_GET | KUBE_PATCH | KUBE_UPDATE));
    for (const struct kube_subresource *o = kind->others; o != NULL && o->name != NULL; o++)
        json_array_append_new(parts, part_discovery(o->name, o->body, o->verbs));
    if (json_array_size(parts) > 0)
        json_object_set(entry, "subresources", parts);
    json_decref(parts);
    return entry;
}

static json_t *version_discovery(const char *group, const char *version)
{
    json_t *resources = json_array();

    for (size_t i = 0; kube_kinds[i] != NULL; i++)
        if (listed(kube_kinds[i], group, version))
            json_array_append_new(resources, resource_discovery(kube_kinds[i]));
    return json_pack("{s:s, s:o, s:s}", "version", version, "resources", resources, "freshness",
                     "Current");
}

static json_t *group_discovery(const char *group)
{
    json_t *versions = json_array(), *meta = json_object();

    if (group[0] != '\0')
        json_object_set_new(meta, "name", json_string(group));
    json_object_set_new(meta, "creationTimestamp", json_null());
    for (size_t i = 0; kube_kinds[i] != NULL; i++)
        if (listed(kube_kinds[i], group, NULL) && is_first(i, true))
            json_array_append_new(versions, version_discovery(group, kube_kinds[i]->version));
    return json_pack("{s:o, s:o}", "metadata", meta, "versions", versions);
}

static int put_aggregated(struct kube_call *call)
{
    json_t *items = json_array();
    bool core = call->route.what == KUBE_ROUTE_CORE, beta = call->accept.beta;

    if (core)
        json_array_append_new(items, group_discovery(""));
    for (size_t i = 0; !core && kube_kinds[i] != NULL; i++)
        if (kube_kinds[i]->group[0] != '\0' && is_first(i, false))
            json_array_append_new(items, group_discovery(kube_kinds[i]->group));
    kube_put(
        call, 200,
        kube_keep(call,
                  json_pack("{s:s, s:s, s:{}, s:o}", "kind", "APIGroupDiscoveryList", "apiVersion",
                            beta ? "apidiscovery.k8s.io/v2beta1" : "apidiscovery.k8s.io/v2",
                            "metadata", "items", items)));
    call->answer->content_type =
        beta ? "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
             : "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    return 0;
}

static json_t *document(struct kube_call *call)
{
    json_t *entry;

    switch (call->route.what) {
    case KUBE_ROUTE_CORE:
        return json_pack("{s:s, s:[s], s:[{s:s, s:s}]}", "kind", "APIVersions", "versions", "v1",
                         "serverAddressByClientCIDRs", "clientCIDR", "0.0.0.0/0", "serverAddress",
                         "");
    case KUBE_ROUTE_GROUPS: return group_list();
    case KUBE_ROUTE_GROUP:
        entry = group_entry(call->route.group);
        if (entry != NULL) {
            json_object_set_new(entry, "kind", json_string("APIGroup"));
            json_object_set_new(entry, "apiVersion", json_string("v1"));
        }
        return entry;
    default: return resource_list(call->route.group, call->route.version);
    }
}

int kube_do_discovery(struct kube_call *call)
{
    if (call->accept.form == KUBE_FORM_DISCOVERY)
        return put_aggregated(call);
    json_t *value = document(call);
    if (value == NULL)
        return kube_refuse_missing_path(call);
    kube_put(call, 200, kube_keep(call, value));
    return 0;
}
