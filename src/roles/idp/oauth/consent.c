/* SPDX-License-Identifier: Apache-2.0 */
/* What users allow clients: asked once, remembered for that scope, shown in a list, taken back. */
#include "idp/idp_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "idp/oauth/oauth.h"
#include "idp/oauth/pushed.h"
#include "idp/page.h"

enum { URI_MAX = 2048 };

static void id_of(const char *uid, const char *client, char out[IDP_ID_SIZE])
{
    CLEANUP_FREE char *text = mem_printf("consent %s %s", uid, client);

    idp_id_of(text, out);
}

static bool covers(const char *given, const char *wanted)
{
    struct span rest = span_str(wanted);
    struct span one;
    char name[OAUTH_SCOPE_MAX + 1];

    while (oauth_scope_next(&rest, &one)) {
        snprintf(name, sizeof(name), "%.*s", SPAN_ARG(one));
        if (!oauth_scope_has(span_str(given), name))
            return false;
    }
    return true;
}

int consent_is_given(struct idp *idp, const struct session *session, const char *client,
                     const char *scope, bool *out, struct err *err)
{
    CLEANUP_JSON json_t *record = NULL;
    char id[IDP_ID_SIZE];

    *out = false;
    id_of(session->account.uid, client, id);
    if (record_get(idp, GRANT_CONSENTS, id, &record, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return 0;
    }
    *out = covers(codec_json_text(record, "scope", ""), scope);
    return 0;
}

static int remember(struct idp *idp, const struct session *session, const char *client,
                    const char *scope, struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("user=%s", session->account.name);
    CLEANUP_JSON json_t *record = json_pack(
        "{s:s, s:s, s:s, s:s, s:I}", "user", session->account.name, "uid", session->account.uid,
        "client", client, "scope", scope, "at", (json_int_t)clock_wall_sec());
    char id[IDP_ID_SIZE];

    id_of(session->account.uid, client, id);
    return record_put(idp, GRANT_CONSENTS, id, record, term, err);
}

/* ------------------------------------------------------------------ the page */

void consent_put_scopes(struct serve_request *request, const char *scope)
{
    static const struct {
        const char *scope;
        enum page_says says;
    } known[] = {
        {"openid", SAYS_SCOPE_OPENID}, {"profile", SAYS_SCOPE_PROFILE},
        {"email", SAYS_SCOPE_EMAIL},   {"groups", SAYS_SCOPE_GROUPS},
        {"drun", SAYS_SCOPE_DRUN},     {"offline_access", SAYS_SCOPE_OFFLINE},
    };
    struct buf *out = &request->answer->body;
    struct span rest = span_str(scope);
    struct span one;

    buf_put_str(out, "<ul>");
    while (oauth_scope_next(&rest, &one)) {
        CLEANUP_FREE char *text = mem_strndup((const char *)one.p, one.len);
        const char *says = text;
        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            if (strcmp(known[i].scope, text) == 0)
                says = page_says(request, known[i].says);
        buf_put_str(out, "<li>");
        page_put(out, says);
        buf_put_str(out, "</li>");
    }
    buf_put_str(out, "</ul>");
}

static void put_hidden(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "<input type=\"hidden\" name=\"%s\" value=\"", name);
    page_put(out, value);
    buf_put_str(out, "\">");
}

static void put_links(struct serve_request *request, const struct client *client)
{
    static const struct {
        const char *field;
        enum page_says says;
    } links[] = {{"clientUri", SAYS_ABOUT_IT}, {"policyUri", SAYS_PRIVACY}, {"tosUri", SAYS_TERMS}};
    struct buf *out = &request->answer->body;
    const char *between = "<p class=\"muted\">";

    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        const char *uri = client_text(client, links[i].field);
        if (strncmp(uri, "https://", 8) != 0)
            continue;
        buf_printf(out, "%s<a rel=\"noreferrer\" href=\"", between);
        page_put(out, uri);
        buf_put_str(out, "\">");
        page_say(request, links[i].says);
        buf_put_str(out, "</a>");
        between = " \xc2\xb7 ";
    }
    if (between[0] == ' ')
        buf_put_str(out, "</p>");
}

