/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watchers are places in the history: each has the id of the next row that it wants. One pass over
 * new rows serves all of them, and rows that other processes wrote look like our own.
 */
#include "store/store_internal.h"

#include "base/mem.h"
#include "base/num.h"

enum { SLICE_ROWS = 128, EVENT_BYTES = 4 * STORE_VALUE_MAX };

struct store_watcher {
    struct store *store;
    struct store_watch watch;
    char *collection;
    char *scope;
    uint8_t coll_hash[ROW_HASH_LEN];
    int64_t next_id;
    bool removed; /* while events are delivered: freed afterwards */
    bool fresh;   /* added while events are delivered: begins with the next slice */
    TAILQ_ENTRY(store_watcher) entry;
};

static void watcher_free(struct store_watcher *watcher)
{
    TAILQ_REMOVE(&watcher->store->watchers, watcher, entry);
    watcher->store->watcher_count--;
    free(watcher->collection);
    free(watcher->scope);
    free(watcher);
}

void store_watch_remove(struct store_watcher *watcher)
{
    if (watcher == NULL)
        return;
    watcher->removed = true;
    if (!watcher->store->dispatching)
        watcher_free(watcher);
}

static void sweep(struct store *store)
{
    struct store_watcher *watcher = TAILQ_FIRST(&store->watchers);

    while (watcher != NULL) {
        struct store_watcher *next = TAILQ_NEXT(watcher, entry);
        if (watcher->removed)
            watcher_free(watcher);
        watcher = next;
    }
}

void watch_free_all(struct store *store)
{
    while (!TAILQ_EMPTY(&store->watchers))
        watcher_free(TAILQ_FIRST(&store->watchers));
}

static void lose(struct store_watcher *watcher, const struct err *why)
{
    watcher->removed = true;
    if (watcher->watch.on_lost != NULL)
        watcher->watch.on_lost(watcher->watch.ctx, why);
}

/* ------------------------------------------------------------------ one event */

struct event {
    struct coll *coll;
    struct store_record record;
    struct store_record previous;
    bool removed;
    bool had_previous;
};

static bool wants(const struct store_watcher *watcher, const struct row *row)
{
    return !watcher->removed && !watcher->fresh && watcher->next_id <= row->id &&
           memcmp(watcher->coll_hash, row->pos, ROW_HASH_LEN) == 0;
}

static bool anybody_wants(const struct store *store, const struct row *row)
{
    const struct store_watcher *watcher;

    TAILQ_FOREACH (watcher, &store->watchers, entry)
        if (wants(watcher, row))
            return true;
    return false;
}

static int read_previous(struct store *store, const struct row *row, struct arena *arena,
                         struct event *event, struct err *err)
{
    struct row_body body;
    struct row old;

    if (row->prev == 0)
        return 0;
    event->had_previous = true;
    TRY(read_row(store, row->prev, &old, err));
    if (memcmp(old.pos, row->pos, ROW_POS_LEN) != 0 || old.dead)
        return err_set(err, ERR_CORRUPT, "the row that was replaced is another record's");
    TRY(seal_open_row(store, event->coll, &old, &store->plain, &body, err));
    return read_copy(event->coll, &old, &body, arena, &event->previous, err);
}

static int read_event(struct store *store, const struct row *row, struct arena *arena,
                      struct event *event, struct err *err)
{
    struct row_body body;

    *event = (struct event){.coll = store_keyring_by_hash(store, row->pos), .removed = row->dead};
    if (event->coll == NULL && store_keyring_load(store, err) == 0)
        event->coll = store_keyring_by_hash(store, row->pos);
    if (event->coll == NULL)
        return err_set(err, ERR_CORRUPT, "the data key of its collection is damaged");
    TRY(seal_open_row(store, event->coll, row, &store->plain, &body, err));
    TRY(read_copy(event->coll, row, &body, arena, &event->record, err));
    return read_previous(store, row, arena, event, err);
}

static void deliver(struct store *store, const struct row *row, const struct event *event)
{
    struct store_event out = {
        .removed = event->removed,
        .revision = row_revision(row->id),
        .record = &event->record,
        .previous = event->had_previous ? &event->previous : NULL,
    };
    struct store_watcher *watcher;

    TAILQ_FOREACH (watcher, &store->watchers, entry)
        if (wants(watcher, row) &&
            (watcher->scope == NULL || strcmp(watcher->scope, event->record.key.scope) == 0))
            watcher->watch.on_event(watcher->watch.ctx, &out);
}

static void lose_all(struct store *store, const struct row *row, const struct err *why)
{
    struct store_watcher *watcher;

    TAILQ_FOREACH (watcher, &store->watchers, entry)
        if (wants(watcher, row))
            lose(watcher, why);
}

static int deliver_row(struct store *store, const struct row *row, struct arena *arena,
                       struct err *err)
{
    struct event event;

    if (!anybody_wants(store, row))
        return 0;
    if (read_event(store, row, arena, &event, err) < 0) {
        if (err->code != ERR_CORRUPT || batch_compacted(store, row_revision(row->id)))
            return -1;
        read_damage(store, event.coll, row->pos, row->id, err);
        lose_all(store, row, err);
        err_clear(err);
        return 0;
    }
    deliver(store, row, &event);
    return 0;
}

/* ------------------------------------------------------------------ passes */

static int64_t last_id(int64_t revision)
{
    return revision * ROW_PER_REVISION + ROW_PER_REVISION - 1;
}

