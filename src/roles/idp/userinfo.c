/* SPDX-License-Identifier: Apache-2.0 */
/* OpenID Connect: the claims of a user (Core section 5.3), and signing out (RP-Initiated Logout).
 */
#include "idp/idp_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "idp/oauth.h"
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

static void reply_claims(struct serve_request *request, const struct account *account,
                         const char *subject, const char *scope)
{
    struct span granted = span_str(scope);
    CLEANUP_JSON json_t *body = json_pack("{s:s}", "sub", subject);

    if (oauth_scope_has(granted, "profile")) {
        json_object_set_new(body, "preferred_username", json_string(account->name));
        if (account->display[0] != '\0')
            json_object_set_new(body, "name", json_string(account->display));
    }
    if (oauth_scope_has(granted, "email") && account->email[0] != '\0')
        json_object_set_new(body, "email", json_string(account->email));
    if (oauth_scope_has(granted, "groups"))
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
        reply_claims(request, &account, codec_json_text(claims, "sub", ""), scope_of(claims));
}

/* ------------------------------------------------------------------ signing out */

/* Asked of the user when no ID token shows that the application may end this session: any page of
 * the web could send a browser here. */
static void ask(struct serve_request *request)
{
    buf_put_str(&request->answer->body, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
                                        "<title>Sign out</title><h1>Sign out?</h1>"
                                        "<form method=\"post\" action=\"/oauth2/logout\">"
                                        "<button>Sign out</button></form></html>\n");
    http_answer_header(request->answer, "Cache-Control", "no-store");
    http_answer_header(request->answer, "Content-Security-Policy",
                       "default-src 'none'; form-action 'self'; frame-ancestors 'none'");
    serve_answer(request, 200, "text/html; charset=utf-8");
}

/* The ID token is ours and names this very session, whatever its age. */
static bool hint_fits(struct idp *idp, const char *hint, const struct session *session,
                      char client[OAUTH_ID_MAX + 1])
{
    CLEANUP(buf_free) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
    CLEANUP_JSON json_t *claims = NULL;
    struct err err = ERR_INIT;

    if (hint == NULL ||
        jose_jws_verify(signer_keys(idp->signer), span_str(hint), "JWT", &payload, &err) < 0 ||
        codec_json_parse(buf_span(&payload), "claims", &claims, &err) < 0)
        return false;
    snprintf(client, OAUTH_ID_MAX + 1, "%s", codec_json_text(claims, "aud", ""));
    return strcmp(codec_json_text(claims, "iss", ""), idp->url) == 0 &&
           strcmp(codec_json_text(claims, "sid", ""), session->id) == 0;
}

static bool may_return_to(struct idp *idp, const char *client_id, const char *uri)
{
    const struct client *client;
    const json_t *item;
    struct err err = ERR_INIT;
    size_t i;

    if (client_id[0] == '\0' || clients_get(idp->clients, client_id, &client, &err) < 0)
        return false;
    json_array_foreach (client->logouts, i, item)
        if (oauth_redirect_matches(json_string_value(item), uri))
            return true;
    return false;
}

static void go_on(struct idp *idp, struct serve_request *request, const struct form *form,
                  const char *client)
{
    CLEANUP(buf_free) struct buf uri = BUF_INIT(8192);
    const char *wanted = form->value[FORM_POST_LOGOUT_REDIRECT_URI];

    if (wanted == NULL || !may_return_to(idp, client, wanted)) {
        buf_printf(&uri, "%s/login", idp->url);
    } else {
        buf_put_str(&uri, wanted);
        if (form->value[FORM_STATE] != NULL)
            oauth_put_query(&uri, "state", form->value[FORM_STATE]);
    }
    session_drop_cookie(request);
    reply_redirect(request, buf_text(&uri));
}

void oidc_logout(struct idp *idp, struct serve_request *request)
{
    CLEANUP(session_free) struct session session = {0};
    struct form form = {0};
    char client[OAUTH_ID_MAX + 1] = "";
    bool post = strcmp(request->http->method, "POST") == 0;
    struct err err = ERR_INIT;

    request->event.event = span_str("");
    if (!post)
        http_request_each_query(request->http, form_put, &form);
    else if (request->http->body.len > 0 && form_read(request, &form) < 0)
        return;
    if (session_find(idp, request, &session, &err) < 0) {
        go_on(idp, request, &form, client);
        return;
    }
    if (!hint_fits(idp, form.value[FORM_ID_TOKEN_HINT], &session, client)) {
        if (!post) {
            ask(request);
            return;
        }
        if (!session_check_origin(idp, request))
            return;
    }
    reply_event(request, AUDIT_LOGOUT, AUDIT_SOURCE_SESSION, session.account.name,
                session.account.uid);
    request->event.actor.session_id = serve_keep(request, session.id);
    if (session_end(idp, session.id, &err) < 0)
        reply_err(request, &err);
    else
        go_on(idp, request, &form, client);
}
