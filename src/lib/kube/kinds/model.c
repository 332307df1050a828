/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"

static const struct kube_field artifact_fields[] = {
    {"path", KUBE_STRING, "A file on this machine, to be taken over and sealed.", .max = 4096},
    {"url", KUBE_STRING, "Where to fetch the file.", .format = KUBE_URL},
    {"format", KUBE_STRING, "What the file is.",
     .values = KUBE_NAMES("gguf", "safetensors", "onnx", "pytorch")},
    {"digest", KUBE_STRING, "What the file must hash to: sha256: and 64 hex digits.",
     .format = KUBE_DIGEST},
    {"sizeBytes", KUBE_INT64, "How large the file must be.", .min = 1, .max = INT64_MAX},
    {0},
};

static const struct kube_shape artifact_shape = {
    "io.drun.v1.ModelArtifact",
    "The file of a model.",
    artifact_fields,
};

static const struct kube_field spec_fields[] = {
    {"displayName", KUBE_STRING, "The name that people read.", .max = 128},
    {"artifact", KUBE_OBJECT, "The file of the model; without it the model is an outside one.",
     .shape = &artifact_shape},
    {"license", KUBE_STRING, "Its licence, as an SPDX expression where there is one.", .max = 256},
    {"parameters", KUBE_MAP, "What engines need to know about it, such as contextTokens.",
     .item = KUBE_STRING},
    {0},
};

static const struct kube_shape spec_shape = {
    "io.drun.v1.ModelSpec",
    "The desired state of a model.",
    spec_fields,
};

static const struct kube_field status_fields[] = {
    {"phase", KUBE_STRING, "Where the model is on its way.",
     .values = KUBE_NAMES("Pending", "Importing", "Ready", "Failed")},
    {"digest", KUBE_STRING, "What the stored file hashes to.", .format = KUBE_DIGEST},
    {"sizeBytes", KUBE_INT64, "How large the stored file is."},
    KUBE_CONDITIONS_FIELD,
    {0},
};

static const struct kube_shape status_shape = {
    "io.drun.v1.ModelStatus",
    "The observed state of a model.",
    status_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "The desired state.", .shape = &spec_shape, .flags = KUBE_REQUIRED},
    {"status", KUBE_OBJECT, "The observed state.", .shape = &status_shape},
    {0},
};

static const struct kube_shape shape = {
    "io.drun.v1.Model",
    "A model: its file, what it must hash to, and its licence.",
    fields,
};

static const struct kube_column columns[] = {
    {"Format", "string", "What the file is.", "spec.artifact.format"},
    {"Phase", "string", "Where the model is on its way.", "status.phase"},
    {"License", "string", "Its licence.", "spec.license", .priority = 1},
    {"Digest", "string", "What the stored file hashes to.", "status.digest", .priority = 1},
    {0},
};

static void validate(const json_t *object, const json_t *old UNUSED, struct kube_causes *causes)
{
    const json_t *artifact = json_object_get(json_object_get(object, "spec"), "artifact");
    const json_t *path = json_object_get(artifact, "path");

    if (artifact == NULL)
        return;
    if ((path != NULL) == (json_object_get(artifact, "url") != NULL))
        kube_cause(causes, "FieldValueInvalid", "spec.artifact",
                   "Invalid value: exactly one of path and url must be given");
    if (json_object_get(artifact, "digest") == NULL && path == NULL)
        kube_cause(causes, "FieldValueRequired", "spec.artifact.digest",
                   "Required value: a file that is fetched needs a digest");
    if (json_is_string(path) && json_string_value(path)[0] != '/')
        kube_cause(causes, "FieldValueInvalid", "spec.artifact.path",
                   "Invalid value: \"%s\": must be an absolute path", json_string_value(path));
}

const struct kube_kind kube_model = {
    .group = "drun.io",
    .version = "v1",
    .kind = "Model",
    .plural = "models",
    .singular = "model",
    .categories = KUBE_NAMES("all", "drun"),
    .namespaced = true,
    .has_status = true,
    .verbs = KUBE_ALL_VERBS,
    .name_format = KUBE_DNS_SUBDOMAIN,
    .shape = &shape,
    .columns = columns,
    .selectable = KUBE_NAMES("status.phase"),
    .validate = validate,
};
