/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verification in slices. A pass has three parts: the set of current records against the sum in the
 * head; every current record and its index terms; the history, which must have every change of
 * every revision since the last compaction. The first part goes on while records are written: what
 * changes behind it is brought up to date by batch_element(). Of a shared backend it is done in one
 * piece under the writers' lock, because the writes of others are not seen one by one.
 */
#include "store/store_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"

enum { SET_SLICE = 1024, RECORD_SLICE = 128, NS_PER_MS = 1000000 };

void scrub_restart(struct store *store)
{
    store->scrub = (struct scrub){.phase = SCRUB_SET};
}

static int next_rows(struct store *store, enum backend_table table, struct span after, size_t limit,
                     struct buf *rows, struct err *err)
{
    uint8_t last[ROW_POS_LEN];

    memset(last, 0xff, sizeof(last));
    return store->backend->ops->scan(store->backend, table, after, span_of(last, sizeof(last)),
                                     limit, rows, err);
}

static struct span scrub_after(const struct scrub *scrub)
{
    return span_of(scrub->pos, scrub->started ? ROW_POS_LEN : 0);
}

static void enter(struct scrub *scrub, enum scrub_phase phase)
{
    scrub->phase = phase;
    scrub->started = false;
    memset(scrub->pos, 0, sizeof(scrub->pos));
}

/* ------------------------------------------------------------------ the set */

static int set_slice(struct store *store, size_t limit, struct err *err)
{
    CLEANUP(buf_free) struct buf rows = BACKEND_ROWS_INIT;
    struct scrub *scrub = &store->scrub;
    int count = next_rows(store, BACKEND_CURRENT, scrub_after(scrub), limit, &rows, err);
    struct cursor cursor = cursor_of(buf_span(&rows));

    TRY(count);
    while (cursor.left > 0) {
        struct span pos = cursor_block(&cursor);
        struct span bytes = cursor_block(&cursor);
        struct row_current current;
        struct accum element;
        if (pos.len != ROW_POS_LEN)
            return err_set(err, ERR_CORRUPT, "a stored position has %zu bytes", pos.len);
        TRY(row_current_decode(bytes, &current, err));
        hash_element(store, pos.p, &current, &element);
        accum_add(&scrub->set, &element);
        scrub->id = NUM_MAX(scrub->id, current.id);
        scrub->set_count++;
        memcpy(scrub->pos, pos.p, ROW_POS_LEN);
        scrub->started = true;
    }
    return count;
}

static int set_end(struct store *store, struct err *err)
{
    const struct store_state *now = &store->now;
    const struct scrub *scrub = &store->scrub;
    bool same = mem_equal_ct(&scrub->set, &now->sum, sizeof(now->sum));

    if (same && scrub->set_count == now->records) {
        store->verified = true;
        return 0;
    }
    store->verified = false;
    return err_set(err, ERR_CORRUPT,
                   "the store at revision %lld should have %lld records and has %lld, or some are "
                   "older than they should be: it was tampered with; restore a backup, or open it "
                   "once with the loss accepted",
                   (long long)now->revision, (long long)now->records, (long long)scrub->set_count);
}

int scrub_verify_set(struct store *store, unsigned ms, struct err *err)
{
    uint64_t end = clock_mono_ns() + (uint64_t)ms * NS_PER_MS;
    int count;

    scrub_restart(store);
    do {
        count = set_slice(store, SET_SLICE, err);
        TRY(count);
    } while (count > 0 && clock_mono_ns() < end);
    if (count > 0)
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
        int count = set_slice(store, limit, err);
        TRY(count);
        if (count > 0)
            return 1;
        TRY(set_end(store, err));
    }
    enter(&store->scrub, SCRUB_RECORDS);
    return 1;
}

/* ------------------------------------------------------------------ records and their terms */

static int check_terms(struct store *store, const struct coll *coll, const uint8_t *pos,
                       const struct row_body *body, struct err *err)
{
    uint8_t key[ROW_TERM_LEN + ROW_POS_LEN];

    memcpy(key + ROW_TERM_LEN, pos, ROW_POS_LEN);
    for (size_t i = 0; i < body->term_count; i++) {
        CLEANUP(buf_free) struct buf value = BUF_INIT(16);
        hash_term(coll, body->terms[i], key);
        int found = store->backend->ops->get(store->backend, BACKEND_TERM,
                                             span_of(key, sizeof(key)), &value, err);
        TRY(found);
        if (found == 0) {
            err_set(err, ERR_CORRUPT, "an index entry of it is missing; put it again");
            return read_damage(store, coll, pos, 0, err);
        }
    }
    return 0;
}

static int check_record(struct store *store, const uint8_t *pos, const struct row_current *current,
                        struct err *err)
{
    struct coll *coll = keyring_by_hash(store, pos);
    struct row_body body;
    struct row row;

    if (coll == NULL) {
        err_set(err, ERR_CORRUPT, "the data key of its collection is damaged");
        return read_damage(store, NULL, pos, current->id, err);
    }
    /* A scrub may be the first use of a collection: this makes its names key. */
    TRY(keyring_find(store, coll->name, &coll, err));
    TRY(read_record(store, coll, pos, current, &row, &body, err));
    return check_terms(store, coll, pos, &body, err);
}

static int scrub_records(struct store *store, size_t limit, struct err *err)
{
    CLEANUP(buf_free) struct buf rows = BACKEND_ROWS_INIT;
    struct scrub *scrub = &store->scrub;
    int count = next_rows(store, BACKEND_CURRENT, scrub_after(scrub), limit, &rows, err);
    struct cursor cursor = cursor_of(buf_span(&rows));

    TRY(count);
    while (cursor.left > 0) {
        struct span pos = cursor_block(&cursor);
        struct span bytes = cursor_block(&cursor);
        struct row_current current;
        struct err why = ERR_INIT;
        if (pos.len != ROW_POS_LEN)
            return err_set(err, ERR_CORRUPT, "a stored position has %zu bytes", pos.len);
        memcpy(scrub->pos, pos.p, ROW_POS_LEN);
        scrub->started = true;
        TRY(row_current_decode(bytes, &current, err));
        if (check_record(store, pos.p, &current, &why) < 0 && why.code != ERR_CORRUPT) {
            *err = why;
            return -1;
        }
    }
    if (count == 0) {
        enter(scrub, SCRUB_HISTORY);
        scrub->id = (store->now.compacted + 1) * ROW_PER_REVISION;
    }
    return 1;
}

/* ------------------------------------------------------------------ the history */

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
    struct coll *coll = keyring_by_hash(store, row.pos);
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
    int count = store->backend->ops->scan(
        store->backend, BACKEND_CHANGE, span_of(after, sizeof(after)),
        span_of((const uint8_t[]){0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, ROW_ID_LEN),
        limit, &rows, err);
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
    if (result < 0)
        scrub_restart(store);
    return result;
}

/* ------------------------------------------------------------------ accepting a loss */

int scrub_accept(struct store *store, struct err *err)
{
    scrub_restart(store);
    for (;;) {
        int count = set_slice(store, SET_SLICE, err);
        TRY(count);
        if (count == 0)
            break;
    }
    store->now.sum = store->scrub.set;
    store->now.records = store->scrub.set_count;
    store->now.revision = NUM_MAX(store->now.revision, row_revision(store->scrub.id) + 1);
    /* Changes may be missing from the history, so nobody may watch from before. */
    store->now.compacted = store->now.revision;
    store->dirty = true;
    scrub_restart(store);
    return 0;
}
