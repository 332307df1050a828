/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines in front of engines that take only so many calls at the same time, over all processes that
 * share one mapped file. A call that finds no place waits in its line. Whenever a place is free, it
 * goes to
 *
 *     1. the highest priority that waits,
 *     2. of it the group that was served longest ago (round-robin between groups),
 *     3. of that the call that came first.
 *
 * So a group with a thousand calls in the line makes another one wait for the next place that
 * becomes free, not for a thousand; and at every instant no more than `limit` calls have a place.
 *
 * What changes a line is done under a lock of the file that the kernel takes back when a process
 * dies; it is held for microseconds, and only by calls to engines with a line. Places and calls of
 * a dead process are given back by the next one that opens the file (limit/seats.h).
 */
#ifndef DRUN_LIMIT_QUEUE_H
#define DRUN_LIMIT_QUEUE_H

#include "base/attr.h"
#include "base/err.h"
#include "limit/seats.h"

#include <stdbool.h>
#include <stdint.h>

enum { LIMIT_LINES = 256, LIMIT_LINE_MAX = 1024, LIMIT_TURNS = 256 };

struct limit_queue;

/* A call of the process with this seat was given a place: it should look. Must not call back. */
typedef void limit_queue_wake_fn(void *ctx, unsigned seat);

/* Maps the file, 12 MiB, of which only what is used takes room; makes it when it is not there, and
 * takes a seat. ERR_LIMITED: every seat is taken. */
int limit_queue_open(int dir_fd, const char *name, limit_queue_wake_fn *wake, void *ctx,
                     struct limit_queue **out, struct err *err) MUST_USE;
/* Gives back the seat, and every place and call under it. */
void limit_queue_close(struct limit_queue *queue);
void limit_queue_close_ptr(struct limit_queue **queue);
unsigned limit_queue_seat(const struct limit_queue *queue);

struct limit_queue_ask {
    uint64_t key;      /* of the engine: limit_key() */
    uint64_t group;    /* who takes turns with others */
    uint32_t priority; /* the higher one goes first */
    uint32_t limit;    /* calls at the same time; at least 1 */
    uint32_t length;   /* calls that may wait; at most LIMIT_LINE_MAX */
};

/* A place, or a call that waits for one; zeroed when neither. */
struct limit_turn {
    uint32_t line;   /* its number from 1 */
    uint32_t waiter; /* its number from 1; 0: it has a place */
};

enum limit_queue_answer {
    LIMIT_QUEUE_GO,   /* it has a place */
    LIMIT_QUEUE_WAIT, /* until limit_queue_take() */
    LIMIT_QUEUE_FULL, /* as many wait as may */
};

enum limit_queue_answer limit_queue_enter(struct limit_queue *queue,
                                          const struct limit_queue_ask *ask,
                                          struct limit_turn *out) MUST_USE;
/* True when the call was given a place meanwhile, or had one before. */
bool limit_queue_take(struct limit_queue *queue, struct limit_turn *turn) MUST_USE;
/* Gives the place to the next one, or leaves the line. Does nothing the second time. */
void limit_queue_leave(struct limit_queue *queue, struct limit_turn *turn);

#endif
