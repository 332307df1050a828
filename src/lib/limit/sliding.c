/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sliding windows. A window is cut into LIMIT_SLICES; what was taken in each stands in a ring, each
 * slice beside its start, so that the ring turns without being swept.
 *
 * Who takes adds to the slice that runs and adds up then, as with budgets: of two at once the later
 * one sees the other; both may give way and try again, but never both pass. Who finds a newer slice
 * than his own has an old time, and goes on with that slice's.
 */
#include "limit/limit_internal.h"

enum { TRIES = 16 };

/* No sum goes beyond it; far above any limit, far below overflow. */
#define USED_MAX (UINT64_C(1) << 57)

static uint64_t slice_ns(const struct limit_ask *ask)
{
    return (ask->window_ns + LIMIT_SLICES - 1) / LIMIT_SLICES;
}

static uint64_t start_of(uint64_t time_ns, uint64_t len_ns)
{
    return time_ns - time_ns % len_ns;
}

/* When a slice counts no more; even, as the low bit of a slot's time is a mark. */
static uint64_t end_of(uint64_t start, uint64_t len_ns)
{
    return (start + LIMIT_RING * len_ns + 1) & ~UINT64_C(1);
}

static struct limit_ring *ring_of(struct limit_table *table, const struct limit_slot *slot)
{
    return &table->file->rings[slot - table->file->slots];
}

/* ------------------------------------------------------------------ one slice */

typedef unsigned __int128 pair __attribute__((may_alias));

static bool swap(struct limit_slice *slice, struct limit_slice old, struct limit_slice new)
{
    return __sync_bool_compare_and_swap((pair *)slice, (pair)old.used << 64 | old.start_ns,
                                        (pair) new.used << 64 | new.start_ns);
}

/* Of a place the start only grows, so both halves belong together when it is the same behind it. */
static struct limit_slice load(const struct limit_slice *slice)
{
    for (;;) {
        struct limit_slice seen = {.start_ns = __atomic_load_n(&slice->start_ns, __ATOMIC_SEQ_CST)};
        seen.used = __atomic_load_n(&slice->used, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&slice->start_ns, __ATOMIC_SEQ_CST) == seen.start_ns)
            return seen;
    }
}

static struct limit_slice *at(struct limit_ring *ring, uint64_t start, uint64_t len_ns)
{
    return &ring->slices[start / len_ns % LIMIT_RING];
}

/* False when the slice is over: a newer one has its place. */
static bool add(struct limit_slice *slice, uint64_t start, uint64_t amount)
{
    for (;;) {
        struct limit_slice old = load(slice);
        uint64_t used = old.start_ns == start ? old.used : 0;
        if (old.start_ns > start)
            return false;
        used += NUM_MIN(amount, USED_MAX - NUM_MIN(used, USED_MAX));
        if (swap(slice, old, (struct limit_slice){.start_ns = start, .used = used}))
            return true;
    }
}

/* What a slice that is over held counts no more anyway. */
static void take_back(struct limit_slice *slice, uint64_t start, uint64_t amount)
{
    for (;;) {
        struct limit_slice old = load(slice);
        if (old.start_ns != start)
            return;
        if (swap(slice, old,
                 (struct limit_slice){.start_ns = start,
                                      .used = old.used - NUM_MIN(amount, old.used)}))
            return;
    }
}

/* ------------------------------------------------------------------ a window */

struct window {
    uint64_t len_ns; /* of a slice */
    uint64_t start;  /* of its last slice: that of now, or a newer one that was there */
    uint64_t used;
    uint64_t last; /* the start of the newest slice of which something is used */
};

static uint64_t oldest_of(const struct window *window)
{
    return window->start - NUM_MIN(window->start, LIMIT_SLICES * window->len_ns);
}

/* False when a newer slice is there: then from that one on. */
static bool add_up(const struct limit_ring *ring, struct window *window)
{
    uint64_t oldest = oldest_of(window);

    window->used = window->last = 0;
    for (size_t i = 0; i < LIMIT_RING; i++) {
        struct limit_slice slice = load(&ring->slices[i]);
        if (slice.start_ns >= window->start + window->len_ns) {
            window->start = start_of(slice.start_ns, window->len_ns);
            return false;
        }
        if (slice.start_ns >= oldest && slice.used > 0) {
            window->used += slice.used;
            window->last = NUM_MAX(window->last, slice.start_ns);
        }
    }
    return true;
}

static void look(const struct limit_ring *ring, struct window *window)
{
    while (!add_up(ring, window))
        ;
}

static uint64_t until_end(const struct window *window, uint64_t start, uint64_t now)
{
    uint64_t end = end_of(start, window->len_ns);

    return end > now ? end - now : 0;
}

/* How long until no more than `most` of it counts, when nobody takes more. */
static uint64_t wait_for(struct limit_ring *ring, const struct window *window, uint64_t most,
                         uint64_t now)
{
    uint64_t start = oldest_of(window);
    uint64_t left = window->used;

    if (left <= most)
        return 0;
    for (; start < window->last; start += window->len_ns) {
        struct limit_slice slice = load(at(ring, start, window->len_ns));
        left -= slice.start_ns == start ? NUM_MIN(slice.used, left) : 0;
        if (left <= most)
            break;
    }
    return until_end(window, start, now);
}

