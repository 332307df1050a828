/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/oauth/logout.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "egress/egress.h"
#include "idp/oauth/oauth.h"
#include "idp/page.h"
#include "jose/jose.h"
#include "log/log.h"

#include <stdlib.h>

#define LOGINS     "logins"
#define DELIVERIES "deliveries"

enum {
    TRIES_MAX = 8,
    FIRST_WAIT_SEC = 2, /* doubled with each try */
    TOKEN_SEC = 120,
    EVERY_MS = 1000,
    SLICE = 32,
    URI_MAX = 4096,
};

struct logout {
    struct idp *idp;
    struct loop_source *timer;
    bool pending; /* there may be something to tell */
};

/* ------------------------------------------------------------------ who is in a session */

static bool wants_to_hear(const struct client *client)
{
    return client_text(client, "backchannelLogoutUri")[0] != '\0' ||
           client_text(client, "frontchannelLogoutUri")[0] != '\0';
}

int logout_note(struct idp *idp, const char *sid, const struct client *client, const char *user,
                const char *uid, struct err *err)
{
    CLEANUP_FREE char *text = mem_printf("login %s %s", sid, client->id);
    CLEANUP_FREE char *term = mem_printf("sid=%s", sid);
    CLEANUP_JSON json_t *record = NULL;
    char id[IDP_ID_SIZE];

    if (sid[0] == '\0' || !wants_to_hear(client))
        return 0;
    idp_id_of(text, id);
    record = json_pack("{s:s, s:s, s:s, s:s, s:I}", "sid", sid, "client", client->id, "user", user,
                       "uid", uid, "until", (json_int_t)(clock_wall_sec() + IDP_SESSION_MAX_SEC));
    return record_put(idp, LOGINS, id, record, term, err);
}

static int end_one(void *ctx, const char *name, const json_t *record, struct err *err)
{
    struct idp *idp = ctx;
    const struct client *client;
    struct err why = ERR_INIT;

    TRY(record_delete(idp, LOGINS, name, err));
    if (clients_get(idp->clients, codec_json_text(record, "client", ""), &client, &why) < 0 ||
        client_text(client, "backchannelLogoutUri")[0] == '\0')
        return 0;
    CLEANUP_JSON json_t *delivery = json_deep_copy(record);
    json_object_set_new(delivery, "tries", json_integer(0));
    json_object_set_new(delivery, "due", json_integer(0));
    idp->logout->pending = true;
    return record_put(idp, DELIVERIES, name, delivery, NULL, err);
}

int logout_ended(struct idp *idp, const char *sid, struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("sid=%s", sid);

    return record_each(idp, LOGINS, term, end_one, idp, err);
}

/* ------------------------------------------------------------------ the back channel */

struct delivery {
    struct idp *idp;
    char *name;
    json_t *record;
};

static void delivery_free(struct delivery *delivery)
{
    free(delivery->name);
    json_decref(delivery->record);
    free(delivery);
}

/* Put off before the try, so that a crash repeats it later and not at once. */
static int put_off(struct idp *idp, const char *name, json_t *record, struct err *err)
{
    json_int_t tries = record_number(record, "tries");

    json_object_set_new(record, "tries", json_integer(tries + 1));
    json_object_set_new(record, "due",
                        json_integer(clock_wall_sec() + ((int64_t)FIRST_WAIT_SEC << tries)));
    return record_put(idp, DELIVERIES, name, record, NULL, err);
}

static void on_answer(void *ctx, const struct egress_answer *answer, const struct err *why)
{
    struct delivery *delivery = ctx;
    const char *client = codec_json_text(delivery->record, "client", "");
    bool told = answer != NULL && (answer->status == 200 || answer->status == 204);
    bool given_up = record_number(delivery->record, "tries") >= TRIES_MAX;
    struct err err = ERR_INIT;

    if (!told)
        log_say(LOG_WARN, "idp.logout", "client=%s cannot be told: %s%s", client,
                why != NULL ? why->msg : "it answers with an error",
                given_up ? "; given up" : "; tried again later");
    if ((told || given_up) && record_delete(delivery->idp, DELIVERIES, delivery->name, &err) < 0)
        log_error("idp.logout", &err);
    delivery_free(delivery);
}

/* OpenID Connect Back-Channel Logout section 2.4. */
static int put_token(struct idp *idp, const struct client *client, const json_t *record,
                     struct buf *out, struct err *err)
{
    CLEANUP(buf_free) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
    long long now = clock_wall_sec();
    char subject[SUBJECT_SIZE];
    char jti[CLAIMS_ID_SIZE];

    TRY(subject_of(idp, client, codec_json_text(record, "user", ""),
                   codec_json_text(record, "uid", ""), subject, err));
    TRY(claims_id(jti, err));
    CLEANUP_JSON json_t *claims =
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:{s:{}}}", "iss", idp->url, "sub", subject,
                  "aud", client->id, "iat", (json_int_t)now, "exp", (json_int_t)(now + TOKEN_SEC),
                  "jti", jti, "sid", codec_json_text(record, "sid", ""), "events",
                  "http://schemas.openid.net/event/backchannel-logout");
    codec_json_put(claims, &payload);
    TRY(buf_check(&payload, "a logout token", err));
    return signer_sign(idp->signer, client->id_alg, "logout+jwt", buf_span(&payload), out, err);
}

