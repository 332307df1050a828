/* SPDX-License-Identifier: Apache-2.0 */
/* What a token is (RFC 7662), and its end (RFC 7009). */
#include "idp/idp_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "idp/oauth.h"
#include "jose/jose.h"

/* -1 when the token is none that is good now. */
static int check(struct idp *idp, const char *token, struct auth_principal *out, struct err *err)
{
    CLEANUP_FREE char *header = mem_printf("Bearer %s", token);
    struct auth_input input = {.authorization = span_str(header), .now = clock_wall_sec()};
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

static void reply_inactive(struct serve_request *request)
{
    buf_reset(&request->answer->body);
    buf_put_str(&request->answer->body, "{\"active\":false}");
    reply_body(request, 200);
}

/* The signature was checked; what auth has no use for is read from the token itself. */
static void put_claims(struct buf *body, const char *token)
{
    static const char *const copied[] = {"scope", "aud", "iss", "iat"};
    CLEANUP_JSON json_t *claims = NULL;
    struct err err = ERR_INIT;

    if (jose_jwt_peek(span_str(token), &claims, &err) < 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
        const json_t *value = json_object_get(claims, copied[i]);
        if (value == NULL)
            continue;
        buf_printf(body, ",\"%s\":", copied[i]);
        codec_json_put(value, body);
    }
}

static bool introspect_access(struct idp *idp, struct serve_request *request, const char *token)
{
    struct auth_principal principal;
    struct buf *body = &request->answer->body;
    struct err err = ERR_INIT;

    if (check(idp, token, &principal, &err) < 0 || principal.source == AUTH_NOBODY)
        return false;
    buf_put_str(body, "{\"active\":true,\"token_type\":\"Bearer\"");
    if (principal.expires_at > 0)
        buf_printf(body, ",\"exp\":%lld", (long long)principal.expires_at);
    put_text(body, "sub", auth_text(&principal, principal.uid));
    put_text(body, "username", auth_text(&principal, principal.name));
    put_text(body, "client_id", auth_text(&principal, principal.client));
    put_text(body, "jti", auth_text(&principal, principal.credential));
    put_text(body, "sid", auth_text(&principal, principal.session));
    if (principal.source != AUTH_API_KEY)
        put_claims(body, token);
    buf_put_u8(body, '}');
    reply_body(request, 200);
    return true;
}

static bool introspect_refresh(struct idp *idp, struct serve_request *request,
                               const struct client *client, const char *token)
{
    CLEANUP_JSON json_t *record = NULL;
    char family[CLAIMS_ID_SIZE];
    bool is_current = false;
    struct buf *body = &request->answer->body;
    struct err err = ERR_INIT;

    if (refresh_find(idp, token, &record, family, &is_current, &err) < 0 || !is_current ||
        record_number(record, "until") <= clock_wall_sec() ||
        strcmp(codec_json_text(record, "client", ""), client->id) != 0)
        return false;
    buf_printf(body, "{\"active\":true,\"exp\":%lld", (long long)record_number(record, "until"));
    put_text(body, "sub", span_str(codec_json_text(record, "uid", "")));
    put_text(body, "username", span_str(codec_json_text(record, "user", "")));
    put_text(body, "client_id", span_str(client->id));
    put_text(body, "scope", span_str(codec_json_text(record, "scope", "")));
    buf_put_u8(body, '}');
    reply_body(request, 200);
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
    if (!introspect_access(idp, request, token) && !introspect_refresh(idp, request, client, token))
        reply_inactive(request);
}

/* ------------------------------------------------------------------ revocation */

static int revoke_refresh(struct idp *idp, const struct client *client, const char *token,
                          struct err *err)
{
    CLEANUP_JSON json_t *record = NULL;
    char family[CLAIMS_ID_SIZE];
    bool is_current = false;

    if (refresh_find(idp, token, &record, family, &is_current, err) < 0)
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
    struct auth_principal principal;

    if (strlen(token) == REFRESH_TEXT_SIZE - 1)
        return revoke_refresh(idp, client, token, err);
    if (strncmp(token, "eyJ", 3) != 0 || check(idp, token, &principal, err) < 0 ||
        !span_eq_str(auth_text(&principal, principal.client), client->id))
        return 0;
    return publish_revoke_token(idp->publish,
                                (const char *)auth_text(&principal, principal.credential).p, err);
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
        reply_retry_after(request, 1);
        reply_oauth(request, 503, "temporarily_unavailable", err.msg);
    } else {
        reply_empty(request, 200);
    }
}
