/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"
#include "kube/kinds/kinds.h"

static const struct kube_field backend_fields[] = {
    {"modelService", KUBE_STRING, "A model service of the same namespace.",
     .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY, .format = KUBE_DNS_LABEL},
    {"weight", KUBE_INT32, "Its share of the calls among those of its priority; 0: none.",
     .fallback = "1", .min = 0, .max = 1000000},
    {"priority", KUBE_INT32,
     "Those of the lowest number are called; the others when none of these can answer.",
     .fallback = "0", .min = 0, .max = 100},
    {"set", KUBE_ANY,
     "Parameters that the backend gets whatever the client sends, such as {\"top_k\": 20}: texts, "
     "numbers, booleans. Nothing that limits, the guard or the way back hang on."},
    {"drop", KUBE_LIST, "Parameters of the client that the backend does not get.",
     .item = KUBE_STRING, .list = KUBE_SET, .max = 16},
    {0},
};

static const struct kube_shape backend_shape = {
    "io.drun.v1.ModelRouteBackend",
    "A model service that may answer.",
    backend_fields,
};

static const struct kube_field retry_fields[] = {
    {"attempts", KUBE_INT32, "How many more tries a call may have; each at another backend first.",
     .fallback = "1", .min = 0, .max = 5},
    {"when", KUBE_LIST,
     "What is tried again, as long as the client has no byte of the answer: connect-failure, "
     "timeout, or a status of the engine.",
     .item = KUBE_STRING, .list = KUBE_SET,
     .values = KUBE_NAMES("connect-failure", "timeout", "429", "500", "502", "503", "504"),
     .fallback = "[\"connect-failure\", \"timeout\", \"429\", \"502\", \"503\", \"504\"]",
     .max = 7},
    {"perTryTimeoutSeconds", KUBE_INT32,
     "How long a try may take to its first byte; by default as long as the gateway waits.",
     .min = 1, .max = 3600},
    {"budgetPercent", KUBE_INT32,
     "The most retries for each hundred calls of all callers, so that a failure does not double the "
     "load.",
     .fallback = "20", .min = 0, .max = 100},
    {"minPerMinute", KUBE_INT32, "So many retries a minute are allowed besides.", .fallback = "60",
     .min = 0, .max = 100000},
    {0},
};

static const struct kube_shape retry_shape = {
    "io.drun.v1.ModelRouteRetries",
    "Another try when a backend does not answer.",
    retry_fields,
};

static const struct kube_field outlier_fields[] = {
    {"consecutiveFailures", KUBE_INT32,
     "So many in a row, and it is left out: no connection, no answer in time, 429, 5xx. 0: never.",
     .fallback = "5", .min = 0, .max = 1000},
    {"ejectionSeconds", KUBE_INT32,
     "For so long; then one call tries it. Longer, up to ten times, while that fails.",
     .fallback = "30", .min = 1, .max = 3600},
    {0},
};

static const struct kube_shape outlier_shape = {
    "io.drun.v1.ModelRouteOutlier",
    "When a backend that fails is left out. When all are, none is.",
    outlier_fields,
};

static const struct kube_field sticky_fields[] = {
    {"by", KUBE_STRING,
     "Which calls go to the same backend, and to the same engine of it: a user's, a credential's, "
     "those with the same header, or those of one conversation, by how its prompt begins.",
     .flags = KUBE_REQUIRED, .values = KUBE_NAMES("user", "key", "header", "prefix")},
    {"header", KUBE_STRING, "The header's name.", .max = 64},
    {0},
};

static const struct kube_shape sticky_shape = {
    "io.drun.v1.ModelRouteSticky",
    "Calls that go to the same backend as long as it answers; by weight among those of a priority.",
    sticky_fields,
};

static const struct kube_field spec_fields[] = {
    {"names", KUBE_LIST,
     "The names that clients call it by, such as gpt-4o; by default its own. Each is one that no "
     "model service and no other route of the namespace has.",
     .item = KUBE_STRING, .list = KUBE_SET, .max = 16},
    {"backends", KUBE_LIST, "Who may answer.", .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY,
     .shape = &backend_shape, .item = KUBE_OBJECT, .list = KUBE_KEYED, .merge_key = "modelService",
     .max = 16},
    {"retries", KUBE_OBJECT, "Another try when a backend does not answer.", .shape = &retry_shape,
     .fallback = "{}"},
    {"outlier", KUBE_OBJECT, "When a backend that fails is left out.", .shape = &outlier_shape,
     .fallback = "{}"},
    {"sticky", KUBE_OBJECT, "Which calls go to the same backend.", .shape = &sticky_shape},
    {0},
};

static const struct kube_shape spec_shape = {
    "io.drun.v1.ModelRouteSpec",
    "The desired state of a model route.",
    spec_fields,
};

static const struct kube_field state_fields[] = {
    {"modelService", KUBE_STRING, "The backend."},
    {"state", KUBE_STRING, "Whether it can answer.",
     .values = KUBE_NAMES("Ready", "NotReady", "Missing", "Ejected")},
    {"message", KUBE_STRING, "Why it cannot."},
    {0},
};

