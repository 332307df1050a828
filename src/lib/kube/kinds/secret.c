/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enc.h"
#include "kube/kinds/kinds.h"

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"data", KUBE_MAP, "The secret values, each in base64.", .item = KUBE_STRING,
     .format = KUBE_BYTES, .key_format = KUBE_CONFIG_KEY, .wire = 2},
    {"stringData", KUBE_MAP, "Values given as plain text; merged into data, never shown again.",
     .item = KUBE_STRING, .key_format = KUBE_CONFIG_KEY, .flags = KUBE_WRITE_ONLY, .wire = 4},
    {"type", KUBE_STRING, "What the values are for; cannot be changed.", .fallback = "\"Opaque\"",
     .flags = KUBE_IMMUTABLE, .wire = 3},
    {"immutable", KUBE_BOOL, "When true the values can never be changed again.", .wire = 5},
    {0},
};

static const struct kube_shape shape = {
    "io.k8s.api.core.v1.Secret",
    "Values that only those who are allowed may read.",
    fields,
};

static json_t *data_cell(const json_t *object, int64_t now_sec UNUSED)
{
    return kube_cell_count(json_object_get(object, "data"));
}

static const struct kube_column columns[] = {
    {"Type", "string", "What the values are for.", "type"},
    {"Data", "integer", "How many values there are.", .cell = data_cell},
    {0},
};

static void prepare(json_t *object, const json_t *old UNUSED,
                    const struct kube_principal *by UNUSED)
{
    json_t *plain = json_object_get(object, "stringData");
    json_t *data = json_object_get(object, "data");
    const char *name;
    json_t *value;

    if (!json_is_object(plain) || (data != NULL && !json_is_object(data)))
        return;
    if (data == NULL) {
        data = json_object();
        json_object_set_new(object, "data", data);
    }
    json_object_foreach (plain, name, value) {
        CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(4 * KUBE_VALUES_MAX);
        if (!json_is_string(value))
            return; /* left where validation finds it */
        enc_base64_put(ENC_BASE64, span_of(json_string_value(value), json_string_length(value)),
                       &text);
        json_object_set_new(data, name, json_stringn(buf_text(&text), text.len));
    }
    json_object_del(object, "stringData");
}

static void validate(const json_t *object, const json_t *old, struct kube_causes *causes)
{
    if (kube_values_len(json_object_get(object, "data"), true) > KUBE_VALUES_MAX)
        kube_cause(causes, "FieldValueTooLong", "data", "Too long: may not be more than %d bytes",
                   KUBE_VALUES_MAX);
    if (!json_is_true(json_object_get(old, "immutable")))
        return;
    if (!json_is_true(json_object_get(object, "immutable")))
        kube_cause(causes, "FieldValueForbidden", "immutable",
                   "Forbidden: field is immutable when `immutable` is set");
    if (!json_equal(json_object_get(object, "data"), json_object_get(old, "data")))
        kube_cause(causes, "FieldValueForbidden", "data",
                   "Forbidden: field is immutable when `immutable` is set");
}

const struct kube_kind kube_secret = {
    .group = "",
    .version = "v1",
    .kind = "Secret",
    .plural = "secrets",
    .singular = "secret",
    .namespaced = true,
    .verbs = KUBE_ALL_VERBS,
    .name_format = KUBE_DNS_SUBDOMAIN,
    .shape = &shape,
    .columns = columns,
    .selectable = KUBE_NAMES("type"),
    .prepare = prepare,
    .validate = validate,
};
