/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.lastUsed of keys. The audit role sees every use, those at the gateway too, and says so
 * when it is asked; nothing is stored for a request. A use within a minute of the one that is
 * stored waits here until that minute is over.
 */
#include "idp/idp_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "log/log.h"

#include <stdlib.h>

enum { EVERY_MS = 5000, STORED_SEC = 60, ROOM = 2 * AUDIT_KEY_USES_MAX };

struct apikey_uses {
    struct idp *idp;
    size_t count;
    bool waits[ROOM];
    struct audit_key_use items[ROOM];
};

static void take(void *ctx, const struct audit_key_use *use)
{
    struct apikey_uses *uses = ctx;

    if (uses->count < ROOM)
        uses->items[uses->count++] = *use;
}

/* By key, the latest first. */
static int compare(const void *a, const void *b)
{
    const struct audit_key_use *one = a;
    const struct audit_key_use *other = b;
    int order = strcmp(one->key_id, other->key_id);

    return order != 0 ? order : (one->time_ns < other->time_ns) - (one->time_ns > other->time_ns);
}

static int compare_id(const void *id, const void *use)
{
    return strcmp(id, ((const struct audit_key_use *)use)->key_id);
}

static void sort(struct apikey_uses *uses)
{
    size_t count = 0;

    qsort(uses->items, uses->count, sizeof(*uses->items), compare);
    for (size_t i = 0; i < uses->count; i++)
        if (count == 0 || strcmp(uses->items[count - 1].key_id, uses->items[i].key_id) != 0)
            uses->items[count++] = uses->items[i];
    uses->count = count;
}

static int64_t stored_sec(const json_t *status)
{
    const char *text = codec_json_text(json_object_get(status, "lastUsed"), "time", NULL);
    struct err err = ERR_INIT;
    int64_t sec = 0;

    return text != NULL && clock_parse(span_str(text), &sec, &err) == 0 ? sec : 0;
}

static int put(struct idp *idp, json_t *object, const struct audit_key_use *use, struct err *err)
{
    CLEANUP_JSON json_t *status = json_object();
    const json_t *metadata = json_object_get(object, "metadata");
    char time[CLOCK_TEXT_SIZE];

    clock_format_sec((int64_t)(use->time_ns / 1000000000U), time);
    json_object_update(status, json_object_get(object, "status"));
    json_object_set_new(status, "lastUsed",
                        json_pack("{s:s, s:s}", "time", time, "address", use->address));
    return kube_object_put_status(serve_kube(idp->serve), &kube_api_key,
                                  codec_json_text(metadata, "namespace", ""),
                                  codec_json_text(metadata, "name", ""), status, err);
}

/* The object as it is now; false while it must wait. */
static bool note(struct idp *idp, const char *namespace, const char *name,
                 const struct audit_key_use *use)
{
    CLEANUP_JSON json_t *object = NULL;
    int64_t used = (int64_t)(use->time_ns / 1000000000U);
    struct err err = ERR_INIT;

    if (kube_object_get(serve_kube(idp->serve), &kube_api_key, namespace, name, &object, &err) < 0)
        return err.code == ERR_NOT_FOUND;
    int64_t stored = stored_sec(json_object_get(object, "status"));
    if (used <= stored)
        return true;
    if (used - stored < STORED_SEC && clock_wall_sec() - stored < STORED_SEC)
        return false;
    if (put(idp, object, use, &err) < 0)
        log_error("idp.apikey.use", &err);
    return true;
}

/* Keys that are gone are found by nobody and forgotten. */
static void look_at(void *ctx, const json_t *object)
{
    struct apikey_uses *uses = ctx;
    const json_t *metadata = json_object_get(object, "metadata");
    struct audit_key_use *use = bsearch(codec_json_text(metadata, "uid", ""), uses->items,
                                        uses->count, sizeof(*uses->items), compare_id);

    if (use != NULL && !note(uses->idp, codec_json_text(metadata, "namespace", ""),
                             codec_json_text(metadata, "name", ""), use))
        uses->waits[use - uses->items] = true;
}

static void on_time(void *ctx)
{
    struct apikey_uses *uses = ctx;
    struct err err = ERR_INIT;
    size_t left = 0;

    if (audit_take_key_uses(role_peer(uses->idp->role, ROLE_AUDIT), take, uses, &err) < 0)
        log_error("idp.apikey.use", &err);
    if (uses->count == 0)
        return;
    sort(uses);
    memset(uses->waits, 0, sizeof(uses->waits));
    publish_each_key(uses->idp->publish, look_at, uses);
    for (size_t i = 0; i < uses->count; i++)
        if (uses->waits[i])
            uses->items[left++] = uses->items[i];
    uses->count = left;
}

int apikey_use_start(struct idp *idp, struct err *err)
{
    idp->uses = mem_new(sizeof(*idp->uses));
    idp->uses->idp = idp;
    return loop_add_timer(role_loop(idp->role), EVERY_MS, EVERY_MS, on_time, idp->uses, NULL, err);
}

void apikey_use_stop(struct idp *idp)
{
    free(idp->uses);
}
