/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"data", KUBE_MAP, "Values as text.", .item = KUBE_STRING, .key_format = KUBE_CONFIG_KEY,
     .wire = 2},
    {"binaryData", KUBE_MAP, "Values as base64, for what is no text.", .item = KUBE_STRING,
     .format = KUBE_BYTES, .key_format = KUBE_CONFIG_KEY, .wire = 3},
    {"immutable", KUBE_BOOL, "When true the values can never be changed again.", .wire = 4},
    {0},
};

static const struct kube_shape shape = {
    "io.k8s.api.core.v1.ConfigMap",
    "Settings that are not secret.",
    fields,
};

static json_t *data_cell(const json_t *object, int64_t now_sec UNUSED)
{
    return json_integer((json_int_t)(json_object_size(json_object_get(object, "data")) +
                                     json_object_size(json_object_get(object, "binaryData"))));
}

static const struct kube_column columns[] = {
    {"Data", "integer", "How many values there are.", .cell = data_cell},
    {0},
};

static void validate(const json_t *object, const json_t *old, struct kube_causes *causes)
{
    const json_t *binary = json_object_get(object, "binaryData");
    const char *name;
    json_t *value;

    json_object_foreach (json_object_get(object, "data"), name, value) {
        if (json_object_get(binary, name) != NULL)
            kube_cause(causes, "FieldValueInvalid", "binaryData",
                       "Invalid value: \"%s\": the same name is in data", name);
    }
    /* The field has no name in Kubernetes' own answer: it is both maps together. */
    if (kube_values_len(json_object_get(object, "data"), false) + kube_values_len(binary, true) >
        KUBE_VALUES_MAX)
        kube_cause(causes, "FieldValueTooLong", "[]", "Too long: may not be more than %d bytes",
                   KUBE_VALUES_MAX);
    if (!json_is_true(json_object_get(old, "immutable")))
        return;
    if (!json_is_true(json_object_get(object, "immutable")))
        kube_cause(causes, "FieldValueForbidden", "immutable",
                   "Forbidden: field is immutable when `immutable` is set");
    if (!json_equal(json_object_get(object, "data"), json_object_get(old, "data")) ||
        !json_equal(binary, json_object_get(old, "binaryData")))
        kube_cause(causes, "FieldValueForbidden", "data",
                   "Forbidden: field is immutable when `immutable` is set");
}

const struct kube_kind kube_config_map = {
    .group = "",
    .version = "v1",
    .kind = "ConfigMap",
    .plural = "configmaps",
    .singular = "configmap",
    .short_names = KUBE_NAMES("cm"),
    .namespaced = true,
    .verbs = KUBE_ALL_VERBS,
    .name_format = KUBE_DNS_SUBDOMAIN,
    .shape = &shape,
    .columns = columns,
    .validate = validate,
};