/* Where the slowest watcher is; past the durable end when all are done. */
static int64_t first_wanted(struct store *store)
{
    struct store_watcher *watcher;
    int64_t id = last_id(store->durable.revision) + 1;

    TAILQ_FOREACH (watcher, &store->watchers, entry) {
        watcher->fresh = false;
        if (!watcher->removed)
            id = NUM_MIN(id, watcher->next_id);
    }
    return id;
}

static void advance(struct store *store, int64_t next_id)
{
    struct store_watcher *watcher;

    TAILQ_FOREACH (watcher, &store->watchers, entry)
        if (!watcher->fresh)
            watcher->next_id = NUM_MAX(watcher->next_id, next_id);
}

/* After each row either the next of its revision comes or the first of the next revision. */
static int64_t expected_after(const struct row *row)
{
    if (row->id % ROW_PER_REVISION + 1 < row->count)
        return row->id + 1;
    return (row_revision(row->id) + 1) * ROW_PER_REVISION;
}

static int missing(int64_t id, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "a change of revision %lld is missing from the history",
                   (long long)row_revision(id));
}

static int slice_rows(struct store *store, struct span rows, int64_t expected, struct err *err)
{
    struct cursor cursor = cursor_of(rows);

    while (cursor.left > 0) {
        CLEANUP(arena_free_ptr) struct arena *arena = arena_new(EVENT_BYTES);
        struct span key = cursor_block(&cursor);
        struct span bytes = cursor_block(&cursor);
        struct row row;
        int64_t id;
        TRY(row_id_decode(key, &id, err));
        if (id != expected)
            return missing(expected, err);
        TRY(row_decode(id, bytes, &row, err));
        TRY(deliver_row(store, &row, arena, err));
        expected = expected_after(&row);
        advance(store, expected);
    }
    return 0;
}

/* Rows of one slice, from the first that anybody wants. */
static int slice(struct store *store, int64_t first, struct err *err)
{
    CLEANUP(buf_free) struct buf rows = BACKEND_ROWS_INIT;
    uint8_t after[ROW_ID_LEN];
    uint8_t last[ROW_ID_LEN];

    if (row_revision(first) <= store->durable.compacted)
        return err_set(err, ERR_GONE, "revision %lld was compacted; list again",
                       (long long)row_revision(first));
    row_id_encode(first - 1, after);
    row_id_encode(last_id(store->durable.revision), last);
    int count =
        store->backend->ops->scan(store->backend, BACKEND_CHANGE, span_of(after, sizeof(after)),
                                  span_of(last, sizeof(last)), SLICE_ROWS, &rows, err);
    TRY(count);
    if (count == 0)
        return missing(first, err);
    return slice_rows(store, buf_span(&rows), first, err);
}

/* Those that stand at the place that cannot be read. */
static void lose_at(struct store *store, int64_t first, const struct err *why)
{
    struct store_watcher *watcher;

    TAILQ_FOREACH (watcher, &store->watchers, entry)
        if (!watcher->removed && watcher->next_id <= first)
            lose(watcher, why);
}

void watch_dispatch(struct store *store)
{
    if (store->dispatching || TAILQ_EMPTY(&store->watchers))
        return;
    store->dispatching = true;
    for (;;) {
        struct err err = ERR_INIT;
        int64_t first = first_wanted(store);
        if (row_revision(first) > store->durable.revision)
            break;
        if (slice(store, first, &err) == 0)
            continue;
        /* A backend that is away is asked again by the next flush or poll. */
        if (err.code != ERR_CORRUPT && err.code != ERR_GONE)
            break;
        if (err.code == ERR_CORRUPT && batch_compacted(store, row_revision(first_wanted(store))))
            continue;
        lose_at(store, first_wanted(store), &err);
    }
    store->dispatching = false;
    sweep(store);
}

int store_watch_add(struct store *store, const struct store_watch *watch,
                    struct store_watcher **out, struct err *err)
{
    int64_t from = watch->from_revision;

    TRY(txn_check_text(watch->collection, 1, STORE_COLLECTION_MAX, "a collection", err));
    if (watch->scope != NULL)
        TRY(txn_check_text(watch->scope, 0, STORE_SCOPE_MAX, "a scope", err));
    if (store->backend->ops->listen != NULL)
        TRY(store->backend->ops->listen(store->backend, err));
    TRY(batch_refresh(store, err));
    if (from == 0)
        from = store->durable.revision + 1;
    if (from < 0 || from <= store->durable.compacted)
        return err_set(err, ERR_GONE, "revision %lld was compacted; list again", (long long)from);
    struct store_watcher *watcher = mem_new(sizeof(*watcher));
    watcher->store = store;
    watcher->watch = *watch;
    watcher->collection = mem_strdup(watch->collection);
    watcher->scope = watch->scope == NULL ? NULL : mem_strdup(watch->scope);
    watcher->watch.collection = watcher->collection;
    watcher->watch.scope = watcher->scope;
    hash_coll(store, watcher->collection, watcher->coll_hash);
    watcher->next_id = from * ROW_PER_REVISION;
    watcher->fresh = store->dispatching;
    TAILQ_INSERT_TAIL(&store->watchers, watcher, entry);
    store->watcher_count++;
    *out = watcher;
    watch_dispatch(store);
    return 0;
}

int store_fd(const struct store *store)
{
    return store->backend->ops->fd == NULL ? -1 : store->backend->ops->fd(store->backend);
}

int store_poll(struct store *store, struct err *err)
{
    if (store->backend->ops->news != NULL)
        TRY(store->backend->ops->news(store->backend, err));
    TRY(batch_refresh(store, err));
    watch_dispatch(store);
    return 0;
}
