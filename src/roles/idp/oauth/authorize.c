/* SPDX-License-Identifier: Apache-2.0 */
/* The authorization endpoint: RFC 6749 section 4.1, RFC 7636, RFC 9101, RFC 9126, RFC 9207, RFC
 * 9470, OpenID Connect Core. */
#include "idp/oauth/authorize_request.h"
#include "idp/oauth/pushed.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"
#include "idp/oauth/oauth.h"
#include "idp/oauth/request_object.h"
#include "idp/page.h"
#include "jose/jose.h"

enum { URI_MAX = 16 * 1024, STATE_MAX = 2048 };

/* A user's browser that a client has sent here. */
struct visit {
    struct idp *idp;
    struct serve_request *request;
    struct form form; /* what the client wants, wherever it was read from */
    struct pushed pushed;
    const struct client *client;
    struct authorize_wish wish;
    bool denied; /* the user has just said no */
};

/* ------------------------------------------------------------------ answers */

static void put_session_state(struct visit *visit, const struct session *session, struct buf *uri)
{
    CLEANUP(buf_free) struct buf state = BUF_INIT(128);
    struct err err = ERR_INIT;

    if (session == NULL ||
        !oauth_scope_has(
            span_str(visit->form.value[FORM_SCOPE] == NULL ? "" : visit->form.value[FORM_SCOPE]),
            "openid"))
        return;
    if (frame_session_state(visit->request, visit->client->id, visit->form.value[FORM_REDIRECT_URI],
                            session->id, &state, &err) == 0)
        oauth_put_query(uri, "session_state", buf_text(&state));
}

/* Where the browser goes when what the answer says cannot be stored. */
static void set_instead(struct visit *visit)
{
    CLEANUP(buf_free) struct buf uri = BUF_INIT(URI_MAX);
    const struct form *form = &visit->form;

    buf_put_str(&uri, form->value[FORM_REDIRECT_URI]);
    oauth_put_query(&uri, "error", "temporarily_unavailable");
    if (form->value[FORM_STATE] != NULL)
        oauth_put_query(&uri, "state", form->value[FORM_STATE]);
    oauth_put_query(&uri, "iss", visit->idp->url);
    if (!uri.overflowed)
        visit->request->answer->instead = arena_strdup(visit->request->http->arena, buf_text(&uri));
}

/* To the client's own, registered URI and nowhere else. What was kept has been answered by it. */
static void send_back(struct visit *visit, const char *name, const char *value, const char *why,
                      const struct session *session)
{
    CLEANUP(buf_free_wiped) struct buf uri = BUF_INIT(URI_MAX);
    const struct form *form = &visit->form;
    struct err err = ERR_INIT;

    buf_put_str(&uri, form->value[FORM_REDIRECT_URI]);
    oauth_put_query(&uri, name, value);
    if (why != NULL)
        oauth_put_query(&uri, "error_description", why);
    if (form->value[FORM_STATE] != NULL)
        oauth_put_query(&uri, "state", form->value[FORM_STATE]);
    oauth_put_query(&uri, "iss", visit->idp->url);
    put_session_state(visit, session, &uri);
    set_instead(visit);
    if (buf_check(&uri, "the redirect", &err) < 0 ||
        pushed_done(visit->idp, &visit->pushed, &err) < 0)
        reply_err(visit->request, &err);
    else
        reply_redirect(visit->request, buf_text(&uri));
}

static void send_error(struct visit *visit, const char *code, const char *why)
{
    visit->request->event.outcome = AUDIT_DENIED;
    visit->request->event.reason = serve_keep(visit->request, why);
    send_back(visit, "error", code, why, NULL);
}

static void send_failure(struct visit *visit, const struct err *err)
{
    send_error(visit, "temporarily_unavailable", REPLY_UNDONE);
    visit->request->event.outcome = AUDIT_FAILURE;
    visit->request->event.reason = serve_keep(visit->request, err->msg);
}

/* ------------------------------------------------------------------ the user signs in */

/* The same request again, once the user has signed in: by its URI when it is kept, which is so for
 * every one that the user must not be able to change. */
