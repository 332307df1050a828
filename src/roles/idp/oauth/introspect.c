/* SPDX-License-Identifier: Apache-2.0 */
/* What a token is (RFC 7662), and its end (RFC 7009). */
#include "idp/idp_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "idp/oauth/oauth.h"
#include "jose/jose.h"

static int check_key(struct idp *idp, const char *text, struct auth_principal *out, struct err *err)
{
    CLEANUP_FREE char *header = mem_printf("Bearer %s", text);
    struct auth_input input = {
        .authorization = span_str(header), .now = clock_wall_sec(), .only_looking = true};
    int result = auth_check(idp->auth, &input, out, err);

    mem_wipe(header, strlen(header));
    return result;
}

static void put_text(struct buf *body, const char *name, struct span text)
{
    if (text.len == 0)
        return;
    buf_printf(body, ",\"%s\":", name);
    oauth_put_json(body, text);
}

/* ------------------------------------------------------------------ introspection */

/* RFC 9701: the answer as a JWT, for resource servers that must be able to show it later. */
static int sign_answer(struct idp *idp, struct serve_request *request, const struct client *client,
                       struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
    struct buf *body = &request->answer->body;
    const char *alg = client_text(client, "introspectionSignedResponseAlg");

    buf_printf(&payload, "{\"iat\":%lld", (long long)clock_wall_sec());
    put_text(&payload, "iss", span_str(idp->url));
    put_text(&payload, "aud", span_str(client->id));
    buf_put_str(&payload, ",\"token_introspection\":");
    buf_put_span(&payload, buf_span(body));
    buf_put_u8(&payload, '}');
    buf_reset(body);
    TRY(buf_check(&payload, "the answer", err));
    return signer_sign(idp->signer, sign_alg_by_name(span_str(alg[0] == '\0' ? "RS256" : alg)),
                       "token-introspection+jwt", buf_span(&payload), body, err);
}

static void reply_introspection(struct idp *idp, struct serve_request *request,
                                const struct client *client)
{
    static const char jwt[] = "application/token-introspection+jwt";
    const char *accept = http_request_header(request->http, "Accept");
    struct err err = ERR_INIT;

    if (accept == NULL || strstr(accept, jwt) == NULL) {
        reply_body(request, 200);
    } else if (sign_answer(idp, request, client, &err) < 0) {
        reply_oauth_later(request, &err);
    } else {
        http_answer_header(request->answer, "Cache-Control", "no-store");
        serve_answer(request, 200, jwt);
    }
}

static bool introspect_key(struct idp *idp, struct serve_request *request, const char *text)
{
    struct auth_principal principal;
    struct buf *body = &request->answer->body;
    struct err err = ERR_INIT;

    if (check_key(idp, text, &principal, &err) < 0)
        return false;
    buf_put_str(body, "{\"active\":true");
    if (principal.expires_at > 0)
        buf_printf(body, ",\"exp\":%lld", (long long)principal.expires_at);
    put_text(body, "sub", auth_text(&principal, principal.uid));
    put_text(body, "username", auth_text(&principal, principal.name));
    put_text(body, "jti", auth_text(&principal, principal.credential));
    buf_put_u8(body, '}');
    return true;
}

static bool introspect_access(struct idp *idp, struct serve_request *request, const char *token)
{
    static const char *const copied[] = {"iss", "sub",       "aud",       "exp",   "iat",
                                         "jti", "sid",       "client_id", "scope", "cnf",
                                         "acr", "auth_time", "act"};
    struct buf *body = &request->answer->body;
    CLEANUP_JSON json_t *claims = NULL;
    struct err err = ERR_INIT;

    if (check_access_token(idp, token, &claims, &err) < 0)
        return false;
    buf_printf(body, "{\"active\":true,\"token_type\":\"%s\"",
               codec_json_at(claims, "cnf", "jkt", NULL) == NULL ? "Bearer" : "DPoP");
    put_text(body, "username",
             span_str(codec_json_text(claims, "preferred_username",
                                      codec_json_text(claims, "sub", ""))));
    for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
        const json_t *value = json_object_get(claims, copied[i]);
        if (value == NULL)
            continue;
        buf_printf(body, ",\"%s\":", copied[i]);
        codec_json_put(value, body);
    }
    buf_put_u8(body, '}');
    return true;
}

