/* SPDX-License-Identifier: Apache-2.0 */
/* What a person does with sessions: look, and end them. */
#include "idp/factors/actor.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "idp/federation/federation.h"

enum { ONWARD_MAX = 8192 };

static int find(struct idp *idp, struct serve_request *request, struct session *out)
{
    struct err err = ERR_INIT;

    if (session_find(idp, request, out, &err) == 0)
        return 0;
    reply_err(request, &err);
    return -1;
}

static void set_time(json_t *object, const char *name, int64_t sec)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_sec(sec, text);
    json_object_set_new(object, name, json_string(text));
}

/* How well the user has proved himself, and what he still has to set up, until when. */
static int put_strength(struct idp *idp, const struct session *session, json_t *body,
                        struct err *err)
{
    const char *amr = codec_json_text(session->record, "amr", "");
    CLEANUP(factors_free) struct factors factors = {0};
    struct mfa_facts facts = {.level = auth_level_of_amr(amr), .now = clock_wall_sec()};

    TRY(factors_load(idp, &session->account, &factors, err));
    TRY(mfa_rule_of(idp, &session->account, &facts.rule, err));
    facts.have = factors.have;
    facts.grace_from = record_number(factors.record, "graceFrom");
    json_object_set_new(body, "acr", json_string(auth_level_acr(facts.level)));
    json_object_set_new(body, "amr", json_string(amr));
    json_object_set_new(body, "factors", factor_names(factors.have));
    if (mfa_next(&facts) == MFA_GRACE)
        set_time(body, "enrolBy", facts.grace_from + facts.rule.grace_sec);
    return 0;
}

void session_show(struct idp *idp, struct serve_request *request)
{
    CLEANUP(session_free) struct session session = {0};
    struct err err = ERR_INIT;

    request->event.event = span_str("");
    if (find(idp, request, &session) < 0)
        return;
    CLEANUP_JSON json_t *body =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:O}", "username", session.account.name, "uid",
                  session.account.uid, "displayName", session.account.display, "email",
                  session.account.email, "id", session.id, "groups", session.account.groups);
    set_time(body, "signedInAt", session.auth_time);
    set_time(body, "expiresAt", session.ends_at);
    if (put_strength(idp, &session, body, &err) < 0)
        reply_err(request, &err);
    else
        reply_json(request, 200, body);
}

/* ------------------------------------------------------------------ the list */

struct listing {
    const char *current;
    const char *uid;
    json_t *items;
};

static int list_one(void *ctx, const char *id, const json_t *record, struct err *err UNUSED)
{
    struct listing *listing = ctx;

    if (session_is_over(record, clock_wall_sec()) ||
        strcmp(codec_json_text(record, "uid", ""), listing->uid) != 0)
        return 0;
    json_t *item = json_pack("{s:s, s:s, s:s, s:b}", "id", id, "address",
                             codec_json_text(record, "address", ""), "userAgent",
                             codec_json_text(record, "userAgent", ""), "current",
                             strcmp(id, listing->current) == 0);
    json_object_set_new(
        item, "acr",
        json_string(auth_level_acr(auth_level_of_amr(codec_json_text(record, "amr", "")))));
    set_time(item, "createdAt", record_number(record, "created"));
    set_time(item, "lastSeenAt", record_number(record, "seen"));
    return json_array_append_new(listing->items, item);
}

int sessions_of(struct idp *idp, const struct account *account, const char *current, json_t **out,
                struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("user=%s", account->name);
    CLEANUP_JSON json_t *items = json_array();
    struct listing listing = {.current = current, .uid = account->uid, .items = items};

    TRY(record_each(idp, "sessions", term, list_one, &listing, err));
    *out = json_incref(items);
    return 0;
}

/* In a browser, or with the token of the drun command. */
static int find_actor(struct idp *idp, struct serve_request *request, struct actor *actor)
{
    struct err err = ERR_INIT;

    if (actor_find_signed_in(idp, request, actor, &err) == 0)
        return 0;
    reply_err(request, &err);
    return -1;
}

void session_list(struct idp *idp, struct serve_request *request)
{
    CLEANUP(actor_free) struct actor actor = {.account = NULL};
    CLEANUP_JSON json_t *items = NULL;
    struct err err = ERR_INIT;

    request->event.event = span_str("");
    if (find_actor(idp, request, &actor) < 0)
        return;
    if (sessions_of(idp, actor.account, actor.session.id, &items, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    CLEANUP_JSON json_t *body = json_pack("{s:O}", "items", items);
    reply_json(request, 200, body);
}

/* ------------------------------------------------------------------ ending */

static void record_logout(struct serve_request *request, const struct session *session)
{
    reply_event(request, AUDIT_LOGOUT, AUDIT_SOURCE_SESSION, session->account.name,
                session->account.uid);
    request->event.actor.session_id = serve_keep(request, session->id);
}

void session_logout(struct idp *idp, struct serve_request *request)
{
    CLEANUP(session_free) struct session session = {0};
    CLEANUP(buf_free) struct buf onward = BUF_INIT(ONWARD_MAX);
    struct err err = ERR_INIT;

    if (!session_check_origin(idp, request) || find(idp, request, &session) < 0)
        return;
    record_logout(request, &session);
    federation_logout_url(idp, session.id, &onward);
    if (session_end(idp, session.id, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    session_drop_cookie(request);
    if (onward.len == 0 || onward.overflowed) {
        reply_empty(request, 204);
        return;
    }
    CLEANUP_JSON json_t *body = json_pack("{s:s}", "location", buf_text(&onward));
    reply_json(request, 200, body);
}

static void record_actor(struct serve_request *request, const struct actor *actor)
{
    reply_event(request, AUDIT_LOGOUT, AUDIT_SOURCE_SESSION, actor->account->name,
                actor->account->uid);
    request->event.actor.session_id = serve_keep(request, actor->session.id);
}

void session_logout_all(struct idp *idp, struct serve_request *request)
{
    CLEANUP(actor_free) struct actor actor = {.account = NULL};
    struct err err = ERR_INIT;

    if (!session_check_origin(idp, request) || find_actor(idp, request, &actor) < 0)
        return;
    record_actor(request, &actor);
    if (account_sign_out(idp, actor.account->name, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    session_drop_cookie(request);
    reply_empty(request, 204);
}

/* DELETE /session/ID, one's own. */
void session_revoke(struct idp *idp, struct serve_request *request)
{
    const char *id = request->http->path + strlen("/session/");
    CLEANUP(actor_free) struct actor actor = {.account = NULL};
    struct err err = ERR_INIT;

    if (!session_check_origin(idp, request) || find_actor(idp, request, &actor) < 0)
        return;
    record_actor(request, &actor);
    if (strlen(id) != IDP_ID_SIZE - 1 || !session_is_open(idp, id, actor.account->name)) {
        reply_problem(request, 404, "you have no such session");
        return;
    }
    if (session_end(idp, id, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    if (strcmp(id, actor.session.id) == 0)
        session_drop_cookie(request);
    reply_empty(request, 204);
}
