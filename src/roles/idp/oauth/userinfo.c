/* SPDX-License-Identifier: Apache-2.0 */
/* OpenID Connect: the claims of a user (Core section 5.3). */
#include "idp/idp_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "idp/oauth/oauth.h"
#include "jose/jose.h"

/* ------------------------------------------------------------------ userinfo */

static const char *scope_of(const json_t *claims)
{
    return codec_json_text(claims, "scope", "");
}

/* The token of a "Bearer" or "DPoP" header; NULL when there is none. */
static const char *token_of(const struct serve_request *request, bool *with_proof)
{
    const char *header = http_request_header(request->http, "Authorization");

    *with_proof = header != NULL && strncasecmp(header, "DPoP ", 5) == 0;
    if (*with_proof)
        return header + 5;
    return header != NULL && strncasecmp(header, "Bearer ", 7) == 0 ? header + 7 : NULL;
}

static void refuse_token(struct serve_request *request, unsigned status, const char *code,
                         const char *why)
{
    bool with_proof;
    (void)token_of(request, &with_proof);
    CLEANUP_FREE char *challenge =
        mem_printf("%s realm=\"drun\", error=\"%s\"%s", with_proof ? "DPoP" : "Bearer", code,
                   with_proof ? ", algs=\"ES256 Ed25519 EdDSA RS256\"" : "");

    request->event.outcome = AUDIT_DENIED;
    http_answer_header(request->answer, "WWW-Authenticate", challenge);
    reply_oauth(request, status, code, why);
}

/* By the scope, or because it was asked for by name (OpenID Connect Core section 5.5). */
static bool may_tell(const json_t *token, const char *scope, const char *claim)
{
    const json_t *item;
    size_t i;

    if (oauth_scope_has(span_str(scope_of(token)), scope))
        return true;
    json_array_foreach (json_object_get(token, "userinfo"), i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), claim) == 0)
            return true;
    return false;
}

static void tell(json_t *body, const json_t *token, const char *scope, const char *claim,
                 const char *value)
{
    if (value[0] != '\0' && may_tell(token, scope, claim))
        json_object_set_new(body, claim, json_string(value));
}

static void reply_claims(struct serve_request *request, const struct account *account,
                         const json_t *token)
{
    CLEANUP_JSON json_t *body = json_pack("{s:s}", "sub", codec_json_text(token, "sub", ""));

    tell(body, token, "profile", "preferred_username", account->name);
    tell(body, token, "profile", "name", account->display);
    tell(body, token, "email", "email", account->email);
    if (may_tell(token, "groups", "groups"))
        json_object_set(body, "groups", account->groups);
    reply_json(request, 200, body);
}

/* It must be for the platform or for its issuer, not for another resource of the client. */
static bool is_for_us(const struct idp *idp, const json_t *claims)
{
    const json_t *audience = json_object_get(claims, "aud");
    const char *text = json_string_value(audience);

    return text != NULL && (strcmp(text, idp->url) == 0 || strcmp(text, IDP_AUDIENCE) == 0);
}

static int check_token(struct idp *idp, struct serve_request *request, json_t **claims,
                       struct err *err)
{
    bool with_proof;
    const char *token = token_of(request, &with_proof);

    if (token == NULL)
        return err_set(err, ERR_UNAUTHENTICATED, "there is no access token");
    TRY(check_access_token(idp, token, claims, err));
    TRY(binding_check_token(idp, request, token, *claims, with_proof, err));
    if (!is_for_us(idp, *claims))
        return err_set(err, ERR_UNAUTHENTICATED, "the token is for another resource");
    return 0;
}

void oidc_userinfo(struct idp *idp, struct serve_request *request)
{
    CLEANUP(account_free) struct account account = {0};
    CLEANUP_JSON json_t *claims = NULL;
    struct err err = ERR_INIT;

    request->event.event = span_str("");
    if (check_token(idp, request, &claims, &err) < 0)
        refuse_token(request, 401, "invalid_token", err.msg);
    else if (!oauth_scope_has(span_str(scope_of(claims)), "openid"))
        refuse_token(request, 403, "insufficient_scope", "the token has not the scope openid");
    else if (check_account(idp, claims, &account, &err) < 0)
        refuse_token(request, 401, "invalid_token", "the user is not there any more");
    else
        reply_claims(request, &account, claims);
}
