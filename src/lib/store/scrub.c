/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verification in slices. A pass has three parts: the set of current records and index entries
 * against the sum in the head; every current record; the history, which must have every change of
 * every revision since the last compaction. The first part goes on while records are written: what
 * changes behind it is brought up to date by batch_replace(). Of a shared backend it is done in one
 * piece under the writers' lock, because the writes of others are not seen one by one.
 */
#include "store/store_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"

enum { SET_SLICE = 1024, RECORD_SLICE = 128, NS_PER_MS = 1000000 };

void scrub_restart(struct store *store)
{
    store->scrub = (struct scrub){.phase = SCRUB_SET, .table = BACKEND_CURRENT};
}

static void enter(struct scrub *scrub, enum scrub_phase phase, enum backend_table table)
{
    scrub->phase = phase;
    scrub->table = table;
    scrub->key_len = 0;
}

/* The rows behind the place of the pass. */
static int next_rows(struct store *store, size_t limit, struct buf *rows, struct err *err)
{
    const struct scrub *scrub = &store->scrub;
    uint8_t last[ROW_TERM_KEY_LEN];

    memset(last, 0xff, sizeof(last));
    return store->backend->ops->scan(store->backend, scrub->table,
                                     span_of(scrub->key, scrub->key_len),
                                     span_of(last, sizeof(last)), limit, rows, err);
}

static int next_key(struct scrub *scrub, struct span key, struct err *err)
{
    size_t len = scrub->table == BACKEND_TERM ? ROW_TERM_KEY_LEN : ROW_POS_LEN;

    if (key.len != len)
        return err_set(err, ERR_CORRUPT, "a stored position has %zu bytes", key.len);
    memcpy(scrub->key, key.p, len);
    scrub->key_len = len;
    return 0;
}

/* ------------------------------------------------------------------ the set */

static int set_row(struct store *store, struct span key, struct span value, struct err *err)
{
    struct scrub *scrub = &store->scrub;
    struct row_current current;
    struct accum element;

    TRY(next_key(scrub, key, err));
    if (scrub->table == BACKEND_CURRENT) {
        TRY(row_current_decode(value, &current, err));
        scrub->id = NUM_MAX(scrub->id, current.id);
        scrub->records++;
    } else if (value.len > 0) {
        return err_set(err, ERR_CORRUPT, "an index entry holds %zu bytes", value.len);
    }
    hash_element(store, scrub->table, key, value, &element);
    accum_add(&scrub->set, &element);
    return 0;
}

/* 1: there is more. */
static int set_slice(struct store *store, size_t limit, struct err *err)
{
    CLEANUP(buf_free) struct buf rows = BACKEND_ROWS_INIT;
    int count = next_rows(store, limit, &rows, err);
    struct cursor cursor = cursor_of(buf_span(&rows));

    TRY(count);
    while (cursor.left > 0) {
        struct span key = cursor_block(&cursor);
        TRY(set_row(store, key, cursor_block(&cursor), err));
    }
    if (count > 0)
        return 1;
    if (store->scrub.table == BACKEND_TERM)
        return 0;
    enter(&store->scrub, SCRUB_SET, BACKEND_TERM);
    return 1;
}

static int set_end(struct store *store, struct err *err)
{
    const struct store_state *now = &store->now;
    const struct scrub *scrub = &store->scrub;
    bool same = mem_equal_ct(&scrub->set, &now->sum, sizeof(now->sum));

    if (same && scrub->records == now->records) {
        store->verified = true;
        return 0;
    }
    store->verified = false;
    return err_set(
        err, ERR_CORRUPT,
        "the store at revision %lld should have %lld records and has %lld, or some or "
        "their index are older than they should be: it was tampered with; restore a backup, or open it "
        "once with the loss accepted",
        (long long)now->revision, (long long)now->records, (long long)scrub->records);
}

int scrub_verify_set(struct store *store, unsigned ms, struct err *err)
{
    uint64_t end = clock_mono_ns() + (uint64_t)ms * NS_PER_MS;
    int more;

    scrub_restart(store);
    do {
        more = set_slice(store, SET_SLICE, err);
        TRY(more);
    } while (more > 0 && clock_mono_ns() < end);
    if (more > 0)
        return 1;
    int result = set_end(store, err);
    scrub_restart(store);
    return result;
}

static int set_shared(struct store *store, struct err *err)
{
    bool was_open = store->open;

    TRY(batch_begin(store, err));
    int result = scrub_verify_set(store, UINT32_MAX, err);
    if (!was_open)
        store_discard(store);
    return result;
}

static int scrub_set(struct store *store, size_t limit, struct err *err)
{
    if (store->backend->ops->shared) {
        TRY(set_shared(store, err));
    } else {
        int more = set_slice(store, limit, err);
        if (more != 0)
            return more;
        TRY(set_end(store, err));
    }
    enter(&store->scrub, SCRUB_RECORDS, BACKEND_CURRENT);
    return 1;
}

/* ------------------------------------------------------------------ records */

static int check_record(struct store *store, const uint8_t *pos, const struct row_current *current,
                        struct err *err)
{
    struct coll *coll = store_keyring_by_hash(store, pos);
    struct row_body body;
    struct row row;

    if (coll == NULL) {
        err_set(err, ERR_CORRUPT, "the data key of its collection is damaged");
        return read_damage(store, NULL, pos, current->id, err);
    }
    return read_record(store, coll, pos, current, &row, &body, err);
}

