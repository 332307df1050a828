/* SPDX-License-Identifier: Apache-2.0 */
/* The consumer's side. The producer may be captured: every number that it wrote is read once,
 * checked, and a record is copied before it is looked at. */
#include "audit/ring_internal.h"

#include "base/mem.h"

#include <stdlib.h>

/* More than these at once are not believed of a counter that the producer owns. */
enum { DROPPED_STEP_MAX = 1 << 24 };

struct audit_ring_reader {
    struct audit_ring_shared *shared;
    size_t size;
    uint64_t tail;    /* given back to the producer */
    uint64_t at;      /* read up to here */
    uint64_t dropped; /* the producer's counter, as last seen */
    uint64_t lost;
    uint8_t record[AUDIT_EVENT_MAX];
};

int audit_ring_reader_open(int ring_fd, struct audit_ring_reader **out, struct err *err)
{
    struct audit_ring_shared *shared;
    size_t size;

    TRY(ring_map(ring_fd, &shared, &size, err));
    struct audit_ring_reader *reader = mem_new(sizeof(*reader));
    reader->shared = shared;
    reader->size = size;
    /* An earlier consumer stopped here; the place is only a hint, as everything else. */
    reader->tail = atomic_load_explicit(&shared->tail, memory_order_relaxed);
    reader->tail &= ~(uint64_t)(RING_ALIGN - 1);
    reader->at = reader->tail;
    reader->dropped = atomic_load_explicit(&shared->dropped, memory_order_relaxed);
    *out = reader;
    return 0;
}

void audit_ring_reader_free(struct audit_ring_reader *reader)
{
    if (reader == NULL)
        return;
    ring_unmap(reader->shared, reader->size);
    free(reader);
}

/* Bytes to read; a head that cannot be true empties the ring. */
static uint64_t available(struct audit_ring_reader *reader)
{
    uint64_t head = atomic_load_explicit(&reader->shared->head, memory_order_acquire);
    uint64_t bytes = head - reader->at;

    if (bytes <= reader->size && bytes % RING_ALIGN == 0)
        return bytes;
    reader->lost++;
    reader->at = head & ~(uint64_t)(RING_ALIGN - 1);
    return 0;
}

enum taken { TAKEN_RECORD, TAKEN_PAD, TAKEN_NOTHING };

/* Copies the next record. Nothing when the framing is broken: then all that is there is left. */
static enum taken take(struct audit_ring_reader *reader, uint64_t bytes, uint32_t *out_len)
{
    uint64_t at = reader->at & (reader->size - 1);
    const uint8_t *data = reader->shared->data + at;
    uint64_t to_end = reader->size - at;
    uint32_t len;

    memcpy(&len, data, RING_LEN);
    if (len == RING_PAD && at > 0 && to_end <= bytes) {
        reader->at += to_end;
        return TAKEN_PAD;
    }
    if (len > AUDIT_EVENT_MAX || ring_room(len) > bytes || ring_room(len) > to_end) {
        reader->lost++;
        reader->at += bytes;
        return TAKEN_NOTHING;
    }
    memcpy(reader->record, data + RING_LEN, len);
    reader->at += ring_room(len);
    *out_len = len;
    return TAKEN_RECORD;
}

int audit_ring_read(struct audit_ring_reader *reader, size_t max, audit_ring_fn *fn, void *ctx,
                    struct err *err)
{
    int count = 0;
    uint64_t bytes = available(reader);
    uint64_t end = reader->at + bytes;

    /* Garbage counts too, so that it cannot keep the consumer here. */
    for (size_t looked = 0; looked < max && reader->at != end; looked++) {
        struct audit_event event;
        struct err bad = ERR_INIT;
        uint32_t len;
        enum taken taken = take(reader, end - reader->at, &len);
        if (taken == TAKEN_NOTHING)
            break;
        if (taken == TAKEN_PAD)
            continue;
        if (audit_event_parse(span_of(reader->record, len), &event, &bad) < 0) {
            reader->lost++;
            continue;
        }
        TRY(fn(ctx, &event, err));
        count++;
    }
    return count;
}

void audit_ring_release(struct audit_ring_reader *reader)
{
    reader->tail = reader->at;
    atomic_store_explicit(&reader->shared->tail, reader->tail, memory_order_release);
}

void audit_ring_rewind(struct audit_ring_reader *reader)
{
    reader->at = reader->tail;
}

bool audit_ring_sleep(struct audit_ring_reader *reader)
{
    atomic_store_explicit(&reader->shared->sleeping, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&reader->shared->head, memory_order_relaxed) == reader->at)
        return true;
    atomic_store_explicit(&reader->shared->sleeping, 0, memory_order_relaxed);
    return false;
}

uint64_t audit_ring_take_lost(struct audit_ring_reader *reader)
{
    uint64_t dropped = atomic_load_explicit(&reader->shared->dropped, memory_order_relaxed);
    uint64_t step = dropped - reader->dropped;
    uint64_t lost = reader->lost + (step <= DROPPED_STEP_MAX ? step : 1);

    reader->dropped = dropped;
    reader->lost = 0;
    return lost;
}
