/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"
#include "kube/kinds/kinds.h"

#include <strings.h>

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

static const struct kube_field header_fields[] = {
    {"name", KUBE_STRING, "Name of the header.", .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY,
     .max = 128},
    {"value", KUBE_STRING, "Its value; nothing secret, which belongs into a Secret.", .max = 2048},
    {0},
};

static const struct kube_shape header_shape = {
    "io.drun.v1.HttpHeader",
    "A header that goes along with each call.",
    header_fields,
};

static const struct kube_field health_fields[] = {
    {"path", KUBE_STRING,
     "A path of the same host that answers 200 to 299 when it is well; by default it is asked for "
     "its models, and may answer anything but an error of its own.",
     .max = 256},
    {"intervalSeconds", KUBE_INT32, "How often it is asked while it is well.", .fallback = "30",
     .min = 5, .max = 3600},
    {"failureThreshold", KUBE_INT32,
     "How many questions in a row must fail until it gets no more calls.", .fallback = "3",
     .min = 1, .max = 10},
    {"successThreshold", KUBE_INT32,
     "How many answers in a row must be good until it gets calls again.", .fallback = "1", .min = 1,
     .max = 10},
    {0},
};

static const struct kube_shape health_shape = {
    "io.drun.v1.ModelServiceHealthCheck",
    "How it is told whether an outside engine is well.",
    health_fields,
};

static const struct kube_field upstream_fields[] = {
    {"url", KUBE_STRING,
     "The base of its OpenAI API, such as https://api.example.com/v1; a query is sent along.",
     .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY, .format = KUBE_URL},
    {"apiKeySecretRef", KUBE_OBJECT,
     "The credential for it: a Secret of the type drun.io/upstream-key.", .shape = &key_ref_shape},
    {"apiKeyHeader", KUBE_STRING,
     "The header that carries the key as it is, such as api-key; by default Authorization, behind "
     "\"Bearer\".",
     .max = 128},
    {"model", KUBE_STRING, "What the model is called there; by default this service's name.",
     .max = 256},
    {"headers", KUBE_LIST, "More headers.", .shape = &header_shape, .item = KUBE_OBJECT,
     .list = KUBE_KEYED, .merge_key = "name", .max = 16},
    {"caBundle", KUBE_STRING,
     "PEM certificates of the authorities that alone are trusted for it; by default the system's.",
     .max = 32768},
    {"timeoutSeconds", KUBE_INT32, "How long it may be silent before a call fails.",
     .fallback = "300", .min = 1, .max = 3600},
    {"healthCheck", KUBE_OBJECT, "How it is told whether it is well.", .shape = &health_shape},
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

static const struct kube_field queue_fields[] = {
    {"length", KUBE_INT32, "How many calls may wait; by default 100. 0: none, they are refused.",
     .min = 0, .max = 1024},
    {"timeoutSeconds", KUBE_INT32, "How long a call may wait; by default 30.", .min = 1,
     .max = 3600},
    {0},
};

static const struct kube_shape queue_shape = {
    "io.drun.v1.ModelServiceQueue",
    "Calls that wait for an engine. Namespaces take turns in it; LimitPolicies say who goes first.",
    queue_fields,
};

static const struct kube_field cache_fields[] = {
    {"ttlSeconds", KUBE_INT32, "How long an answer is kept.", .fallback = "300", .min = 1,
     .max = 604800},
    {"maxBytes", KUBE_INT32, "The largest answer that is kept.", .fallback = "262144", .min = 1024,
     .max = 1000000},
    {0},
};

static const struct kube_shape cache_shape = {
    "io.drun.v1.ModelServiceCache",
    "Answers that are kept in the gateway's memory and given again to the same question of the "
    "same namespace: embeddings, and single answers at a temperature of 0.",
    cache_fields,
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
     .min = 0, .max = 32},
    {"resources", KUBE_OBJECT, "What each engine may use of the machine.",
     .shape = &resource_shape},
    {"limits", KUBE_OBJECT, "Limits on the calls.", .shape = &limit_shape},
    {"concurrency", KUBE_INT32,
     "How many calls each engine serves at the same time; further ones wait in a queue.", .min = 1,
     .max = 65535},
    {"queue", KUBE_OBJECT, "The queue in front of the engine; it needs concurrency.",
     .shape = &queue_shape},
    {"cache", KUBE_OBJECT,
     "Answers are kept and given again to the same question; by default none are.",
     .shape = &cache_shape},
    {"remoteMedia", KUBE_BOOL,
     "Whether a call may name images elsewhere, which the engine then fetches; else it brings them "
     "along.",
     .fallback = "false"},
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
    {"replicas", KUBE_INT32, "How many engines run."},
    {"readyReplicas", KUBE_INT32, "How many of them answer."},
    {"readyPlaces", KUBE_LIST, "The numbers of those that get calls; each has a socket of its own.",
     .item = KUBE_INT32, .max = 64},
    {"endpoint", KUBE_STRING, "Where it is called."},
    {"observedGeneration", KUBE_INT64, "The generation that all engines run."},
    {"modelDigest", KUBE_STRING, "What the model's file of all engines hashes to.",
     .format = KUBE_DIGEST},
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
    {"Ready", "integer", "How many answer.", "status.readyReplicas"},
    {"Phase", "string", "Where the service is on its way.", "status.phase"},
    {"Endpoint", "string", "Where it is called.", "status.endpoint", .priority = 1},
    {"Runtime", "string", "The sandbox.", "spec.runtimeClassName", .priority = 1},
    {0},
};

