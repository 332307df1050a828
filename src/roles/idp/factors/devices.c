/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Browsers in which an account has signed in before: they are not slowed down by what others try
 * (throttle.h), and may be trusted to do without the second factor for some weeks. The cookie is
 * one random text for all accounts of a browser; a record's name is the hash of it and of the
 * account's uid, so that neither opens anything for another account.
 */
#include "idp/factors/factors.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"

#define DEVICES "devices"
#define COOKIE  "__Host-drun-device"

enum { KNOWN_SEC = 90 * 86400, TRUSTED_SEC = 30 * 86400, DEVICES_MAX = 20 };

static void id_of(const char *secret, const char *uid, char out[IDP_ID_SIZE])
{
    CLEANUP_FREE char *both = mem_printf("%s:%s", secret, uid);

    idp_id_of(both, out);
    mem_wipe(both, strlen(both));
}

static int find(struct idp *idp, const char *id, const char *uid, json_t **out, struct err *err)
{
    TRY(record_get(idp, DEVICES, id, out, err));
    if (record_number(*out, "until") > clock_wall_sec() &&
        strcmp(codec_json_text(*out, "uid", ""), uid) == 0)
        return 0;
    json_decref(*out);
    *out = NULL;
    return err_set(err, ERR_NOT_FOUND, "the device is not known");
}

void device_find(struct idp *idp, const struct serve_request *request, const char *uid,
                 struct device *out)
{
    CLEANUP_JSON json_t *record = NULL;
    char secret[IDP_SECRET_SIZE];
    struct err err = ERR_INIT;

    *out = (struct device){.id = ""};
    if (!cookie_get(request, COOKIE, secret))
        return;
    id_of(secret, uid, out->id);
    mem_wipe(secret, sizeof(secret));
    if (find(idp, out->id, uid, &record, &err) < 0)
        out->id[0] = '\0';
    else
        out->trusted = record_number(record, "trustedUntil") > clock_wall_sec();
}

/* ------------------------------------------------------------------ noting */

struct oldest {
    size_t count;
    int64_t seen;
    char id[IDP_ID_SIZE];
};

static int look_at(void *ctx, const char *id, const json_t *record, struct err *err UNUSED)
{
    struct oldest *oldest = ctx;
    int64_t seen = record_number(record, "seen");

    oldest->count++;
    if (oldest->id[0] == '\0' || seen < oldest->seen) {
        oldest->seen = seen;
        snprintf(oldest->id, sizeof(oldest->id), "%s", id);
    }
    return 0;
}

/* The one that was not seen for longest makes room. */
static int make_room(struct idp *idp, const char *term, struct err *err)
{
    struct oldest oldest = {.count = 0};

    TRY(record_each(idp, DEVICES, term, look_at, &oldest, err));
    return oldest.count < DEVICES_MAX ? 0 : record_delete(idp, DEVICES, oldest.id, err);
}

static json_t *text_of(const char *text)
{
    json_t *value = json_string(text == NULL ? "" : text);

    return value == NULL ? json_string("") : value;
}

