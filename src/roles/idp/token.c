/* SPDX-License-Identifier: Apache-2.0 */
/* The token endpoint: RFC 6749 sections 4.1.3, 4.4, 6; OpenID Connect Core section 3.1.3. */
#include "idp/token.h"

#include "base/mem.h"
#include "idp/oauth.h"
#include "jose/jose.h"

void token_refuse(struct serve_request *request, const char *why)
{
    request->event.outcome = AUDIT_DENIED;
    reply_oauth(request, 400, "invalid_grant", why);
}

void token_unavailable(struct serve_request *request, const struct err *err)
{
    reply_retry_after(request, 1);
    reply_oauth(request, 503, "temporarily_unavailable", err->msg);
}

void token_fail(struct serve_request *request, const struct err *err)
{
    if (err->code == ERR_NOT_FOUND || err->code == ERR_DENIED)
        token_refuse(request, "the user is not there any more, or disabled");
    else
        token_unavailable(request, err);
}

/* ------------------------------------------------------------------ a user's tokens */

/* Only who was granted the scope "drun" gets a token that the platform itself takes: an application
 * that signs users in has no rights of theirs by that. Any other token is for userinfo. */
static struct claims claims_of(const struct idp *idp, const struct token_grant *grant)
{
    const struct account *account = grant->account;
    struct span scope = span_str(grant->scope);

    return (struct claims){
        .subject = account->uid,
        .name = account->name,
        .display = account->display,
        .email = oauth_scope_has(scope, "email") ? account->email : NULL,
        .groups = account->groups,
        .client = grant->client->id,
        .scope = grant->scope,
        .audience = oauth_scope_has(scope, IDP_AUDIENCE) ? IDP_AUDIENCE : idp->url,
        .sid = grant->sid,
        .nonce = grant->nonce,
        .amr = grant->amr,
        .auth_time = grant->auth_time,
        .ttl_sec = grant->client->access_sec,
    };
}

static void put_member(struct buf *body, const char *name, const char *value)
{
    buf_printf(body, ",\"%s\":", name);
    oauth_put_json(body, span_str(value));
}

static int put_id_token(struct idp *idp, const struct token_grant *grant, struct span access,
                        struct buf *body, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    struct claims claims = claims_of(idp, grant);

    if (!oauth_scope_has(span_str(grant->scope), "openid"))
        return 0;
    TRY(claims_id_token(idp, &claims, access, &token, err));
    put_member(body, "id_token", buf_text(&token));
    return 0;
}

static int put_refresh_token(struct idp *idp, const struct token_grant *grant, struct buf *body,
                             struct err *err)
{
    char text[REFRESH_TEXT_SIZE];
    struct refresh_grant family = {
        .client = grant->client->id,
        .user = grant->account->name,
        .uid = grant->account->uid,
        .scope = grant->scope,
        .sid = grant->sid,
        .amr = grant->amr,
        .auth_time = grant->auth_time,
        .ttl_sec = grant->client->refresh_sec,
    };

    if (grant->refresh != NULL) {
        put_member(body, "refresh_token", grant->refresh);
        return 0;
    }
    TRY(refresh_make(idp, &family, grant->family, text, err));
    put_member(body, "refresh_token", text);
    mem_wipe(text, sizeof(text));
    return 0;
}

static bool refresh_is_due(const struct token_grant *grant)
{
    return client_may(grant->client, "refresh_token") &&
           oauth_scope_has(span_str(grant->scope), "offline_access");
}

static int put_tokens(struct idp *idp, const struct token_grant *grant, struct token_issued *issued,
                      struct buf *body, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf access = BUF_INIT(JOSE_TOKEN_MAX);
    struct claims claims = claims_of(idp, grant);

    if (grant->family != NULL)
        claims.sid = grant->family;
    TRY(claims_access_token(idp, &claims, &access, issued->jti, err));
    buf_printf(body, "{\"access_token\":\"%s\",\"token_type\":\"Bearer\",\"expires_in\":%u",
               buf_text(&access), grant->client->access_sec);
    TRY(put_id_token(idp, grant, buf_span(&access), body, err));
    if (grant->family != NULL)
        TRY(put_refresh_token(idp, grant, body, err));
    put_member(body, "scope", grant->scope);
    buf_put_u8(body, '}');
    return 0;
}

