/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills the store of a platform that is not running with users and their sessions, as idp writes
 * them, so that a benchmark need not sign in a million times. One user that is there is the model:
 * each new one has its password. The session number N has the cookie that the hash of
 * "session N" gives; bench_identity.py makes the same. And as many sessions as are said were ended
 * lately, so that tokens of theirs are refused.
 *
 * usage: fill_identity DATA-DIR KEY-FILE USER USERS SESSIONS ENDED
 */
#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/secret.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "kms/keyring.h"
#include "store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    USERS_A_TXN = 40,
    SESSIONS_A_TXN = 100,
    TXNS_A_FLUSH = 40,
    ID_LEN = 18,
    ONE_MAX = 64 * 1024
};

struct fill {
    struct keyring *keyring;
    struct store *store;
    json_t *user, *credential; /* of the model */
    size_t users;
    size_t unflushed;
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "fill_identity: %s\n", what);
    exit(1);
}

/* ------------------------------------------------------------------ opening */

static int open_key(void *ctx, const char *collection, struct span wrapped, struct secret **key,
                    struct err *err)
{
    CLEANUP_FREE char *name = mem_printf("idp/%s", collection);

    return keyring_unwrap(ctx, name, wrapped, key, err);
}

static int create_key(void *ctx, const char *collection, struct secret **key, struct buf *wrapped,
                      struct err *err)
{
    CLEANUP_FREE char *name = mem_printf("idp/%s", collection);
    uint8_t bytes[KEYS_DATA_LEN];

    TRY(crypto_random(bytes, sizeof(bytes), err));
    *key = secret_copy(span_of(bytes, sizeof(bytes)));
    mem_wipe(bytes, sizeof(bytes));
    return keyring_wrap(ctx, name, *key, wrapped, err);
}

/* Its second line. */
static void read_instance(const char *data_dir, char out[40])
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(256);
    CLEANUP_FD int dir_fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct err err = ERR_INIT;

    must(dir_fd >= 0 && fd_read_file(dir_fd, "instance", &text, &err) == 0, "no instance");
    const char *line = strchr(buf_text(&text), '\n');
    must(line != NULL, "the instance is malformed");
    snprintf(out, 40, "%.36s", line + 1);
}

static void open_keyring(struct fill *fill, const char *data_dir, const char *key_file)
{
    CLEANUP_FREE char *folder = mem_printf("%s/kms", data_dir);
    CLEANUP(secret_free_ptr) struct secret *material = NULL;
    struct err err = ERR_INIT;
    char instance[40];

    read_instance(data_dir, instance);
    struct keyring_place place = {.dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                                  .instance = instance};
    must(place.dir_fd >= 0, "the folder of kms cannot be opened");
    must(unseal_keyfile_read(key_file, data_dir, &material, &err) == 0, err.msg);
    must(keyring_load(&place, material, &fill->keyring, &err) == 0, err.msg);
}

static void open_store(struct fill *fill, const char *data_dir)
{
    CLEANUP_FREE char *path = mem_printf("%s/idp/store.db", data_dir);
    struct store_config config = {
        .path = path, .keys = {.open = open_key, .create = create_key, .ctx = fill->keyring}};
    struct err err = ERR_INIT;

    must(store_open(&config, &fill->store, &err) == 0, err.msg);
}

static json_t *read_model(struct fill *fill, const char *collection, const char *name)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(ONE_MAX);
    struct store_key key = {.collection = collection, .scope = "", .name = name};
    struct store_record record;
    json_t *value = NULL;
    struct err err = ERR_INIT;

    must(store_get(fill->store, key, arena, &record, &err) == 0, err.msg);
    must(codec_json_parse(record.value, collection, &value, &err) == 0, err.msg);
    return value;
}

/* ------------------------------------------------------------------ writing */

static void text_of(const json_t *value, struct arena *arena, struct span *out)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(ONE_MAX);

    codec_json_put(value, &text);
    *out = span_of(arena_copy(arena, buf_span(&text)), text.len);
}

static void commit(struct fill *fill, const struct store_change *changes, size_t count)
{
    struct store_txn txn = {.changes = changes, .change_count = count};
    struct err err = ERR_INIT;

    must(store_txn_commit(fill->store, &txn, NULL, &err) == 0, err.msg);
    if (++fill->unflushed < TXNS_A_FLUSH)
        return;
    fill->unflushed = 0;
    must(store_flush(fill->store, &err) == 0, err.msg);
}

static void uid_of(size_t i, char out[48])
{
    snprintf(out, 48, "00000000-0000-4000-8000-%012zx", i);
}

