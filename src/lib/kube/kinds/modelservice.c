/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"

static const struct kube_field env_fields[] = {
    {"name", KUBE_STRING, "Name of the variable.", .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY},
    {"value", KUBE_STRING, "Its value."},
    {0},
};

static const struct kube_shape env_shape = {
    "io.drun.v1.EnvVar",
    "A variable in the engine's environment.",
    env_fields,
};

static const struct kube_field engine_fields[] = {
    {"kind", KUBE_STRING, "What the engine is; it must speak the OpenAI API.",
     .flags = KUBE_REQUIRED, .values = KUBE_NAMES("llama.cpp", "vllm", "openai-compatible")},
    {"command", KUBE_LIST, "The program and its first arguments; by default the kind's own.",
     .item = KUBE_STRING, .max = 64},
    {"args", KUBE_LIST, "More arguments.", .item = KUBE_STRING, .max = 256},
    {"env", KUBE_LIST, "The environment; nothing else is in it.", .shape = &env_shape,
     .item = KUBE_OBJECT, .list = KUBE_KEYED, .merge_key = "name", .max = 256},
    {0},
};

static const struct kube_shape engine_shape = {
    "io.drun.v1.ModelServiceEngine",
    "The program that runs the model in a sandbox of this platform.",
    engine_fields,
};

static const struct kube_field key_ref_fields[] = {
    {"name", KUBE_STRING, "A Secret of the same namespace.",
     .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY, .format = KUBE_DNS_SUBDOMAIN},
    {"key", KUBE_STRING, "The name in its data.", .format = KUBE_CONFIG_KEY,
     .fallback = "\"api-key\""},
    {0},
};

static const struct kube_shape key_ref_shape = {
    "io.drun.v1.SecretKeyReference",
    "Names one value of a Secret.",
    key_ref_fields,
};

static const struct kube_field upstream_fields[] = {
    {"url", KUBE_STRING, "The base of its OpenAI API, such as https://api.example.com/v1.",
     .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY, .format = KUBE_URL},
    {"apiKeySecretRef", KUBE_OBJECT, "The credential for it.", .shape = &key_ref_shape},
    {"model", KUBE_STRING, "What the model is called there.", .max = 256},
    {0},
};

static const struct kube_shape upstream_shape = {
    "io.drun.v1.ModelServiceUpstream",
    "An engine outside this platform.",
    upstream_fields,
};

static const struct kube_field resource_fields[] = {
    {"limits", KUBE_MAP, "The most the engine may use: cpu, memory, ...", .item = KUBE_STRING,
     .format = KUBE_QUANTITY},
    {"requests", KUBE_MAP, "What is set aside for it.", .item = KUBE_STRING,
     .format = KUBE_QUANTITY},
    {0},
};

static const struct kube_shape resource_shape = {
    "io.drun.v1.ResourceRequirements",
    "What the engine may use of the machine.",
    resource_fields,
};

static const struct kube_field limit_fields[] = {
    {"requestsPerMinute", KUBE_INT32, "Calls in a minute, of all callers together.", .min = 1,
     .max = INT32_MAX},
    {"concurrentRequests", KUBE_INT32, "Calls at the same time, of all callers together.", .min = 1,
     .max = 65535},
    {"tokensPerMinute", KUBE_INT64, "Tokens, in and out, in a minute.", .min = 1, .max = INT64_MAX},
    {"maxTokens", KUBE_INT32, "The most tokens of one answer.", .min = 1, .max = INT32_MAX},
    {"contextTokens", KUBE_INT32, "The most tokens of one prompt and its answer.", .min = 1,
     .max = INT32_MAX},
    {"maxBodyBytes", KUBE_INT64, "The largest request.", .min = 1024, .max = 64LL << 20},
    {0},
};

static const struct kube_shape limit_shape = {
    "io.drun.v1.ModelServiceLimits",
    "Limits on the calls to a model service.",
    limit_fields,
};

static const struct kube_field ref_fields[] = {
    {"name", KUBE_STRING, "A Model of the same namespace.", .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY,
     .format = KUBE_DNS_SUBDOMAIN},
    {0},
};

static const struct kube_shape ref_shape = {
    "io.drun.v1.ModelReference",
    "Names a Model.",
    ref_fields,
};

