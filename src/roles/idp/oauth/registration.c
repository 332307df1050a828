/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/oauth/registration.h"

#include "base/mem.h"
#include "codec/json.h"
#include "idp/oauth/oauth.h"

enum kind { TEXT, LIST, FLAG, NUMBER, ANY };

static const struct member {
    const char *metadata, *spec;
    enum kind kind;
} members[] = {
    {"client_name", "displayName", TEXT},
    {"redirect_uris", "redirectUris", LIST},
    {"post_logout_redirect_uris", "postLogoutRedirectUris", LIST},
    {"grant_types", "grantTypes", LIST},
    {"response_types", "responseTypes", LIST},
    {"token_endpoint_auth_method", "tokenEndpointAuthMethod", TEXT},
    {"jwks", "jwks", ANY},
    {"tls_client_certificate_bound_access_tokens", "certificateBoundAccessTokens", FLAG},
    {"dpop_bound_access_tokens", "dpopBoundAccessTokens", FLAG},
    {"require_pushed_authorization_requests", "requirePushedAuthorizationRequests", FLAG},
    {"require_signed_request_object", "requireSignedRequestObject", FLAG},
    {"id_token_signed_response_alg", "idTokenSignedResponseAlg", TEXT},
    {"introspection_signed_response_alg", "introspectionSignedResponseAlg", TEXT},
    {"subject_type", "subjectType", TEXT},
    {"backchannel_logout_uri", "backchannelLogoutUri", TEXT},
    {"backchannel_logout_session_required", "backchannelLogoutSessionRequired", FLAG},
    {"frontchannel_logout_uri", "frontchannelLogoutUri", TEXT},
    {"frontchannel_logout_session_required", "frontchannelLogoutSessionRequired", FLAG},
    {"default_max_age", "defaultMaxAge", NUMBER},
    {"default_acr_values", "defaultAcrValues", LIST},
    {"client_uri", "clientUri", TEXT},
    {"logo_uri", "logoUri", TEXT},
    {"policy_uri", "policyUri", TEXT},
    {"tos_uri", "tosUri", TEXT},
    {"contacts", "contacts", LIST},
};

static bool is_of_kind(const json_t *value, enum kind kind)
{
    const json_t *item;
    size_t i;

    switch (kind) {
    case TEXT: return json_is_string(value);
    case FLAG: return json_is_boolean(value);
    case NUMBER: return json_is_integer(value);
    case ANY: return json_is_object(value);
    case LIST:
        json_array_foreach (value, i, item)
            if (!json_is_string(item))
                return false;
        return json_is_array(value);
    }
    return false;
}

static int read_members(const json_t *body, json_t *spec, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        json_t *value = json_object_get(body, members[i].metadata);
        if (value == NULL || json_is_null(value))
            continue;
        if (!is_of_kind(value, members[i].kind))
            return err_set(err, ERR_INVALID, "%s is not of the right type", members[i].metadata);
        json_object_set(spec, members[i].spec, value);
    }
    return 0;
}

static int read_scope(const json_t *body, json_t *spec, struct err *err)
{
    const json_t *scope = json_object_get(body, "scope");
    struct span rest = span_str(scope == NULL ? "openid profile email" : "");
    struct span one;
    json_t *list = json_array();

    json_object_set_new(spec, "scopes", list);
    if (scope != NULL && !json_is_string(scope))
        return err_set(err, ERR_INVALID, "scope is not of the right type");
    if (scope != NULL)
        rest = span_str(json_string_value(scope));
    if (!oauth_scope_is_valid(rest))
        return err_set(err, ERR_INVALID, "scope is malformed");
    while (oauth_scope_next(&rest, &one)) {
        if (span_eq_str(one, "drun"))
            return err_set(err, ERR_INVALID,
                           "the scope drun is for clients that an administrator has made");
        json_array_append_new(list, json_stringn((const char *)one.p, one.len));
    }
    return 0;
}

/* What would be understood wrongly if it were left out. */
static int check_unsupported(const json_t *body, struct err *err)
{
    static const char *const refused[] = {"jwks_uri",
                                          "sector_identifier_uri",
                                          "request_uris",
                                          "id_token_encrypted_response_alg",
                                          "userinfo_signed_response_alg",
                                          "userinfo_encrypted_response_alg",
                                          "request_object_encryption_alg",
                                          "software_statement",
                                          "tls_client_auth_subject_dn",
                                          "tls_client_auth_san_dns",
                                          "tls_client_auth_san_uri",
                                          "tls_client_auth_san_ip",
                                          "tls_client_auth_san_email"};

    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (json_object_get(body, refused[i]) != NULL)
            return err_set(err, ERR_INVALID, "%s is not supported", refused[i]);
    return 0;
}

int registration_read(struct span body, json_t **spec, struct err *err)
{
    CLEANUP_JSON json_t *metadata = NULL;
    CLEANUP_JSON json_t *out = json_object();

    TRY(codec_json_parse(body, "the client metadata", &metadata, err));
    if (!json_is_object(metadata))
        return err_set(err, ERR_INVALID, "the client metadata must be a JSON object");
    TRY(check_unsupported(metadata, err));
    TRY(read_members(metadata, out, err));
    TRY(read_scope(metadata, out, err));
    bool open = strcmp(codec_json_text(out, "tokenEndpointAuthMethod", ""), "none") == 0;
    json_object_set_new(out, "public", json_boolean(open));
    json_object_set_new(out, "consentRequired", json_true());
    *spec = json_incref(out);
    return 0;
}

void registration_put(const json_t *spec, json_t *out)
{
    CLEANUP(buf_free) struct buf scope = BUF_INIT(64 * 1024);
    const json_t *item;
    size_t i;

    for (size_t m = 0; m < ARRAY_LEN(members); m++) {
        json_t *value = json_object_get(spec, members[m].spec);
        if (value != NULL)
            json_object_set(out, members[m].metadata, value);
    }
    json_array_foreach (json_object_get(spec, "scopes"), i, item) {
        buf_put_str(&scope, i == 0 ? "" : " ");
        buf_put_str(&scope, json_string_value(item));
    }
    json_object_set_new(out, "scope", json_string(buf_text(&scope)));
}
