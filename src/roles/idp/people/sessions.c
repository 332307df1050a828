/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A browser's session: a random cookie whose hash is the record's name. The id that others see, in
 * tokens and lists, is part of that hash, so that it opens nothing.
 */
#include "idp/factors/factors.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"
#include "idp/federation/federation.h"
#include "idp/oauth/logout.h"
#include "idp/oauth/oauth.h"

#define SESSIONS "sessions"
#define COOKIE   "__Host-drun-session"

enum { SEEN_EVERY_SEC = 60 };

void session_free(struct session *session)
{
    json_decref(session->record);
    account_free(&session->account);
    *session = (struct session){0};
}

bool session_is_over(const json_t *record, int64_t now)
{
    return now >= record_number(record, "created") + IDP_SESSION_MAX_SEC ||
           now >= record_number(record, "seen") + IDP_SESSION_IDLE_SEC;
}

static int put(struct idp *idp, const char *id, const json_t *record, struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("user=%s", codec_json_text(record, "user", ""));

    return record_put(idp, SESSIONS, id, record, term, err);
}

void session_drop_cookie(struct serve_request *request)
{
    cookie_drop(request, COOKIE);
    frame_set_cookie(request, "");
}

/* Only what shows well in a list. */
static json_t *short_text(const char *text)
{
    CLEANUP_FREE char *copy = mem_strndup(text == NULL ? "" : text, 200);

    for (char *at = copy; *at != '\0'; at++)
        if (*at < 0x20 || *at == 0x7f)
            *at = '?';
    return json_string(copy);
}

int session_open(struct idp *idp, struct serve_request *request, const struct account *account,
                 const char *amr, struct err *err)
{
    char secret[IDP_SECRET_SIZE];
    char id[IDP_ID_SIZE];
    json_int_t now = clock_wall_sec();

    TRY(idp_random(secret, err));
    idp_id_of(secret, id);
    CLEANUP_JSON json_t *record = json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:o}", "user", account->name, "uid", account->uid,
        "created", now, "seen", now, "authTime", now, "amr", amr, "address", serve_address(request),
        "userAgent", short_text(http_request_header(request->http, "User-Agent")));
    TRY(put(idp, id, record, err));
    TRY(user_status_signed_in(idp, account->name, err));
    cookie_put(request, COOKIE, secret, IDP_SESSION_MAX_SEC);
    mem_wipe(secret, sizeof(secret));
    request->event.actor.session_id = serve_keep(request, id);
    return 0;
}

/* Written at most once a minute, for the end after idleness. */
static int note_seen(struct idp *idp, struct session *session, int64_t now, struct err *err)
{
    if (now < record_number(session->record, "seen") + SEEN_EVERY_SEC)
        return 0;
    json_object_set_new(session->record, "seen", json_integer(now));
    return put(idp, session->id, session->record, err);
}

static int not_signed_in(struct err *err)
{
    return err_set(err, ERR_UNAUTHENTICATED, "you are not signed in");
}

int session_find(struct idp *idp, const struct serve_request *request, struct session *out,
                 struct err *err)
{
    CLEANUP(session_free) struct session session = {0};
    char secret[IDP_SECRET_SIZE];
    int64_t now = clock_wall_sec();

    if (!cookie_get(request, COOKIE, secret))
        return not_signed_in(err);
    idp_id_of(secret, session.id);
    mem_wipe(secret, sizeof(secret));
    if (record_get(idp, SESSIONS, session.id, &session.record, err) < 0)
        return err->code == ERR_NOT_FOUND ? not_signed_in(err) : -1;
    if (session_is_over(session.record, now))
        return not_signed_in(err);
    if (account_load_same(idp, codec_json_text(session.record, "user", ""),
                          codec_json_text(session.record, "uid", ""), &session.account, err) < 0)
        return err->code == ERR_NOT_FOUND || err->code == ERR_DENIED ? not_signed_in(err) : -1;
    session.auth_time = record_number(session.record, "authTime");
    session.ends_at = NUM_MIN(record_number(session.record, "created") + IDP_SESSION_MAX_SEC,
                              now + IDP_SESSION_IDLE_SEC);
    TRY(note_seen(idp, &session, now, err));
    *out = session;
    session = (struct session){0};
    return 0;
}