static const struct kube_field spec_fields[] = {
    {"modelRef", KUBE_OBJECT, "The model that is served; an engine needs it.", .shape = &ref_shape},
    {"engine", KUBE_OBJECT, "Run the model here.", .shape = &engine_shape},
    {"upstream", KUBE_OBJECT, "Or pass calls on to an outside engine.", .shape = &upstream_shape},
    {"runtimeClassName", KUBE_STRING, "The sandbox that the engine runs in: crun, runc, runsc, ...",
     .format = KUBE_DNS_SUBDOMAIN},
    {"replicas", KUBE_INT32, "How many engines run; 0 stops the service.", .fallback = "1",
     .min = 0, .max = 64},
    {"resources", KUBE_OBJECT, "What each engine may use of the machine.",
     .shape = &resource_shape},
    {"limits", KUBE_OBJECT, "Limits on the calls.", .shape = &limit_shape},
    {0},
};

static const struct kube_shape spec_shape = {
    "io.drun.v1.ModelServiceSpec",
    "The desired state of a model service.",
    spec_fields,
};

static const struct kube_field status_fields[] = {
    {"phase", KUBE_STRING, "Where the service is on its way.",
     .values = KUBE_NAMES("Pending", "Starting", "Ready", "Degraded", "Failed", "Stopped")},
    {"replicas", KUBE_INT32, "How many engines are ready."},
    {"endpoint", KUBE_STRING, "Where it is called."},
    {"observedGeneration", KUBE_INT64, "The generation that is running."},
    KUBE_CONDITIONS_FIELD,
    {0},
};

static const struct kube_shape status_shape = {
    "io.drun.v1.ModelServiceStatus",
    "The observed state of a model service.",
    status_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "The desired state.", .shape = &spec_shape, .flags = KUBE_REQUIRED},
    {"status", KUBE_OBJECT, "The observed state.", .shape = &status_shape},
    {0},
};

static const struct kube_shape shape = {
    "io.drun.v1.ModelService",
    "A model that can be called: by an engine in a sandbox here, or by an outside one.",
    fields,
};

static json_t *engine_cell(const json_t *object, int64_t now_sec UNUSED)
{
    const json_t *spec = json_object_get(object, "spec");
    const char *kind = json_string_value(json_object_get(json_object_get(spec, "engine"), "kind"));

    if (kind != NULL)
        return json_string(kind);
    return json_string(json_object_get(spec, "upstream") != NULL ? "upstream" : "");
}

static const struct kube_column columns[] = {
    {"Model", "string", "The model that is served.", "spec.modelRef.name"},
    {"Engine", "string", "What serves it.", .cell = engine_cell},
    {"Replicas", "integer", "How many engines shall run.", "spec.replicas"},
    {"Phase", "string", "Where the service is on its way.", "status.phase"},
    {"Endpoint", "string", "Where it is called.", "status.endpoint", .priority = 1},
    {"Runtime", "string", "The sandbox.", "spec.runtimeClassName", .priority = 1},
    {0},
};

static void validate(const json_t *object, const json_t *old UNUSED, struct kube_causes *causes)
{
    const json_t *spec = json_object_get(object, "spec");
    bool engine = json_object_get(spec, "engine") != NULL;
    bool upstream = json_object_get(spec, "upstream") != NULL;

    if (!json_is_object(spec))
        return;
    if (engine == upstream)
        kube_cause(causes, "FieldValueInvalid", "spec",
                   "Invalid value: exactly one of engine and upstream must be given");
    if (engine && json_object_get(spec, "modelRef") == NULL)
        kube_cause(causes, "FieldValueRequired", "spec.modelRef",
                   "Required value: an engine needs a model");
}

const struct kube_kind kube_model_service = {
    .group = "drun.io",
    .version = "v1",
    .kind = "ModelService",
    .plural = "modelservices",
    .singular = "modelservice",
    .short_names = KUBE_NAMES("msvc"),
    .categories = KUBE_NAMES("all", "drun"),
    .namespaced = true,
    .has_status = true,
    .verbs = KUBE_ALL_VERBS,
    .name_format = KUBE_DNS_LABEL,
    .shape = &shape,
    .columns = columns,
    .selectable = KUBE_NAMES("status.phase", "spec.modelRef.name"),
    .validate = validate,
};
