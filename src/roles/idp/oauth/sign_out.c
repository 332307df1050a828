/* SPDX-License-Identifier: Apache-2.0 */
/* OpenID Connect RP-Initiated Logout: an application sends the user here to sign out. */
#include "idp/idp_internal.h"

#include "base/mem.h"
#include "codec/json.h"
#include "idp/oauth/logout.h"
#include "idp/oauth/oauth.h"
#include "idp/page.h"
#include "jose/jose.h"

static void put_hidden(struct buf *out, const struct form *form, enum form_field field)
{
    if (form->value[field] == NULL)
        return;
    buf_printf(out, "<input type=\"hidden\" name=\"%s\" value=\"", form_name(field));
    page_put(out, form->value[field]);
    buf_put_str(out, "\">");
}

/* Asked of the user when no ID token shows that the application may end this session: any page of
 * the web could send a browser here. */
static void ask(struct serve_request *request, const struct form *form)
{
    static const enum form_field kept[] = {FORM_CLIENT_ID, FORM_POST_LOGOUT_REDIRECT_URI,
                                           FORM_STATE};
    struct buf *body = &request->answer->body;

    page_begin(request, page_says(request, SAYS_SIGN_OUT_ASK));
    buf_put_str(body, "<p>");
    page_say(request, SAYS_SIGN_OUT_TEXT);
    buf_put_str(body, "</p><form method=\"post\" action=\"/oauth2/logout\">");
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        put_hidden(body, form, kept[i]);
    buf_put_str(body, "<a class=\"button\" href=\"/\">");
    page_say(request, SAYS_NOT_NOW);
    buf_put_str(body, "</a>");
    page_put_button(request, NULL, SAYS_SIGN_OUT);
    buf_put_str(body, "</form>");
    /* A form's redirects count as its actions, and where this one leads is checked later. */
    page_finish(request, &(struct page_end){.status = 200, .form_to = "https: http:"});
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

static void put_target(struct idp *idp, const struct form *form, const char *client,
                       struct buf *uri)
{
    const char *wanted = form->value[FORM_POST_LOGOUT_REDIRECT_URI];

    if (client[0] == '\0' && form->value[FORM_CLIENT_ID] != NULL)
        client = form->value[FORM_CLIENT_ID];
    if (wanted == NULL || !may_return_to(idp, client, wanted)) {
        buf_printf(uri, "%s/login", idp->url);
        return;
    }
    buf_put_str(uri, wanted);
    if (form->value[FORM_STATE] != NULL)
        oauth_put_query(uri, "state", form->value[FORM_STATE]);
}

/* The browser tells the applications that want to hear it there, and goes on by itself. */
static void show_frames(struct serve_request *request, const struct buf *frames,
                        const struct buf *origins, const char *target)
{
    struct buf *body = &request->answer->body;

    page_begin(request, page_says(request, SAYS_SIGNED_OUT));
    buf_put_str(body, "<a class=\"button\" href=\"");
    page_put(body, target);
    buf_put_str(body, "\">");
    page_say(request, SAYS_GO_ON);
    buf_put_str(body, "</a>");
    buf_put_span(body, buf_span(frames));
    CLEANUP_FREE char *refresh = mem_printf("3; url=%s", target);
    http_answer_header(request->answer, "Refresh", refresh);
    page_finish(request, &(struct page_end){.status = 200, .frames_of = buf_text(origins)});
}

static void go_on(struct idp *idp, struct serve_request *request, const struct form *form,
                  const char *client, const struct buf *frames, const struct buf *origins)
{
    CLEANUP(buf_free) struct buf uri = BUF_INIT(8192);

    put_target(idp, form, client, &uri);
    session_drop_cookie(request);
    if (frames->len > 0)
        show_frames(request, frames, origins, buf_text(&uri));
    else
        reply_redirect(request, buf_text(&uri));
}

void oidc_logout(struct idp *idp, struct serve_request *request)
{
    CLEANUP(session_free) struct session session = {0};
    struct form form = {0};
    char client[OAUTH_ID_MAX + 1] = "";
    CLEANUP(buf_free) struct buf frames = BUF_INIT(256 * 1024);
    CLEANUP(buf_free) struct buf origins = BUF_INIT(16 * 1024);
    bool post = strcmp(request->http->method, "POST") == 0;
    struct err err = ERR_INIT;

    request->event.event = span_str("");
    if (!post)
        http_request_each_query(request->http, form_put, &form);
    else if (request->http->body.len > 0 && form_read(request, &form) < 0)
        return;
    if (session_find(idp, request, &session, &err) < 0) {
        go_on(idp, request, &form, client, &frames, &origins);
        return;
    }
    if (!hint_fits(idp, form.value[FORM_ID_TOKEN_HINT], &session, client)) {
        if (!post) {
            ask(request, &form);
            return;
        }
        if (!session_check_origin(idp, request))
            return;
    }
    reply_event(request, AUDIT_LOGOUT, AUDIT_SOURCE_SESSION, session.account.name,
                session.account.uid);
    request->event.actor.session_id = serve_keep(request, session.id);
    if (logout_put_frames(idp, session.id, &frames, &origins, &err) < 0 ||
        session_end(idp, session.id, &err) < 0)
        reply_err(request, &err);
    else
        go_on(idp, request, &form, client, &frames, &origins);
}