bool session_is_open(struct idp *idp, const char *id, const char *user)
{
    CLEANUP_JSON json_t *record = NULL;
    struct err err = ERR_INIT;

    return record_get(idp, SESSIONS, id, &record, &err) == 0 &&
           !session_is_over(record, clock_wall_sec()) &&
           strcmp(codec_json_text(record, "user", ""), user) == 0;
}

int session_end(struct idp *idp, const char *id, struct err *err)
{
    TRY(logout_ended(idp, id, err));
    TRY(federation_forget_session(idp, id, err));
    TRY(record_delete(idp, SESSIONS, id, err));
    return publish_revoke_session(idp->publish, id, err);
}

bool session_satisfies(const struct session *session, const struct auth_demand *demand)
{
    return auth_satisfies(auth_level_of_amr(codec_json_text(session->record, "amr", "")),
                          session->auth_time, demand);
}

int session_raise(struct idp *idp, const char *id, const char *user, const char *more,
                  struct err *err)
{
    CLEANUP_JSON json_t *record = NULL;
    char amr[AMR_SIZE];

    if (!session_is_open(idp, id, user))
        return not_signed_in(err);
    TRY(record_get(idp, SESSIONS, id, &record, err));
    snprintf(amr, sizeof(amr), "%s", codec_json_text(record, "amr", ""));
    amr_add(amr, more);
    json_object_set_new(record, "amr", json_string(amr));
    json_object_set_new(record, "authTime", json_integer(clock_wall_sec()));
    return put(idp, id, record, err);
}

struct others {
    struct idp *idp;
    const char *keep;
};

static int end_other(void *ctx, const char *id, const json_t *record UNUSED, struct err *err)
{
    const struct others *others = ctx;

    return strcmp(id, others->keep) == 0 ? 0 : session_end(others->idp, id, err);
}

int session_end_others(struct idp *idp, const char *user, const char *keep, struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("user=%s", user);
    struct others others = {.idp = idp, .keep = keep};

    return record_each(idp, SESSIONS, term, end_other, &others, err);
}

/* ------------------------------------------------------------------ requests */

bool session_check_origin(struct idp *idp, struct serve_request *request)
{
    const char *site = http_request_header(request->http, "Sec-Fetch-Site");
    const char *origin = http_request_header(request->http, "Origin");
    size_t len = oauth_origin_len(idp->url);

    bool same_site = site == NULL || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
    bool same_origin =
        origin == NULL || (strlen(origin) == len && strncmp(origin, idp->url, len) == 0);
    if (same_site && same_origin)
        return true;
    request->event.outcome = AUDIT_DENIED;
    reply_problem(request, 403, "this request comes from another site");
    return false;
}

json_t *session_body(struct idp *idp, struct serve_request *request)
{
    static const char json[] = "application/json";
    const char *type = http_request_header(request->http, "Content-Type");
    json_t *body = NULL;
    struct err err = ERR_INIT;

    if (!session_check_origin(idp, request))
        return NULL;
    if (type == NULL || strncasecmp(type, json, strlen(json)) != 0 ||
        (type[strlen(json)] != '\0' && strchr("; ", type[strlen(json)]) == NULL)) {
        reply_problem(request, 415, "the Content-Type must be %s", json);
        return NULL;
    }
    if (codec_json_parse(request->http->body, "the body", &body, &err) < 0) {
        reply_problem(request, 400, "%s", err.msg);
        return NULL;
    }
    if (!json_is_object(body)) {
        json_decref(body);
        reply_problem(request, 400, "the body must be a JSON object");
        return NULL;
    }
    return body;
}
