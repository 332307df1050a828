/* SPDX-License-Identifier: Apache-2.0 */
/* The token endpoint: RFC 6749 sections 4.1.3, 4.4, 6; OpenID Connect Core section 3.1.3. */
#include "idp/oauth/token.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "idp/oauth/device_grant.h"
#include "idp/oauth/logout.h"
#include "idp/oauth/oauth.h"
#include "idp/scim/scim_api.h"
#include "jose/jose.h"

void token_refuse(struct serve_request *request, const char *why)
{
    request->event.outcome = AUDIT_DENIED;
    reply_oauth(request, 400, "invalid_grant", why);
}

void token_unavailable(struct serve_request *request, const struct err *err)
{
    reply_oauth_later(request, err);
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
 * that signs users in has no rights of theirs by that. Any other token is for userinfo, or for the
 * resources that were asked for. */
static json_t *audience_of(const struct idp *idp, const struct token_grant *grant)
{
    const json_t *targets =
        grant->targets != NULL ? grant->targets : json_object_get(grant->record, "resources");

    return targets_audience(idp, targets, span_str(grant->scope));
}

static struct claims claims_of(const struct token_grant *grant, const char *subject,
                               const json_t *audiences)
{
    const struct account *account = grant->account;
    const json_t *record = grant->record;

    return (struct claims){
        .subject = subject,
        .name = account->name,
        .display = account->display,
        .email = account->email,
        .client_of = grant->client,
        .pairwise = subject_is_pairwise(grant->client),
        .groups = account->groups,
        .client = grant->client->id,
        .scope = grant->scope,
        .audiences = audiences,
        .sid = codec_json_text(record, "sid", ""),
        .nonce = grant->nonce,
        .amr = codec_json_text(record, "amr", ""),
        .auth_time = record_number(record, "authTime"),
        .binding = grant->binding,
        .ttl_sec = grant->client->access_sec,
    };
}

/* The claims parameter of the request, checked when it came; NULL for none. */
static json_t *asked_claims(const json_t *record)
{
    const char *text = codec_json_text(record, "claims", NULL);
    json_t *asked = NULL;
    struct err err = ERR_INIT;

    if (text == NULL || codec_json_parse(span_str(text), "claims", &asked, &err) < 0)
        return NULL;
    return asked;
}

/* Those of the userinfo member that the client might have by a scope; NULL for none. */
static json_t *userinfo_claims(const struct client *client, const json_t *asked)
{
    static const char *const known[][2] = {{"preferred_username", "profile"},
                                           {"name", "profile"},
                                           {"email", "email"},
                                           {"groups", "groups"}};
    const json_t *wanted = json_object_get(asked, "userinfo");
    json_t *list = NULL;

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (!claims_show(client, "", wanted, known[i][1], known[i][0]))
            continue;
        if (list == NULL)
            list = json_array();
        json_array_append_new(list, json_string(known[i][0]));
    }
    return list;
}

static void put_member(struct buf *body, const char *name, const char *value)
{
    buf_printf(body, ",\"%s\":", name);
    oauth_put_json(body, span_str(value));
}

static int put_id_token(struct idp *idp, const struct token_grant *grant,
                        const struct claims *claims, struct span access, struct buf *body,
                        struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);

    if (!oauth_scope_has(span_str(grant->scope), "openid"))
        return 0;
    TRY(claims_id_token(idp, grant->client, claims, access, &token, err));
    put_member(body, "id_token", buf_text(&token));
    return 0;
}

static int put_refresh_token(struct idp *idp, const struct token_grant *grant, struct buf *body,
                             struct err *err)
{
    const struct binding *binding = grant->client->open ? grant->binding : NULL;
    char text[REFRESH_TEXT_SIZE];

    if (grant->refresh != NULL) {
        put_member(body, "refresh_token", grant->refresh);
        return 0;
    }
    TRY(refresh_make(idp, grant->client, grant->record, binding, grant->family, text, err));
    put_member(body, "refresh_token", text);
    mem_wipe(text, sizeof(text));
    return 0;
}

static bool refresh_is_due(const struct token_grant *grant)
{
    return client_may(grant->client, "refresh_token") &&
           oauth_scope_has(span_str(grant->scope), "offline_access");
}