int token_issue(struct idp *idp, struct serve_request *request, const struct token_grant *grant,
                struct token_issued *issued, struct err *err)
{
    struct token_grant full = *grant;

    if (full.family == NULL && refresh_is_due(grant)) {
        TRY(claims_id(issued->family, err));
        full.family = issued->family;
    }
    TRY(put_tokens(idp, &full, issued, &request->answer->body, err));
    reply_event(request, AUDIT_TOKEN_ISSUED, AUDIT_SOURCE_TOKEN, grant->account->name,
                grant->account->uid);
    request->event.actor.session_id = serve_keep(request, full.family ? full.family : full.sid);
    request->event.action.name = serve_keep(request, grant->client->id);
    http_answer_header(request->answer, "Pragma", "no-cache");
    reply_body(request, 200);
    return 0;
}

/* ------------------------------------------------------------------ a client's own token */

/* The subject is "client:ID": no user can have such a name. */
static void client_credentials(struct idp *idp, struct serve_request *request,
                               const struct client *client, const struct form *form)
{
    CLEANUP(buf_free_wiped) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    CLEANUP(buf_free) struct buf scope = BUF_INIT(OAUTH_SCOPE_MAX);
    const char *wanted = form->value[FORM_SCOPE] == NULL ? "" : form->value[FORM_SCOPE];
    struct buf *body = &request->answer->body;
    char subject[OAUTH_ID_MAX + 16];
    char jti[CLAIMS_ID_SIZE];
    struct err err = ERR_INIT;

    if (client->open) {
        reply_oauth(request, 400, "unauthorized_client", "a public client has no credentials");
        return;
    }
    if (!oauth_scope_is_valid(span_str(wanted))) {
        reply_oauth(request, 400, "invalid_scope", "the scope is malformed");
        return;
    }
    client_put_scope(client, span_str(wanted), &scope);
    snprintf(subject, sizeof(subject), "client:%s", client->id);
    struct claims claims = {.subject = subject,
                            .client = client->id,
                            .scope = buf_text(&scope),
                            .audiences = client->audiences,
                            .ttl_sec = client->access_sec};
    if (claims_access_token(idp, &claims, &token, jti, &err) < 0) {
        token_unavailable(request, &err);
        return;
    }
    buf_printf(body, "{\"access_token\":\"%s\",\"token_type\":\"Bearer\",\"expires_in\":%u",
               buf_text(&token), client->access_sec);
    put_member(body, "scope", buf_text(&scope));
    buf_put_u8(body, '}');
    reply_event(request, AUDIT_TOKEN_ISSUED, AUDIT_SOURCE_TOKEN, subject, "");
    reply_body(request, 200);
}

/* ------------------------------------------------------------------ the endpoint */

static const struct grant_type {
    const char *name;
    void (*run)(struct idp *idp, struct serve_request *request, const struct client *client,
                const struct form *form);
} grant_types[] = {
    {"authorization_code", code_exchange},
    {"refresh_token", refresh_exchange},
    {"client_credentials", client_credentials},
};

void oidc_token(struct idp *idp, struct serve_request *request)
{
    struct form form;

    request->event.event = span_str(AUDIT_TOKEN_ISSUED);
    if (form_read(request, &form) < 0)
        return;
    const struct client *client = client_of(idp, request, &form);
    if (client == NULL)
        return;
    const char *type = form.value[FORM_GRANT_TYPE];
    if (type == NULL) {
        reply_oauth(request, 400, "invalid_request", "there is no grant_type");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(grant_types); i++) {
        if (strcmp(type, grant_types[i].name) != 0)
            continue;
        if (client_may(client, type))
            grant_types[i].run(idp, request, client, &form);
        else
            reply_oauth(request, 400, "unauthorized_client",
                        "the client may not use this grant_type");
        return;
    }
    reply_oauth(request, 400, "unsupported_grant_type", "this grant_type is not known here");
}
