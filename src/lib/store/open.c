/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

#include "base/mem.h"
#include "crypto/crypto.h"

static struct store *store_new(const struct store_config *config)
{
    struct store *store = mem_new(sizeof(*store));
    size_t row_max = BACKEND_ROW_MAX;

    store->keys = config->keys;
    store->on_damage = config->on_damage;
    store->damage_ctx = config->damage_ctx;
    store->head = (struct buf)BUF_INIT(256);
    store->raw = (struct buf)BUF_INIT(row_max);
    store->plain = (struct buf)BUF_INIT(row_max);
    store->out = (struct buf)BUF_INIT(row_max);
    store->body = (struct buf)BUF_INIT(row_max);
    LIST_INIT(&store->colls);
    LIST_INIT(&store->damages);
    TAILQ_INIT(&store->watchers);
    return store;
}

static void free_damages(struct store *store)
{
    struct damage *damage;

    while ((damage = LIST_FIRST(&store->damages)) != NULL) {
        LIST_REMOVE(damage, entry);
        free(damage);
    }
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    watch_free_all(store);
    if (store->backend != NULL) {
        store->backend->ops->rollback(store->backend);
        store->backend->ops->close(store->backend);
    }
    store_keyring_free(store);
    secret_free(store->set_key);
    free_damages(store);
    buf_free(&store->head);
    buf_free(&store->raw);
    buf_free_wiped(&store->plain);
    buf_free(&store->out);
    buf_free_wiped(&store->body);
    mem_wipe(store, sizeof(*store));
    free(store);
}

void store_close_ptr(struct store **store)
{
    store_close(*store);
}

static int open_backend(const struct store_config *config, struct backend **out, struct err *err)
{
    if ((config->path == NULL) == (config->conninfo == NULL))
        return err_set(err, ERR_INVALID, "a store wants either a path or a connection string");
    if (config->path != NULL)
        return backend_sqlite_open(config->path, out, err);
    return backend_postgres_open(config->conninfo, config->schema, out, err);
}

/* 1: the store has an id. 0: it is new. */
static int read_id(struct store *store, struct err *err)
{
    CLEANUP(buf_free) struct buf id = BUF_INIT(64);

    int found = store->backend->ops->get(store->backend, BACKEND_META, span_str("id"), &id, err);
    TRY(found);
    if (found == 1 && id.len != ROW_STORE_ID_LEN)
        return err_set(err, ERR_CORRUPT, "the store's id has %zu bytes", id.len);
    if (found == 1)
        memcpy(store->id, id.data, ROW_STORE_ID_LEN);
    return found;
}

/* What has no id must have no head either: it would be an old store whose id was taken away. */
static int create(struct store *store, struct err *err)
{
    CLEANUP(buf_free) struct buf head = BUF_INIT(256);

    int found =
        store->backend->ops->get(store->backend, BACKEND_META, span_str("head"), &head, err);
    TRY(found);
    if (found == 1)
        return err_set(err, ERR_CORRUPT, "the store has lost its id; restore it from a backup");
    TRY(crypto_random(store->id, sizeof(store->id), err));
    TRY(store->backend->ops->put(store->backend, BACKEND_META, span_str("id"),
                                 span_of(store->id, sizeof(store->id)), err));
    TRY(store_keyring_create_self(store, err));
    store->dirty = true;
    return store_flush(store, err);
}

/* Under the writers' lock, so that two processes do not both make a new store. */
static int load_or_create(struct store *store, bool accept_loss, struct err *err)
{
    TRY(store->backend->ops->begin(store->backend, err));
    store->open = true;
    int found = read_id(store, err);
    TRY(found);
    if (found == 0)
        return create(store, err);
    store_discard(store);
    TRY(store_keyring_load_self(store, err));
    if (head_read(store, err) < 0 && (!accept_loss || err->code != ERR_CORRUPT))
        return -1;
    return 0;
}

static int check_anchor(struct store *store, const struct store_head *least, struct err *err)
{
    static const uint8_t no_digest[STORE_DIGEST_LEN];
    struct store_head head;

    store_head(store, &head);
    if (head.revision < least->revision)
        return err_set(err, ERR_CORRUPT,
                       "the store is at revision %lld but was at %lld already: it was rolled back; "
                       "restore the newest backup, or open it once with the loss accepted",
                       (long long)head.revision, (long long)least->revision);
    if (least->revision > 0 && head.revision == least->revision &&
        !mem_equal_ct(least->digest, no_digest, STORE_DIGEST_LEN) &&
        !mem_equal_ct(head.digest, least->digest, STORE_DIGEST_LEN))
        return err_set(
            err, ERR_CORRUPT,
            "the store at revision %lld is not the one that was written: it was replaced "
            "by another history",
            (long long)head.revision);
    return 0;
}

/* The revision goes past every one that is anchored or stored, so that none is used twice. */
static int accept_loss(struct store *store, const struct store_head *least, struct err *err)
{
    TRY(batch_begin(store, err));
    if (store->now.revision <= least->revision)
        store->now.revision = least->revision + 1;
    TRY(scrub_accept(store, err));
    return store_flush(store, err);
}

static int verify(struct store *store, const struct store_config *config, struct err *err)
{
    if (config->accept_loss) {
        TRY(accept_loss(store, &config->least, err));
        store->verified = true;
        return store_keyring_load(store, err);
    }
    TRY(check_anchor(store, &config->least, err));
    unsigned ms = config->verify_ms == 0 ? STORE_VERIFY_MS : config->verify_ms;
    /* Other processes may write meanwhile: under their lock the set stands still. */
    if (store->backend->ops->shared)
        TRY(batch_begin(store, err));
    TRY(scrub_verify_set(store, ms, err));
    store_discard(store);
    return store_keyring_load(store, err);
}

int store_open(const struct store_config *config, struct store **out, struct err *err)
{
    struct store *store = store_new(config);
    const char *where = config->path != NULL ? config->path : config->schema;

    if (open_backend(config, &store->backend, err) < 0 ||
        load_or_create(store, config->accept_loss, err) < 0 || verify(store, config, err) < 0) {
        store_close(store);
        return err_wrap(err, "cannot open the store %s", where == NULL ? "" : where);
    }
    *out = store;
    return 0;
}