/* Browsers hold redirects after a form to its form-action. An origin, or a scheme of an app. */
static void put_origin(const char *uri, char out[URI_MAX])
{
    size_t len = oauth_origin_len(uri);

    if (len > 0 && len < URI_MAX && strcspn(uri, "; ,'\"") >= len)
        snprintf(out, URI_MAX, "%.*s", (int)len, uri);
    else
        snprintf(out, URI_MAX, "%.*s:", (int)strcspn(uri, ":; ,'\""), uri);
}

void consent_ask(struct idp *idp UNUSED, struct serve_request *request, const struct client *client,
                 const struct session *session, const struct form *form, const char *scope,
                 const struct pushed *pushed)
{
    const char *display = client_text(client, "displayName");
    struct buf *body = &request->answer->body;
    char origin[URI_MAX];

    put_origin(form->value[FORM_REDIRECT_URI], origin);
    page_begin(request, page_says(request, SAYS_ALLOW_ACCESS));
    buf_put_str(body, "<p><strong>");
    page_put(body, display[0] == '\0' ? client->id : display);
    buf_put_str(body, "</strong> ");
    page_say(request, SAYS_WANTS_TO);
    buf_put_str(body, "</p>");
    consent_put_scopes(request, scope);
    buf_put_str(body, "<p class=\"who\">");
    page_say(request, SAYS_AS);
    buf_put_str(body, " <strong>");
    page_put(body, session->account.name);
    buf_put_str(body, "</strong><br>");
    page_say(request, SAYS_TOLD_AT);
    buf_put_str(body, " <strong>");
    page_put(body, origin);
    buf_put_str(body, "</strong></p>");
    put_links(request, client);
    buf_put_str(body, "<form method=\"post\" action=\"/oauth2/consent\">");
    put_hidden(body, "client_id", client->id);
    put_hidden(body, "request_uri", pushed->uri);
    page_put_button(request, "deny", SAYS_DENY);
    page_put_button(request, "allow", SAYS_ALLOW);
    buf_put_str(body, "</form>");
    page_finish(request, &(struct page_end){.status = 200, .form_to = origin});
}

/* ------------------------------------------------------------------ the answer */

static void go_back(struct idp *idp, struct serve_request *request, const struct form *asked)
{
    CLEANUP(buf_free) struct buf uri = BUF_INIT(URI_MAX);

    buf_printf(&uri, "%s/oauth2/authorize", idp->url);
    oauth_put_query(&uri, "client_id", asked->value[FORM_CLIENT_ID]);
    oauth_put_query(&uri, "request_uri", asked->value[FORM_REQUEST_URI]);
    if (asked->value[FORM_DECISION] != NULL && strcmp(asked->value[FORM_DECISION], "allow") != 0)
        oauth_put_query(&uri, "decision", "deny");
    reply_redirect(request, buf_text(&uri));
}

static int allow(struct idp *idp, const struct session *session, const struct form *asked,
                 struct pushed *pushed, const struct form *wanted, struct err *err)
{
    CLEANUP(buf_free) struct buf scope = BUF_INIT(OAUTH_SCOPE_MAX);
    const struct client *client;
    const char *scopes = wanted->value[FORM_SCOPE];

    TRY(clients_get(idp->clients, asked->value[FORM_CLIENT_ID], &client, err));
    client_put_scope(client, span_str(scopes == NULL ? "" : scopes), &scope);
    TRY(remember(idp, session, client->id, buf_text(&scope), err));
    pushed->consented = session->account.uid;
    return pushed_wait(idp, pushed, err);
}

