/* SPDX-License-Identifier: Apache-2.0 */
#include "store/blob_lane.h"

#include "base/mem.h"

#include <pthread.h>
#include <signal.h>

struct blob_lane {
    blob_lane_fn *fn;
    void *ctx;
    bool tried; /* to start the thread: with the second job, so that small blobs go without */
    bool threaded;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t jobs;
    size_t job;
    bool busy;
    bool stop;
    bool failed;
    struct err why;
};

struct blob_lane *blob_lane_new(blob_lane_fn *fn, void *ctx)
{
    struct blob_lane *lane = mem_new(sizeof(*lane));

    lane->fn = fn;
    lane->ctx = ctx;
    INVARIANT(pthread_mutex_init(&lane->lock, NULL) == 0);
    INVARIANT(pthread_cond_init(&lane->changed, NULL) == 0);
    return lane;
}

static void *run(void *ctx)
{
    struct blob_lane *lane = ctx;

    pthread_mutex_lock(&lane->lock);
    for (;;) {
        while (!lane->busy && !lane->stop)
            pthread_cond_wait(&lane->changed, &lane->lock);
        if (!lane->busy)
            break;
        size_t job = lane->job;
        pthread_mutex_unlock(&lane->lock);
        struct err err = ERR_INIT;
        int result = lane->fn(lane->ctx, job, &err);
        pthread_mutex_lock(&lane->lock);
        if (result < 0) {
            lane->failed = true;
            lane->why = err;
        }
        lane->busy = false;
        pthread_cond_broadcast(&lane->changed);
    }
    pthread_mutex_unlock(&lane->lock);
    return NULL;
}

/* Signals are the caller's thread's. */
static bool start(struct blob_lane *lane)
{
    sigset_t all;
    sigset_t before;

    if (lane->tried)
        return lane->threaded;
    lane->tried = true;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    lane->threaded = pthread_create(&lane->thread, NULL, run, lane) == 0;
    INVARIANT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return lane->threaded;
}

static int run_here(struct blob_lane *lane, size_t job, struct err *err)
{
    if (!lane->failed && lane->fn(lane->ctx, job, &lane->why) < 0)
        lane->failed = true;
    if (!lane->failed)
        return 0;
    *err = lane->why;
    return -1;
}

int blob_lane_wait(struct blob_lane *lane, struct err *err)
{
    pthread_mutex_lock(&lane->lock);
    while (lane->busy)
        pthread_cond_wait(&lane->changed, &lane->lock);
    bool failed = lane->failed;
    pthread_mutex_unlock(&lane->lock);
    if (!failed)
        return 0;
    *err = lane->why;
    return -1;
}

int blob_lane_run(struct blob_lane *lane, size_t job, struct err *err)
{
    if (lane->jobs++ == 0 || !start(lane))
        return run_here(lane, job, err);
    TRY(blob_lane_wait(lane, err));
    pthread_mutex_lock(&lane->lock);
    lane->job = job;
    lane->busy = true;
    pthread_cond_broadcast(&lane->changed);
    pthread_mutex_unlock(&lane->lock);
    return 0;
}

void blob_lane_free(struct blob_lane *lane)
{
    if (lane == NULL)
        return;
    if (lane->threaded) {
        pthread_mutex_lock(&lane->lock);
        lane->stop = true;
        pthread_cond_broadcast(&lane->changed);
        pthread_mutex_unlock(&lane->lock);
        pthread_join(lane->thread, NULL);
    }
    pthread_cond_destroy(&lane->changed);
    pthread_mutex_destroy(&lane->lock);
    free(lane);
}
