/* SPDX-License-Identifier: Apache-2.0 */
/* How a benchmark counts: a second of this process's own CPU time for each line, so that neighbours
 * do not count, and the ratio to a peer. */
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

/* Operations a second of fn(ctx, i), over about a second. */
static inline double bench_rate(void (*fn)(void *ctx, uint64_t i), void *ctx)
{
    enum { STEP = 256 };
    uint64_t start = bench_cpu_ns();
    uint64_t now = start;
    uint64_t done = 0;

    for (; now - start < 1000000000ULL; now = bench_cpu_ns())
        for (int i = 0; i < STEP; i++)
            fn(ctx, done++);
    return (double)done * 1e9 / (double)(now - start);
}

static inline double bench_print(const char *name, void (*fn)(void *ctx, uint64_t i), void *ctx)
{
    double rate = bench_rate(fn, ctx);

    printf("%-40s %14.0f /s %10.1f ns\n", name, rate, 1e9 / rate);
    return rate;
}

#endif
