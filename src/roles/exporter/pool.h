/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A few threads for what must wait: names, connections, answers of others. They are started when
 * there is work and end when there is none for a while. Jobs for one destination never take all of
 * them, so a slow one holds no other up.
 */
#ifndef DRUN_EXPORTER_POOL_H
#define DRUN_EXPORTER_POOL_H

#include "base/attr.h"
#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum {
    POOL_THREADS = 8,
    POOL_LANE_MAX = 3,    /* threads of one lane at a time */
    POOL_QUEUE_MAX = 128, /* jobs that wait */
    POOL_LANE_SIZE = 272,
};

struct job {
    char lane[POOL_LANE_SIZE]; /* the destination, "host:port" */
    uint64_t until_ns;         /* a job that waited longer is not run: `err` says so */
    int (*run)(struct job *job, struct err *err); /* in a thread, alone with the job */
    void (*done)(struct job *job);                /* on the loop; frees the job */
    struct err err;                               /* its code is ERR_NONE when run() succeeded */
    STAILQ_ENTRY(job) entry;
};

struct pool;

int pool_new(struct loop *loop, struct pool **out, struct err *err) MUST_USE;
/* ERR_LIMITED when too many wait already; the job stays the caller's then. */
int pool_submit(struct pool *pool, struct job *job, struct err *err) MUST_USE;
/* Waits a moment for jobs under way, then calls done() of none. False: a thread still runs, and the
 * process should end without further ado. */
bool pool_free(struct pool *pool) MUST_USE;

#endif
