/* SPDX-License-Identifier: Apache-2.0 */
/* Compaction, and the rotation of data keys. */
#include "store/store_internal.h"

#include "base/num.h"

static const uint8_t LAST_ID[ROW_ID_LEN] = {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static int remove_row(struct store *store, int64_t id, struct err *err)
{
    uint8_t key[ROW_ID_LEN];

    row_id_encode(id, key);
    return store->backend->ops->remove(store->backend, BACKEND_CHANGE, span_of(key, sizeof(key)),
                                       err);
}

/* What a change replaced is no longer current, and a tombstone never was; both go when the change
 * is forgotten. */
static int forget(struct store *store, struct span key, struct span bytes, int64_t *out_id,
                  struct err *err)
{
    struct row row;

    TRY(row_id_decode(key, out_id, err));
    TRY(row_decode(*out_id, bytes, &row, err));
    if (row.prev != 0)
        TRY(remove_row(store, row.prev, err));
    return row.dead ? remove_row(store, row.id, err) : 0;
}

static int forget_rows(struct store *store, struct span rows, int64_t *out_id, struct err *err)
{
    struct cursor cursor = cursor_of(rows);

    while (cursor.left > 0) {
        struct span key = cursor_block(&cursor);
        TRY(forget(store, key, cursor_block(&cursor), out_id, err));
    }
    return 0;
}

/* Whole revisions: `compacted` says that all of one is gone, so a slice that ends inside one goes
 * on to its end. */
static int compact_rows(struct store *store, int64_t last, size_t max_changes, struct err *err)
{
    const struct backend_ops *ops = store->backend->ops;
    uint8_t after_key[ROW_ID_LEN];
    uint8_t last_key[ROW_ID_LEN];
    int64_t id = (store->now.compacted + 1) * ROW_PER_REVISION - 1;
    int64_t end = NUM_MIN(last, store->now.compacted + (int64_t)max_changes);

    row_id_encode(end * ROW_PER_REVISION + ROW_PER_REVISION - 1, last_key);
    for (;;) {
        CLEANUP(buf_free) struct buf rows = BACKEND_ROWS_INIT;
        row_id_encode(id, after_key);
        int count = ops->scan(store->backend, BACKEND_CHANGE, span_of(after_key, ROW_ID_LEN),
                              span_of(last_key, ROW_ID_LEN), ROW_PER_REVISION, &rows, err);
        TRY(count);
        if (count == 0)
            break;
        TRY(forget_rows(store, buf_span(&rows), &id, err));
    }
    store->now.compacted = end;
    store->dirty = true;
    return end < last;
}

int store_compact_slice(struct store *store, int64_t revision, size_t max_changes, struct err *err)
{
    TRY(batch_begin(store, err));
    int64_t last = NUM_MIN(revision, store->now.revision);
    if (last <= store->now.compacted)
        return 0;
    int more = compact_rows(store, last, NUM_MAX(max_changes, (size_t)1), err);
    return more < 0 ? batch_break(store, err) : more;
}

int store_rekey(struct store *store, const char *collection, struct err *err)
{
    struct coll *coll = NULL;

    TRY(txn_check_text(collection, 1, STORE_COLLECTION_MAX, "a collection", err));
    TRY(batch_begin(store, err));
    if (strcmp(collection, STORE_SELF) != 0) {
        TRY(store_keyring_find(store, collection, &coll, err));
        if (coll == NULL)
            return err_set(err, ERR_NOT_FOUND, "collection %s has no data key yet", collection);
    }
    return store_keyring_add_version(store, collection, NULL, err);
}

/* ------------------------------------------------------------------ sealing anew */

static int rewrap_row(struct store *store, struct coll *coll, const struct row *old,
                      struct err *err)
{
    uint8_t key[ROW_ID_LEN];
    struct row row = *old;
    struct row_body body;
    struct err why = ERR_INIT;

    if (seal_open_row(store, coll, old, &store->plain, &body, &why) < 0) {
        if (why.code == ERR_CORRUPT) {
            read_damage(store, coll, old->pos, old->id, &why);
            return 0;
        }
        *err = why;
        return -1;
    }
    buf_reset(&store->out);
    TRY(seal_row(store, coll, &row, buf_span(&store->plain), &store->out, err));
    row_id_encode(row.id, key);
    store->dirty = true;
    return store->backend->ops->put(store->backend, BACKEND_CHANGE, span_of(key, sizeof(key)),
                                    buf_span(&store->out), err);
}

static int rewrap_rows(struct store *store, struct coll *coll, struct span rows, struct err *err)
{
    struct cursor cursor = cursor_of(rows);

    while (cursor.left > 0) {
        struct span key = cursor_block(&cursor);
        struct span bytes = cursor_block(&cursor);
        struct err why = ERR_INIT;
        struct row row;
        TRY(row_id_decode(key, &store->rewrap_id, err));
        /* A row that is malformed is for the scrub to report. */
        if (row_decode(store->rewrap_id, bytes, &row, &why) == 0 && row.key < coll->count &&
            memcmp(row.pos, coll->hash, ROW_HASH_LEN) == 0)
            TRY(rewrap_row(store, coll, &row, err));
    }
    return 0;
}

static int rewrap_slice(struct store *store, struct coll *coll, size_t max_records, struct err *err)
{
    CLEANUP(buf_free) struct buf rows = BACKEND_ROWS_INIT;
    uint8_t after[ROW_ID_LEN];

    row_id_encode(store->rewrap_id, after);
    int count =
        store->backend->ops->scan(store->backend, BACKEND_CHANGE, span_of(after, sizeof(after)),
                                  span_of(LAST_ID, sizeof(LAST_ID)), max_records, &rows, err);
    TRY(count);
    if (count == 0) {
        store->rewrap_id = 0;
        return 0;
    }
    TRY(rewrap_rows(store, coll, buf_span(&rows), err));
    return 1;
}

int store_rewrap_slice(struct store *store, const char *collection, size_t max_records,
                       struct err *err)
{
    struct coll *coll;

    TRY(txn_check_text(collection, 1, STORE_COLLECTION_MAX, "a collection", err));
    TRY(batch_begin(store, err));
    TRY(store_keyring_find(store, collection, &coll, err));
    if (coll == NULL)
        return 0;
    if (strcmp(store->rewrap_name, collection) != 0) {
        snprintf(store->rewrap_name, sizeof(store->rewrap_name), "%s", collection);
        store->rewrap_id = 0;
    }
    int more = rewrap_slice(store, coll, NUM_MAX(max_records, (size_t)1), err);
    return more < 0 ? batch_break(store, err) : more;
}

int64_t store_revision(const struct store *store)
{
    return store->now.revision;
}

void store_stats(const struct store *store, struct store_stats *out)
{
    *out = (struct store_stats){
        .revision = store->now.revision,
        .durable_revision = store->durable.revision,
        .compacted_revision = store->durable.compacted,
        .records = store->now.records,
        .damaged = store->damaged,
        .verified = store->verified,
        .flushes = store->flushes,
        .failed_flushes = store->failed_flushes,
        .watchers = store->watcher_count,
        .backend = store->backend->ops->name,
    };
}
