/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"
#include "kube/kube.h"

static const struct kube_field scope_fields[] = {
    {"models", KUBE_LIST, "Models that may be called: demo/gemma, demo/* or *; empty means all.",
     .item = KUBE_STRING, .format = KUBE_MODEL_PATTERN, .list = KUBE_SET, .max = 64},
    {"verbs", KUBE_LIST, "Verbs that may be used; empty means invoke alone.", .item = KUBE_STRING,
     .list = KUBE_SET, .max = 32},
    {"namespaces", KUBE_LIST,
     "Namespaces that may be worked in, and nothing outside of namespaces; empty means all.",
     .item = KUBE_STRING, .format = KUBE_DNS_LABEL, .list = KUBE_SET, .max = 64},
    {"cidrs", KUBE_LIST, "Networks that calls may come from; empty means all.", .item = KUBE_STRING,
     .format = KUBE_CIDR, .list = KUBE_SET, .max = 64},
    {0},
};

static const struct kube_shape scope_shape = {
    "io.drun.v1.ApiKeyScopes",
    "Narrows what the key's owner may do; it never widens it.",
    scope_fields,
};

static const struct kube_field limit_fields[] = {
    {"requestsPerMinute", KUBE_INT32, "Calls in a minute.", .min = 1, .max = INT32_MAX},
    {"concurrentRequests", KUBE_INT32, "Calls at the same time.", .min = 1, .max = 65535},
    {"tokensPerMinute", KUBE_INT64, "Tokens, in and out, in a minute.", .min = 1, .max = INT64_MAX},
    {0},
};

static const struct kube_shape limit_shape = {
    "io.drun.v1.ApiKeyLimits",
    "How much the key may use.",
    limit_fields,
};

static const struct kube_field spec_fields[] = {
    {"user", KUBE_STRING, "The user whose rights the key has; by default its creator.",
     .flags = KUBE_IMMUTABLE, .format = KUBE_PATH_SEGMENT},
    {"serviceAccountName", KUBE_STRING,
     "The service account of this namespace whose rights the key has, instead of a user.",
     .flags = KUBE_IMMUTABLE, .format = KUBE_DNS_SUBDOMAIN},
    {"displayName", KUBE_STRING, "What the key is for.", .max = 128},
    {"scopes", KUBE_OBJECT, "Narrows what the key can do.", .shape = &scope_shape},
    {"expiresAt", KUBE_STRING, "When the key ends; without it, never.", .format = KUBE_TIME},
    {"disabled", KUBE_BOOL, "A disabled key is refused.", .fallback = "false"},
    {"limits", KUBE_OBJECT, "How much the key may use.", .shape = &limit_shape},
    {0},
};

static const struct kube_shape spec_shape = {
    "io.drun.v1.ApiKeySpec",
    "The desired state of a key.",
    spec_fields,
};

static const struct kube_field use_fields[] = {
    {"time", KUBE_STRING, "When.", .format = KUBE_TIME},
    {"address", KUBE_STRING, "From where."},
    {0},
};

static const struct kube_shape use_shape = {
    "io.drun.v1.ApiKeyUse",
    "A use of a key.",
    use_fields,
};

static const struct kube_field previous_fields[] = {
    {"last4", KUBE_STRING, "Its last four characters."},
    {"endsAt", KUBE_STRING, "When it ends.", .format = KUBE_TIME},
    {0},
};

static const struct kube_shape previous_shape = {
    "io.drun.v1.ApiKeyPrevious",
    "A secret that another one takes over from.",
    previous_fields,
};

static const struct kube_field status_fields[] = {
    {"prefix", KUBE_STRING, "The first characters of the key, by which people tell keys apart."},
    {"last4", KUBE_STRING, "Its last four characters."},
    {"lastUsed", KUBE_OBJECT,
     "The last request with it that was not refused; a minute late at most.", .shape = &use_shape},
    {"rotatedAt", KUBE_STRING, "When the key got its present secret, unless it is the first.",
     .format = KUBE_TIME},
    {"previous", KUBE_OBJECT, "The secret before, while it is good.", .shape = &previous_shape},
    {"revokedAt", KUBE_STRING, "When the key was revoked.", .format = KUBE_TIME},
    {"key", KUBE_STRING, "The key itself: in the answer to its creation and never again."},
    KUBE_CONDITIONS_FIELD,
    {0},
};

static const struct kube_shape status_shape = {
    "io.drun.v1.ApiKeyStatus",
    "The observed state of a key. Neither the key nor its hash is ever stored here.",
    status_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "The desired state.", .shape = &spec_shape, .fallback = "{}"},
    {"status", KUBE_OBJECT, "The observed state.", .shape = &status_shape},
    {0},
};

static const struct kube_shape shape = {
    "io.drun.v1.ApiKey",
    "A credential for programs, with the rights of its owner inside its scopes.",
    fields,
};

static json_t *owner_cell(const json_t *object, int64_t now_sec UNUSED)
{
    const json_t *spec = json_object_get(object, "spec");
    const char *user = json_string_value(json_object_get(spec, "user"));
    const char *account = json_string_value(json_object_get(spec, "serviceAccountName"));

    if (account != NULL)
        return json_sprintf("sa/%s", account);
    return json_string(user != NULL ? user : "");
}

static const struct kube_column columns[] = {
    {"Owner", "string", "Whose rights the key has.", .cell = owner_cell},
    {"Prefix", "string", "The first characters of the key.", "status.prefix"},
    {"Disabled", "boolean", "Whether the key is refused.", "spec.disabled"},
    {"Expires", "string", "When the key ends.", "spec.expiresAt"},
    {"Last Used", "date", "When the key was last used.", "status.lastUsed.time", .priority = 1},
    {0},
};

static void prepare(json_t *object, const json_t *old, const struct kube_principal *by)
{
    json_t *spec = json_object_get(object, "spec");

    if (old == NULL && by != NULL && by->name != NULL && json_is_object(spec) &&
        json_object_get(spec, "user") == NULL &&
        json_object_get(spec, "serviceAccountName") == NULL)
        json_object_set_new(spec, "user", json_string(by->name));
}

static void validate(const json_t *object, const json_t *old UNUSED, struct kube_causes *causes)
{
    const json_t *spec = json_object_get(object, "spec");

    if (json_object_get(spec, "user") != NULL &&
        json_object_get(spec, "serviceAccountName") != NULL)
        kube_cause(causes, "FieldValueForbidden", "spec.serviceAccountName",
                   "Forbidden: a key belongs to a user or to a service account, not to both");
}

static const struct kube_subresource others[] = {{"rotate", &kube_api_key, KUBE_CREATE}, {0}};

const struct kube_kind kube_api_key = {
    .group = "drun.io",
    .version = "v1",
    .kind = "ApiKey",
    .plural = "apikeys",
    .singular = "apikey",
    .short_names = KUBE_NAMES("key"),
    .categories = KUBE_NAMES("drun"),
    .namespaced = true,
    .has_status = true,
    .others = others,
    .verbs = KUBE_ALL_VERBS,
    .name_format = KUBE_DNS_SUBDOMAIN,
    .shape = &shape,
    .columns = columns,
    .selectable = KUBE_NAMES("spec.user", "spec.serviceAccountName"),
    .prepare = prepare,
    .validate = validate,
};
