/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is revoked: in the store, in memory and in identity.snap, for as long as a token could be
 * shown that it is about. A batch that is taken back takes its revocations along.
 */
#include "idp/publish_internal.h"

#include "auth/auth.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"
#include "log/log.h"

#include <stdlib.h>

#define REVOCATIONS "revocations"
#define LONG_TOKENS "longtokens"

enum { LONG_STEP_SEC = 60 };

static void note_revocation(struct publish *publish, const char *id, int64_t until, int64_t before)
{
    revocations_put(&publish->revocations, id, until, before);
    publish->dirty = true;
}

static int load_revocation(void *ctx, const char *name, const json_t *value, struct err *err UNUSED)
{
    note_revocation(ctx, name, record_number(value, "until"), record_number(value, "before"));
    return 0;
}

static void forget_noted(struct publish *publish)
{
    for (size_t i = 0; i < publish->noted_count; i++)
        free(publish->noted[i].id);
    publish->noted_count = 0;
}

/* How it is before this batch. */
static void remember(struct publish *publish, const char *id)
{
    const struct revocation *known = revocations_find(&publish->revocations, id[0], id + 1);
    struct revocation before = {.id = mem_strdup(id)};

    if (known != NULL) {
        before.until = known->until;
        before.before = known->before;
    }
    if (publish->noted_count == publish->noted_room) {
        publish->noted_room = publish->noted_room == 0 ? 16 : 2 * publish->noted_room;
        publish->noted =
            mem_resize_array(publish->noted, publish->noted_room, sizeof(*publish->noted));
    }
    publish->noted[publish->noted_count++] = before;
}

void publish_undo(struct publish *publish)
{
    for (size_t i = publish->noted_count; i-- > 0;) {
        const struct revocation *before = &publish->noted[i];
        if (before->until == 0)
            revocations_take(&publish->revocations, before->id);
        else
            revocations_put(&publish->revocations, before->id, before->until, before->before);
    }
    publish->dirty |= publish->noted_count > 0;
    publish->long_until = publish->long_kept;
    forget_noted(publish);
}

void publish_settle(struct publish *publish)
{
    publish->long_kept = publish->long_until;
    forget_noted(publish);
}

/* Written at most once a minute. */
int publish_note_token(struct publish *publish, int64_t until, struct err *err)
{
    if (until <= clock_wall_sec() + IDP_ACCESS_SEC || until <= publish->long_until)
        return 0;
    int64_t noted = until + LONG_STEP_SEC;
    CLEANUP_JSON json_t *value = json_pack("{s:I}", "until", (json_int_t)noted);
    TRY(record_put(publish->idp, "meta", LONG_TOKENS, value, NULL, err));
    publish->long_until = noted;
    return 0;
}

/* Nothing is known of those that an older version issued. */
static int load_long(struct publish *publish, struct err *err)
{
    CLEANUP_JSON json_t *record = NULL;

    if (record_get(publish->idp, "meta", LONG_TOKENS, &record, err) == 0) {
        publish->long_until = publish->long_kept = record_number(record, "until");
        return 0;
    }
    if (err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    publish->long_until = publish->long_kept = clock_wall_sec() + IDP_ACCESS_MAX_SEC;
    record = json_pack("{s:I}", "until", (json_int_t)publish->long_until);
    TRY(record_put(publish->idp, "meta", LONG_TOKENS, record, NULL, err));
    return store_flush(publish->idp->store, err);
}

static int note(struct publish *publish, enum publish_what what, const char *id, int64_t before,
                struct err *err)
{
    CLEANUP_FREE char *name = mem_printf("%c%s", (int)what, id);
    int64_t until =
        NUM_MAX(clock_wall_sec() + IDP_ACCESS_SEC, publish->long_until) + 2 * AUTH_SKEW_SEC;
    CLEANUP_JSON json_t *value =
        json_pack("{s:I, s:I}", "until", (json_int_t)until, "before", (json_int_t)before);

    TRY(record_put(publish->idp, REVOCATIONS, name, value, NULL, err));
    remember(publish, name);
    note_revocation(publish, name, until, before);
    return 0;
}

int publish_revoke_session(struct publish *publish, const char *sid, struct err *err)
{
    return note(publish, PUBLISH_SESSION, sid, 0, err);
}

int publish_revoke_token(struct publish *publish, const char *jti, struct err *err)
{
    return note(publish, PUBLISH_TOKEN, jti, 0, err);
}

/* Tokens of this very second are void too; new ones are dated a second ahead, see claims.c. */
int publish_void_user(struct publish *publish, const char *name, struct err *err)
{
    return note(publish, PUBLISH_USER, name, clock_wall_sec() + 1, err);
}

int64_t publish_void_before(const struct publish *publish, const char *name)
{
    const struct revocation *found = revocations_find(&publish->revocations, PUBLISH_USER, name);

    return found == NULL ? 0 : found->before;
}

bool publish_is_revoked(const struct publish *publish, enum publish_what what, const char *id)
{
    return revocations_find(&publish->revocations, (char)what, id) != NULL;
}

static void forget_revocation(void *ctx, const struct revocation *one)
{
    struct publish *publish = ctx;
    struct err err = ERR_INIT;

    if (record_delete(publish->idp, REVOCATIONS, one->id, &err) < 0)
        log_error("idp.tidy", &err);
}

bool publish_tidy(struct publish *publish, size_t max)
{
    int64_t now = clock_wall_sec();
    size_t dropped = revocations_drop(&publish->revocations, now, max, forget_revocation, publish);

    /* One that is published too long does no harm: the whole is made anew once, at the end. */
    publish->stale |= dropped > 0;
    if (dropped < max && publish->stale)
        publish->dirty = true;
    for (size_t i = 0; i < publish->user_count; i++)
        if (!publish->users[i].disabled && publish->users[i].expires_at <= now) {
            publish->users[i].disabled = true;
            publish->dirty = true;
        }
    return dropped == max;
}

int publish_read_revoked(struct publish *publish, struct err *err)
{
    TRY(load_long(publish, err));
    return record_each(publish->idp, REVOCATIONS, NULL, load_revocation, publish, err);
}

void publish_forget_revoked(struct publish *publish)
{
    revocations_free(&publish->revocations);
    forget_noted(publish);
    free(publish->noted);
}
