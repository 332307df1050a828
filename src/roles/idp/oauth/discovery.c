/* SPDX-License-Identifier: Apache-2.0 */
/* What clients read first: RFC 8414, OpenID Connect Discovery, the JWKS. Only what works here. */
#include "idp/idp_internal.h"

struct endpoint {
    const char *name, *path;
};

static const struct endpoint endpoints[] = {
    {"token_endpoint", "/oauth2/token"},
    {"pushed_authorization_request_endpoint", "/oauth2/par"},
    {"device_authorization_endpoint", "/oauth2/device_authorization"},
    {"introspection_endpoint", "/oauth2/introspect"},
    {"revocation_endpoint", "/oauth2/revoke"},
    {"userinfo_endpoint", "/oauth2/userinfo"},
    {"registration_endpoint", "/oauth2/register"},
};

/* Of browsers, and of documents. */
static const struct endpoint pages[] = {
    {"issuer", ""},
    {"authorization_endpoint", "/oauth2/authorize"},
    {"jwks_uri", "/oauth2/jwks"},
    {"end_session_endpoint", "/oauth2/logout"},
    {"check_session_iframe", "/oauth2/frame"},
};

#define SECRETS  "\"client_secret_basic\",\"client_secret_post\",\"private_key_jwt\""
#define TLS      ",\"tls_client_auth\",\"self_signed_tls_client_auth\""
#define ALGS     "[\"ES256\",\"EdDSA\",\"RS256\"]"
#define ALL_ALGS "[\"ES256\",\"Ed25519\",\"EdDSA\",\"RS256\"]"

static const char constants[] =
    "\"scopes_supported\":[\"openid\",\"profile\",\"email\",\"groups\",\"drun\",\"scim\",\"offline_access\"],"
    "\"response_types_supported\":[\"code\"],"
    "\"response_modes_supported\":[\"query\"],"
    "\"grant_types_supported\":[\"authorization_code\",\"refresh_token\",\"client_credentials\","
    "\"urn:ietf:params:oauth:grant-type:device_code\","
    "\"urn:ietf:params:oauth:grant-type:token-exchange\"],"
    "\"subject_types_supported\":[\"public\",\"pairwise\"],"
    "\"id_token_signing_alg_values_supported\":" ALGS ","
    "\"introspection_signing_alg_values_supported\":" ALGS ","
    "\"request_object_signing_alg_values_supported\":" ALL_ALGS ","
    "\"token_endpoint_auth_signing_alg_values_supported\":" ALL_ALGS ","
    "\"introspection_endpoint_auth_signing_alg_values_supported\":" ALL_ALGS ","
    "\"revocation_endpoint_auth_signing_alg_values_supported\":" ALL_ALGS ","
    "\"dpop_signing_alg_values_supported\":" ALL_ALGS ","
    "\"code_challenge_methods_supported\":[\"S256\"],"
    "\"prompt_values_supported\":[\"none\",\"login\",\"consent\",\"select_account\"],"
    "\"acr_values_supported\":[\"urn:drun:password\",\"urn:drun:mfa\",\"phr\"],"
    "\"claim_types_supported\":[\"normal\"],"
    "\"claims_supported\":[\"iss\",\"sub\",\"aud\",\"exp\",\"iat\",\"auth_time\",\"nonce\","
    "\"acr\",\"amr\",\"azp\",\"sid\",\"at_hash\",\"name\",\"preferred_username\",\"email\","
    "\"groups\"],"
    "\"claims_parameter_supported\":true,"
    "\"request_parameter_supported\":true,"
    "\"request_uri_parameter_supported\":false,"
    "\"require_request_uri_registration\":false,"
    "\"require_pushed_authorization_requests\":false,"
    "\"require_signed_request_object\":false,"
    "\"backchannel_logout_supported\":true,"
    "\"backchannel_logout_session_supported\":true,"
    "\"frontchannel_logout_supported\":true,"
    "\"frontchannel_logout_session_supported\":true,"
    "\"authorization_response_iss_parameter_supported\":true";

static void put_url(struct buf *out, const char *url, const struct endpoint *endpoint)
{
    buf_printf(out, "\"%s\":\"%s%s\"", endpoint->name, url, endpoint->path);
}

static void put_methods(const struct idp *idp, struct buf *out)
{
    const char *tls = idp->mtls_url[0] == '\0' ? "" : TLS;

    buf_printf(out, "\"token_endpoint_auth_methods_supported\":[\"none\"," SECRETS "%s],", tls);
    buf_printf(out, "\"revocation_endpoint_auth_methods_supported\":[\"none\"," SECRETS "%s],",
               tls);
    buf_printf(out, "\"introspection_endpoint_auth_methods_supported\":[" SECRETS "%s],", tls);
}

/* RFC 8705 section 5 */
static void put_mtls(const struct idp *idp, struct buf *out)
{
    if (idp->mtls_url[0] == '\0')
        return;
    buf_put_str(out, ",\"tls_client_certificate_bound_access_tokens\":true,"
                     "\"mtls_endpoint_aliases\":{");
    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
        buf_put_str(out, i == 0 ? "" : ",");
        put_url(out, idp->mtls_url, &endpoints[i]);
    }
    buf_put_u8(out, '}');
}

static void put_metadata(const struct idp *idp, struct buf *out)
{
    buf_put_u8(out, '{');
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        put_url(out, idp->url, &pages[i]);
        buf_put_u8(out, ',');
    }
    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
        put_url(out, idp->url, &endpoints[i]);
        buf_put_u8(out, ',');
    }
    put_methods(idp, out);
    buf_put_str(out, constants);
    put_mtls(idp, out);
    buf_put_u8(out, '}');
}

static void reply_public(struct serve_request *request)
{
    request->event.event = span_str("");
    http_answer_header(request->answer, "Cache-Control", "public, max-age=300");
    http_answer_header(request->answer, "Access-Control-Allow-Origin", "*");
    serve_answer(request, 200, "application/json");
}

void discovery_openid(struct idp *idp, struct serve_request *request)
{
    put_metadata(idp, &request->answer->body);
    reply_public(request);
}

void discovery_oauth(struct idp *idp, struct serve_request *request)
{
    discovery_openid(idp, request);
}

void discovery_jwks(struct idp *idp, struct serve_request *request)
{
    buf_put_span(&request->answer->body, signer_jwks(idp->signer));
    reply_public(request);
}
