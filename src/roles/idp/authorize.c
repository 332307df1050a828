/* SPDX-License-Identifier: Apache-2.0 */
/* The authorization endpoint: RFC 6749 section 4.1, RFC 7636, RFC 9207, OpenID Connect Core. */
#include "idp/authorize_request.h"

#include "base/clock.h"
#include "base/mem.h"
#include "idp/oauth.h"

enum { URI_MAX = 16 * 1024, STATE_MAX = 2048 };

/* ------------------------------------------------------------------ answers */

/* To the client's own, registered URI and nowhere else. */
static void send_back(struct idp *idp, struct serve_request *request, const struct form *form,
                      const char *name, const char *value, const char *why)
{
    CLEANUP(buf_free_wiped) struct buf uri = BUF_INIT(URI_MAX);
    struct err err = ERR_INIT;

    buf_put_str(&uri, form->value[FORM_REDIRECT_URI]);
    oauth_put_query(&uri, name, value);
    if (why != NULL)
        oauth_put_query(&uri, "error_description", why);
    if (form->value[FORM_STATE] != NULL)
        oauth_put_query(&uri, "state", form->value[FORM_STATE]);
    oauth_put_query(&uri, "iss", idp->url);
    if (buf_check(&uri, "the redirect", &err) < 0)
        reply_err(request, &err);
    else
        reply_redirect(request, buf_text(&uri));
}

static void send_error(struct idp *idp, struct serve_request *request, const struct form *form,
                       const char *code, const char *why)
{
    request->event.outcome = AUDIT_DENIED;
    request->event.reason = serve_keep(request, why);
    send_back(idp, request, form, "error", code, why);
}

/* The console's page, which comes back to the same request; by then the user must have signed in
 * anew where the client wants that. */
static void ask_to_sign_in(struct idp *idp, struct serve_request *request,
                           const struct client *client, const struct form *form, int64_t auth_after)
{
    CLEANUP(buf_free) struct buf again = BUF_INIT(URI_MAX);
    CLEANUP(buf_free) struct buf uri = BUF_INIT(3 * URI_MAX);
    char after[24];
    struct err err = ERR_INIT;

    buf_put_str(&again, "/oauth2/authorize");
    for (enum form_field field = 0; field < FORM_FIELDS; field++)
        if (form->value[field] != NULL && field != FORM_PROMPT && field != FORM_MAX_AGE &&
            field != FORM_AUTH_AFTER)
            oauth_put_query(&again, form_name(field), form->value[field]);
    if (auth_after > 0) {
        snprintf(after, sizeof(after), "%lld", (long long)auth_after);
        oauth_put_query(&again, form_name(FORM_AUTH_AFTER), after);
    }
    buf_printf(&uri, "%s/login", idp->url);
    oauth_put_query(&uri, "return", buf_text(&again));
    if (client->level > AUTH_LEVEL_PASSWORD)
        oauth_put_query(&uri, "acr", auth_level_acr(client->level));
    if (buf_check(&again, "the request", &err) < 0 || buf_check(&uri, "the request", &err) < 0)
        reply_err(request, &err);
    else
        reply_redirect(request, buf_text(&uri));
}

/* ------------------------------------------------------------------ the decision */

/* False when it was answered: with an error that goes to the user, because the client or its URI is
 * not known. */
static bool know_client(struct idp *idp, struct serve_request *request, const struct form *form,
                        const struct client **client)
{
    const char *id = form->value[FORM_CLIENT_ID];
    const char *uri = form->value[FORM_REDIRECT_URI];
    const char *state = form->value[FORM_STATE];
    struct err err = ERR_INIT;

    request->event.outcome = AUDIT_DENIED;
    if (form->twice != NULL)
        reply_problem(request, 400, "the parameter %s is there twice", form->twice);
    else if (id == NULL)
        reply_problem(request, 400, "there is no client_id");
    else if (clients_get(idp->clients, id, client, &err) < 0)
        reply_problem(request, err.code == ERR_NOT_FOUND ? 400 : 503, "%s", err.msg);
    else if (uri == NULL || !client_redirects_to(*client, uri))
        reply_problem(request, 400, "the redirect_uri is not one that the client has registered");
    else if (state != NULL && strlen(state) > STATE_MAX)
        reply_problem(request, 400, "the state is longer than %d bytes", STATE_MAX);
    else {
        request->event.outcome = AUDIT_SUCCESS;
        return true;
    }
    return false;
}

static void give_code(struct idp *idp, struct serve_request *request, const struct client *client,
                      const struct form *form, const struct session *session)
{
    CLEANUP(buf_free) struct buf scope = BUF_INIT(OAUTH_SCOPE_MAX);
    const char *wanted = form->value[FORM_SCOPE];
    char code[IDP_SECRET_SIZE];
    struct err err = ERR_INIT;

    client_put_scope(client, span_str(wanted == NULL ? "" : wanted), &scope);
    if (code_make(idp, session, form, buf_text(&scope), code, &err) < 0) {
        send_error(idp, request, form, "temporarily_unavailable", err.msg);
        return;
    }
    reply_event(request, "drun.auth.code", AUDIT_SOURCE_SESSION, session->account.name,
                session->account.uid);
    request->event.actor.session_id = serve_keep(request, session->id);
    send_back(idp, request, form, "code", code, NULL);
    mem_wipe(code, sizeof(code));
}

static void decide(struct idp *idp, struct serve_request *request, const struct client *client,
                   const struct form *form)
{
    CLEANUP(session_free) struct session session = {0};
    const struct auth_demand strength = {.level = client->level};
    struct authorize_wish wish;
    struct err err = ERR_INIT;

    if (authorize_read(client, form, clock_wall_sec(), &wish) < 0) {
        send_error(idp, request, form, wish.error, wish.why);
        return;
    }
    int found = session_find(idp, request, &session, &err);
    if (found < 0 && err.code != ERR_UNAUTHENTICATED)
        send_error(idp, request, form, "temporarily_unavailable", err.msg);
    else if (found == 0 && !wish.anew && session.auth_time >= wish.since &&
             session_satisfies(&session, &strength))
        give_code(idp, request, client, form, &session);
    else if (wish.silent)
        send_error(idp, request, form, found == 0 ? "interaction_required" : "login_required",
                   found == 0 ? "the user must sign in anew, or better"
                              : "the user is not signed in");
    else
        ask_to_sign_in(idp, request, client, form, wish.since);
}

void oidc_authorize(struct idp *idp, struct serve_request *request)
{
    const struct client *client = NULL;
    struct form form = {0};

    /* Only a code that is given is worth a record. */
    request->event.event = span_str("");
    if (strcmp(request->http->method, "POST") == 0) {
        if (form_read(request, &form) < 0)
            return;
    } else {
        http_request_each_query(request->http, form_put, &form);
    }
    if (know_client(idp, request, &form, &client))
        decide(idp, request, client, &form);
}