static void put_user(struct fill *fill, size_t i, struct arena *arena, struct store_change *out)
{
    const char *name = arena_printf(arena, "user%06zu", i);
    json_t *metadata = json_object_get(fill->user, "metadata");
    char uid[48];

    uid_of(i, uid);
    json_object_set_new(metadata, "name", json_string(name));
    json_object_set_new(metadata, "uid", json_string(uid));
    json_object_set_new(json_object_get(fill->user, "spec"), "email",
                        json_sprintf("%s@bench.example", name));
    json_object_set_new(fill->credential, "uid", json_string(uid));
    out[0] =
        (struct store_change){.key = {.collection = "users.drun.io", .scope = "", .name = name},
                              .terms = {arena_printf(arena, "spec.email=%s@bench.example", name)},
                              .term_count = 1};
    out[1] = (struct store_change){.key = {.collection = "credentials", .scope = "", .name = name}};
    text_of(fill->user, arena, &out[0].value);
    text_of(fill->credential, arena, &out[1].value);
}

static void put_users(struct fill *fill)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(USERS_A_TXN * ONE_MAX);
    struct store_change changes[2 * USERS_A_TXN];

    for (size_t i = 0; i < fill->users;) {
        size_t count = 0;
        for (; count < USERS_A_TXN && i < fill->users; count++, i++)
            put_user(fill, i, arena, &changes[2 * count]);
        commit(fill, changes, 2 * count);
        arena_reset(arena);
    }
}

static const char *base64_of(struct span bytes, struct arena *arena)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(128);

    enc_base64_put(ENC_BASE64URL, bytes, &text);
    return arena_strdup(arena, buf_text(&text));
}

static const char *session_id(size_t i, struct arena *arena)
{
    uint8_t hash[CRYPTO_HASH_LEN];
    const char *name = arena_printf(arena, "session %zu", i);

    crypto_sha256(span_str(name), hash);
    const char *cookie = base64_of(span_of(hash, sizeof(hash)), arena);
    crypto_sha256(span_str(cookie), hash);
    return base64_of(span_of(hash, ID_LEN), arena);
}

static void put_session(struct fill *fill, size_t i, struct arena *arena, struct store_change *out)
{
    size_t owner = i % fill->users;
    json_int_t now = clock_wall_sec();
    char uid[48];

    uid_of(owner, uid);
    CLEANUP_JSON json_t *record = json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:s}", "user", arena_printf(arena, "user%06zu", owner),
        "uid", uid, "created", now, "seen", now, "authTime", now, "amr", "pwd", "address",
        "192.0.2.1", "userAgent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101");
    *out = (struct store_change){
        .key = {.collection = "sessions", .scope = "", .name = session_id(i, arena)},
        .terms = {arena_printf(arena, "user=user%06zu", owner)},
        .term_count = 1};
    text_of(record, arena, &out->value);
}

static void put_sessions(struct fill *fill, size_t sessions)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(SESSIONS_A_TXN * ONE_MAX);
    struct store_change changes[SESSIONS_A_TXN];

    for (size_t i = 0; i < sessions;) {
        size_t count = 0;
        for (; count < SESSIONS_A_TXN && i < sessions; count++, i++)
            put_session(fill, i, arena, &changes[count]);
        commit(fill, changes, count);
        arena_reset(arena);
    }
}

static void put_ended(struct fill *fill, size_t ended)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(SESSIONS_A_TXN * ONE_MAX);
    struct store_change changes[SESSIONS_A_TXN];
    CLEANUP_JSON json_t *record =
        json_pack("{s:I, s:i}", "until", (json_int_t)clock_wall_sec() + 3600, "before", 0);

    for (size_t i = 0; i < ended;) {
        size_t count = 0;
        for (; count < SESSIONS_A_TXN && i < ended; count++, i++) {
            const char *name = arena_printf(arena, "sENDED%018zu", i);
            changes[count] = (struct store_change){
                .key = {.collection = "revocations", .scope = "", .name = name}};
            text_of(record, arena, &changes[count].value);
        }
        commit(fill, changes, count);
        arena_reset(arena);
    }
}

int main(int argc, char **argv)
{
    struct fill fill = {0};
    struct err err = ERR_INIT;

    must(argc == 7, "usage: fill_identity DATA-DIR KEY-FILE USER USERS SESSIONS ENDED");
    fill.users = strtoul(argv[4], NULL, 10);
    must(fill.users > 0, "no users");
    must(secret_heap_init(&err) == 0, err.msg);
    open_keyring(&fill, argv[1], argv[2]);
    open_store(&fill, argv[1]);
    fill.user = read_model(&fill, "users.drun.io", argv[3]);
    fill.credential = read_model(&fill, "credentials", argv[3]);
    put_users(&fill);
    put_sessions(&fill, strtoul(argv[5], NULL, 10));
    put_ended(&fill, strtoul(argv[6], NULL, 10));
    must(store_flush(fill.store, &err) == 0, err.msg);
    store_close(fill.store);
    keyring_free(fill.keyring);
    json_decref(fill.user);
    json_decref(fill.credential);
    return 0;
}
