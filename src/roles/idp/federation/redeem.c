/* SPDX-License-Identifier: Apache-2.0 */
/* Our own talk with an OpenID Connect provider: the code for an ID token, the keys that it is
 * checked with, userinfo where that is wanted; and then the user. */
#include "idp/federation/flow.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "idp/oauth/oauth.h"
#include "idp/oauth/remote_keys.h"

enum { FORM_MAX = 8192, HEADER_MAX = EGRESS_HEADER_MAX };

static int finish(struct flow *flow, struct err *err);

static void end_with(struct flow *flow, const struct err *err)
{
    flow_fail_err(flow, err);
    flow_end(flow);
}

/* ------------------------------------------------------------------ the user */

static bool says_mfa(const json_t *claims)
{
    const json_t *word;
    size_t i;

    json_array_foreach (json_object_get(claims, "amr"), i, word)
        if (json_is_string(word) && strcmp(json_string_value(word), "mfa") == 0)
            return true;
    return false;
}

static int read_person(const struct flow *flow, struct outside *out, struct err *err)
{
    CLEANUP_JSON json_t *claims = json_deep_copy(flow->claims);
    const char *subject = codec_json_text(flow->claims, "sub", "");
    bool mfa =
        json_is_true(json_object_get(flow->provider.oidc, "trustMfa")) && says_mfa(flow->claims);

    /* What is signed counts more than what is not. */
    json_object_update_missing(claims, flow->userinfo);
    if (subject[0] == '\0' || strlen(subject) >= sizeof(out->person.subject))
        return err_set(err, ERR_DENIED, "the ID token has no subject of at most 255 characters");
    snprintf(out->person.subject, sizeof(out->person.subject), "%s", subject);
    out->provider = &flow->provider;
    out->issuer = codec_json_text(flow->provider.oidc, "issuer", "");
    out->amr = mfa ? "fed mfa" : "fed";
    out->sid = codec_json_text(flow->claims, "sid", "");
    out->id_token =
        json_is_true(json_object_get(flow->provider.oidc, "logout")) ? flow->id_token : "";
    return mapping_run(flow->provider.spec, claims, &out->person, err);
}

/* Whoever began to link must still be here. */
static int link_account(const struct flow *flow, const struct outside *outside, struct err *err)
{
    CLEANUP(session_free) struct session session = {0};

    TRY(session_find(flow->idp, flow->request, &session, err));
    if (strcmp(session.account.uid, codec_json_text(flow->record, "linkUid", "")) != 0)
        return err_set(err, ERR_DENIED, "you are not the user any more who began this");
    TRY(people_link(flow->idp, outside, &session.account, NULL, err));
    reply_event(flow->request, "drun.auth.link", AUDIT_SOURCE_SESSION, session.account.name,
                session.account.uid);
    return 0;
}

/* The answer of a sign-in is for a script; here a browser is on its way. */
static void send_on(const struct flow *flow)
{
    struct serve_request *request = flow->request;
    const char *back = codec_json_text(flow->record, "return", "/");
    CLEANUP(buf_free) struct buf uri = BUF_INIT(32 * 1024);

    if (request->answer->status == 200) {
        buf_put_str(&uri, "/login");
        oauth_put_query(&uri, "return", back);
    } else {
        buf_put_str(&uri, back);
    }
    buf_reset(&request->answer->body);
    http_answer_header(request->answer, "Location", buf_text(&uri));
    http_answer_header(request->answer, "Referrer-Policy", "no-referrer");
    serve_answer(request, 302, NULL);
}

static int finish(struct flow *flow, struct err *err)
{
    struct outside outside = {.provider = NULL};
    int result = ticket_use_up(flow, err);
    if (result == 0)
        result = read_person(flow, &outside, err);
    bool links = json_object_get(flow->record, "linkUid") != NULL;

    if (result == 0)
        result = links ? link_account(flow, &outside, err)
                       : people_sign_in(flow->idp, flow->request, &outside, err);
    person_free(&outside.person);
    TRY(result);
    if (links)
        reply_empty(flow->request, 204);
    send_on(flow);
    return 0;
}

/* ------------------------------------------------------------------ userinfo */

/* OpenID Connect Core section 5.3.2: without the same subject it is about somebody else. */
static int take_userinfo(struct flow *flow, const struct egress_answer *answer, struct err *err)
{
    if (answer->status != 200)
        return err_set(err, ERR_DENIED, "userinfo is answered with %u", answer->status);
    TRY(codec_json_parse(answer->body, "userinfo", &flow->userinfo, err));
    if (strcmp(codec_json_text(flow->userinfo, "sub", ""),
               codec_json_text(flow->claims, "sub", "?")) != 0)
        return err_set(err, ERR_DENIED, "userinfo is about somebody else");
    return finish(flow, err);
}

static void on_userinfo(void *ctx, const struct egress_answer *answer, const struct err *why)
{
    struct flow *flow = ctx;
    struct err err = ERR_INIT;

    if (why != NULL)
        flow_fail_err(flow, why);
    else if (take_userinfo(flow, answer, &err) < 0)
        flow_fail_err(flow, &err);
    flow_end(flow);
}

static int ask_userinfo(struct flow *flow, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf header = BUF_INIT(HEADER_MAX);
    const char *headers[] = {NULL, "Accept: application/json", NULL};
    struct egress_request request = {.endpoint = provider_egress(&flow->provider),
                                     .method = "GET",
                                     .url = flow->userinfo_endpoint,
                                     .headers = headers};

    buf_printf(&header, "Authorization: Bearer %s", flow->access_token);
    TRY(buf_check(&header, "the access token", err));
    headers[0] = buf_text(&header);
    return egress_fetch(flow->idp->egress, &request, on_userinfo, flow, NULL, err);
}

