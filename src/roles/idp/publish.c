/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity.snap follows keys, users and groups. What changed is noted by name, read again when the
 * batch is durable, and published before the answers of that batch leave, so that who has made a
 * key can use it at once. Where that takes long, with very many keys, it is done up to 40 ms later,
 * for all batches of that time together.
 */
#include "idp/publish_internal.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"
#include "log/log.h"

#include <fcntl.h>
#include <stdlib.h>

enum { LATER_MS = 40, QUICK_NS = 5 * 1000 * 1000, RETRY_MS = 1000, NEVER_MS = 1 << 30 };

/* ------------------------------------------------------------------ compiling */

struct lists {
    const char *items[5][IDENTITY_LIST_MAX];
};

static struct identity_list list_of(const json_t *array, const char *room[IDENTITY_LIST_MAX])
{
    size_t count = NUM_MIN(json_array_size(array), (size_t)IDENTITY_LIST_MAX);

    for (size_t i = 0; i < count; i++)
        room[i] = json_string_value(json_array_get(array, i));
    return (struct identity_list){.items = room, .count = count};
}

static uint64_t limit(const json_t *limits, const char *name)
{
    int64_t value = record_number(limits, name);

    return value > 0 ? (uint64_t)value : 0;
}

static int add_key(const struct publish_key *key, struct identity_builder *builder, struct err *err)
{
    static const char *const invoke[] = {"invoke"};
    const json_t *spec = json_object_get(key->object, "spec");
    const json_t *scopes = json_object_get(spec, "scopes");
    const json_t *limits = json_object_get(spec, "limits");
    struct lists lists;
    struct identity_api_key in = {
        .id = codec_json_text(json_object_get(key->object, "metadata"), "uid", ""),
        .name = key->name,
        .namespace = key->namespace,
        .user = key->user,
        .uid = key->uid,
        .groups = list_of(key->groups, lists.items[0]),
        .expires_at = key->expires_at,
        .disabled = key->disabled,
        .models = list_of(json_object_get(scopes, "models"), lists.items[1]),
        .verbs = list_of(json_object_get(scopes, "verbs"), lists.items[2]),
        .cidrs = list_of(json_object_get(scopes, "cidrs"), lists.items[3]),
        .namespaces = list_of(json_object_get(scopes, "namespaces"), lists.items[4]),
        .concurrent = (uint32_t)limit(limits, "concurrentRequests"),
        .requests_per_min = (uint32_t)limit(limits, "requestsPerMinute"),
        .tokens_per_min = limit(limits, "tokensPerMinute"),
    };

    if (in.verbs.count == 0)
        in.verbs = (struct identity_list){.items = invoke, .count = 1};
    memcpy(in.digest, key->digest, sizeof(in.digest));
    TRY(identity_builder_add_api_key(builder, &in, err));
    if (key->old_until == 0)
        return 0;
    memcpy(in.digest, key->old_digest, sizeof(in.digest));
    in.expires_at = in.expires_at == 0 ? key->old_until : NUM_MIN(in.expires_at, key->old_until);
    return identity_builder_add_api_key(builder, &in, err);
}

static int add_revocation(const struct revocation *revocation, struct identity_builder *builder,
                          struct err *err)
{
    switch (revocation->id[0]) {
    case PUBLISH_SESSION: return identity_builder_revoke_session(builder, revocation->id + 1, err);
    case PUBLISH_TOKEN: return identity_builder_revoke_token(builder, revocation->id + 1, err);
    default:
        return identity_builder_void_user(builder, revocation->id + 1, revocation->before, err);
    }
}

/* One entry that cannot be published must not keep the others from it. */
static void compile_entries(struct publish *publish, struct identity_builder *builder)
{
    int64_t now = clock_wall_sec();

    for (size_t i = 0; i < publish->key_count; i++) {
        struct err err = ERR_INIT;
        if (add_key(&publish->keys[i], builder, &err) < 0)
            log_error("idp.publish.key", &err);
    }
    for (size_t i = 0; i < publish->revocations.count; i++) {
        struct err err = ERR_INIT;
        if (add_revocation(&publish->revocations.items[i], builder, &err) < 0)
            log_error("idp.publish.revocation", &err);
    }
    for (size_t i = 0; i < publish->user_count; i++) {
        const struct publish_user *user = &publish->users[i];
        struct err err = ERR_INIT;
        if ((user->disabled || (user->expires_at != 0 && user->expires_at <= now)) &&
            identity_builder_disable_user(builder, user->name, &err) < 0)
            log_error("idp.publish.user", &err);
    }
}

static int compile(struct publish *publish, struct buf *file, struct err *err)
{
    CLEANUP(identity_builder_free_ptr)
    struct identity_builder *builder = identity_builder_new(publish->idp->pepper);

    TRY(identity_builder_set_issuer(builder, publish->idp->url, IDP_AUDIENCE, err));
    TRY(signer_put_keys(publish->idp->signer, builder, err));
    compile_entries(publish, builder);
    return identity_builder_finish(builder, file, err);
}

static int publish_now(struct publish *publish, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    uint64_t began = clock_cpu_ns();
    uint64_t generation;

    TRY(compile(publish, &file, err));
    TRY(snapshot_publish(publish->publisher, &file, &generation, err));
    publish->dirty = false;
    publish->stale = false;
    publish->last_ns = clock_cpu_ns() - began;
    return 0;
}

static void wait(struct publish *publish, uint64_t ms)
{
    publish->waiting = true;
    loop_rearm(publish->later, ms, 0);
}

/* A failed one is tried again. */
static void on_later(void *ctx)
{
    struct publish *publish = ctx;
    struct err err = ERR_INIT;

    publish->waiting = false;
    if (!publish->dirty || publish_now(publish, &err) == 0)
        return;
    log_error("idp.publish", &err);
    wait(publish, RETRY_MS);
}

void publish_follow(struct publish *publish)
{
    publish_take_in(publish);
    if (!publish->dirty || publish->waiting)
        return;
    if (publish->last_ns < QUICK_NS)
        on_later(publish);
    else
        wait(publish, LATER_MS);
}

const json_t *publish_key_object(const struct publish *publish, const char *id)
{
    for (size_t i = 0; i < publish->key_count; i++) {
        const json_t *object = publish->keys[i].object;
        if (strcmp(codec_json_text(json_object_get(object, "metadata"), "uid", ""), id) == 0)
            return object;
    }
    return NULL;
}

void publish_each_key(const struct publish *publish, publish_key_fn *fn, void *ctx)
{
    for (size_t i = 0; i < publish->key_count; i++)
        fn(ctx, publish->keys[i].object);
}

void publish_touch_signers(struct publish *publish)
{
    publish->dirty = true;
}

/* ------------------------------------------------------------------ start */

int publish_load(struct publish *publish, struct err *err)
{
    TRY(publish_read_all(publish, err));
    return publish_now(publish, err);
}

int publish_new(struct idp *idp, struct publish **out, struct err *err)
{
    struct publish *publish = mem_new(sizeof(*publish));
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, role_own_run_dir(idp->role), err);

    publish->idp = idp;
    *out = publish;
    TRY(dir_fd);
    TRY(snapshot_publisher_open(&identity_snapshot, &dir_fd, &publish->publisher, err));
    return loop_add_timer(role_loop(idp->role), NEVER_MS, 0, on_later, publish, &publish->later,
                          err);
}

void publish_free(struct publish *publish)
{
    if (publish == NULL)
        return;
    publish_forget_all(publish);
    snapshot_publisher_free(publish->publisher);
    free(publish);
}