static int scrub_records(struct store *store, size_t limit, struct err *err)
{
    CLEANUP(buf_free) struct buf rows = BACKEND_ROWS_INIT;
    struct scrub *scrub = &store->scrub;
    int count = next_rows(store, limit, &rows, err);
    struct cursor cursor = cursor_of(buf_span(&rows));

    TRY(count);
    while (cursor.left > 0) {
        struct span pos = cursor_block(&cursor);
        struct span bytes = cursor_block(&cursor);
        struct row_current current;
        struct err why = ERR_INIT;
        TRY(next_key(scrub, pos, err));
        TRY(row_current_decode(bytes, &current, err));
        if (check_record(store, pos.p, &current, &why) < 0 && why.code != ERR_CORRUPT &&
            why.code != ERR_NOT_FOUND) {
            *err = why;
            return -1;
        }
    }
    if (count == 0) {
        enter(scrub, SCRUB_HISTORY, BACKEND_CHANGE);
        scrub->id = (store->now.compacted + 1) * ROW_PER_REVISION;
    }
    return 1;
}

/* ------------------------------------------------------------------ the history */

static int history_rows(struct store *store, const uint8_t after[ROW_ID_LEN], size_t limit,
                        struct buf *rows, struct err *err)
{
    uint8_t last[ROW_ID_LEN];

    row_id_encode(INT64_MAX, last);
    return store->backend->ops->scan(store->backend, BACKEND_CHANGE, span_of(after, ROW_ID_LEN),
                                     span_of(last, sizeof(last)), limit, rows, err);
}

static int history_row(struct store *store, struct span key, struct span bytes, struct err *err)
{
    struct scrub *scrub = &store->scrub;
    struct row row;
    struct row_body body;
    struct err why = ERR_INIT;
    int64_t id;

    TRY(row_id_decode(key, &id, err));
    if (id != scrub->id)
        return err_set(err, ERR_CORRUPT, "a change of revision %lld is missing from the history",
                       (long long)row_revision(scrub->id));
    TRY(row_decode(id, bytes, &row, err));
    struct coll *coll = store_keyring_by_hash(store, row.pos);
    if (coll == NULL)
        err_set(&why, ERR_CORRUPT, "the data key of its collection is damaged");
    if (coll == NULL || seal_open_row(store, coll, &row, &store->plain, &body, &why) < 0) {
        if (why.code != ERR_CORRUPT) {
            *err = why;
            return -1;
        }
        read_damage(store, coll, row.pos, id, &why);
    }
    scrub->id =
        id % ROW_PER_REVISION + 1 < row.count ? id + 1 : (row_revision(id) + 1) * ROW_PER_REVISION;
    return 0;
}

static int scrub_history(struct store *store, size_t limit, struct err *err)
{
    CLEANUP(buf_free) struct buf rows = BACKEND_ROWS_INIT;
    struct scrub *scrub = &store->scrub;
    uint8_t after[ROW_ID_LEN];

    /* Compaction may have overtaken the pass. */
    if (row_revision(scrub->id) <= store->now.compacted)
        scrub->id = (store->now.compacted + 1) * ROW_PER_REVISION;
    if (row_revision(scrub->id) > store->now.revision) {
        scrub_restart(store);
        return 0;
    }
    row_id_encode(scrub->id - 1, after);
    int count = history_rows(store, after, limit, &rows, err);
    TRY(count);
    if (count == 0)
        return err_set(err, ERR_CORRUPT, "the history ends before revision %lld",
                       (long long)row_revision(scrub->id));
    struct cursor cursor = cursor_of(buf_span(&rows));
    while (cursor.left > 0) {
        struct span key = cursor_block(&cursor);
        TRY(history_row(store, key, cursor_block(&cursor), err));
    }
    return 1;
}

int store_scrub(struct store *store, size_t max_records, struct err *err)
{
    int result = -1;

    TRY(batch_refresh(store, err));
    switch (store->scrub.phase) {
    case SCRUB_SET: result = scrub_set(store, max_records, err); break;
    case SCRUB_RECORDS: result = scrub_records(store, max_records, err); break;
    case SCRUB_HISTORY: result = scrub_history(store, max_records, err); break;
    }
    if (result < 0 && store->scrub.phase == SCRUB_HISTORY && err->code == ERR_CORRUPT &&
        batch_compacted(store, row_revision(store->scrub.id)))
        return 1;
    if (result < 0)
        scrub_restart(store);
    return result;
}

/* ------------------------------------------------------------------ accepting a loss */

/* Rows of revisions that are not reached: they would stand in the way of new ones. */
static int remove_rows_after(struct store *store, int64_t revision, struct err *err)
{
    uint8_t after[ROW_ID_LEN];

    row_id_encode(revision * ROW_PER_REVISION + ROW_PER_REVISION - 1, after);
    for (;;) {
        CLEANUP(buf_free) struct buf rows = BACKEND_ROWS_INIT;
        int count = history_rows(store, after, RECORD_SLICE, &rows, err);
        if (count <= 0)
            return count;
        struct cursor cursor = cursor_of(buf_span(&rows));
        while (cursor.left > 0) {
            struct span key = cursor_block(&cursor);
            (void)cursor_block(&cursor);
            TRY(store->backend->ops->remove(store->backend, BACKEND_CHANGE, key, err));
        }
    }
}

int scrub_accept(struct store *store, struct err *err)
{
    scrub_restart(store);
    int more;
    do {
        more = set_slice(store, SET_SLICE, err);
        TRY(more);
    } while (more > 0);
    store->now.sum = store->scrub.set;
    store->now.records = store->scrub.records;
    store->now.revision = NUM_MAX(store->now.revision, row_revision(store->scrub.id) + 1);
    TRY(remove_rows_after(store, store->now.revision, err));
    /* Changes may be missing from the history, so nobody may watch from before. */
    store->now.compacted = store->now.revision;
    store->dirty = true;
    scrub_restart(store);
    return 0;
}
