/* SPDX-License-Identifier: Apache-2.0 */
/* The end of sessions that came from a provider: ours, there; theirs, here (OpenID Connect
 * RP-Initiated Logout and Back-Channel Logout). */
#include "idp/federation/federation.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "idp/oauth/oauth.h"
#include "idp/oauth/remote_keys.h"

enum { HINT_MAX = 4096, TOKEN_AGE_SEC = 300 };

/* ------------------------------------------------------------------ what is noted */

int federation_note_session(struct idp *idp, const char *sid, const json_t *signin, struct err *err)
{
    const json_t *outside = json_object_get(signin, "outside");

    if (outside == NULL)
        return 0;
    CLEANUP_JSON json_t *record = json_deep_copy(outside);
    CLEANUP_FREE char *term = mem_printf("provider=%s", codec_json_text(outside, "provider", ""));
    json_object_set_new(record, "until", json_integer(clock_wall_sec() + IDP_SESSION_MAX_SEC));
    if (strlen(codec_json_text(record, "idToken", "")) > HINT_MAX)
        json_object_del(record, "idToken");
    return record_put(idp, FEDERATION_SESSIONS, sid, record, term, err);
}

int federation_forget_session(struct idp *idp, const char *sid, struct err *err)
{
    return record_delete(idp, FEDERATION_SESSIONS, sid, err);
}

/* ------------------------------------------------------------------ all of a provider */

static int end_one(void *ctx, const char *sid, const json_t *record UNUSED, struct err *err)
{
    return session_end(ctx, sid, err);
}

int federation_end_sessions(struct idp *idp, const char *provider, struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("provider=%s", provider);

    return record_each(idp, FEDERATION_SESSIONS, term, end_one, idp, err);
}

/* ------------------------------------------------------------------ out there, too */

void federation_logout_url(struct idp *idp, const char *sid, struct buf *out)
{
    CLEANUP(provider_free) struct provider provider = {.name = ""};
    CLEANUP_JSON json_t *record = NULL;
    CLEANUP_FREE char *back = mem_printf("%s/login", idp->url);
    struct err err = ERR_INIT;

    if (record_get(idp, FEDERATION_SESSIONS, sid, &record, &err) < 0 ||
        provider_load(idp, codec_json_text(record, "provider", ""), &provider, &err) < 0 ||
        !json_is_true(json_object_get(provider.oidc, "logout")))
        return;
    const json_t *doc = metadata_now(idp->federation, &provider);
    const char *end = codec_json_text(doc, "end_session_endpoint", "");
    const char *hint = codec_json_text(record, "idToken", "");
    if (strncmp(end, "https://", 8) != 0)
        return;
    buf_put_str(out, end);
    oauth_put_query(out, "client_id", codec_json_text(provider.oidc, "clientId", ""));
    oauth_put_query(out, "post_logout_redirect_uri", back);
    if (hint[0] != '\0')
        oauth_put_query(out, "id_token_hint", hint);
}

/* ------------------------------------------------------------------ from there */

struct told {
    struct idp *idp;
    const char *subject, *sid; /* "" for not said */
};

static int end_if_meant(void *ctx, const char *sid, const json_t *record, struct err *err)
{
    const struct told *told = ctx;
    const char *theirs = codec_json_text(record, "sid", "");
    bool fits = told->sid[0] != '\0'
                    ? strcmp(theirs, told->sid) == 0
                    : strcmp(codec_json_text(record, "subject", ""), told->subject) == 0;

    return fits ? session_end(told->idp, sid, err) : 0;
}

/* Section 2.6: an event, no nonce, somebody who is meant. */
static int check_claims(const json_t *claims, struct err *err)
{
    const json_t *event =
        codec_json_at(claims, "events", "http://schemas.openid.net/event/backchannel-logout", NULL);
    int64_t now = clock_wall_sec();
    int64_t iat = record_number(claims, "iat");

    if (!json_is_object(event) || json_object_get(claims, "nonce") != NULL)
        return err_set(err, ERR_INVALID, "this is no logout token");
    if (codec_json_text(claims, "jti", "")[0] == '\0' || iat < now - TOKEN_AGE_SEC)
        return err_set(err, ERR_INVALID, "the logout token has no jti, or is too old");
    if (codec_json_text(claims, "sub", "")[0] == '\0' &&
        codec_json_text(claims, "sid", "")[0] == '\0')
        return err_set(err, ERR_INVALID, "the logout token names neither sub nor sid");
    return 0;
}

