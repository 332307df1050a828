/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"

static const struct kube_field spec_fields[] = {
    {"finalizers", KUBE_LIST, "Who must empty the namespace before it goes.", .item = KUBE_STRING,
     .format = KUBE_LABEL_KEY, .wire = 1},
    {0},
};

static const struct kube_shape spec_shape = {
    "io.k8s.api.core.v1.NamespaceSpec",
    "The desired state of a namespace.",
    spec_fields,
};

static const struct kube_field status_fields[] = {
    {"phase", KUBE_STRING, "Active, or Terminating while its content is being removed.",
     .values = KUBE_NAMES("Active", "Terminating"), .wire = 1},
    KUBE_CONDITIONS_FIELD,
    {0},
};

static const struct kube_shape status_shape = {
    "io.k8s.api.core.v1.NamespaceStatus",
    "The observed state of a namespace.",
    status_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "The desired state.", .shape = &spec_shape, .fallback = "{}", .wire = 2},
    {"status", KUBE_OBJECT, "The observed state.", .shape = &status_shape, .fallback = "{}",
     .wire = 3},
    {0},
};

static const struct kube_shape shape = {
    "io.k8s.api.core.v1.Namespace",
    "A tenant: the scope of names, rights, quotas and keys.",
    fields,
};

static const struct kube_column columns[] = {
    {"Status", "string", "Active or Terminating.", "status.phase"},
    {0},
};

/* Who empties it says so by taking "kubernetes" away, and nobody else: what it held would show up
 * in the next namespace of that name. */
static void keep_finalizers(json_t *object, const json_t *old, const struct kube_principal *by)
{
    json_t *spec = json_object_get(object, "spec");
    json_t *before = json_object_get(json_object_get(old, "spec"), "finalizers");

    if (old != NULL && by == NULL)
        return;
    if (!json_is_object(spec))
        json_object_set_new(object, "spec", spec = json_object());
    if (before != NULL)
        json_object_set(spec, "finalizers", before);
    else
        json_object_set_new(spec, "finalizers", json_pack("[s]", "kubernetes"));
}

/* Tools select a namespace by name through this label, as on any cluster. */
static void prepare(json_t *object, const json_t *old, const struct kube_principal *by)
{
    json_t *meta = json_object_get(object, "metadata");
    json_t *labels = json_object_get(meta, "labels");
    json_t *status = json_object_get(object, "status");
    bool going = json_object_get(meta, "deletionTimestamp") != NULL;

    keep_finalizers(object, old, by);
    if (labels == NULL) {
        labels = json_object();
        json_object_set_new(meta, "labels", labels);
    }
    if (json_is_object(labels) && json_is_string(json_object_get(meta, "name")))
        json_object_set(labels, "kubernetes.io/metadata.name", json_object_get(meta, "name"));
    if (json_is_object(status))
        json_object_set_new(status, "phase", json_string(going ? "Terminating" : "Active"));
}

const struct kube_kind kube_namespace = {
    .group = "",
    .version = "v1",
    .kind = "Namespace",
    .plural = "namespaces",
    .singular = "namespace",
    .short_names = KUBE_NAMES("ns"),
    .has_status = true,
    .verbs = KUBE_ALL_VERBS & ~KUBE_DELETE_COLLECTION,
    .name_format = KUBE_DNS_LABEL,
    .shape = &shape,
    .columns = columns,
    .selectable = KUBE_NAMES("status.phase"),
    .prepare = prepare,
};
