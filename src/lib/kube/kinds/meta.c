/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"

static const struct kube_field owner_fields[] = {
    {"apiVersion", KUBE_STRING, "Group and version of the owner.", .flags = KUBE_REQUIRED,
     .wire = 5},
    {"kind", KUBE_STRING, "Kind of the owner.", .flags = KUBE_REQUIRED, .wire = 1},
    {"name", KUBE_STRING, "Name of the owner.", .flags = KUBE_REQUIRED, .wire = 3},
    {"uid", KUBE_STRING, "Uid of the owner.", .flags = KUBE_REQUIRED, .wire = 4},
    {"controller", KUBE_BOOL, "True for the one owner that manages this object.", .wire = 6},
    {"blockOwnerDeletion", KUBE_BOOL, "True when the owner must stay until this object is gone.",
     .wire = 7},
    {0},
};

static const struct kube_shape owner_shape = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference",
    "An object that this object belongs to.",
    owner_fields,
};

static const struct kube_field managed_fields[] = {
    {"apiVersion", KUBE_STRING, "Version that the field set is written in."},
    {"fieldsType", KUBE_STRING, "Always FieldsV1."},
    {"fieldsV1", KUBE_ANY, "The set of fields."},
    {"manager", KUBE_STRING, "Who manages the fields."},
    {"operation", KUBE_STRING, "Apply or Update."},
    {"subresource", KUBE_STRING, "The subresource that was written."},
    {"time", KUBE_STRING, "When the set last changed.", .format = KUBE_TIME},
    {0},
};

static const struct kube_shape managed_shape = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry",
    "Fields that one manager has set.",
    managed_fields,
};

static const struct kube_field meta_fields[] = {
    {"name", KUBE_STRING, "Unique among the kind's objects in a namespace; cannot be changed.",
     .wire = 1},
    {"generateName", KUBE_STRING,
     "When no name is given, the server makes one of this prefix and five random characters.",
     .wire = 2},
    {"namespace", KUBE_STRING, "The tenant that the object belongs to; cannot be changed.",
     .wire = 3},
    {"labels", KUBE_MAP, "Names and values that selectors match.", .item = KUBE_STRING,
     .key_format = KUBE_LABEL_KEY, .format = KUBE_LABEL_VALUE, .wire = 11},
    {"annotations", KUBE_MAP, "Names and values for tools; selectors do not see them.",
     .item = KUBE_STRING, .key_format = KUBE_LABEL_KEY, .wire = 12},
    {"uid", KUBE_STRING, "Unique in time and space; set by the server.", .wire = 5},
    {"resourceVersion", KUBE_STRING,
     "The revision of this state. Sent with a write, the write fails if the object has changed.",
     .wire = 6},
    {"generation", KUBE_INT64, "Counts the changes of the desired state; set by the server.",
     .wire = 7},
    {"creationTimestamp", KUBE_STRING, "When the object was made; set by the server.",
     .format = KUBE_TIME, .wire = 8},
    {"deletionTimestamp", KUBE_STRING,
     "When deletion was asked for; the object goes when its finalizers are gone.",
     .format = KUBE_TIME, .wire = 9},
    {"deletionGracePeriodSeconds", KUBE_INT64, "Seconds granted for the deletion.", .wire = 10},
    {"finalizers", KUBE_LIST, "Who must finish before the object can go.", .item = KUBE_STRING,
     .format = KUBE_LABEL_KEY, .list = KUBE_SET, .wire = 14},
    {"ownerReferences", KUBE_LIST, "The objects that this one belongs to.", .shape = &owner_shape,
     .item = KUBE_OBJECT, .list = KUBE_KEYED, .merge_key = "uid", .wire = 13},
    {"managedFields", KUBE_LIST, "Which manager has set which field.", .shape = &managed_shape,
     .item = KUBE_OBJECT, .flags = KUBE_DROPPED},
    {"selfLink", KUBE_STRING, "No longer used.", .flags = KUBE_DROPPED},
    {0},
};

const struct kube_shape kube_shape_meta = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
    "What every stored object has.",
    meta_fields,
};

static const struct kube_field condition_fields[] = {
    {"type", KUBE_STRING, "What is observed, such as Ready.", .flags = KUBE_REQUIRED},
    {"status", KUBE_STRING, "True, False or Unknown.", .flags = KUBE_REQUIRED,
     .values = KUBE_NAMES("True", "False", "Unknown")},
    {"reason", KUBE_STRING, "One word for programs."},
    {"message", KUBE_STRING, "A sentence for people."},
    {"lastTransitionTime", KUBE_STRING, "When the status last changed.", .format = KUBE_TIME},
    {"observedGeneration", KUBE_INT64, "The generation that was looked at."},
    {0},
};

const struct kube_shape kube_shape_condition = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.Condition",
    "One aspect of the observed state.",
    condition_fields,
};

static const struct kube_field reference_fields[] = {
    {"name", KUBE_STRING, "Name of an object in the same namespace.", .format = KUBE_DNS_SUBDOMAIN,
     .wire = 1},
    {0},
};

const struct kube_shape kube_shape_local_reference = {
    "io.k8s.api.core.v1.LocalObjectReference",
    "Names an object of the same namespace.",
    reference_fields,
};

static const struct kube_field object_reference_fields[] = {
    {"apiVersion", KUBE_STRING, "Group and version of the referent.", .wire = 5},
    {"kind", KUBE_STRING, "Kind of the referent.", .wire = 1},
    {"name", KUBE_STRING, "Name of the referent.", .wire = 3},
    {"namespace", KUBE_STRING, "Namespace of the referent.", .wire = 2},
    {"uid", KUBE_STRING, "Uid of the referent.", .wire = 4},
    {"resourceVersion", KUBE_STRING, "Revision of the referent.", .wire = 6},
    {"fieldPath", KUBE_STRING, "A part of the referent.", .wire = 7},
    {0},
};

const struct kube_shape kube_shape_object_reference = {
    "io.k8s.api.core.v1.ObjectReference",
    "Names another object.",
    object_reference_fields,
};

size_t kube_values_len(const json_t *map, bool base64)
{
    size_t total = 0;
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)map, name, value) {
        const char *text = json_string_value(value);
        size_t len = json_string_length(value);
        size_t padding = 0;
        while (base64 && padding < len && padding < 2 && text[len - 1 - padding] == '=')
            padding++;
        total += base64 ? len / 4 * 3 - (padding < len / 4 * 3 ? padding : 0) : len;
    }
    return total;
}

json_t *kube_cell_count(const json_t *list_or_map)
{
    if (json_is_array(list_or_map))
        return json_integer((json_int_t)json_array_size(list_or_map));
    return json_integer((json_int_t)json_object_size(list_or_map));
}