static bool introspect_refresh(struct idp *idp, struct serve_request *request,
                               const struct client *client, const char *token)
{
    CLEANUP_JSON json_t *record = NULL;
    char family[CLAIMS_ID_SIZE];
    enum refresh_age age;
    struct buf *body = &request->answer->body;
    struct err err = ERR_INIT;

    if (refresh_find(idp, token, &record, family, &age, &err) < 0 || age == REFRESH_OLD ||
        record_number(record, "until") <= clock_wall_sec() ||
        strcmp(codec_json_text(record, "client", ""), client->id) != 0)
        return false;
    buf_printf(body, "{\"active\":true,\"exp\":%lld", (long long)record_number(record, "until"));
    put_text(body, "sub", span_str(codec_json_text(record, "uid", "")));
    put_text(body, "username", span_str(codec_json_text(record, "user", "")));
    put_text(body, "client_id", span_str(client->id));
    put_text(body, "scope", span_str(codec_json_text(record, "scope", "")));
    buf_put_u8(body, '}');
    return true;
}

void oidc_introspect(struct idp *idp, struct serve_request *request)
{
    struct form form;

    request->event.event = span_str("");
    if (form_read(request, &form) < 0)
        return;
    const struct client *client = client_of(idp, request, &form);
    if (client == NULL)
        return;
    /* Looking changes nothing, and resource servers look often; a refusal is worth a record. */
    request->event.event = span_str("");
    const char *token = form.value[FORM_TOKEN];
    if (client->open) {
        reply_oauth(request, 401, "invalid_client", "a public client may not introspect tokens");
        return;
    }
    if (token == NULL) {
        reply_oauth(request, 400, "invalid_request", "there is no token");
        return;
    }
    bool known = strncmp(token, AUTH_KEY_PREFIX, strlen(AUTH_KEY_PREFIX)) == 0
                     ? introspect_key(idp, request, token)
                     : introspect_access(idp, request, token) ||
                           introspect_refresh(idp, request, client, token);
    if (!known) {
        buf_reset(&request->answer->body);
        buf_put_str(&request->answer->body, "{\"active\":false}");
    }
    reply_introspection(idp, request, client);
}

/* ------------------------------------------------------------------ revocation */

static int revoke_refresh(struct idp *idp, const struct client *client, const char *token,
                          struct err *err)
{
    CLEANUP_JSON json_t *record = NULL;
    char family[CLAIMS_ID_SIZE];
    enum refresh_age age;

    if (refresh_find(idp, token, &record, family, &age, err) < 0)
        return err->code == ERR_NOT_FOUND ? 0 : -1;
    if (strcmp(codec_json_text(record, "client", ""), client->id) != 0)
        return 0;
    return refresh_end(idp, family, err);
}

/* An invalid token is revoked already; another client's is none of this one's business (RFC 7009
 * section 2.1). */
static int revoke_any(struct idp *idp, const struct client *client, const char *token,
                      struct err *err)
{
    CLEANUP_JSON json_t *claims = NULL;

    if (strlen(token) == REFRESH_TEXT_SIZE - 1)
        return revoke_refresh(idp, client, token, err);
    if (check_access_token(idp, token, &claims, err) < 0 ||
        strcmp(codec_json_text(claims, "client_id", ""), client->id) != 0)
        return 0;
    return publish_revoke_token(idp->publish, codec_json_text(claims, "jti", ""), err);
}

void oidc_revoke(struct idp *idp, struct serve_request *request)
{
    struct form form;
    struct err err = ERR_INIT;

    request->event.event = span_str(AUDIT_TOKEN_REVOKED);
    if (form_read(request, &form) < 0)
        return;
    const struct client *client = client_of(idp, request, &form);
    request->event.event = span_str(AUDIT_TOKEN_REVOKED);
    if (client == NULL)
        return;
    if (form.value[FORM_TOKEN] == NULL) {
        reply_oauth(request, 400, "invalid_request", "there is no token");
    } else if (revoke_any(idp, client, form.value[FORM_TOKEN], &err) < 0) {
        reply_oauth_later(request, &err);
    } else {
        reply_empty(request, 200);
    }
}
