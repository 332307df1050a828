/* SPDX-License-Identifier: Apache-2.0 */
/* How a benchmark counts: in this process's own CPU time, the best of five slices of 0.2 s, because
 * neighbours on the machine share its caches; and the ratio to a peer. */
#ifndef DRUN_BENCH_BENCH_H
#define DRUN_BENCH_BENCH_H

#include "base/clock.h"
#include "base/err.h"

#include <stdio.h>

static inline uint64_t bench_cpu_ns(void)
{
    struct timespec ts;

    INVARIANT(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts) == 0);
    return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

/* Operations a second of fn(ctx, i). */
static inline double bench_slice(void (*fn)(void *ctx, uint64_t i), void *ctx, int step,
                                 uint64_t *done)
{
    enum { SLICE_NS = 200000000 };
    uint64_t first = *done;
    uint64_t start = bench_cpu_ns();
    uint64_t now = start;

    for (; now - start < SLICE_NS; now = bench_cpu_ns())
        for (int i = 0; i < step; i++)
            fn(ctx, (*done)++);
    return (double)(*done - first) * 1e9 / (double)(now - start);
}

static inline double bench_rate(void (*fn)(void *ctx, uint64_t i), void *ctx, int step)
{
    double best = 0;
    uint64_t done = 0;

    for (int i = 0; i < 5; i++) {
        double rate = bench_slice(fn, ctx, step, &done);
        if (rate > best)
            best = rate;
    }
    return best;
}

/* The clock is read every `step` operations. */
static inline double bench_print_step(const char *name, void (*fn)(void *ctx, uint64_t i),
                                      void *ctx, int step)
{
    double rate = bench_rate(fn, ctx, step);

    printf("%-40s %14.0f /s %10.1f ns\n", name, rate, 1e9 / rate);
    return rate;
}

static inline double bench_print(const char *name, void (*fn)(void *ctx, uint64_t i), void *ctx)
{
    return bench_print_step(name, fn, ctx, 256);
}

#endif