static bool is_token(const char *text)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789"
                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    return text[0] != '\0' && text[strspn(text, token)] == '\0';
}

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

/* Those that say what the request is and how long, and whose it is. */
static bool is_reserved(const char *name)
{
    static const char *const all[] = {
        "host",   "connection",      "content-length", "transfer-encoding",
        "te",     "trailer",         "upgrade",        "content-type",
        "expect", "accept-encoding", "authorization",  "proxy-authorization"};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (strcasecmp(name, all[i]) == 0)
            return true;
    return false;
}

static void validate_headers(const json_t *upstream, struct kube_causes *causes)
{
    const char *key = json_string_value(json_object_get(upstream, "apiKeyHeader"));
    const json_t *header;
    size_t i;

    if (key != NULL &&
        (!is_token(key) || (is_reserved(key) && strcasecmp(key, "authorization") != 0)))
        kube_cause(causes, "FieldValueInvalid", "spec.upstream.apiKeyHeader",
                   "Invalid value: must be the name of a header that may carry a key");
    json_array_foreach (json_object_get(upstream, "headers"), i, header) {
        const char *name = json_string_value(json_object_get(header, "name"));
        const char *value = json_string_value(json_object_get(header, "value"));
        if (name != NULL && (!is_token(name) || is_reserved(name)))
            kube_cause(causes, "FieldValueInvalid", "spec.upstream.headers",
                       "Invalid value: \"%.64s\" is no name of a header that may be set", name);
        if (value != NULL && !is_printable(value))
            kube_cause(causes, "FieldValueInvalid", "spec.upstream.headers",
                       "Invalid value: that of %.64s must be printable ASCII", name);
    }
}

static void validate_upstream(const json_t *upstream, struct kube_causes *causes)
{
    const char *url = json_string_value(json_object_get(upstream, "url"));
    const char *model = json_string_value(json_object_get(upstream, "model"));
    const char *bundle = json_string_value(json_object_get(upstream, "caBundle"));
    size_t digits = url == NULL ? 0 : strspn(url + NUM_MIN(strlen(url), 8U), "0123456789.");

    if (url != NULL && (strncmp(url, "https://", 8) != 0 || url[8] == '[' ||
                        (digits > 0 && strchr("/:?", url[8 + digits]) != NULL)))
        kube_cause(causes, "FieldValueInvalid", "spec.upstream.url",
                   "Invalid value: must begin with https:// and name the host, not its address: "
                   "the name is what its certificate is for");
    if (model != NULL && (!is_printable(model) || strpbrk(model, "\"\\") != NULL))
        kube_cause(causes, "FieldValueInvalid", "spec.upstream.model",
                   "Invalid value: must be printable ASCII without quotes and backslashes");
    if (bundle != NULL && strstr(bundle, "-----BEGIN CERTIFICATE-----") == NULL)
        kube_cause(causes, "FieldValueInvalid", "spec.upstream.caBundle",
                   "Invalid value: must be certificates in PEM");
    const json_t *health = json_object_get(upstream, "healthCheck");
    const char *path = json_string_value(json_object_get(health, "path"));

    validate_headers(upstream, causes);
    if (path != NULL && (path[0] != '/' || !is_printable(path) || strpbrk(path, " \"\\#") != NULL))
        kube_cause(causes, "FieldValueInvalid", "spec.upstream.healthCheck.path",
                   "Invalid value: must be a path that begins with /, with a query if need be");
}

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
    if (upstream)
        validate_upstream(json_object_get(spec, "upstream"), causes);
    if (json_object_get(spec, "queue") != NULL && json_object_get(spec, "concurrency") == NULL)
        kube_cause(causes, "FieldValueRequired", "spec.concurrency",
                   "Required value: a queue is for an engine that serves only so many calls at the "
                   "same time");
    if (engine && json_object_get(spec, "modelRef") == NULL)
        kube_cause(causes, "FieldValueRequired", "spec.modelRef",
                   "Required value: an engine needs a model");
}

static const struct kube_subresource others[] = {
    {"log", &kube_model_service, KUBE_GET},
    {"scale", &kube_scale, KUBE_GET | KUBE_UPDATE | KUBE_PATCH},
    {0}};

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
    .others = others,
    .validate = validate,
};
