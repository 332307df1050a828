/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Circuit breakers that several processes share through one mapped file, without locks: who fails
 * so many times in a row is left out for a while, and then one call tries it.
 *
 *     closed --failures in a row--> open --its time is over--> on trial --success--> closed
 *                                     ^                            |
 *                                     +----------failure-----------+   (longer: up to ten times)
 *
 * A trial that nobody ends, because its process died, is over after LIMIT_TRIAL_SEC. Failures of
 * calls that began before it opened change nothing. Whoever asks decides by itself what to do when
 * all are open.
 *
 * A name lives in one of LIMIT_BREAKER_PROBE_MAX slots, and takes one that was still for an hour
 * when there is none; without a slot it counts as closed. Two processes that race for one slot may
 * mix up the counts of two names once; nothing but the choice of a backend hangs on it. Time is the
 * monotonic clock.
 */
#ifndef DRUN_LIMIT_BREAKERS_H
#define DRUN_LIMIT_BREAKERS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    LIMIT_BREAKER_SLOTS = 1024,
    LIMIT_BREAKER_PROBE_MAX = 32,
    LIMIT_BREAKER_NAME = 136, /* with its NUL; a longer name counts as closed */
    LIMIT_TRIAL_SEC = 60,
};

struct limit_breakers;

/* Maps the file, 192 KiB; makes it when it is not there. */
int limit_breakers_open(int dir_fd, const char *name, struct limit_breakers **out,
                        struct err *err) MUST_USE;
void limit_breakers_close(struct limit_breakers *breakers);
void limit_breakers_close_ptr(struct limit_breakers **breakers);

/* Whether it may be among those that are asked: closed, or its time is over. Changes nothing. */
bool limit_breaker_is_open(const struct limit_breakers *breakers, struct span who, uint64_t now_ns);
/* A call goes there now: true when it is closed, or when this call is its trial. */
bool limit_breaker_try(struct limit_breakers *breakers, struct span who, uint64_t now_ns);
/* How it ended. True: it is open from now on. `failures` in a row open it, for `open_ns`. */
bool limit_breaker_failed(struct limit_breakers *breakers, struct span who, uint32_t failures,
                          uint64_t open_ns, uint64_t now_ns);
void limit_breaker_succeeded(struct limit_breakers *breakers, struct span who, uint64_t now_ns);

/* Calls fn with the name of each that is open or on trial. */
void limit_breakers_each(const struct limit_breakers *breakers, uint64_t now_ns,
                         void (*fn)(void *ctx, const char *name), void *ctx);

#endif