/* ------------------------------------------------------------------ the ID token */

/* OpenID Connect Core section 3.1.3.7. */
static int check_claims(const struct flow *flow, struct err *err)
{
    const char *client = codec_json_text(flow->provider.oidc, "clientId", "");
    const char *azp = codec_json_text(flow->claims, "azp", NULL);
    bool many = json_array_size(json_object_get(flow->claims, "aud")) > 1;

    if (strcmp(codec_json_text(flow->claims, "nonce", ""),
               codec_json_text(flow->record, "nonce", "?")) != 0)
        return err_set(err, ERR_DENIED, "the ID token is not for this sign-in (nonce)");
    if ((azp == NULL && many) || (azp != NULL && strcmp(azp, client) != 0))
        return err_set(err, ERR_DENIED, "the ID token is for another client (azp)");
    return 0;
}

static void with_keys(struct flow *flow);

static void on_keys(void *ctx)
{
    with_keys(ctx);
}

static int verify(struct flow *flow, const struct jose_keys *keys, struct err *err)
{
    struct jose_expect expect = {.issuer = codec_json_text(flow->provider.oidc, "issuer", ""),
                                 .audience = codec_json_text(flow->provider.oidc, "clientId", ""),
                                 .now = clock_wall_sec(),
                                 .skew_sec = AUTH_SKEW_SEC};

    if (jose_jwt_verify(keys, span_str(flow->id_token), &expect, &flow->claims, err) < 0)
        return err_wrap(err, "the ID token");
    TRY(check_claims(flow, err));
    if (!json_is_true(json_object_get(flow->provider.oidc, "userInfo")))
        return finish(flow, err) < 0 ? -1 : 1;
    return ask_userinfo(flow, err);
}

/* 1: it is answered; 0: it goes on. */
static int try_keys(struct flow *flow, struct err *err)
{
    const struct jose_keys *keys;
    struct egress_endpoint endpoint = provider_egress(&flow->provider);
    struct remote_source source = {.owner = flow->provider.endpoint,
                                   .uri = flow->jwks_uri,
                                   .ca_pem = codec_json_text(flow->provider.spec, "ca", ""),
                                   .private_network = endpoint.private_network};

    if (remote_keys_find(flow->idp->remote_keys, &source, flow->id_token, &keys, err) == 0)
        return verify(flow, keys, err);
    if (err->code != ERR_UNAVAILABLE || flow->waited ||
        remote_keys_await(flow->idp->remote_keys, flow->jwks_uri, on_keys, flow) < 0)
        return -1;
    flow->waited = true;
    err_clear(err);
    return 0;
}

static void with_keys(struct flow *flow)
{
    struct err err = ERR_INIT;
    int result = try_keys(flow, &err);

    if (result < 0)
        end_with(flow, &err);
    else if (result == 1)
        flow_end(flow);
}

/* ------------------------------------------------------------------ the code */

static int take_tokens(struct flow *flow, const struct egress_answer *answer, struct err *err)
{
    CLEANUP_JSON json_t *body = NULL;
    struct arena *arena = flow->request->http->arena;

    if (codec_json_parse(answer->body, "the token answer", &body, err) < 0 && answer->status == 200)
        return -1;
    if (answer->status != 200)
        return err_set(err, ERR_DENIED, "the code is refused: %u %.64s %.128s", answer->status,
                       codec_json_text(body, "error", ""),
                       codec_json_text(body, "error_description", ""));
    flow->id_token = arena_strdup(arena, codec_json_text(body, "id_token", ""));
    flow->access_token = arena_strdup(arena, codec_json_text(body, "access_token", ""));
    TRY(arena_check(arena, "the tokens", err));
    return flow->id_token[0] != '\0' ? 0 : err_set(err, ERR_DENIED, "the answer has no ID token");
}

static void on_tokens(void *ctx, const struct egress_answer *answer, const struct err *why)
{
    struct flow *flow = ctx;
    struct err err = ERR_INIT;

    if (why != NULL)
        end_with(flow, why);
    else if (take_tokens(flow, answer, &err) < 0)
        end_with(flow, &err);
    else
        with_keys(flow);
}

static void put_field(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%s%s=", out->len > 0 ? "&" : "", name);
    oauth_put_encoded(out, value);
}

int flow_redeem(struct flow *flow, struct err *err)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded",
                                          "Accept: application/json", NULL};
    const json_t *oidc = flow->provider.oidc;
    bool post = strcmp(codec_json_text(oidc, "clientAuth", ""), "client_secret_post") == 0;
    CLEANUP(buf_free_wiped) struct buf body = BUF_INIT(FORM_MAX);
    CLEANUP_FREE char *back = flow_redirect_uri(flow);
    struct egress_request request = {.endpoint = provider_egress(&flow->provider),
                                     .method = "POST",
                                     .url = flow->token_endpoint,
                                     .headers = headers,
                                     .secret = provider_secret(oidc, "clientSecretRef"),
                                     .secret_place = post ? EGRESS_FORM : EGRESS_BASIC,
                                     .secret_user = codec_json_text(oidc, "clientId", "")};

    put_field(&body, "grant_type", "authorization_code");
    put_field(&body, "code", http_request_query(flow->request->http, "code"));
    put_field(&body, "redirect_uri", back);
    put_field(&body, "code_verifier", codec_json_text(flow->record, "verifier", ""));
    if (post || request.secret.name == NULL)
        put_field(&body, "client_id", codec_json_text(oidc, "clientId", ""));
    TRY(buf_check(&body, "the request for tokens", err));
    request.body = buf_span(&body);
    return egress_fetch(flow->idp->egress, &request, on_tokens, flow, NULL, err);
}
