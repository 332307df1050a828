/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of kept.h. For this folder and its tests. */
#ifndef DRUN_KEPT_KEPT_INTERNAL_H
#define DRUN_KEPT_KEPT_INTERNAL_H

#include "kept/kept.h"

#include <pthread.h>

enum { KEPT_WAYS = 8, KEPT_ALIGN = 16 };

/* Where a value stands. Positions only grow; the place in the log is the remainder. */
struct kept_slot {
    uint64_t tag;   /* of the key */
    uint64_t place; /* the position and 1; 0: nothing */
};

struct kept_bucket {
    struct kept_slot slots[KEPT_WAYS];
};

struct kept_entry {
    uint64_t position; /* its own: what was written over is not taken for it */
    uint64_t put_ns;
    uint64_t until_ns;
    uint64_t len; /* of the value, which comes behind */
    uint8_t key[KEPT_KEY_LEN];
};

struct kept_shared {
    pthread_mutex_t lock;
    uint64_t head; /* the position behind the newest */
};

/* What every process has of its own, and nobody's death tears. */
struct kept {
    struct kept_shared *shared;
    struct kept_bucket *buckets;
    uint8_t *log;
    uint64_t bucket_count; /* a power of two */
    uint64_t log_bytes;    /* a multiple of KEPT_ALIGN */
    size_t mapped;
};

/* False: somebody holds it too long. When its holder died, what was kept is forgotten first. */
bool kept_lock(struct kept *kept) MUST_USE;
void kept_unlock(struct kept *kept);
uint64_t kept_bucket_of(const struct kept *kept, const uint8_t key[KEPT_KEY_LEN]);
/* What a value takes of the log. */
uint64_t kept_room(uint64_t len);
/* Where one that takes so much is put: it never goes round the end. */
uint64_t kept_place(const struct kept *kept, uint64_t head, uint64_t room);

#endif
