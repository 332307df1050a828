/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"

static const struct kube_field spec_fields[] = {
    {"displayName", KUBE_STRING, "The name that people see when they consent.", .max = 128},
    {"public", KUBE_BOOL, "The client cannot keep a secret (a browser or a phone); it needs PKCE.",
     .fallback = "false"},
    {"redirectUris", KUBE_LIST, "Where users may be sent back to; compared character by character.",
     .item = KUBE_STRING, .list = KUBE_SET, .max = 64},
    {"postLogoutRedirectUris", KUBE_LIST, "Where users may be sent after signing out.",
     .item = KUBE_STRING, .list = KUBE_SET, .max = 64},
    {"grantTypes", KUBE_LIST, "OAuth 2.0 grants that the client may use.", .item = KUBE_STRING,
     .values = KUBE_NAMES("authorization_code", "refresh_token", "client_credentials",
                          "urn:ietf:params:oauth:grant-type:device_code",
                          "urn:ietf:params:oauth:grant-type:token-exchange"),
     .list = KUBE_SET, .fallback = "[\"authorization_code\"]"},
    {"responseTypes", KUBE_LIST, "Only code is supported.", .item = KUBE_STRING,
     .values = KUBE_NAMES("code"), .list = KUBE_SET, .fallback = "[\"code\"]"},
    {"tokenEndpointAuthMethod", KUBE_STRING, "How the client proves itself.",
     .values = KUBE_NAMES("client_secret_basic", "client_secret_post", "private_key_jwt", "none")},
    {"jwksUri", KUBE_STRING, "Where the client's public keys are, for private_key_jwt.",
     .format = KUBE_URL},
    {"jwks", KUBE_ANY, "The client's public keys themselves, for private_key_jwt."},
    {"scopes", KUBE_LIST, "Scopes that the client may ask for.", .item = KUBE_STRING,
     .list = KUBE_SET, .max = 64, .fallback = "[\"openid\"]"},
    {"audiences", KUBE_LIST, "Audiences that its access tokens may have.", .item = KUBE_STRING,
     .list = KUBE_SET, .max = 64},
    {"accessTokenTtlSeconds", KUBE_INT32, "How long an access token holds.", .min = 60,
     .max = 86400},
    {"refreshTokenTtlSeconds", KUBE_INT32, "How long a refresh token holds.", .min = 60,
     .max = 31536000},
    {"consentRequired", KUBE_BOOL, "Ask the user before the first token."},
    {"requiredAcr", KUBE_STRING, "How well users must have signed in for this client, at least.",
     .values = KUBE_NAMES("urn:drun:password", "urn:drun:trusted-device", "urn:drun:mfa", "phr")},
    {"disabled", KUBE_BOOL, "A disabled client gets nothing.", .fallback = "false"},
    {0},
};

static const struct kube_shape spec_shape = {
    "io.drun.v1.OidcClientSpec",
    "The desired state of a client.",
    spec_fields,
};

static const struct kube_field status_fields[] = {
    {"clientSecret", KUBE_STRING, "The secret: in the answer to the creation and never again."},
    {"secretSet", KUBE_BOOL, "Whether the client has a secret."},
    {"secretRotatedAt", KUBE_STRING, "When it was last changed.", .format = KUBE_TIME},
    {"lastUsed", KUBE_STRING, "When the client last got a token.", .format = KUBE_TIME},
    KUBE_CONDITIONS_FIELD,
    {0},
};

static const struct kube_shape status_shape = {
    "io.drun.v1.OidcClientStatus",
    "The observed state of a client. The secret is never shown.",
    status_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "The desired state.", .shape = &spec_shape, .flags = KUBE_REQUIRED},
    {"status", KUBE_OBJECT, "The observed state.", .shape = &status_shape},
    {0},
};

static const struct kube_shape shape = {
    "io.drun.v1.OidcClient",
    "An application that signs users in, or a program with its own credentials. The object's name "
    "is the client_id.",
    fields,
};

static const struct kube_column columns[] = {
    {"Display Name", "string", "The name that people see.", "spec.displayName"},
    {"Public", "boolean", "Whether the client has no secret.", "spec.public"},
    {"Grants", "string", "Grants that the client may use.", "spec.grantTypes"},
    {"Last Used", "date", "When the client last got a token.", "status.lastUsed", .priority = 1},
    {0},
};

