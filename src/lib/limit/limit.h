/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rate limits that several processes share through one mapped file, without locks.
 *
 * LIMIT_TOKEN_BUCKET is GCRA (the virtual-scheduling form of ITU-T I.371, a token bucket whose
 * burst is the limit). A bucket is one number, the time at which it will be full again. A cost
 * moves it on by cost * window / limit, and is granted when the result is at most one window ahead
 * of the present. So of every bucket it holds, for any interval of length t:
 *
 *     granted - given back  <=  limit + limit * t / window
 *
 * and from a full bucket no more than `limit` at one instant. What is given back counts at the time
 * of giving back, and never more than has not drained yet.
 *
 * LIMIT_SLIDING_WINDOW holds for any interval of one window, wherever it begins:
 *
 *     granted - given back  <=  limit
 *
 * What is taken counts for one window and at most one LIMIT_SLICES-th of it more: time goes in
 * slices, and one of which a part may still count, counts as a whole. That is the only difference
 * to a log of every call, and it never grants more than such a log. What is given back counts from
 * the time at which it was taken; what is taken beyond a reservation counts from its settlement.
 * Where a bucket lets through a second limit's worth within a window that begins full, a sliding
 * window does not; who has used all of it at once waits for a window, not for his share of one.
 *
 * A bucket and its key are changed by one 16-byte compare-and-swap, so that a slot can go over to
 * another key at any moment. A bucket that is full says nothing, so its slot is free: nothing need
 * be removed. A key lives in one of LIMIT_PROBE_MAX slots; while all of them are in use by others,
 * a new key is refused (LIMIT_FULL).
 *
 * Time is the monotonic clock, which does not jump; a file of an earlier boot is emptied when it is
 * opened. A process may die at any instruction: at worst a charge stays that nobody gives back, and
 * a bucket or window that was being made is empty for one window.
 */
#ifndef DRUN_LIMIT_LIMIT_H
#define DRUN_LIMIT_LIMIT_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum { LIMIT_PROBE_MAX = 32, LIMIT_SET_MAX = 8, LIMIT_SLOTS = 1 << 15, LIMIT_SLICES = 60 };

enum limit_algorithm { LIMIT_TOKEN_BUCKET, LIMIT_SLIDING_WINDOW };

struct limit_table;

/* Maps PATH, 33 MiB, of which only what is used takes room: 16 bytes a bucket, 1 KiB more a sliding
 * window; makes it when it is not there. The name is relative to dir_fd. */
int limit_open(int dir_fd, const char *name, struct limit_table **out, struct err *err) MUST_USE;
void limit_close(struct limit_table *table);
void limit_close_ptr(struct limit_table **table);

/* A key of a bucket: who is limited, and in what ("key/K1", "requests"). */
uint64_t limit_key(struct span who, struct span what);

/* Of all asks of a key algorithm and window are the same; the limit may change. */
struct limit_ask {
    uint64_t key;
    uint64_t cost;
    uint64_t limit;     /* 0: no limit, always granted */
    uint64_t window_ns; /* 1 ms to 1 day */
    enum limit_algorithm algorithm;
};

enum limit_verdict {
    LIMIT_GRANTED,
    LIMIT_REFUSED, /* later it works again */
    LIMIT_NEVER,   /* one cost is larger than its limit */
    LIMIT_FULL,    /* no room for another key now */
    LIMIT_WAIT,    /* of budgets that gateways share: the share here is used up, and asked for */
};

struct limit_answer {
    enum limit_verdict verdict;
    size_t which;                      /* of the asks was refused */
    uint64_t retry_after_ns;           /* when it would be granted, if nobody else asked */
    uint64_t remaining[LIMIT_SET_MAX]; /* what each still has */
    uint64_t full_after_ns[LIMIT_SET_MAX];
};

/* What was taken, to be settled once. */
struct limit_reservation {
    size_t count;
    struct limit_ask ask[LIMIT_SET_MAX];
    uint64_t until_ns[LIMIT_SET_MAX]; /* when the charge counts no more */
};

/* Takes all of them or none; count <= LIMIT_SET_MAX. A set that is refused may for an instant make
 * another one be refused too, never granted. `now_ns` is clock_mono_ns(). */
void limit_reserve(struct limit_table *table, const struct limit_ask *asks, size_t count,
                   uint64_t now_ns, struct limit_reservation *out, struct limit_answer *answer);
/* The true cost of the ask at `which`: gives back what was not used, or takes what was used beyond
 * it, even when that is over the limit. The debt of a bucket is capped at one more window. */
void limit_settle(struct limit_table *table, const struct limit_reservation *reservation,
                  size_t which, uint64_t actual, uint64_t now_ns);

#endif
