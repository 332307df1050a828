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

static void refuse_token(struct serve_request *request, unsigned status, const char *code,
                         const char *why)
{
    CLEANUP_FREE char *challenge =
        mem_printf("Bearer realm=\"drun\", error=\"%s\", error_description=\"%s\"", code, why);

    request->event.outcome = AUDIT_DENIED;
    http_answer_header(request->answer, "WWW-Authenticate", challenge);
    reply_oauth(request, status, code, why);
}

static void reply_claims(struct serve_request *request, const struct account *account,
                         const char *scope)
{
    struct span granted = span_str(scope);
    CLEANUP_JSON json_t *body = json_pack("{s:s}", "sub", account->uid);

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

/* The token of a "Bearer" header; NULL when there is none. */
static const char *bearer(const struct serve_request *request)
{
    static const char scheme[] = "Bearer ";
    const char *header = http_request_header(request->http, "Authorization");

    if (header == NULL || strncasecmp(header, scheme, strlen(scheme)) != 0)
        return NULL;
    return header + strlen(scheme);
}

void oidc_userinfo(struct idp *idp, struct serve_request *request)
{
    CLEANUP(account_free) struct account account = {0};
    CLEANUP_JSON json_t *claims = NULL;
    const char *token = bearer(request);
    struct err err = ERR_INIT;

    request->event.event = span_str("");
    if (token == NULL || check_access_token(idp, token, &claims, &err) < 0)
        refuse_token(request, 401, "invalid_token", "this is no good access token");
    else if (!oauth_scope_has(span_str(scope_of(claims)), "openid"))
        refuse_token(request, 403, "insufficient_scope", "the token has not the scope openid");
    else if (account_load_same(idp, codec_json_text(claims, "preferred_username", ""),
                               codec_json_text(claims, "sub", ""), &account, &err) < 0)
        refuse_token(request, 401, "invalid_token", "the user is not there any more");
    else
        reply_claims(request, &account, scope_of(claims));
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
