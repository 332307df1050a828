/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data keys of the collections. A wrapped key is a record like any other, at (STORE_SELF,
 * collection, version), so that seal and set cover it; the wrapped versions of the store's own key
 * lie in the map `meta`.
 */
#include "store/store_internal.h"

#include "base/mem.h"
#include "base/num.h"
#include "crypto/crypto.h"

enum { SELF_FORMAT = 1, SELF_MAX = 64 * 1024 };

static void version_close(struct key_version *version)
{
    buf_free(&version->wrapped);
    secret_free(version->data);
    for (int i = 0; i < KEY_SLOTS; i++)
        secret_free(version->slots[i].key);
}

static void coll_free(struct coll *coll)
{
    for (size_t i = 0; i < coll->count; i++)
        version_close(&coll->versions[i]);
    secret_free(coll->names);
    free(coll->versions);
    free(coll);
}

static struct coll *coll_add(struct store *store, const char *name)
{
    struct coll *coll = mem_new(sizeof(*coll));

    snprintf(coll->name, sizeof(coll->name), "%s", name);
    LIST_INSERT_HEAD(&store->colls, coll, entry);
    return coll;
}

static struct coll *coll_find(struct store *store, const char *name)
{
    struct coll *coll;

    LIST_FOREACH (coll, &store->colls, entry)
        if (strcmp(coll->name, name) == 0)
            return coll;
    return NULL;
}

struct coll *store_keyring_by_hash(struct store *store, const uint8_t hash[ROW_HASH_LEN])
{
    struct coll *coll;

    LIST_FOREACH (coll, &store->colls, entry)
        if (memcmp(coll->hash, hash, ROW_HASH_LEN) == 0)
            return coll;
    return NULL;
}

/* Versions may come in any order. */
static struct key_version *version_at(struct coll *coll, size_t number)
{
    if (number > coll->count) {
        coll->versions = mem_resize_array(coll->versions, number, sizeof(*coll->versions));
        memset(coll->versions + coll->count, 0, (number - coll->count) * sizeof(*coll->versions));
        coll->count = number;
    }
    return &coll->versions[number - 1];
}

static void version_set(struct key_version *version, struct span wrapped, int64_t id)
{
    version_close(version);
    *version = (struct key_version){.wrapped = BUF_INIT(STORE_WRAPPED_MAX), .id = id};
    buf_put_span(&version->wrapped, wrapped);
}

/* Another process may have made a version since. */
static int look_again(struct store *store, struct coll *coll, size_t number, struct err *err)
{
    if (!store->backend->ops->shared || number <= coll->count)
        return 0;
    return coll == store->self ? store_keyring_load_self(store, err)
                               : store_keyring_load(store, err);
}

static int data_key(struct store *store, struct coll *coll, size_t number,
                    const struct secret **out, struct err *err)
{
    TRY(look_again(store, coll, number, err));
    struct key_version *version =
        number >= 1 && number <= coll->count ? &coll->versions[number - 1] : NULL;

    if (version == NULL || version->wrapped.len == 0)
        return err_set(err, ERR_CORRUPT, "collection %s has no data key of version %zu", coll->name,
                       number);
    if (version->data == NULL &&
        store->keys.open(store->keys.ctx, coll->name, buf_span(&version->wrapped), &version->data,
                         err) < 0)
        return err_wrap(err, "cannot unwrap the data key of collection %s", coll->name);
    if (secret_len(version->data) != CRYPTO_KEY_LEN)
        return err_set(err, ERR_INVALID, "the data key of collection %s has %zu bytes, not %d",
                       coll->name, secret_len(version->data), CRYPTO_KEY_LEN);
    *out = version->data;
    return 0;
}

int store_keyring_seal_key(struct store *store, struct coll *coll, uint32_t version,
                           int64_t revision, const struct secret **out, struct err *err)
{
    int64_t epoch = revision / KEY_EPOCH_REVISIONS;
    const struct secret *data = NULL;
    char label[64];

    TRY(data_key(store, coll, version, &data, err));
    struct key_slot *slot = &coll->versions[version - 1].slots[epoch % KEY_SLOTS];
    if (slot->key == NULL || slot->epoch != epoch) {
        secret_free(slot->key);
        slot->key = NULL;
        snprintf(label, sizeof(label), "drun store seal %lld", (long long)epoch);
        TRY(crypto_derive(data, label, CRYPTO_KEY_LEN, &slot->key, err));
        slot->epoch = epoch;
    }
    *out = slot->key;
    return 0;
}

static int names_key(struct store *store, struct coll *coll, struct err *err)
{
    const struct secret *data = NULL;

    if (coll->names != NULL)
        return 0;
    TRY(data_key(store, coll, 1, &data, err));
    return crypto_derive(data, "drun store names", CRYPTO_KEY_LEN, &coll->names, err);
}

/* ------------------------------------------------------------------ the store's own key */