static int put_tokens(struct idp *idp, const struct token_grant *grant, const struct claims *claims,
                      struct token_issued *issued, struct buf *body, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf access = BUF_INIT(JOSE_TOKEN_MAX);
    struct claims own = *claims;

    if (grant->family != NULL)
        own.sid = grant->family;
    TRY(claims_access_token(idp, &own, &access, issued->jti, err));
    buf_printf(body, "{\"access_token\":\"%s\",\"token_type\":\"%s\",\"expires_in\":%u",
               buf_text(&access), binding_type(grant->binding), grant->client->access_sec);
    TRY(put_id_token(idp, grant, claims, buf_span(&access), body, err));
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
    char subject[SUBJECT_SIZE];

    TRY(subject_of(idp, grant->client, grant->account->name, grant->account->uid, subject, err));
    CLEANUP_JSON json_t *audiences = audience_of(idp, grant);
    struct claims claims = claims_of(grant, subject, audiences);
    CLEANUP_JSON json_t *asked = asked_claims(grant->record);
    CLEANUP_JSON json_t *userinfo = userinfo_claims(grant->client, asked);
    claims.wanted = json_object_get(asked, "id_token");
    claims.userinfo = userinfo;
    if (full.family == NULL && refresh_is_due(grant)) {
        TRY(claims_id(issued->family, err));
        full.family = issued->family;
    }
    TRY(logout_note(idp, claims.sid, grant->client, grant->account->name, grant->account->uid,
                    err));
    TRY(put_tokens(idp, &full, &claims, issued, &request->answer->body, err));
    reply_event(request, AUDIT_TOKEN_ISSUED, AUDIT_SOURCE_TOKEN, grant->account->name,
                grant->account->uid);
    request->event.actor.session_id = serve_keep(request, full.family ? full.family : claims.sid);
    request->event.actor.key_id = serve_keep(request, issued->jti);
    request->event.action.name = serve_keep(request, grant->client->id);
    http_answer_header(request->answer, "Pragma", "no-cache");
    reply_body(request, 200);
    return 0;
}

/* ------------------------------------------------------------------ a client's own token */

/* What an answer has beside its token, and a client's own token in it, nearly always. */
enum { ANSWER_MORE = 200, PAYLOAD_USUAL = 500 };

/* What waits for the signature; in the request's arena. */
struct own_token {
    struct idp *idp;
    struct serve_request *request;
    const char *client, *scope, *type;
    uint32_t ttl_sec;
};

/* In the batch of its answer: the client may have been disabled or deleted since it asked, and how
 * long the token may live is noted in the store. */
static int check_own(const struct own_token *own, struct err *err)
{
    const struct client *client;

    TRY(clients_get(own->idp->clients, own->client, &client, err));
    return publish_note_token(own->idp->publish, clock_wall_sec() + own->ttl_sec, err);
}

static void refuse_own(const struct own_token *own, const struct err *err)
{
    if (err->code != ERR_NOT_FOUND) {
        token_unavailable(own->request, err);
        return;
    }
    own->request->event.outcome = AUDIT_DENIED;
    reply_oauth(own->request, 401, "invalid_client", err->msg);
}

static void on_signed(void *ctx, struct span token, const struct err *failed)
{
    struct own_token *own = ctx;
    struct buf *body = &own->request->answer->body;
    struct err err = ERR_INIT;

    if (failed != NULL) {
        token_unavailable(own->request, failed);
    } else if (check_own(own, &err) < 0) {
        refuse_own(own, &err);
    } else {
        buf_expect(body, token.len + ANSWER_MORE);
        buf_put_str(body, "{\"access_token\":\"");
        buf_put_span(body, token);
        buf_printf(body, "\",\"token_type\":\"%s\",\"expires_in\":%u", own->type, own->ttl_sec);
        put_member(body, "scope", own->scope);
        buf_put_u8(body, '}');
        reply_body(own->request, 200);
    }
    serve_answered(own->request);
}