static int send_token(struct idp *idp, const struct client *client, const char *name,
                      const json_t *record, struct err *err)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    CLEANUP(buf_free_wiped) struct buf body = BUF_INIT(JOSE_TOKEN_MAX + 64);
    CLEANUP_FREE char *owner = mem_printf("OidcClient/%.100s", client->id);
    struct delivery *delivery;
    struct egress_request request = {.endpoint = {.name = owner,
                                                  .ca_pem = span_str(client_text(client, "ca")),
                                                  .private_network = json_is_true(json_object_get(
                                                      client->spec, "privateNetwork"))},
                                     .method = "POST",
                                     .url = client_text(client, "backchannelLogoutUri"),
                                     .headers = headers};

    buf_put_str(&body, "logout_token=");
    TRY(put_token(idp, client, record, &body, err));
    request.body = buf_span(&body);
    delivery = mem_new(sizeof(*delivery));
    *delivery =
        (struct delivery){.idp = idp, .name = mem_strdup(name), .record = json_deep_copy(record)};
    if (egress_fetch(idp->egress, &request, on_answer, delivery, NULL, err) == 0)
        return 0;
    delivery_free(delivery);
    return -1;
}

static int tell_one(void *ctx, const char *name, const json_t *value, struct err *err)
{
    struct logout *logout = ctx;
    struct idp *idp = logout->idp;
    CLEANUP_JSON json_t *record = json_deep_copy(value);
    const struct client *client;
    struct err why = ERR_INIT;

    logout->pending = true;
    if (record_number(record, "due") > clock_wall_sec())
        return 0;
    if (clients_get(idp->clients, codec_json_text(record, "client", ""), &client, &why) < 0 ||
        record_number(record, "tries") >= TRIES_MAX)
        return record_delete(idp, DELIVERIES, name, err);
    TRY(put_off(idp, name, record, err));
    if (send_token(idp, client, name, record, &why) < 0)
        log_error("idp.logout", &why);
    return 0;
}

void logout_run(struct logout *logout)
{
    CLEANUP_FREE char *from = NULL;
    struct err err = ERR_INIT;

    if (!logout->pending)
        return;
    logout->pending = false;
    if (record_slice(logout->idp, DELIVERIES, &from, SLICE, tell_one, logout, &err) < 0) {
        logout->pending = true;
        log_error("idp.logout", &err);
    }
}

/* Not from the batch hook itself: what a run writes wants a batch of its own. */
static void on_timer(void *ctx)
{
    logout_run(ctx);
}

struct logout *logout_new(struct idp *idp)
{
    struct logout *logout = mem_new(sizeof(*logout));
    struct err err = ERR_INIT;

    *logout = (struct logout){.idp = idp, .pending = true};
    if (loop_add_timer(role_loop(idp->role), EVERY_MS, EVERY_MS, on_timer, logout, &logout->timer,
                       &err) < 0)
        log_error("idp.logout", &err);
    return logout;
}

void logout_free(struct logout *logout)
{
    free(logout);
}

/* ------------------------------------------------------------------ the front channel */

struct frames {
    struct idp *idp;
    struct buf *html, *origins;
};

static int put_frame(void *ctx, const char *name UNUSED, const json_t *record,
                     struct err *err UNUSED)
{
    struct frames *frames = ctx;
    CLEANUP(buf_free) struct buf uri = BUF_INIT(URI_MAX);
    const struct client *client;
    struct err why = ERR_INIT;

    if (clients_get(frames->idp->clients, codec_json_text(record, "client", ""), &client, &why) < 0)
        return 0;
    const char *target = client_text(client, "frontchannelLogoutUri");
    size_t origin = oauth_origin_len(target);
    if (origin == 0 || strcspn(target, "; ,'\"") < origin)
        return 0;
    buf_put_str(&uri, target);
    if (json_is_true(json_object_get(client->spec, "frontchannelLogoutSessionRequired"))) {
        oauth_put_query(&uri, "iss", frames->idp->url);
        oauth_put_query(&uri, "sid", codec_json_text(record, "sid", ""));
    }
    buf_put_str(frames->html, "<iframe hidden title=\"Sign out\" src=\"");
    page_put(frames->html, buf_text(&uri));
    buf_put_str(frames->html, "\"></iframe>");
    buf_printf(frames->origins, "%.*s ", (int)origin, target);
    return 0;
}

int logout_put_frames(struct idp *idp, const char *sid, struct buf *html, struct buf *origins,
                      struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("sid=%s", sid);
    struct frames frames = {.idp = idp, .html = html, .origins = origins};

    return record_each(idp, LOGINS, term, put_frame, &frames, err);
}
