/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"

static const struct kube_field tls_fields[] = {
    {"ca", KUBE_STRING, "The authorities that vouch for the client's certificate, PEM.",
     .max = 65536},
    {"subjectDn", KUBE_STRING, "The certificate's subject as RFC 4514 writes it.", .max = 1024},
    {"sanDns", KUBE_STRING, "A DNS name in the certificate.", .max = 253},
    {"sanUri", KUBE_STRING, "A URI in the certificate, such as a SPIFFE ID.", .max = 2048},
    {"sanIp", KUBE_STRING, "An address in the certificate.", .max = 45},
    {"sanEmail", KUBE_STRING, "A mail address in the certificate.", .max = 254},
    {0},
};

static const struct kube_shape tls_shape = {
    "io.drun.v1.OidcClientTls",
    "How tls_client_auth knows the client's certificate: authorities, and one of the names.",
    tls_fields,
};

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
     .values = KUBE_NAMES("client_secret_basic", "client_secret_post", "private_key_jwt",
                          "tls_client_auth", "self_signed_tls_client_auth", "none")},
    {"jwksUri", KUBE_STRING, "Where the client's public keys are, for private_key_jwt.",
     .format = KUBE_URL},
    {"jwks", KUBE_ANY,
     "The client's public keys themselves, for private_key_jwt, request objects and (as x5c) "
     "self_signed_tls_client_auth."},
    {"tlsClientAuth", KUBE_OBJECT, "The client's certificate, for tls_client_auth.",
     .shape = &tls_shape},
    {"certificateBoundAccessTokens", KUBE_BOOL,
     "Its tokens are good only together with its TLS certificate (RFC 8705)."},
    {"dpopBoundAccessTokens", KUBE_BOOL,
     "Its tokens are good only with a proof of its key (RFC 9449)."},
    {"requirePushedAuthorizationRequests", KUBE_BOOL,
     "Users are sent here only with a request that the client has pushed (RFC 9126)."},
    {"requireSignedRequestObject", KUBE_BOOL,
     "Users are sent here only with a request that the client has signed (RFC 9101)."},
    {"idTokenSignedResponseAlg", KUBE_STRING, "How its ID tokens are signed.",
     .values = KUBE_NAMES("ES256", "EdDSA", "RS256"), .fallback = "\"ES256\""},
    {"introspectionSignedResponseAlg", KUBE_STRING,
     "How introspection answers that it asks for as JWT are signed.",
     .values = KUBE_NAMES("ES256", "EdDSA", "RS256"), .fallback = "\"RS256\""},
    {"subjectType", KUBE_STRING,
     "Whether users have the same subject as for other clients, or one for this client's sector "
     "alone.",
     .values = KUBE_NAMES("public", "pairwise"), .fallback = "\"public\""},
    {"sectorIdentifier", KUBE_STRING,
     "The host that clients share pairwise subjects by; by default that of the redirect URIs.",
     .max = 253},
    {"backchannelLogoutUri", KUBE_STRING, "Told from here when a user signs out.",
     .format = KUBE_URL},
    {"backchannelLogoutSessionRequired", KUBE_BOOL, "Its logout tokens name the session."},
    {"frontchannelLogoutUri", KUBE_STRING, "Loaded in the user's browser when he signs out.",
     .format = KUBE_URL},
    {"frontchannelLogoutSessionRequired", KUBE_BOOL, "Its logout URI is given the session."},
    {"defaultMaxAge", KUBE_INT32,
     "Users must have signed in within so many seconds, when the request does not say.", .min = 0,
     .max = 31536000},
    {"defaultAcrValues", KUBE_LIST, "How users should have signed in, the best first.",
     .item = KUBE_STRING, .list = KUBE_ATOMIC, .max = 8},
    {"privateNetwork", KUBE_BOOL,
     "Its jwksUri and backchannelLogoutUri may lead to private addresses."},
    {"ca", KUBE_STRING, "The authority of their certificates, PEM; by default the system's.",
     .max = 32768},
    {"clientUri", KUBE_STRING, "A page about the client.", .format = KUBE_URL},
    {"logoUri", KUBE_STRING, "Its picture.", .format = KUBE_URL},
    {"policyUri", KUBE_STRING, "What it does with the data of its users.", .format = KUBE_URL},
    {"tosUri", KUBE_STRING, "Its terms.", .format = KUBE_URL},
    {"contacts", KUBE_LIST, "Who answers for it.", .item = KUBE_STRING, .list = KUBE_SET, .max = 8},
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

