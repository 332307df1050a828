/* SPDX-License-Identifier: Apache-2.0 */
/* The file of limit.h. For this folder and its tests. */
#ifndef DRUN_LIMIT_LIMIT_INTERNAL_H
#define DRUN_LIMIT_LIMIT_INTERNAL_H

#include "base/num.h"
#include "limit/limit.h"

#include <stdint.h>

enum { SPIN_MAX = 2000 };

struct limit_header {
    char magic[16];
    char boot_id[48];
};

/* `full_at` is the time at which the bucket is full, or the window empty: from then on the slot is
 * free. The low bit marks a slot whose key is being put in (see make() in limit.c). Times lose that
 * bit: one nanosecond. */
struct limit_slot {
    uint64_t key; /* 0: never used */
    uint64_t full_at;
};

enum { LIMIT_MAKING = 1 };

/* One slice of a sliding window. Changed as a whole. */
struct limit_slice {
    uint64_t start_ns; /* when it began: a whole number of slices */
    uint64_t used;
} __attribute__((aligned(16)));

/* Those that count at any time: the one that runs, and LIMIT_SLICES before it. */
enum { LIMIT_RING = LIMIT_SLICES + 1 };

struct limit_ring {
    struct limit_slice slices[LIMIT_RING];
    struct limit_slice zero[3]; /* rings begin on pages and cache lines */
};

_Static_assert(sizeof(struct limit_ring) == 1024, "rings fill cache lines");

/* A slot's ring has the same number. One that was never used takes no memory. When a slot goes over
 * to another key, what stands in its ring is over; it is not swept. */
struct limit_file {
    struct limit_header header;
    struct limit_slot slots[LIMIT_SLOTS] __attribute__((aligned(64)));
    struct limit_ring rings[LIMIT_SLOTS] __attribute__((aligned(64)));
};

struct limit_table {
    struct limit_file *file;
};

/* The first slot of a key. */
uint64_t limit_home(uint64_t key);

typedef unsigned __int128 limit_pair __attribute__((may_alias));

/* The two halves may belong to different moments; a compare-and-swap with them then fails. */
static inline struct limit_slot limit_slot_load(const struct limit_slot *slot)
{
    return (struct limit_slot){.key = __atomic_load_n(&slot->key, __ATOMIC_SEQ_CST),
                               .full_at = __atomic_load_n(&slot->full_at, __ATOMIC_SEQ_CST)};
}

static inline bool limit_slot_swap(struct limit_slot *slot, struct limit_slot old,
                                   struct limit_slot new)
{
    return __sync_bool_compare_and_swap((limit_pair *)slot, (limit_pair)old.full_at << 64 | old.key,
                                        (limit_pair) new.full_at << 64 | new.key);
}

/* The slot of a key, NULL when it has none. */
struct limit_slot *limit_slot_find(struct limit_table *table, uint64_t key);
/* The same; takes a free one when it has none. NULL: all that it could have are in use. */
struct limit_slot *limit_slot_get(struct limit_table *table, const struct limit_ask *ask,
                                  uint64_t now);

/* sliding.c: one ask of a set, as limit.h says. `until` is when the charge counts no more. */
enum limit_verdict limit_sliding_take(struct limit_table *table, const struct limit_ask *ask,
                                      uint64_t now, size_t i, uint64_t *until,
                                      struct limit_answer *answer);
void limit_sliding_settle(struct limit_table *table, const struct limit_ask *ask, uint64_t until,
                          uint64_t actual, uint64_t now);

#endif