static const struct kube_shape state_shape = {
    "io.drun.v1.ModelRouteBackendState",
    "The observed state of a backend.",
    state_fields,
};

static const struct kube_field status_fields[] = {
    {"ready", KUBE_STRING, "How many of the backends can answer: 2/3."},
    {"backends", KUBE_LIST, "Each backend, in the order of the specification.",
     .shape = &state_shape, .item = KUBE_OBJECT, .list = KUBE_KEYED, .merge_key = "modelService"},
    KUBE_CONDITIONS_FIELD,
    {0},
};

static const struct kube_shape status_shape = {
    "io.drun.v1.ModelRouteStatus",
    "The observed state of a model route.",
    status_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "The desired state.", .shape = &spec_shape, .flags = KUBE_REQUIRED},
    {"status", KUBE_OBJECT, "The observed state.", .shape = &status_shape},
    {0},
};

static const struct kube_shape shape = {
    "io.drun.v1.ModelRoute",
    "Names that are called like a model, and the model services of the namespace that answer: by "
    "weight, with others in reserve. Whoever may invoke the name may be answered by any of them.",
    fields,
};

static json_t *names_cell(const json_t *object, int64_t now_sec UNUSED)
{
    const json_t *names = json_object_get(json_object_get(object, "spec"), "names");
    json_t *joined = json_string("");
    const json_t *name;
    size_t i;

    if (json_array_size(names) == 0)
        json_string_set(joined, json_string_value(
                                    json_object_get(json_object_get(object, "metadata"), "name")));
    json_array_foreach (names, i, name) {
        json_t *longer = json_sprintf("%s%s%s", json_string_value(joined), i == 0 ? "" : ",",
                                      json_string_value(name));
        json_decref(joined);
        joined = longer;
    }
    return joined;
}

static const struct kube_column columns[] = {
    {"Names", "string", "What clients call it.", .cell = names_cell},
    {"Ready", "string", "How many of its backends can answer.", "status.ready"},
    {0},
};

static bool is_model_name(const char *text)
{
    static const char all[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-:@";
    size_t len = strlen(text);

    return len > 0 && len <= 63 && text[strspn(text, all)] == '\0';
}

static void validate_parameters(const json_t *backend, struct kube_causes *causes)
{
    json_t *set = json_object_get(backend, "set");
    const char *key;
    json_t *value;

    if (set != NULL && (!json_is_object(set) || json_object_size(set) > 16))
        kube_cause(causes, "FieldValueInvalid", "spec.backends.set",
                   "Invalid value: must be at most 16 parameters by name");
    json_object_foreach (set, key, value) {
        bool is_plain = json_is_number(value) || json_is_boolean(value) ||
                        (json_is_string(value) && json_string_length(value) <= 128);
        if (!is_plain)
            kube_cause(causes, "FieldValueInvalid", "spec.backends.set",
                       "Invalid value: \"%.64s\" must be a number, a boolean or a text of at most "
                       "128 bytes",
                       key);
    }
}

static void validate_sticky(const json_t *sticky, struct kube_causes *causes)
{
    static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    const char *by = json_string_value(json_object_get(sticky, "by"));
    const char *header = json_string_value(json_object_get(sticky, "header"));
    bool is_named = header != NULL && header[0] != '\0' && header[strspn(header, token)] == '\0';

    if (by != NULL && (strcmp(by, "header") == 0) != is_named)
        kube_cause(causes, "FieldValueInvalid", "spec.sticky.header",
                   "Invalid value: must name the header with by: header, and only then");
}

static void validate(const json_t *object, const json_t *old UNUSED, struct kube_causes *causes)
{
    const json_t *spec = json_object_get(object, "spec");
    const json_t *backend;
    const json_t *name;
    json_int_t total = 0;
    size_t i;

    validate_sticky(json_object_get(spec, "sticky"), causes);
    json_array_foreach (json_object_get(spec, "names"), i, name)
        if (json_is_string(name) && !is_model_name(json_string_value(name)))
            kube_cause(causes, "FieldValueInvalid", "spec.names",
                       "Invalid value: \"%.64s\": at most 63 letters, digits and . _ - : @",
                       json_string_value(name));
    json_array_foreach (json_object_get(spec, "backends"), i, backend) {
        total += json_integer_value(json_object_get(backend, "weight"));
        validate_parameters(backend, causes);
    }
    if (json_array_size(json_object_get(spec, "backends")) > 0 && total == 0)
        kube_cause(causes, "FieldValueInvalid", "spec.backends",
                   "Invalid value: one backend at least must have a weight above 0");
}

const struct kube_kind kube_model_route = {
    .group = "drun.io",
    .version = "v1",
    .kind = "ModelRoute",
    .plural = "modelroutes",
    .singular = "modelroute",
    .short_names = KUBE_NAMES("mroute"),
    .categories = KUBE_NAMES("all", "drun"),
    .namespaced = true,
    .has_status = true,
    .verbs = KUBE_ALL_VERBS,
    .name_format = KUBE_DNS_LABEL,
    .shape = &shape,
    .columns = columns,
    .validate = validate,
};
