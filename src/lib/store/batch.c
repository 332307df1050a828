/* SPDX-License-Identifier: Apache-2.0 */
/* The batch: everything between two flushes is one transaction of the backend. */
#include "store/store_internal.h"

#include "base/mem.h"

enum { ROOM_KEPT = 256 * 1024 };

/* Takes what another process made of the store since. */
static int refresh(struct store *store, struct err *err)
{
    int moved = head_read(store, err);

    if (moved > 0)
        scrub_restart(store);
    return moved;
}

int batch_refresh(struct store *store, struct err *err)
{
    if (!store->backend->ops->shared || store->open)
        return 0;
    TRY(refresh(store, err));
    return 0;
}

bool batch_compacted(struct store *store, int64_t revision)
{
    struct err ignored = ERR_INIT;

    return store->backend->ops->shared && batch_refresh(store, &ignored) == 0 &&
           revision <= store->durable.compacted;
}

int batch_begin(struct store *store, struct err *err)
{
    if (store->broken) {
        *err = store->broken_why;
        return -1;
    }
    if (store->open)
        return 0;
    TRY(store->backend->ops->begin(store->backend, err));
    store->open = true;
    if (store->backend->ops->shared && refresh(store, err) < 0) {
        store_discard(store);
        return -1;
    }
    return 0;
}

void store_discard(struct store *store)
{
    store->backend->ops->rollback(store->backend);
    if (store->dirty) {
        store->now = store->durable;
        store_keyring_rollback(store);
        scrub_restart(store);
        store->rewrap_id = 0;
    }
    store->open = false;
    store->dirty = false;
}

int batch_break(struct store *store, struct err *err)
{
    err_wrap(err, "nothing since the last flush was stored");
    store->dirty = true;
    store_discard(store);
    store->broken = true;
    store->broken_why = *err;
    return -1;
}

bool store_needs_flush(const struct store *store)
{
    return store->open || store->broken;
}

static int commit(struct store *store, struct buf *head, struct err *err)
{
    TRY(head_write(store, head, err));
    return store->backend->ops->commit(store->backend, err);
}

/* A commit whose answer was lost may have succeeded: the stored head, which no other write can
 * equal, tells. To begin waits until a commit that is still under way has ended. */
static bool happened_all_the_same(struct store *store, const struct buf *head)
{
    CLEANUP(buf_free) struct buf stored = BUF_INIT(head->max);
    const struct backend_ops *ops = store->backend->ops;
    struct err ignored = ERR_INIT;

    if (!ops->shared || head->len == 0 || ops->begin(store->backend, &ignored) < 0)
        return false;
    int found = ops->get(store->backend, BACKEND_META, span_str("head"), &stored, &ignored);
    ops->rollback(store->backend);
    return found == 1 && span_eq(buf_span(head), buf_span(&stored));
}

/* One large record must not cost its size for ever. */
static void trim(struct buf *buf)
{
    if (buf->cap > ROOM_KEPT)
        buf_free_wiped(buf);
}

static void settle(struct store *store, const struct buf *head)
{
    store->durable = store->now;
    store->durable_self_count = store->self->count;
    buf_reset(&store->head);
    buf_put_span(&store->head, buf_span(head));
    store->open = false;
    store->dirty = false;
    store->flushes++;
    trim(&store->raw);
    trim(&store->plain);
    trim(&store->out);
    trim(&store->body);
}

int store_flush(struct store *store, struct err *err)
{
    CLEANUP(buf_free) struct buf head = BUF_INIT(store->head.max);

    if (store->broken) {
        store->broken = false;
        store->failed_flushes++;
        *err = store->broken_why;
        return -1;
    }
    if (!store->dirty) {
        store_discard(store);
        watch_dispatch(store);
        return 0;
    }
    if (commit(store, &head, err) < 0) {
        store->backend->ops->rollback(store->backend);
        if (!happened_all_the_same(store, &head)) {
            store_discard(store);
            store->failed_flushes++;
            return err_wrap(err, "nothing since the last flush was stored");
        }
    }
    settle(store, &head);
    watch_dispatch(store);
    return 0;
}

/* The running pass over the set has been there: it must count what is there now. */
static bool passed(const struct scrub *scrub, enum backend_table table, struct span key)
{
    if (scrub->phase != SCRUB_SET || scrub->table != table)
        return scrub->phase == SCRUB_SET && scrub->table > table;
    return scrub->key_len == key.len && memcmp(key.p, scrub->key, key.len) <= 0;
}

static void count(struct store *store, enum backend_table table, struct span key, struct span value,
                  int by)
{
    void (*const apply)(struct accum *, const struct accum *) = by > 0 ? accum_add : accum_remove;
    int records = table == BACKEND_CURRENT ? by : 0;
    struct accum element;

    hash_element(store, table, key, value, &element);
    apply(&store->now.sum, &element);
    store->now.records += records;
    if (passed(&store->scrub, table, key)) {
        apply(&store->scrub.set, &element);
        store->scrub.records += records;
    }
    mem_wipe(&element, sizeof(element));
}

int batch_replace(struct store *store, enum backend_table table, struct span key,
                  const struct span *old, const struct span *new, struct err *err)
{
    const struct backend_ops *ops = store->backend->ops;

    if (new != NULL)
        TRY(ops->put(store->backend, table, key, *new, err));
    else if (old != NULL)
        TRY(ops->remove(store->backend, table, key, err));
    if (old != NULL)
        count(store, table, key, *old, -1);
    if (new != NULL)
        count(store, table, key, *new, 1);
    return 0;
}
