/* SPDX-License-Identifier: Apache-2.0 */
/* Where the user types a device's code in and decides: a page of our own at /oauth2/device, and the
 * same as JSON at /session/device for the console. */
#include "idp/oauth/device_grant.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "idp/oauth/oauth.h"
#include "idp/page.h"

enum { WHO_SIZE = 320 };

/* Wrong codes count like wrong passwords, on an account of their own: its name in `who`. */
static struct throttle_try try_of(struct serve_request *request, const struct session *session,
                                  char who[WHO_SIZE])
{
    snprintf(who, WHO_SIZE, "device code %.280s", session->account.name);
    return (struct throttle_try){
        .kind = THROTTLE_PASSWORD, .account = who, .address = serve_address(request)};
}

/* ERR_LIMITED when the user has tried too many. */
static int look_up(struct idp *idp, struct serve_request *request, const struct session *session,
                   const char *code, char id[IDP_ID_SIZE], json_t **record, struct err *err)
{
    uint64_t now = clock_mono_ns() / 1000000000U;
    char who[WHO_SIZE];
    struct throttle_try what = try_of(request, session, who);
    uint32_t seconds = throttle_wait(idp->throttle, &what, now);

    if (seconds > 0)
        return err_set(err, ERR_LIMITED, "too many wrong codes; try again in %u seconds", seconds);
    throttle_begin(idp->throttle, &what, now);
    TRY(device_grant_find(idp, code, id, record, err));
    throttle_passed(idp->throttle, &what);
    return 0;
}

static void record_decision(struct serve_request *request, const struct session *session,
                            const json_t *record, bool allow)
{
    reply_event(request, "drun.auth.device", AUDIT_SOURCE_SESSION, session->account.name,
                session->account.uid);
    request->event.action.name = serve_keep(request, codec_json_text(record, "client", ""));
    request->event.outcome = allow ? AUDIT_SUCCESS : AUDIT_DENIED;
}

/* ------------------------------------------------------------------ the page */

static void send_to_login(struct idp *idp, struct serve_request *request, const char *code)
{
    CLEANUP(buf_free) struct buf again = BUF_INIT(1024);
    CLEANUP(buf_free) struct buf uri = BUF_INIT(8192);

    buf_put_str(&again, "/oauth2/device");
    if (code != NULL && strlen(code) < 64)
        oauth_put_query(&again, "user_code", code);
    buf_printf(&uri, "%s/login", idp->url);
    oauth_put_query(&uri, "return", buf_text(&again));
    reply_redirect(request, buf_text(&uri));
}

static void put_paragraph(struct serve_request *request, const char *class, enum page_says what)
{
    buf_printf(&request->answer->body, "<p%s>", class);
    page_say(request, what);
    buf_put_str(&request->answer->body, "</p>");
}

static void show_form(struct serve_request *request, unsigned status)
{
    struct buf *body = &request->answer->body;

    page_begin(request, page_says(request, SAYS_DEVICE_SIGN_IN));
    if (status != 200)
        put_paragraph(request, " class=\"warn\" role=\"alert\"",
                      status == 429 ? SAYS_TOO_MANY_CODES : SAYS_WRONG_CODE);
    put_paragraph(request, "", SAYS_DEVICE_TYPE);
    buf_put_str(body, "<form class=\"stack\" method=\"get\" action=\"/oauth2/device\">"
                      "<label for=\"code\">");
    page_say(request, SAYS_CODE);
    buf_put_str(body,
                "</label><input id=\"code\" name=\"user_code\" autocomplete=\"off\" autofocus "
                "autocapitalize=\"characters\" spellcheck=\"false\" maxlength=\"16\" required>");
    page_put_button(request, NULL, SAYS_GO_ON);
    buf_put_str(body, "</form>");
    page_finish(request, &(struct page_end){.status = status});
}