static int put_again(struct visit *visit, struct buf *out, struct err *err)
{
    const struct form *form = &visit->form;
    char after[24];

    buf_put_str(out, "/oauth2/authorize");
    if (visit->pushed.record != NULL) {
        visit->pushed.auth_after = NUM_MAX(visit->pushed.auth_after, visit->wish.since);
        TRY(pushed_wait(visit->idp, &visit->pushed, err));
        oauth_put_query(out, "client_id", visit->client->id);
        oauth_put_query(out, "request_uri", visit->pushed.uri);
        return buf_check(out, "the request", err);
    }
    for (enum form_field field = 0; field < FORM_FIELDS; field++)
        if (form->value[field] != NULL && field != FORM_PROMPT && field != FORM_MAX_AGE &&
            field != FORM_AUTH_AFTER)
            oauth_put_query(out, form_name(field), form->value[field]);
    for (size_t i = 0; i < form->resource_count; i++)
        oauth_put_query(out, "resource", form->resource[i]);
    if (visit->wish.consent)
        oauth_put_query(out, form_name(FORM_PROMPT), "consent");
    if (visit->wish.since > 0) {
        snprintf(after, sizeof(after), "%lld", (long long)visit->wish.since);
        oauth_put_query(out, form_name(FORM_AUTH_AFTER), after);
    }
    return buf_check(out, "the request", err);
}

static void ask_to_sign_in(struct visit *visit)
{
    CLEANUP(buf_free) struct buf again = BUF_INIT(URI_MAX);
    CLEANUP(buf_free) struct buf uri = BUF_INIT(3 * URI_MAX);
    struct err err = ERR_INIT;

    if (put_again(visit, &again, &err) < 0) {
        reply_err(visit->request, &err);
        return;
    }
    buf_printf(&uri, "%s/login", visit->idp->url);
    oauth_put_query(&uri, "return", buf_text(&again));
    if (visit->wish.acr > AUTH_LEVEL_PASSWORD)
        oauth_put_query(&uri, "acr", auth_level_acr(visit->wish.acr));
    if (visit->form.value[FORM_LOGIN_HINT] != NULL)
        oauth_put_query(&uri, "login_hint", visit->form.value[FORM_LOGIN_HINT]);
    if (buf_check(&uri, "the request", &err) < 0)
        reply_err(visit->request, &err);
    else
        reply_redirect(visit->request, buf_text(&uri));
}

/* ------------------------------------------------------------------ the request */

static bool refuse_user(struct visit *visit, const char *why)
{
    visit->request->event.outcome = AUDIT_DENIED;
    if (page_is_wanted(visit->request))
        page_fail(visit->request, 400, why);
    else
        reply_problem(visit->request, 400, "%s", why);
    return false;
}

static bool know_client(struct visit *visit)
{
    const char *id = visit->form.value[FORM_CLIENT_ID];
    struct err err = ERR_INIT;

    if (visit->form.twice != NULL || visit->form.too_many)
        return refuse_user(visit, "a parameter is there twice, or too often");
    if (id == NULL)
        return refuse_user(visit, "there is no client_id");
    if (clients_get(visit->idp->clients, id, &visit->client, &err) == 0)
        return true;
    if (err.code == ERR_NOT_FOUND)
        return refuse_user(visit, err.msg);
    visit->request->event.outcome = AUDIT_DENIED;
    reply_problem(visit->request, 503, "%s", err.msg);
    return false;
}

/* What the client has signed is kept at once: from here on nobody can change it. */
static bool take_object(struct visit *visit)
{
    struct request_object_expect expect = {
        .client_id = visit->client->id, .issuer = visit->idp->url, .now = clock_wall_sec()};
    const char *text = visit->form.value[FORM_REQUEST];
    struct err err = ERR_INIT;

    if (client_keys(visit->idp, visit->client, text, &expect.keys, &err) < 0) {
        reply_err(visit->request, &err);
        return false;
    }
    if (request_object_read(&expect, text, visit->request->http->arena, &visit->form, &err) < 0)
        return refuse_user(visit, err.msg);
    visit->form.value[FORM_CLIENT_ID] = visit->client->id;
    if (pushed_new(visit->idp, &visit->form, false, true, PUSHED_WAIT_SEC, &visit->pushed, &err) ==
        0)
        return true;
    reply_err(visit->request, &err);
    return false;
}

