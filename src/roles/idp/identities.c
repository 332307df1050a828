/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and users in memory, as identity.snap needs them. */
#include "idp/publish_internal.h"

#include "auth/auth.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"
#include "log/log.h"

#include <stdlib.h>

/* Room for one more, zeroed. */
static void *grow(void *items, size_t *count, size_t *room, size_t size)
{
    if (*count == *room) {
        *room = *room == 0 ? 16 : 2 * *room;
        items = mem_resize_array(items, *room, size);
    }
    memset((char *)items + *count * size, 0, size);
    (*count)++;
    return items;
}

static int64_t time_of(const json_t *object, const char *name)
{
    const char *text = codec_json_text(object, name, NULL);
    struct err err = ERR_INIT;
    int64_t sec = 0;

    return text != NULL && clock_parse(span_str(text), &sec, &err) == 0 ? sec : 0;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a == 0 ? b : b == 0 ? a : NUM_MIN(a, b);
}

/* ------------------------------------------------------------------ keys */

static void clear_key(struct publish_key *key)
{
    free(key->namespace);
    free(key->name);
    free(key->user);
    free(key->uid);
    json_decref(key->object);
    json_decref(key->groups);
    *key = (struct publish_key){0};
}

static void forget_key(struct publish *publish, const char *namespace, const char *name)
{
    for (size_t i = 0; i < publish->key_count; i++) {
        struct publish_key *key = &publish->keys[i];
        if (strcmp(key->namespace, namespace) != 0 || strcmp(key->name, name) != 0)
            continue;
        clear_key(key);
        *key = publish->keys[--publish->key_count];
        return;
    }
}

static void own_as_service_account(struct publish_key *key, const char *account)
{
    key->user = mem_printf("system:serviceaccount:%s:%s", key->namespace, account);
    key->groups = json_pack("[s, o]", "system:serviceaccounts",
                            json_sprintf("system:serviceaccounts:%s", key->namespace));
}

/* Without its owner a key is as good as disabled; so it is when another user has the name now. */
static int own_as_user(struct publish *publish, struct publish_key *key, const char *uid,
                       struct err *err)
{
    CLEANUP(account_free) struct account account = {0};

    if (strcmp(key->user, AUTH_POSTURE) == 0) {
        key->groups = json_pack("[s]", AUTH_GROUP_POSTURE);
        return 0;
    }
    if (account_load_same(publish->idp, key->user, uid, &account, err) == 0) {
        key->uid = mem_strdup(uid);
        key->groups = json_incref(account.groups);
        const json_t *spec = json_object_get(account.object, "spec");
        key->expires_at = earlier(key->expires_at, time_of(spec, "expiresAt"));
        return 0;
    }
    if (err->code != ERR_NOT_FOUND && err->code != ERR_DENIED)
        return -1;
    err_clear(err);
    key->disabled = true;
    return 0;
}

/* The secret and, while it is still good, the one before. */
static int read_digests(struct publish_key *key, const json_t *secret, struct err *err)
{
    const json_t *old = json_object_get(secret, "previous");
    int64_t until = record_number(old, "until");

    TRY(enc_unhex(span_str(codec_json_text(secret, "digest", "")), key->digest, sizeof(key->digest),
                  err));
    if (until <= clock_wall_sec())
        return 0;
    key->old_until = until;
    return enc_unhex(span_str(codec_json_text(old, "digest", "")), key->old_digest,
                     sizeof(key->old_digest), err);
}

static int read_key(struct publish *publish, json_t *object, struct publish_key *key,
                    struct err *err)
{
    CLEANUP_JSON json_t *secret = NULL;
    const json_t *metadata = json_object_get(object, "metadata");
    const json_t *spec = json_object_get(object, "spec");
    const char *account = codec_json_text(spec, "serviceAccountName", NULL);

    key->namespace = mem_strdup(codec_json_text(metadata, "namespace", ""));
    key->name = mem_strdup(codec_json_text(metadata, "name", ""));
    key->object = json_incref(object);
    key->disabled = json_is_true(json_object_get(spec, "disabled")) ||
                    json_object_get(metadata, "deletionTimestamp") != NULL;
    key->expires_at = time_of(spec, "expiresAt");
    TRY(apikey_secret(publish->idp, key->namespace, key->name, &secret, err));
    TRY(read_digests(key, secret, err));
    if (account != NULL) {
        own_as_service_account(key, account);
        key->uid = mem_strdup("");
        return 0;
    }
    key->user = mem_strdup(codec_json_text(spec, "user", ""));
    TRY(own_as_user(publish, key, codec_json_text(secret, "uid", ""), err));
    if (key->uid == NULL)
        key->uid = mem_strdup("");
    return 0;
}

static void add_key(struct publish *publish, json_t *object)
{
    struct publish_key key = {0};
    struct err err = ERR_INIT;

    if (read_key(publish, object, &key, &err) < 0) {
        log_error("idp.key", &err);
        clear_key(&key);
        return;
    }
    publish->keys =
        grow(publish->keys, &publish->key_count, &publish->key_room, sizeof(*publish->keys));
    publish->keys[publish->key_count - 1] = key;
}