static void show_question(struct idp *idp, struct serve_request *request, const char *user_code,
                          const json_t *record, const struct session *session)
{
    struct buf *body = &request->answer->body;
    const struct client *client;
    const char *name = codec_json_text(record, "client", "");
    char code[DEVICE_CODE_SIZE];
    struct err err = ERR_INIT;

    if (clients_get(idp->clients, name, &client, &err) == 0 &&
        client_text(client, "displayName")[0] != '\0')
        name = client_text(client, "displayName");
    if (!device_read_code(user_code, code))
        return;
    page_begin(request, page_says(request, SAYS_ALLOW_DEVICE));
    put_paragraph(request, "", SAYS_CODE_GOES);
    buf_printf(body, "<p class=\"code\">%.4s-%s</p>", code, code + 4);
    put_paragraph(request, " class=\"warn\"", SAYS_CODE_STRANGER);
    buf_put_str(body, "<p><strong>");
    page_put(body, name);
    buf_put_str(body, "</strong> ");
    page_say(request, SAYS_DEVICE_IS);
    buf_put_str(body, " <strong>");
    page_put(body, session->account.name);
    buf_put_str(body, "</strong></p>");
    put_paragraph(request, "", SAYS_DEVICE_MAY);
    consent_put_scopes(request, codec_json_text(record, "scope", ""));
    buf_printf(body,
               "<form method=\"post\" action=\"/oauth2/device\">"
               "<input type=\"hidden\" name=\"user_code\" value=\"%s\">",
               code);
    page_put_button(request, "deny", SAYS_DENY);
    page_put_button(request, "allow", SAYS_ALLOW);
    buf_put_str(body, "</form>");
    page_finish(request, &(struct page_end){.status = 200});
}

static void show_end(struct serve_request *request, bool allow)
{
    page_begin(request, page_says(request, allow ? SAYS_DEVICE_DONE : SAYS_DEVICE_DENIED));
    put_paragraph(request, "", SAYS_CLOSE);
    page_finish(request, &(struct page_end){.status = 200});
}

void oidc_device(struct idp *idp, struct serve_request *request)
{
    CLEANUP(session_free) struct session session = {0};
    CLEANUP_JSON json_t *record = NULL;
    bool post = strcmp(request->http->method, "POST") == 0;
    struct form form = {0};
    char id[IDP_ID_SIZE];
    struct err err = ERR_INIT;

    request->event.event = span_str("");
    if (!post)
        http_request_each_query(request->http, form_put, &form);
    else if (!session_check_origin(idp, request) || form_read(request, &form) < 0)
        return;
    const char *code = form.value[FORM_USER_CODE];
    const char *decision = form.value[FORM_DECISION];
    if (session_find(idp, request, &session, &err) < 0) {
        send_to_login(idp, request, code);
    } else if (code == NULL) {
        show_form(request, 200);
    } else if (look_up(idp, request, &session, code, id, &record, &err) < 0) {
        show_form(request, err.code == ERR_LIMITED ? 429 : 404);
    } else if (!post || decision == NULL) {
        show_question(idp, request, code, record, &session);
    } else {
        bool allow = strcmp(decision, "allow") == 0;
        record_decision(request, &session, record, allow);
        if (device_decide(idp, &session, id, record, allow, &err) < 0)
            page_fail(request, 400, err.msg);
        else
            show_end(request, allow);
    }
}

/* ------------------------------------------------------------------ JSON */

/* GET /session/device?user_code=…: who asks, and for what. */
void device_show(struct idp *idp, struct serve_request *request)
{
    CLEANUP(session_free) struct session session = {0};
    CLEANUP_JSON json_t *record = NULL;
    const char *code = http_request_query(request->http, "user_code");
    char id[IDP_ID_SIZE];
    struct err err = ERR_INIT;

    request->event.event = span_str("");
    if (session_find(idp, request, &session, &err) < 0 ||
        look_up(idp, request, &session, code == NULL ? "" : code, id, &record, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    CLEANUP_JSON json_t *body =
        json_pack("{s:s, s:s}", "client", codec_json_text(record, "client", ""), "scope",
                  codec_json_text(record, "scope", ""));
    reply_json(request, 200, body);
}

/* POST /session/device {"userCode","decision"} */
void device_answer(struct idp *idp, struct serve_request *request)
{
    CLEANUP(session_free) struct session session = {0};
    CLEANUP_JSON json_t *record = NULL;
    CLEANUP_JSON json_t *body = session_body(idp, request);
    char id[IDP_ID_SIZE];
    struct err err = ERR_INIT;

    request->event.event = span_str("");
    if (body == NULL)
        return;
    if (session_find(idp, request, &session, &err) < 0 ||
        look_up(idp, request, &session, codec_json_text(body, "userCode", ""), id, &record, &err) <
            0) {
        reply_err(request, &err);
        return;
    }
    bool allow = strcmp(codec_json_text(body, "decision", ""), "allow") == 0;
    record_decision(request, &session, record, allow);
    if (device_decide(idp, &session, id, record, allow, &err) < 0)
        reply_err(request, &err);
    else
        reply_empty(request, 204);
}