static int self_ready(struct store *store, struct err *err)
{
    const struct secret *data = NULL;

    TRY(names_key(store, store->self, err));
    hash_coll(store, STORE_SELF, store->self->hash);
    TRY(data_key(store, store->self, 1, &data, err));
    return crypto_derive(data, "drun store set", CRYPTO_KEY_LEN, &store->set_key, err);
}

static int create_version(struct store *store, struct coll *coll, struct buf *wrapped,
                          struct secret **data, struct err *err)
{
    if (store->keys.create(store->keys.ctx, coll->name, data, wrapped, err) < 0)
        return err_wrap(err, "cannot make a data key for collection %s", coll->name);
    TRY(buf_check(wrapped, "a wrapped data key", err));
    if (wrapped->len == 0)
        return err_set(err, ERR_INVALID, "the wrapped data key of collection %s is empty",
                       coll->name);
    return 0;
}

static int self_write(struct store *store, struct err *err)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(SELF_MAX);

    buf_put_u8(&bytes, SELF_FORMAT);
    buf_put_u32(&bytes, (uint32_t)store->self->count);
    for (size_t i = 0; i < store->self->count; i++)
        buf_put_block(&bytes, buf_span(&store->self->versions[i].wrapped));
    TRY(buf_check(&bytes, "the list of the store's own keys", err));
    return store->backend->ops->put(store->backend, BACKEND_META, span_str("self"),
                                    buf_span(&bytes), err);
}

int store_keyring_create_self(struct store *store, struct err *err)
{
    CLEANUP(buf_free) struct buf wrapped = BUF_INIT(STORE_WRAPPED_MAX);
    struct secret *data = NULL;

    store->self = coll_add(store, STORE_SELF);
    TRY(create_version(store, store->self, &wrapped, &data, err));
    version_set(version_at(store->self, 1), buf_span(&wrapped), 0);
    store->self->versions[0].data = data;
    TRY(self_write(store, err));
    return self_ready(store, err);
}

int store_keyring_load_self(struct store *store, struct err *err)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(SELF_MAX);

    if (store->self == NULL)
        store->self = coll_add(store, STORE_SELF);
    int found =
        store->backend->ops->get(store->backend, BACKEND_META, span_str("self"), &bytes, err);
    TRY(found);
    struct cursor cursor = cursor_of(buf_span(&bytes));
    uint8_t format = cursor_u8(&cursor);
    if (found == 1 && format != SELF_FORMAT)
        return err_set(err, ERR_UNSUPPORTED, "the store has format %u; this version knows %d",
                       format, SELF_FORMAT);
    uint32_t count = cursor_u32(&cursor);
    for (uint32_t i = 0; !cursor.failed && i < count && i < KEY_VERSIONS_MAX; i++) {
        struct span wrapped = cursor_block(&cursor);
        if (i >= store->self->count && wrapped.len > 0 && wrapped.len <= STORE_WRAPPED_MAX)
            version_set(version_at(store->self, i + 1), wrapped, 0);
    }
    if (cursor.failed || cursor.left > 0 || store->self->count == 0)
        return err_set(err, ERR_CORRUPT, "the store has lost its own wrapped key");
    store->durable_self_count = store->self->count;
    return store->set_key == NULL ? self_ready(store, err) : 0;
}

/* ------------------------------------------------------------------ the collections' keys */

static int take_record(struct store *store, const struct row *row, const struct row_body *body,
                       struct err *err)
{
    uint64_t number;

    TRY(num_parse_u64(span_str(body->name), 1, KEY_VERSIONS_MAX, "a key version", &number, err));
    TRY(txn_check_text(body->scope, 1, STORE_COLLECTION_MAX, "a collection", err));
    struct coll *coll = coll_find(store, body->scope);
    if (coll == NULL) {
        coll = coll_add(store, body->scope);
        hash_coll(store, coll->name, coll->hash);
    }
    struct key_version *version = version_at(coll, number);
    if (version->wrapped.len == 0)
        version_set(version, body->value, row->id);
    return 0;
}

static int load_rows(struct store *store, struct span rows, uint8_t after[ROW_POS_LEN],
                     struct err *err)
{
    struct cursor cursor = cursor_of(rows);

    while (cursor.left > 0) {
        struct span pos = cursor_block(&cursor);
        struct span bytes = cursor_block(&cursor);
        struct row_current current;
        struct row row;
        struct row_body body;
        struct err why = ERR_INIT;
        if (pos.len != ROW_POS_LEN)
            return err_set(err, ERR_CORRUPT, "a stored position has %zu bytes", pos.len);
        memcpy(after, pos.p, ROW_POS_LEN);
        if (row_current_decode(bytes, &current, &why) == 0 &&
            read_record(store, store->self, after, &current, &row, &body, &why) == 0) {
            TRY(take_record(store, &row, &body, err));
        } else if (why.code != ERR_CORRUPT) {
            *err = why;
            return -1;
        }
        /* A damaged key costs its collection, not the store. */
    }
    return 0;
}