/* The subject is "client:ID": no user can have such a name. */
static int want_own_token(struct idp *idp, struct serve_request *request,
                          const struct client *client, const char *scope, const json_t *targets,
                          const struct binding *binding, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
    struct own_token *own = arena_alloc(request->http->arena, sizeof(*own));
    char subject[OAUTH_ID_MAX + 16];
    char jti[CLAIMS_ID_SIZE];

    buf_expect(&payload, PAYLOAD_USUAL);
    snprintf(subject, sizeof(subject), "client:%s", client->id);
    struct claims claims = {.subject = subject,
                            .client = client->id,
                            .scope = scope,
                            .audiences = targets == NULL ? client->audiences : targets,
                            .binding = binding,
                            .ttl_sec = client->access_sec};
    TRY(arena_check(request->http->arena, "the request", err));
    TRY(claims_put_access(idp, &claims, &payload, jti, err));
    reply_event(request, AUDIT_TOKEN_ISSUED, AUDIT_SOURCE_TOKEN, subject, "");
    request->event.actor.key_id = serve_keep(request, jti);
    *own = (struct own_token){.idp = idp,
                              .request = request,
                              .client = (const char *)serve_keep(request, client->id).p,
                              .scope = (const char *)serve_keep(request, scope).p,
                              .type = binding_type(binding),
                              .ttl_sec = client->access_sec};
    signer_sign_later(idp->signer, buf_span(&payload), on_signed, own);
    serve_later(request);
    return 0;
}

static void client_credentials(struct idp *idp, struct serve_request *request,
                               const struct client *client, const struct form *form,
                               const struct binding *binding)
{
    CLEANUP(buf_free) struct buf scope = BUF_INIT(OAUTH_SCOPE_MAX);
    CLEANUP_JSON json_t *targets = NULL;
    CLEANUP_JSON json_t *audience = NULL;
    const char *wanted = form->value[FORM_SCOPE] == NULL ? "" : form->value[FORM_SCOPE];
    struct err err = ERR_INIT;

    if (client->open) {
        reply_oauth(request, 400, "unauthorized_client", "a public client has no credentials");
        return;
    }
    if (!oauth_scope_is_valid(span_str(wanted))) {
        reply_oauth(request, 400, "invalid_scope", "the scope is malformed");
        return;
    }
    if (targets_read(idp, client, form, NULL, &targets, &err) < 0) {
        reply_oauth(request, 400, "invalid_target", err.msg);
        return;
    }
    client_put_scope(client, span_str(wanted), &scope);
    /* Asked for SCIM and not for the platform, it is good for that part alone. */
    bool narrow = oauth_scope_has(buf_span(&scope), SCIM_SCOPE) &&
                  !oauth_scope_has(buf_span(&scope), IDP_AUDIENCE);
    if (targets != NULL || narrow)
        audience =
            targets_audience(idp, targets, narrow ? buf_span(&scope) : span_str(IDP_AUDIENCE));
    if (want_own_token(idp, request, client, buf_text(&scope), audience, binding, &err) < 0)
        token_unavailable(request, &err);
}

/* ------------------------------------------------------------------ the endpoint */

static const struct grant_type {
    const char *name;
    void (*run)(struct idp *idp, struct serve_request *request, const struct client *client,
                const struct form *form, const struct binding *binding);
} grant_types[] = {
    {"authorization_code", code_exchange},
    {"refresh_token", refresh_exchange},
    {"client_credentials", client_credentials},
    {DEVICE_GRANT, device_exchange},
    {"urn:ietf:params:oauth:grant-type:token-exchange", token_exchange},
};

static const struct grant_type *find_grant(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(grant_types); i++)
        if (strcmp(name, grant_types[i].name) == 0)
            return &grant_types[i];
    return NULL;
}

void oidc_token(struct idp *idp, struct serve_request *request)
{
    struct binding binding;
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
    const struct grant_type *grant = find_grant(type);
    if (grant == NULL)
        reply_oauth(request, 400, "unsupported_grant_type", "this grant_type is not known here");
    else if (!client_may(client, type))
        reply_oauth(request, 400, "unauthorized_client", "the client may not use this grant_type");
    else if (binding_of(idp, request, client, &binding) == 0)
        grant->run(idp, request, client, &form, &binding);
}