static bool take_kept(struct visit *visit)
{
    const char *uri = visit->form.value[FORM_REQUEST_URI];
    struct err err = ERR_INIT;

    if (pushed_load(visit->idp, uri, visit->client->id, visit->request->http->arena, &visit->pushed,
                    &visit->form, &err) == 0)
        return true;
    if (err.code == ERR_NOT_FOUND)
        return refuse_user(visit, page_says(visit->request, SAYS_ANSWERED));
    reply_err(visit->request, &err);
    return false;
}

/* False when it was answered: with an error that goes to the user, because the client or its URI is
 * not known. */
static bool take_request(struct visit *visit)
{
    struct form *form = &visit->form;

    if (!know_client(visit))
        return false;
    if (form->value[FORM_REQUEST] != NULL && form->value[FORM_REQUEST_URI] != NULL)
        return refuse_user(visit, "request and request_uri exclude each other");
    if (form->value[FORM_REQUEST] != NULL && !take_object(visit))
        return false;
    if (form->value[FORM_REQUEST_URI] != NULL && !take_kept(visit))
        return false;
    const char *uri = form->value[FORM_REDIRECT_URI];
    const char *state = form->value[FORM_STATE];
    if (uri == NULL || !client_redirects_to(visit->client, uri))
        return refuse_user(visit, "the redirect_uri is not one that the client has registered");
    if (state != NULL && strlen(state) > STATE_MAX)
        return refuse_user(visit, "the state is longer than 2048 bytes");
    return true;
}

/* From here on a fault is told to the client. */
static bool check_request(struct visit *visit)
{
    CLEANUP_JSON json_t *targets = NULL;
    const struct pushed *pushed = &visit->pushed;
    struct err err = ERR_INIT;

    if (visit->client->must_push && !pushed->by_client)
        send_error(visit, "invalid_request", "this client must push its requests");
    else if (visit->client->must_sign && !pushed->by_signing)
        send_error(visit, "invalid_request", "this client must sign its requests");
    else if (authorize_read(visit->client, &visit->form, clock_wall_sec(), &visit->wish) < 0)
        send_error(visit, visit->wish.error, visit->wish.why);
    else if (targets_read(visit->idp, visit->client, &visit->form, NULL, &targets, &err) < 0)
        send_error(visit, "invalid_target", err.msg);
    else if (visit->denied && !visit->wish.silent)
        send_error(visit, "access_denied", "the user does not allow it");
    else
        return true;
    return false;
}

/* ------------------------------------------------------------------ the decision */

static void give_code(struct visit *visit, const struct session *session, const char *scope)
{
    struct serve_request *request = visit->request;
    char code[IDP_SECRET_SIZE];
    struct err err = ERR_INIT;

    if (code_make(visit->idp, session, &visit->form, scope, code, &err) < 0) {
        send_failure(visit, &err);
        return;
    }
    reply_event(request, "drun.auth.code", AUDIT_SOURCE_SESSION, session->account.name,
                session->account.uid);
    request->event.actor.session_id = serve_keep(request, session->id);
    send_back(visit, "code", code, NULL, session);
    mem_wipe(code, sizeof(code));
}

static void ask_for_consent(struct visit *visit, const struct session *session, const char *scope)
{
    struct err err = ERR_INIT;

    if (visit->pushed.record == NULL && pushed_new(visit->idp, &visit->form, false, false,
                                                   PUSHED_WAIT_SEC, &visit->pushed, &err) < 0) {
        send_failure(visit, &err);
        return;
    }
    visit->pushed.auth_after = NUM_MAX(visit->pushed.auth_after, visit->wish.since);
    if (pushed_wait(visit->idp, &visit->pushed, &err) < 0)
        send_failure(visit, &err);
    else
        consent_ask(visit->idp, visit->request, visit->client, session, &visit->form, scope,
                    &visit->pushed);
}