static int load_all(struct store *store, struct err *err)
{
    uint8_t after[ROW_POS_LEN];
    uint8_t last[ROW_POS_LEN];
    size_t after_len = ROW_HASH_LEN;

    memcpy(after, store->self->hash, ROW_HASH_LEN);
    memset(last, 0xff, sizeof(last));
    memcpy(last, store->self->hash, ROW_HASH_LEN);
    for (;;) {
        CLEANUP(buf_free) struct buf rows = BACKEND_ROWS_INIT;
        int count =
            store->backend->ops->scan(store->backend, BACKEND_CURRENT, span_of(after, after_len),
                                      span_of(last, sizeof(last)), 256, &rows, err);
        if (count <= 0)
            return count;
        TRY(load_rows(store, buf_span(&rows), after, err));
        after_len = ROW_POS_LEN;
    }
}

int store_keyring_load(struct store *store, struct err *err)
{
    struct buf raw = store->raw;
    struct buf plain = store->plain;

    /* It may be asked for in the middle of reading a record, which lies in these two. */
    store->raw = (struct buf)BUF_INIT(raw.max);
    store->plain = (struct buf)BUF_INIT(plain.max);
    int result = load_all(store, err);
    buf_free(&store->raw);
    buf_free_wiped(&store->plain);
    store->raw = raw;
    store->plain = plain;
    return result;
}

int store_keyring_find(struct store *store, const char *name, struct coll **out, struct err *err)
{
    uint8_t pos[ROW_POS_LEN];
    struct row_current current;

    *out = coll_find(store, name);
    if (*out != NULL)
        return names_key(store, *out, err);
    hash_pos(store->self, name, "1", pos);
    int found = read_current(store, pos, &current, err);
    TRY(found);
    if (found == 0)
        return 0;
    /* Another process made it, or its record could not be read. */
    TRY(store_keyring_load(store, err));
    *out = coll_find(store, name);
    if (*out == NULL)
        return err_set(err, ERR_CORRUPT, "the data key of collection %s is damaged", name);
    return names_key(store, *out, err);
}

static int add_self_version(struct store *store, struct span wrapped, struct err *err)
{
    version_set(version_at(store->self, store->self->count + 1), wrapped, 0);
    if (self_write(store, err) < 0)
        return batch_break(store, err);
    store->dirty = true;
    return 0;
}

int store_keyring_add_version(struct store *store, const char *name, struct coll **out,
                              struct err *err)
{
    CLEANUP(buf_free) struct buf wrapped = BUF_INIT(STORE_WRAPPED_MAX);
    CLEANUP(secret_free_ptr) struct secret *data = NULL;
    struct coll probe = {0};
    char number[24];
    int64_t id;

    if (store->backend->ops->shared) {
        TRY(store_keyring_load_self(store, err));
        TRY(store_keyring_load(store, err));
    }
    struct coll *coll = coll_find(store, name);

    snprintf(probe.name, sizeof(probe.name), "%s", name);
    size_t next = coll == NULL ? 1 : coll->count + 1;
    if (next > KEY_VERSIONS_MAX)
        return err_set(err, ERR_LIMITED, "collection %s has %zu data keys", name, next - 1);
    TRY(create_version(store, &probe, &wrapped, &data, err));
    if (coll == store->self) {
        TRY(add_self_version(store, buf_span(&wrapped), err));
    } else {
        snprintf(number, sizeof(number), "%zu", next);
        TRY(txn_put_self(store, name, number, buf_span(&wrapped), &id, err));
        if (coll == NULL) {
            coll = coll_add(store, name);
            hash_coll(store, name, coll->hash);
        }
        version_set(version_at(coll, next), buf_span(&wrapped), id);
    }
    coll->versions[next - 1].data = data;
    data = NULL;
    if (out != NULL)
        *out = coll;
    return names_key(store, coll, err);
}

void store_keyring_rollback(struct store *store)
{
    int64_t last = store->durable.revision * ROW_PER_REVISION + ROW_PER_REVISION - 1;
    struct coll *coll = LIST_FIRST(&store->colls);

    while (coll != NULL) {
        struct coll *next = LIST_NEXT(coll, entry);
        size_t durable = coll->count;
        while (durable > 0 && (coll == store->self ? durable > store->durable_self_count
                                                   : coll->versions[durable - 1].id > last)) {
            durable--;
            version_close(&coll->versions[durable]);
        }
        coll->count = durable;
        if (coll->count == 0 && coll != store->self) {
            LIST_REMOVE(coll, entry);
            coll_free(coll);
        }
        coll = next;
    }
}

void store_keyring_free(struct store *store)
{
    struct coll *coll;

    while ((coll = LIST_FIRST(&store->colls)) != NULL) {
        LIST_REMOVE(coll, entry);
        coll_free(coll);
    }
}