static void show(const struct limit_ask *ask, const struct window *window, uint64_t now, size_t i,
                 struct limit_answer *answer)
{
    answer->remaining[i] = window->used < ask->limit ? ask->limit - window->used : 0;
    answer->full_after_ns[i] = window->used == 0 ? 0 : until_end(window, window->last, now);
}

/* ------------------------------------------------------------------ taking and settling */

enum outcome { TAKEN, TOO_MUCH, AGAIN };

/* AGAIN in the slice that `window` has then. */
static enum outcome try_take(struct limit_ring *ring, struct limit_slot *slot,
                             const struct limit_ask *ask, struct window *window)
{
    uint64_t start = window->start;
    struct limit_slice *slice = at(ring, start, window->len_ns);

    if (!add(slice, start, ask->cost)) {
        look(ring, window);
        return AGAIN;
    }
    look(ring, window);
    bool same = __atomic_load_n(&slot->key, __ATOMIC_SEQ_CST) == ask->key;
    if (same && window->start == start && window->used <= ask->limit)
        return TAKEN;
    take_back(slice, start, ask->cost);
    return same && window->start == start ? TOO_MUCH : AGAIN;
}

/* The slot is ours as long as what is taken now counts, and a slice longer: whoever has a time that
 * is no older than that still finds it. */
static bool keep(struct limit_slot *slot, struct limit_slot seen, const struct window *window)
{
    uint64_t until = end_of(window->start + window->len_ns, window->len_ns);

    return seen.full_at >= until ||
           limit_slot_swap(slot, seen, (struct limit_slot){.key = seen.key, .full_at = until});
}

static bool is_made(struct limit_slot seen, const struct limit_ask *ask)
{
    return seen.key == ask->key && (seen.full_at & LIMIT_MAKING) == 0;
}

static struct window window_of(const struct limit_ask *ask, uint64_t now)
{
    uint64_t len_ns = slice_ns(ask);

    return (struct window){.len_ns = len_ns, .start = start_of(now, len_ns)};
}

/* What there is, for who asks for more than there can be. */
static void show_now(struct limit_table *table, const struct limit_ask *ask, uint64_t now, size_t i,
                     struct limit_answer *answer)
{
    const struct limit_slot *slot = limit_slot_find(table, ask->key);
    struct window window = window_of(ask, now);

    if (slot != NULL)
        look(ring_of(table, slot), &window);
    show(ask, &window, now, i, answer);
}

/* Whether it would not fit without those who give way at this moment. */
static bool is_refused(struct limit_ring *ring, const struct limit_ask *ask, uint64_t now, size_t i,
                       struct window *window, struct limit_answer *answer)
{
    look(ring, window);
    show(ask, window, now, i, answer);
    answer->retry_after_ns = wait_for(ring, window, ask->limit - ask->cost, now);
    return window->used > ask->limit - ask->cost;
}

enum limit_verdict limit_sliding_take(struct limit_table *table, const struct limit_ask *ask,
                                      uint64_t now, size_t i, uint64_t *until,
                                      struct limit_answer *answer)
{
    struct window window = window_of(ask, now);
    int tries = 0;

    if (ask->cost > ask->limit) {
        show_now(table, ask, now, i, answer);
        return LIMIT_NEVER;
    }
    for (int spin = 0; spin < SPIN_MAX; spin++) {
        struct limit_slot *slot = limit_slot_get(table, ask, now);
        if (slot == NULL)
            return LIMIT_FULL;
        struct limit_slot seen = limit_slot_load(slot);
        struct limit_ring *ring = ring_of(table, slot);
        if (!is_made(seen, ask) || !keep(slot, seen, &window))
            continue;
        *until = end_of(window.start, window.len_ns);
        enum outcome outcome = try_take(ring, slot, ask, &window);
        if (outcome == TAKEN) {
            show(ask, &window, now, i, answer);
            return LIMIT_GRANTED;
        }
        if (outcome == TOO_MUCH &&
            (is_refused(ring, ask, now, i, &window, answer) || ++tries == TRIES))
            return LIMIT_REFUSED;
    }
    /* Who was putting the key in has died: its slot is free in a window. */
    answer->retry_after_ns = ask->window_ns;
    return LIMIT_REFUSED;
}

static void give_back(struct limit_table *table, const struct limit_ask *ask, uint64_t until,
                      uint64_t amount)
{
    uint64_t len_ns = slice_ns(ask);
    uint64_t start = start_of(until, len_ns) - LIMIT_RING * len_ns;
    const struct limit_slot *slot = limit_slot_find(table, ask->key);

    if (slot != NULL)
        take_back(at(ring_of(table, slot), start, len_ns), start, amount);
}

void limit_sliding_settle(struct limit_table *table, const struct limit_ask *ask, uint64_t until,
                          uint64_t actual, uint64_t now)
{
    struct window window = window_of(ask, now);

    if (actual <= ask->cost) {
        give_back(table, ask, until, ask->cost - actual);
        return;
    }
    for (int spin = 0; spin < SPIN_MAX; spin++) {
        struct limit_slot *slot = limit_slot_get(table, ask, now);
        if (slot == NULL)
            return;
        struct limit_slot seen = limit_slot_load(slot);
        struct limit_ring *ring = ring_of(table, slot);
        if (!is_made(seen, ask))
            continue;
        look(ring, &window);
        if (keep(slot, seen, &window) &&
            add(at(ring, window.start, window.len_ns), window.start, actual - ask->cost))
            return;
    }
}