void oidc_consent(struct idp *idp, struct serve_request *request)
{
    CLEANUP(session_free) struct session session = {0};
    CLEANUP(pushed_free) struct pushed pushed = {.consented = ""};
    struct form asked;
    struct form wanted;
    struct err err = ERR_INIT;

    request->event.event = span_str("drun.auth.consent");
    if (!session_check_origin(idp, request) || form_read(request, &asked) < 0)
        return;
    const char *decision = asked.value[FORM_DECISION];
    if (asked.value[FORM_CLIENT_ID] == NULL || asked.value[FORM_REQUEST_URI] == NULL ||
        decision == NULL) {
        reply_problem(request, 400, "the form needs client_id, request_uri and decision");
        return;
    }
    if (session_find(idp, request, &session, &err) < 0 ||
        pushed_load(idp, asked.value[FORM_REQUEST_URI], asked.value[FORM_CLIENT_ID],
                    request->http->arena, &pushed, &wanted, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    reply_event(request, "drun.auth.consent", AUDIT_SOURCE_SESSION, session.account.name,
                session.account.uid);
    request->event.action.name = serve_keep(request, asked.value[FORM_CLIENT_ID]);
    bool allowed = strcmp(decision, "allow") == 0;
    if (!allowed)
        request->event.outcome = AUDIT_DENIED;
    if (allowed && allow(idp, &session, &asked, &pushed, &wanted, &err) < 0)
        reply_err(request, &err);
    else
        go_back(idp, request, &asked);
}

/* ------------------------------------------------------------------ one's own list */

struct listing {
    const char *uid;
    json_t *items;
};

static int list_one(void *ctx, const char *name UNUSED, const json_t *record,
                    struct err *err UNUSED)
{
    struct listing *listing = ctx;
    char at[CLOCK_TEXT_SIZE];

    if (strcmp(codec_json_text(record, "uid", ""), listing->uid) != 0)
        return 0;
    clock_format_sec(record_number(record, "at"), at);
    return json_array_append_new(listing->items,
                                 json_pack("{s:s, s:s, s:s}", "client",
                                           codec_json_text(record, "client", ""), "scope",
                                           codec_json_text(record, "scope", ""), "givenAt", at));
}

void consent_list(struct idp *idp, struct serve_request *request)
{
    CLEANUP(session_free) struct session session = {0};
    CLEANUP_JSON json_t *items = json_array();
    struct err err = ERR_INIT;

    request->event.event = span_str("");
    if (session_find(idp, request, &session, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    CLEANUP_FREE char *term = mem_printf("user=%s", session.account.name);
    struct listing listing = {.uid = session.account.uid, .items = items};
    if (record_each(idp, GRANT_CONSENTS, term, list_one, &listing, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    CLEANUP_JSON json_t *body = json_pack("{s:O}", "items", items);
    reply_json(request, 200, body);
}

struct ending {
    struct idp *idp;
    const char *uid, *client;
};

static int end_one(void *ctx, const char *family, const json_t *record, struct err *err)
{
    const struct ending *ending = ctx;

    if (strcmp(codec_json_text(record, "uid", ""), ending->uid) != 0 ||
        strcmp(codec_json_text(record, "client", ""), ending->client) != 0)
        return 0;
    return refresh_end(ending->idp, family, err);
}

int consent_forget(struct idp *idp, const char *uid, const char *client, struct err *err)
{
    char id[IDP_ID_SIZE];

    id_of(uid, client, id);
    return record_delete(idp, GRANT_CONSENTS, id, err);
}

/* DELETE /session/consents/CLIENT: the client's refresh tokens and what came of them end too. */
void consent_revoke(struct idp *idp, struct serve_request *request)
{
    const char *client = request->http->path + strlen("/session/consents/");
    CLEANUP(session_free) struct session session = {0};
    struct err err = ERR_INIT;

    request->event.event = span_str("drun.auth.consent");
    if (!session_check_origin(idp, request))
        return;
    if (session_find(idp, request, &session, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    reply_event(request, "drun.auth.consent", AUDIT_SOURCE_SESSION, session.account.name,
                session.account.uid);
    request->event.action.verb = span_str("delete");
    request->event.action.name = serve_keep(request, client);
    CLEANUP_FREE char *term = mem_printf("user=%s", session.account.name);
    struct ending ending = {.idp = idp, .uid = session.account.uid, .client = client};
    if (consent_forget(idp, session.account.uid, client, &err) < 0 ||
        record_each(idp, GRANT_REFRESH, term, end_one, &ending, &err) < 0)
        reply_err(request, &err);
    else
        reply_empty(request, 204);
}
