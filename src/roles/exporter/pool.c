/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/pool.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

enum { IDLE_SEC = 10, STACK_SIZE = 512 * 1024, CLOSE_MS = 500 };

STAILQ_HEAD(job_list, job);

struct pool {
    struct loop *loop;
    struct loop_source *source;
    int bell_fd; /* rung when a job is done */
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct job_list waiting;
    struct job_list done;
    size_t waiting_count;
    const struct job *running[POOL_THREADS];
    unsigned threads;
    unsigned idle;
    bool closing;
};

/* ------------------------------------------------------------------ in a thread, under the lock */

static unsigned running_in(const struct pool *pool, const char *lane)
{
    unsigned count = 0;

    for (size_t i = 0; i < POOL_THREADS; i++)
        count += pool->running[i] != NULL && strcmp(pool->running[i]->lane, lane) == 0;
    return count;
}

static void finish(struct pool *pool, struct job *job)
{
    static const uint64_t one = 1;

    STAILQ_INSERT_TAIL(&pool->done, job, entry);
    INVARIANT(write(pool->bell_fd, &one, sizeof(one)) == sizeof(one));
}

/* The first whose lane has room; those that waited too long are done. */
static struct job *pick(struct pool *pool)
{
    struct job *job, *next;

    for (job = STAILQ_FIRST(&pool->waiting); job != NULL; job = next) {
        next = STAILQ_NEXT(job, entry);
        bool late = job->until_ns <= clock_mono_ns();
        if (!late && running_in(pool, job->lane) >= POOL_LANE_MAX)
            continue;
        STAILQ_REMOVE(&pool->waiting, job, job, entry);
        pool->waiting_count--;
        if (!late)
            return job;
        err_set(&job->err, ERR_TIMEOUT, "%s: too many calls wait for it", job->lane);
        finish(pool, job);
    }
    return NULL;
}

static void run_one(struct pool *pool, struct job *job)
{
    size_t slot = 0;

    while (pool->running[slot] != NULL)
        slot++;
    pool->running[slot] = job;
    pthread_mutex_unlock(&pool->lock);
    if (job->run(job, &job->err) == 0)
        err_clear(&job->err);
    pthread_mutex_lock(&pool->lock);
    pool->running[slot] = NULL;
    finish(pool, job);
    if (pool->waiting_count > 0)
        pthread_cond_signal(&pool->work); /* the lane has room again */
}

static void *work(void *ctx)
{
    struct pool *pool = ctx;

    pthread_mutex_lock(&pool->lock);
    while (!pool->closing) {
        struct job *job = pick(pool);
        struct timespec until;
        if (job != NULL) {
            run_one(pool, job);
            continue;
        }
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += IDLE_SEC;
        pool->idle++;
        int woken = pthread_cond_timedwait(&pool->work, &pool->lock, &until);
        pool->idle--;
        if (woken == ETIMEDOUT && pool->waiting_count == 0)
            break;
    }
    pool->threads--;
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* ------------------------------------------------------------------ on the loop */

static void on_bell(void *ctx, int fd, uint32_t events UNUSED)
{
    struct pool *pool = ctx;
    struct job_list done = STAILQ_HEAD_INITIALIZER(done);
    uint64_t count;

    if (read(fd, &count, sizeof(count)) < 0)
        return;
    pthread_mutex_lock(&pool->lock);
    STAILQ_CONCAT(&done, &pool->done);
    pthread_mutex_unlock(&pool->lock);
    while (!STAILQ_EMPTY(&done)) {
        struct job *job = STAILQ_FIRST(&done);
        STAILQ_REMOVE_HEAD(&done, entry);
        job->done(job);
    }
}

static int start_thread(struct pool *pool, struct err *err)
{
    pthread_attr_t attr;
    pthread_t thread;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    int failed = pthread_create(&thread, &attr, work, pool);
    pthread_attr_destroy(&attr);
    if (failed != 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot start a thread: %s", strerror(failed));
    pool->threads++;
    return 0;
}

int pool_submit(struct pool *pool, struct job *job, struct err *err)
{
    int result = 0;

    pthread_mutex_lock(&pool->lock);
    if (pool->waiting_count == POOL_QUEUE_MAX)
        result = err_set(err, ERR_LIMITED, "%d calls to the outside wait already; try again later",
                         POOL_QUEUE_MAX);
    if (result == 0 && pool->idle <= pool->waiting_count && pool->threads < POOL_THREADS &&
        start_thread(pool, err) < 0 && pool->threads == 0)
        result = -1;
    if (result == 0) {
        err_clear(err);
        STAILQ_INSERT_TAIL(&pool->waiting, job, entry);
        pool->waiting_count++;
        pthread_cond_signal(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
    return result;
}

int pool_new(struct loop *loop, struct pool **out, struct err *err)
{
    struct pool *pool = mem_new(sizeof(*pool));
    pthread_condattr_t attr;

    *out = pool;
    pool->loop = loop;
    STAILQ_INIT(&pool->waiting);
    STAILQ_INIT(&pool->done);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->work, &attr);
    pthread_condattr_destroy(&attr);
    pool->bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (pool->bell_fd < 0)
        return err_sys(err, "cannot make an event descriptor");
    return loop_add_fd(loop, pool->bell_fd, EPOLLIN, on_bell, pool, &pool->source, err);
}

static bool wait_for_threads(struct pool *pool)
{
    uint64_t deadline = clock_mono_ns() + CLOSE_MS * 1000000ULL;
    bool gone = false;

    while (!gone && clock_mono_ns() < deadline) {
        pthread_mutex_lock(&pool->lock);
        pool->closing = true;
        gone = pool->threads == 0;
        pthread_cond_broadcast(&pool->work);
        pthread_mutex_unlock(&pool->lock);
        if (!gone)
            nanosleep(&(struct timespec){.tv_nsec = 5 * 1000 * 1000}, NULL);
    }
    return gone;
}

bool pool_free(struct pool *pool)
{
    if (pool == NULL)
        return true;
    if (!wait_for_threads(pool))
        return false;
    loop_remove(pool->loop, pool->source);
    fd_close(&pool->bell_fd);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
    return true;
}