static int load_key(void *ctx, const json_t *object, struct err *err UNUSED)
{
    add_key(ctx, (json_t *)(uintptr_t)object);
    return 0;
}

static void reread_key(struct publish *publish, const char *namespace, const char *name)
{
    CLEANUP_JSON json_t *object = NULL;
    struct err err = ERR_INIT;

    forget_key(publish, namespace, name);
    if (kube_object_get(serve_kube(publish->idp->serve), &kube_api_key, namespace, name, &object,
                        &err) == 0)
        add_key(publish, object);
    else if (err.code != ERR_NOT_FOUND)
        log_error("idp.key", &err);
}

/* Keys of this user; NULL: of every one. */
static void reread_keys_of(struct publish *publish, const char *user)
{
    for (size_t i = publish->key_count; i-- > 0;) {
        struct publish_key *key = &publish->keys[i];
        if (user != NULL && strcmp(key->user, user) != 0)
            continue;
        /* The last one takes its place, and was looked at already. */
        CLEANUP_FREE char *namespace = mem_strdup(key->namespace);
        CLEANUP_FREE char *name = mem_strdup(key->name);
        reread_key(publish, namespace, name);
    }
}

/* ------------------------------------------------------------------ users */

static void forget_user(struct publish *publish, const char *name)
{
    for (size_t i = 0; i < publish->user_count; i++) {
        if (strcmp(publish->users[i].name, name) != 0)
            continue;
        free(publish->users[i].name);
        publish->users[i] = publish->users[--publish->user_count];
        return;
    }
}

static int load_user(void *ctx, const json_t *object, struct err *err UNUSED)
{
    struct publish *publish = ctx;
    const json_t *spec = json_object_get(object, "spec");
    struct publish_user user = {
        .disabled = json_is_true(json_object_get(spec, "disabled")),
        .expires_at = time_of(spec, "expiresAt"),
    };

    if (!user.disabled && user.expires_at == 0)
        return 0;
    user.name = mem_strdup(codec_json_text(json_object_get(object, "metadata"), "name", ""));
    publish->users =
        grow(publish->users, &publish->user_count, &publish->user_room, sizeof(*publish->users));
    publish->users[publish->user_count - 1] = user;
    return 0;
}

static void reread_user(struct publish *publish, const char *name)
{
    CLEANUP_JSON json_t *object = NULL;
    struct err err = ERR_INIT;

    forget_user(publish, name);
    if (kube_object_get(serve_kube(publish->idp->serve), &kube_user, "", name, &object, &err) == 0)
        (void)load_user(publish, object, &err);
    else if (err.code != ERR_NOT_FOUND)
        log_error("idp.user", &err);
    reread_keys_of(publish, name);
}

/* ------------------------------------------------------------------ following */

void publish_touch(struct publish *publish, const struct kube_kind *kind, const char *namespace,
                   const char *name)
{
    publish->touched = grow(publish->touched, &publish->touched_count, &publish->touched_room,
                            sizeof(*publish->touched));
    publish->touched[publish->touched_count - 1] =
        (struct publish_touched){.kind = kind,
                                 .namespace = mem_strdup(namespace == NULL ? "" : namespace),
                                 .name = mem_strdup(name)};
}

static void take_in(struct publish *publish, const struct publish_touched *touched)
{
    publish->dirty = true;
    if (touched->kind == &kube_api_key)
        reread_key(publish, touched->namespace, touched->name);
    else if (touched->kind == &kube_user)
        reread_user(publish, touched->name);
    else
        reread_keys_of(publish, NULL);
}

static void forget_touched(struct publish *publish)
{
    for (size_t i = 0; i < publish->touched_count; i++) {
        free(publish->touched[i].namespace);
        free(publish->touched[i].name);
    }
    publish->touched_count = 0;
}

void publish_take_in(struct publish *publish)
{
    for (size_t i = 0; i < publish->touched_count; i++)
        take_in(publish, &publish->touched[i]);
    forget_touched(publish);
}

int publish_read_all(struct publish *publish, struct err *err)
{
    struct kube_server *kube = serve_kube(publish->idp->serve);

    TRY(kube_object_each_by(kube, &kube_user, NULL, KUBE_USERS_LIMITED, load_user, publish, err));
    TRY(kube_object_each(kube, &kube_api_key, NULL, load_key, publish, err));
    return publish_read_revoked(publish, err);
}

void publish_forget_all(struct publish *publish)
{
    for (size_t i = 0; i < publish->key_count; i++)
        clear_key(&publish->keys[i]);
    for (size_t i = 0; i < publish->user_count; i++)
        free(publish->users[i].name);
    publish_forget_revoked(publish);
    forget_touched(publish);
    free(publish->keys);
    free(publish->users);
    free(publish->touched);
}