static bool has_text(const json_t *list, const char *text)
{
    size_t i;
    json_t *item;

    json_array_foreach (list, i, item) {
        if (json_is_string(item) && strcmp(json_string_value(item), text) == 0)
            return true;
    }
    return false;
}

static void prepare(json_t *object, const json_t *old UNUSED,
                    const struct kube_principal *by UNUSED)
{
    json_t *spec = json_object_get(object, "spec");
    bool open = json_is_true(json_object_get(spec, "public"));

    if (json_is_object(spec) && json_object_get(spec, "tokenEndpointAuthMethod") == NULL)
        json_object_set_new(spec, "tokenEndpointAuthMethod",
                            json_string(open ? "none" : "client_secret_basic"));
}

/* RFC 9700 section 2.1: exact URIs, no fragment; TLS but on the loopback. */
static const char *redirect_fault(const char *uri)
{
    struct span text = span_str(uri);

    if (strchr(uri, '#') != NULL)
        return "must not have a fragment";
    if (strchr(uri, '*') != NULL || strchr(uri, ' ') != NULL)
        return "must be one exact URI";
    if (span_has_prefix(text, "https://") || span_has_prefix(text, "http://localhost:") ||
        span_has_prefix(text, "http://localhost/") || span_has_prefix(text, "http://127.0.0.1") ||
        span_has_prefix(text, "http://[::1]"))
        return NULL;
    /* RFC 8252 section 7.1: a scheme of one's own is a reversed domain name. */
    const char *colon = strchr(uri, ':');
    const char *dot = strchr(uri, '.');
    if (colon != NULL && dot != NULL && dot < colon)
        return NULL;
    return "must be https, http on the loopback, or a scheme such as com.example.app:";
}

static void validate(const json_t *object, const json_t *old UNUSED, struct kube_causes *causes)
{
    const json_t *spec = json_object_get(object, "spec");
    const json_t *uris = json_object_get(spec, "redirectUris");
    const json_t *grants = json_object_get(spec, "grantTypes");
    const char *method = json_string_value(json_object_get(spec, "tokenEndpointAuthMethod"));
    bool open = json_is_true(json_object_get(spec, "public"));
    size_t i;
    json_t *uri;

    json_array_foreach (uris, i, uri) {
        const char *fault = json_is_string(uri) ? redirect_fault(json_string_value(uri)) : NULL;
        char path[64];
        snprintf(path, sizeof(path), "spec.redirectUris[%zu]", i);
        if (fault != NULL)
            kube_cause(causes, "FieldValueInvalid", path, "Invalid value: \"%s\": %s",
                       json_string_value(uri), fault);
    }
    if (has_text(grants, "authorization_code") && json_array_size(uris) == 0)
        kube_cause(causes, "FieldValueRequired", "spec.redirectUris",
                   "Required value: the grant authorization_code needs one");
    if (open && has_text(grants, "client_credentials"))
        kube_cause(causes, "FieldValueForbidden", "spec.grantTypes",
                   "Forbidden: a public client cannot use client_credentials");
    if (method != NULL && open != (strcmp(method, "none") == 0))
        kube_cause(causes, "FieldValueInvalid", "spec.tokenEndpointAuthMethod",
                   "Invalid value: \"%s\": none is for public clients, and for them only", method);
    if (method != NULL && strcmp(method, "private_key_jwt") == 0 &&
        json_object_get(spec, "jwks") == NULL && json_object_get(spec, "jwksUri") == NULL)
        kube_cause(causes, "FieldValueRequired", "spec.jwks",
                   "Required value: private_key_jwt needs jwks or jwksUri");
}

const struct kube_kind kube_oidc_client = {
    .group = "drun.io",
    .version = "v1",
    .kind = "OidcClient",
    .plural = "oidcclients",
    .singular = "oidcclient",
    .short_names = KUBE_NAMES("oidc"),
    .categories = KUBE_NAMES("drun"),
    .has_status = true,
    .verbs = KUBE_ALL_VERBS,
    .name_format = KUBE_DNS_SUBDOMAIN,
    .shape = &shape,
    .columns = columns,
    .prepare = prepare,
    .validate = validate,
};
