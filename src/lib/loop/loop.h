/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A role's single thread waits here: descriptors (epoll), timers and signals (signalfd). After the
 * callbacks of one wake-up the batch hooks run once: that is where a role makes the work of many
 * requests durable together and then answers them.
 *
 * A source belongs to the loop and is freed with it or by loop_remove(), also from its own
 * callback.
 */
#ifndef DRUN_LOOP_LOOP_H
#define DRUN_LOOP_LOOP_H

#include "base/attr.h"
#include "base/err.h"

#include <signal.h>
#include <stdint.h>

struct loop;
struct loop_source;

typedef void loop_fd_fn(void *ctx, int fd, uint32_t events); /* EPOLLIN … */
typedef void loop_fn(void *ctx);
typedef void loop_signal_fn(void *ctx, int signo);

int loop_new(struct loop **out, struct err *err) MUST_USE;
void loop_free(struct loop *loop);
void loop_free_ptr(struct loop **loop);

/* The descriptor stays the caller's. */
int loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_fn *fn, void *ctx,
                struct loop_source **out, struct err *err) MUST_USE;
int loop_change_fd(struct loop *loop, struct loop_source *source, uint32_t events,
                   struct err *err) MUST_USE;
/* First after `delay_ms`, then every `period_ms`; a period of 0 fires once, and the source then
 * waits for loop_rearm(). Timers fire after the descriptors of a turn, up to a millisecond late;
 * one that is armed in a turn fires in the next one at the earliest. Moving one costs no system
 * call. */
int loop_add_timer(struct loop *loop, uint64_t delay_ms, uint64_t period_ms, loop_fn *fn, void *ctx,
                   struct loop_source **out, struct err *err) MUST_USE;
void loop_rearm(struct loop_source *timer, uint64_t delay_ms, uint64_t period_ms);
/* Blocks the signals of the set and delivers them here. */
int loop_add_signals(struct loop *loop, const sigset_t *set, loop_signal_fn *fn, void *ctx,
                     struct err *err) MUST_USE;
/* Runs after each wake-up, in the order in which the hooks were added. */
void loop_add_batch(struct loop *loop, loop_fn *fn, void *ctx);
void loop_remove(struct loop *loop, struct loop_source *source);

/* Until loop_stop() or an error of epoll itself. */
int loop_run(struct loop *loop, struct err *err) MUST_USE;
void loop_stop(struct loop *loop);
/* One wake-up, waiting at most timeout_ms (-1: for ever); for code that waits for one answer. */
int loop_turn(struct loop *loop, int timeout_ms, struct err *err) MUST_USE;

#endif
