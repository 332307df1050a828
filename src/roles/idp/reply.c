/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/idp_internal.h"

#include "codec/json.h"
#include "idp/oauth/oauth.h"

void reply_body(struct serve_request *request, unsigned status)
{
    http_answer_header(request->answer, "Cache-Control", "no-store");
    serve_answer(request, status, "application/json");
}

void reply_json(struct serve_request *request, unsigned status, const json_t *value)
{
    codec_json_put(value, &request->answer->body);
    reply_body(request, status);
}

void reply_empty(struct serve_request *request, unsigned status)
{
    http_answer_header(request->answer, "Cache-Control", "no-store");
    serve_answer(request, status, NULL);
}

void reply_redirect(struct serve_request *request, const char *location)
{
    http_answer_header(request->answer, "Location", location);
    http_answer_header(request->answer, "Referrer-Policy", "no-referrer");
    reply_empty(request, 302);
}

void reply_retry_after(struct serve_request *request, uint32_t seconds)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", seconds);
    http_answer_header(request->answer, "Retry-After", text);
}

static const char *title_of(unsigned status)
{
    switch (status) {
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 503: return "Service Unavailable";
    default: return "Internal Server Error";
    }
}

void reply_problem(struct serve_request *request, unsigned status, const char *fmt, ...)
{
    CLEANUP(buf_free) struct buf why = BUF_INIT(512);
    struct buf *body = &request->answer->body;
    va_list args;

    va_start(args, fmt);
    buf_vprintf(&why, fmt, args);
    va_end(args);
    request->event.reason = serve_keep(request, buf_text(&why));
    buf_reset(body);
    buf_printf(body, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"detail\":",
               title_of(status), status);
    oauth_put_json(body, buf_span(&why));
    buf_put_u8(body, '}');
    http_answer_header(request->answer, "Cache-Control", "no-store");
    serve_answer(request, status, "application/problem+json");
}

void reply_step_up(struct serve_request *request, const struct auth_demand *demand)
{
    serve_challenge_step_up(request, demand);
    request->event.outcome = AUDIT_DENIED;
    reply_problem(request, 401,
                  "this needs a sign-in at the level %s that is at most %u seconds old; prove who "
                  "you are again (POST /session/step-up)",
                  auth_level_acr(demand->level), demand->max_age_sec);
}

static unsigned status_of(enum err_code code)
{
    switch (code) {
    case ERR_INVALID: return 422;
    case ERR_UNAUTHENTICATED: return 401;
    case ERR_DENIED: return 403;
    case ERR_NOT_FOUND: return 404;
    case ERR_EXISTS:
    case ERR_CONFLICT: return 409;
    case ERR_GONE: return 410;
    case ERR_TOO_LARGE: return 413;
    case ERR_LIMITED:
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT: return 503;
    default: return 500;
    }
}

void reply_err(struct serve_request *request, const struct err *err)
{
    unsigned status = status_of(err->code);

    if (status == 503)
        reply_retry_after(request, 1);
    reply_problem(request, status, "%s", err->msg);
}

void reply_oauth(struct serve_request *request, unsigned status, const char *code, const char *why)
{
    struct buf *body = &request->answer->body;

    request->event.reason = serve_keep(request, why);
    buf_reset(body);
    buf_printf(body, "{\"error\":\"%s\",\"error_description\":", code);
    oauth_put_json(body, span_str(why));
    buf_put_u8(body, '}');
    http_answer_header(request->answer, "Pragma", "no-cache");
    reply_body(request, status);
}

void reply_oauth_later(struct serve_request *request, const struct err *err)
{
    reply_retry_after(request, 1);
    reply_oauth(request, 503, "temporarily_unavailable", REPLY_UNDONE);
    request->event.reason = serve_keep(request, err->msg);
}

void reply_event(struct serve_request *request, const char *event, enum audit_source source,
                 const char *name, const char *uid)
{
    request->event.event = span_str(event);
    request->event.actor.source = source;
    request->event.actor.name = serve_keep(request, name);
    request->event.actor.uid = serve_keep(request, uid);
}