static int use_up(struct idp *idp, const struct provider *provider, const json_t *claims,
                  struct err *err)
{
    CLEANUP_FREE char *text =
        mem_printf("logout %s %s", provider->uid, codec_json_text(claims, "jti", ""));
    CLEANUP_JSON json_t *record =
        json_pack("{s:I}", "until", (json_int_t)(clock_wall_sec() + 2 * TOKEN_AGE_SEC));
    char id[IDP_ID_SIZE];

    idp_id_of(text, id);
    if (record_put_new(idp, GRANT_USED, id, record, err) == 0)
        return 0;
    return err->code == ERR_EXISTS ? err_set(err, ERR_INVALID, "the logout token was used before")
                                   : -1;
}

static int verify(struct idp *idp, const struct provider *provider, const char *token,
                  json_t **claims, struct err *err)
{
    const json_t *doc = metadata_now(idp->federation, provider);
    const struct jose_keys *keys;
    struct egress_endpoint endpoint = provider_egress(provider);
    struct remote_source source = {.owner = provider->endpoint,
                                   .uri = codec_json_text(doc, "jwks_uri", ""),
                                   .ca_pem = codec_json_text(provider->spec, "ca", ""),
                                   .private_network = endpoint.private_network};
    struct jose_expect expect = {.issuer = codec_json_text(provider->oidc, "issuer", ""),
                                 .audience = codec_json_text(provider->oidc, "clientId", ""),
                                 .now = clock_wall_sec(),
                                 .skew_sec = AUTH_SKEW_SEC};

    if (doc == NULL)
        return err_set(err, ERR_UNAVAILABLE, "the provider's metadata are not there yet");
    TRY(remote_keys_find(idp->remote_keys, &source, token, &keys, err));
    TRY(jose_jwt_verify(keys, span_str(token), &expect, claims, err));
    TRY(check_claims(*claims, err));
    return use_up(idp, provider, *claims, err);
}

static void take_field(void *ctx, const char *name, const char *value)
{
    const char **token = ctx;

    if (strcmp(name, "logout_token") == 0)
        *token = value;
}

static void ignore_metadata(void *ctx UNUSED, const json_t *doc UNUSED,
                            const struct err *why UNUSED)
{
}

void federation_backchannel(struct idp *idp, struct serve_request *request,
                            const struct provider *provider)
{
    CLEANUP_JSON json_t *claims = NULL;
    CLEANUP_FREE char *term = mem_printf("provider=%s", provider->name);
    const char *token = NULL;
    struct err err = ERR_INIT;

    reply_event(request, AUDIT_LOGOUT, AUDIT_SOURCE_NONE, provider->endpoint, "");
    if (http_request_each_form(request->http, take_field, &token, &err) < 0 || token == NULL) {
        reply_oauth(request, 400, "invalid_request", "there is no logout_token");
        return;
    }
    if (metadata_now(idp->federation, provider) == NULL &&
        metadata_fetch(idp->federation, provider, ignore_metadata, NULL, &err) < 0)
        err_clear(&err);
    if (verify(idp, provider, token, &claims, &err) == 0) {
        struct told told = {.idp = idp,
                            .subject = codec_json_text(claims, "sub", ""),
                            .sid = codec_json_text(claims, "sid", "")};
        if (record_each(idp, FEDERATION_SESSIONS, term, end_if_meant, &told, &err) == 0) {
            reply_empty(request, 200);
            return;
        }
    }
    request->event.outcome = AUDIT_DENIED;
    if (err.code == ERR_UNAVAILABLE)
        reply_err(request, &err); /* 503: it comes again */
    else
        reply_oauth(request, 400, "invalid_request", err.msg);
}