static void validate_keys(const json_t *spec, const char *method, struct kube_causes *causes)
{
    static const char *const names[] = {"subjectDn", "sanDns", "sanUri", "sanIp", "sanEmail"};
    const json_t *tls = json_object_get(spec, "tlsClientAuth");
    bool inline_keys = json_is_array(json_object_get(json_object_get(spec, "jwks"), "keys"));
    size_t named = 0;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        named += json_object_get(tls, names[i]) != NULL;
    if (json_object_get(spec, "jwks") != NULL && !inline_keys)
        kube_cause(causes, "FieldValueInvalid", "spec.jwks",
                   "Invalid value: it must be a JWK set with a list \"keys\"");
    if (json_object_get(spec, "jwks") != NULL && json_object_get(spec, "jwksUri") != NULL)
        kube_cause(causes, "FieldValueForbidden", "spec.jwksUri",
                   "Forbidden: jwks and jwksUri exclude each other");
    if (strcmp(method, "private_key_jwt") == 0 && !inline_keys &&
        json_object_get(spec, "jwksUri") == NULL)
        kube_cause(causes, "FieldValueRequired", "spec.jwks",
                   "Required value: private_key_jwt needs jwks or jwksUri");
    if (strcmp(method, "self_signed_tls_client_auth") == 0 && !inline_keys)
        kube_cause(causes, "FieldValueRequired", "spec.jwks",
                   "Required value: self_signed_tls_client_auth needs jwks with x5c");
    if (strcmp(method, "tls_client_auth") == 0 &&
        (named != 1 || json_object_get(tls, "ca") == NULL))
        kube_cause(causes, "FieldValueRequired", "spec.tlsClientAuth",
                   "Required value: tls_client_auth needs ca and one of subjectDn, sanDns, sanUri, "
                   "sanIp, sanEmail");
}

/* The host of a URL; its length, 0 when it has none. */
static size_t host_of(const char *url, const char **host)
{
    const char *start = strstr(url, "://");

    *host = start == NULL ? url : start + 3;
    return start == NULL ? 0 : strcspn(*host, ":/?");
}

/* All redirect URIs of one host, or a sector that is named (OpenID Connect Core section 8.1). */
static bool has_one_sector(const json_t *spec, const json_t *uris)
{
    const char *first = NULL;
    const char *host;
    size_t len = 0;
    size_t i;
    json_t *uri;

    if (json_object_get(spec, "sectorIdentifier") != NULL)
        return true;
    json_array_foreach (uris, i, uri) {
        size_t this_len = json_is_string(uri) ? host_of(json_string_value(uri), &host) : 0;
        if (this_len == 0 || (i > 0 && (this_len != len || strncmp(first, host, len) != 0)))
            return false;
        first = host;
        len = this_len;
    }
    return true;
}

static void validate_subjects(const json_t *spec, const json_t *uris, struct kube_causes *causes)
{
    static const char *const uri_fields[] = {"backchannelLogoutUri", "frontchannelLogoutUri"};
    const char *subject = json_string_value(json_object_get(spec, "subjectType"));

    for (size_t i = 0; i < ARRAY_LEN(uri_fields); i++) {
        const char *uri = json_string_value(json_object_get(spec, uri_fields[i]));
        char path[64];
        snprintf(path, sizeof(path), "spec.%s", uri_fields[i]);
        if (uri != NULL && redirect_fault(uri) != NULL)
            kube_cause(causes, "FieldValueInvalid", path, "Invalid value: \"%s\": %s", uri,
                       redirect_fault(uri));
    }
    if (subject != NULL && strcmp(subject, "pairwise") == 0 &&
        has_text(json_object_get(spec, "scopes"), "drun"))
        kube_cause(causes, "FieldValueForbidden", "spec.scopes",
                   "Forbidden: the platform knows its users by name, so \"drun\" and pairwise "
                   "subjects exclude each other");
    if (subject != NULL && strcmp(subject, "pairwise") == 0 && !has_one_sector(spec, uris))
        kube_cause(causes, "FieldValueRequired", "spec.sectorIdentifier",
                   "Required value: redirect URIs of several hosts need it for pairwise subjects");
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
    validate_keys(spec, method == NULL ? "" : method, causes);
    validate_subjects(spec, uris, causes);
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