static void with_session(struct visit *visit, const struct session *session)
{
    CLEANUP(buf_free) struct buf scope = BUF_INIT(OAUTH_SCOPE_MAX);
    const char *wanted = visit->form.value[FORM_SCOPE];
    bool given = true;
    struct err err = ERR_INIT;

    client_put_scope(visit->client, span_str(wanted == NULL ? "" : wanted), &scope);
    if (visit->client->consent && consent_is_given(visit->idp, session, visit->client->id,
                                                   buf_text(&scope), &given, &err) < 0) {
        send_failure(visit, &err);
        return;
    }
    if (visit->wish.consent)
        given = strcmp(visit->pushed.consented, session->account.uid) == 0;
    if (given)
        give_code(visit, session, buf_text(&scope));
    else if (visit->wish.silent)
        send_error(visit, "consent_required", "the user has not consented yet");
    else
        ask_for_consent(visit, session, buf_text(&scope));
}

/* Is it the user that the client means (id_token_hint, claims.id_token.sub)? */
static bool is_whom(struct visit *visit, const struct session *session)
{
    CLEANUP(buf_free) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
    CLEANUP_JSON json_t *claims = NULL;
    const char *hint = visit->form.value[FORM_ID_TOKEN_HINT];
    char subject[SUBJECT_SIZE];
    struct err err = ERR_INIT;

    if (hint == NULL && visit->wish.subject[0] == '\0')
        return true;
    if (subject_of(visit->idp, visit->client, session->account.name, session->account.uid, subject,
                   &err) < 0)
        return false;
    if (visit->wish.subject[0] != '\0' && strcmp(visit->wish.subject, subject) != 0)
        return false;
    if (hint == NULL)
        return true;
    return jose_jws_verify(signer_keys(visit->idp->signer), span_str(hint), "JWT", &payload,
                           &err) == 0 &&
           codec_json_parse(buf_span(&payload), "id_token_hint", &claims, &err) == 0 &&
           strcmp(codec_json_text(claims, "sub", ""), subject) == 0;
}

/* Signed in well enough, for the second time at least when the first was not. */
static bool is_well_enough(const struct visit *visit, const struct session *session)
{
    enum auth_level acr = auth_level_of_amr(codec_json_text(session->record, "amr", ""));
    bool asked = visit->pushed.auth_after > 0 || visit->form.value[FORM_AUTH_AFTER] != NULL;

    return acr >= visit->wish.acr || (asked && !visit->wish.essential);
}

static void decide(struct visit *visit)
{
    CLEANUP(session_free) struct session session = {0};
    struct authorize_wish *wish = &visit->wish;
    bool asked = visit->pushed.auth_after > 0 || visit->form.value[FORM_AUTH_AFTER] != NULL;
    struct err err = ERR_INIT;

    /* Of a request that is kept we know ourselves that the user was asked. */
    if (visit->pushed.auth_after > 0) {
        wish->anew = false;
        wish->since = visit->pushed.auth_after;
    }
    int found = session_find(visit->idp, visit->request, &session, &err);
    if (found < 0 && err.code != ERR_UNAUTHENTICATED) {
        send_failure(visit, &err);
        return;
    }
    bool fresh =
        found == 0 && !wish->anew && session.auth_time >= wish->since && is_whom(visit, &session);
    if (fresh && is_well_enough(visit, &session))
        with_session(visit, &session);
    else if (fresh && asked)
        send_error(visit, "unmet_authentication_requirements",
                   "the user cannot sign in as well as is wanted");
    else if (wish->silent)
        send_error(visit, "login_required", "the user is not signed in, or not well enough");
    else {
        if (fresh)
            wish->since = clock_wall_sec();
        ask_to_sign_in(visit);
    }
}

void oidc_authorize(struct idp *idp, struct serve_request *request)
{
    struct visit visit = {.idp = idp, .request = request, .pushed = {.consented = ""}};

    /* Only a code that is given is worth a record. */
    request->event.event = span_str("");
    if (strcmp(request->http->method, "POST") == 0) {
        if (form_read(request, &visit.form) < 0)
            return;
    } else {
        http_request_each_query(request->http, form_put, &visit.form);
    }
    visit.denied = visit.form.value[FORM_DECISION] != NULL;
    if (take_request(&visit) && check_request(&visit))
        decide(&visit);
    pushed_free(&visit.pushed);
}
