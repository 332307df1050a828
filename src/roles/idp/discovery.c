/* SPDX-License-Identifier: Apache-2.0 */
/* What clients read first: RFC 8414, OpenID Connect Discovery, the JWKS. */
#include "idp/idp_internal.h"

static void put_url(struct buf *out, const struct idp *idp, const char *name, const char *path)
{
    buf_printf(out, "\"%s\":\"%s%s\",", name, idp->url, path);
}

/* Only what works here. */
static void put_metadata(const struct idp *idp, struct buf *out)
{
    buf_put_u8(out, '{');
    put_url(out, idp, "issuer", "");
    put_url(out, idp, "authorization_endpoint", "/oauth2/authorize");
    put_url(out, idp, "token_endpoint", "/oauth2/token");
    put_url(out, idp, "jwks_uri", "/oauth2/jwks");
    put_url(out, idp, "userinfo_endpoint", "/oauth2/userinfo");
    put_url(out, idp, "introspection_endpoint", "/oauth2/introspect");
    put_url(out, idp, "revocation_endpoint", "/oauth2/revoke");
    put_url(out, idp, "end_session_endpoint", "/oauth2/logout");
    buf_put_str(
        out,
        "\"scopes_supported\":[\"openid\",\"profile\",\"email\",\"groups\",\"drun\","
        "\"offline_access\"],"
        "\"response_types_supported\":[\"code\"],"
        "\"response_modes_supported\":[\"query\"],"
        "\"grant_types_supported\":[\"authorization_code\",\"refresh_token\","
        "\"client_credentials\"],"
        "\"subject_types_supported\":[\"public\"],"
        "\"id_token_signing_alg_values_supported\":[\"ES256\"],"
        "\"token_endpoint_auth_methods_supported\":[\"none\",\"client_secret_basic\","
        "\"client_secret_post\"],"
        "\"introspection_endpoint_auth_methods_supported\":[\"client_secret_basic\","
        "\"client_secret_post\"],"
        "\"revocation_endpoint_auth_methods_supported\":[\"none\",\"client_secret_basic\","
        "\"client_secret_post\"],"
        "\"code_challenge_methods_supported\":[\"S256\"],"
        "\"prompt_values_supported\":[\"none\",\"login\",\"select_account\"],"
        "\"claims_supported\":[\"iss\",\"sub\",\"aud\",\"exp\",\"iat\",\"auth_time\",\"nonce\","
        "\"acr\",\"amr\",\"azp\",\"sid\",\"at_hash\",\"name\",\"preferred_username\",\"email\","
        "\"groups\"],"
        "\"claims_parameter_supported\":false,"
        "\"request_parameter_supported\":false,"
        "\"request_uri_parameter_supported\":false,"
        "\"authorization_response_iss_parameter_supported\":true}");
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