int device_note(struct idp *idp, struct serve_request *request, const struct account *account,
                bool trust, struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("user=%s", account->name);
    CLEANUP_JSON json_t *record = NULL;
    char secret[IDP_SECRET_SIZE];
    char id[IDP_ID_SIZE];
    int64_t now = clock_wall_sec();

    if (!cookie_get(request, COOKIE, secret))
        TRY(idp_random(secret, err));
    id_of(secret, account->uid, id);
    if (find(idp, id, account->uid, &record, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        TRY(make_room(idp, term, err));
        record = json_pack("{s:s, s:s, s:I}", "user", account->name, "uid", account->uid, "created",
                           (json_int_t)now);
    }
    json_object_set_new(record, "seen", json_integer(now));
    json_object_set_new(record, "until", json_integer(now + KNOWN_SEC));
    json_object_set_new(record, "address", text_of(serve_address(request)));
    json_object_set_new(record, "userAgent",
                        text_of(http_request_header(request->http, "User-Agent")));
    if (trust)
        json_object_set_new(record, "trustedUntil", json_integer(now + TRUSTED_SEC));
    cookie_put(request, COOKIE, secret, KNOWN_SEC);
    mem_wipe(secret, sizeof(secret));
    return record_put(idp, DEVICES, id, record, term, err);
}

/* ------------------------------------------------------------------ ending */

struct ending {
    struct idp *idp;
    const char *term;
};

static int untrust_one(void *ctx, const char *id, const json_t *record, struct err *err)
{
    const struct ending *ending = ctx;
    CLEANUP_JSON json_t *changed = json_copy((json_t *)(uintptr_t)record);

    if (json_object_get(changed, "trustedUntil") == NULL)
        return 0;
    json_object_del(changed, "trustedUntil");
    return record_put(ending->idp, DEVICES, id, changed, ending->term, err);
}

static int drop_one(void *ctx, const char *id, const json_t *record UNUSED, struct err *err)
{
    const struct ending *ending = ctx;

    return record_delete(ending->idp, DEVICES, id, err);
}

int device_untrust_all(struct idp *idp, const char *user, struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("user=%s", user);
    struct ending ending = {.idp = idp, .term = term};

    return record_each(idp, DEVICES, term, untrust_one, &ending, err);
}

int device_drop_all(struct idp *idp, const char *user, struct err *err)
{
    CLEANUP_FREE char *term = mem_printf("user=%s", user);
    struct ending ending = {.idp = idp, .term = term};

    return record_each(idp, DEVICES, term, drop_one, &ending, err);
}

/* ------------------------------------------------------------------ requests */

struct listing {
    const char *uid, *current;
    json_t *items;
};

static void set_time(json_t *object, const char *name, int64_t sec)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_sec(sec, text);
    json_object_set_new(object, name, json_string(text));
}

static int list_one(void *ctx, const char *id, const json_t *record, struct err *err UNUSED)
{
    const struct listing *listing = ctx;
    int64_t now = clock_wall_sec();
    int64_t trusted = record_number(record, "trustedUntil");

    if (strcmp(codec_json_text(record, "uid", ""), listing->uid) != 0 ||
        record_number(record, "until") <= now)
        return 0;
    json_t *item = json_pack("{s:s, s:s, s:s, s:b}", "id", id, "address",
                             codec_json_text(record, "address", ""), "userAgent",
                             codec_json_text(record, "userAgent", ""), "current",
                             strcmp(id, listing->current) == 0);
    set_time(item, "firstSeenAt", record_number(record, "created"));
    set_time(item, "lastSeenAt", record_number(record, "seen"));
    if (trusted > now)
        set_time(item, "trustedUntil", trusted);
    return json_array_append_new(listing->items, item);
}

/* GET /session/devices */
void device_list(struct idp *idp, struct serve_request *request)
{
    CLEANUP(session_free) struct session session = {0};
    CLEANUP_JSON json_t *items = json_array();
    struct device current;
    struct err err = ERR_INIT;

    request->event.event = span_str("");
    if (session_find(idp, request, &session, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    CLEANUP_FREE char *term = mem_printf("user=%s", session.account.name);
    device_find(idp, request, session.account.uid, &current);
    struct listing listing = {.uid = session.account.uid, .current = current.id, .items = items};
    if (record_each(idp, DEVICES, term, list_one, &listing, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    CLEANUP_JSON json_t *body = json_pack("{s:O}", "items", items);
    reply_json(request, 200, body);
}

/* DELETE /session/devices/ID */
void device_revoke(struct idp *idp, struct serve_request *request)
{
    const char *id = request->http->path + strlen("/session/devices/");
    CLEANUP(session_free) struct session session = {0};
    CLEANUP_JSON json_t *record = NULL;
    struct err err = ERR_INIT;

    if (!session_check_origin(idp, request))
        return;
    if (session_find(idp, request, &session, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    reply_event(request, "drun.auth.device.revoke", AUDIT_SOURCE_SESSION, session.account.name,
                session.account.uid);
    if (strlen(id) != IDP_ID_SIZE - 1 || find(idp, id, session.account.uid, &record, &err) < 0)
        reply_problem(request, 404, "you have no such device");
    else if (record_delete(idp, DEVICES, id, &err) < 0)
        reply_err(request, &err);
    else
        reply_empty(request, 204);
}
