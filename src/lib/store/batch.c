/* SPDX-License-Identifier: Apache-2.0 */
/* The batch: everything between two flushes is one transaction of the backend. */
#include "store/store_internal.h"

#include "base/mem.h"

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
        keyring_rollback(store);
        scrub_restart(store);
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

static void settle(struct store *store, const struct buf *head)
{
    store->durable = store->now;
    store->durable_self_count = store->self->count;
    buf_reset(&store->head);
    buf_put_span(&store->head, buf_span(head));
    store->open = false;
    store->dirty = false;
    store->flushes++;
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

void batch_element(struct store *store, const uint8_t pos[ROW_POS_LEN],
                   const struct row_current *old, const struct row_current *new)
{
    /* The running pass over the set has been there: it must count what is there now. */
    bool passed = store->scrub.started && store->scrub.phase == SCRUB_SET &&
                  memcmp(pos, store->scrub.pos, ROW_POS_LEN) <= 0;
    struct accum element;

    if (old != NULL) {
        hash_element(store, pos, old, &element);
        accum_remove(&store->now.sum, &element);
        store->now.records--;
        if (passed) {
            accum_remove(&store->scrub.set, &element);
            store->scrub.set_count--;
        }
    }
    if (new != NULL) {
        hash_element(store, pos, new, &element);
        accum_add(&store->now.sum, &element);
        store->now.records++;
        if (passed) {
            accum_add(&store->scrub.set, &element);
            store->scrub.set_count++;
        }
    }
    mem_wipe(&element, sizeof(element));
}
