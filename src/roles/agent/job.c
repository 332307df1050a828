/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/job.h"

#include "base/fd.h"
#include "base/mem.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct job {
    struct loop *loop;
    struct loop_source *source;
    int event_fd; /* readable when the thread has ended */
    pthread_t thread;
    atomic_uint percent;
    atomic_bool cancelled;
    job_fn *run;
    job_done_fn *done;
    void *ctx;
    struct err err;
};

static void *work(void *ctx)
{
    struct job *job = ctx;
    uint64_t one = 1;

    if (job->run(job, job->ctx, &job->err) == 0)
        err_clear(&job->err);
    INVARIANT(write(job->event_fd, &one, sizeof(one)) == sizeof(one));
    return NULL;
}

static void job_free(struct job *job)
{
    pthread_join(job->thread, NULL);
    loop_remove(job->loop, job->source);
    fd_close(&job->event_fd);
    free(job);
}

static void on_end(void *ctx, int fd UNUSED, uint32_t events UNUSED)
{
    struct job *job = ctx;
    job_done_fn *done = job->done;
    void *done_ctx = job->ctx;
    struct err err = job->err;

    job_free(job);
    done(done_ctx, err.code == ERR_NONE ? NULL : &err);
    /* What the thread read whole files with. */
    malloc_trim(0);
}

int job_start(struct loop *loop, job_fn *run, job_done_fn *done, void *ctx, struct job **out,
              struct err *err)
{
    struct job *job = mem_new(sizeof(*job));

    *job = (struct job){.loop = loop, .run = run, .done = done, .ctx = ctx};
    job->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    INVARIANT(job->event_fd >= 0);
    *out = job; /* the thread may ask for it */
    int result = loop_add_fd(loop, job->event_fd, EPOLLIN, on_end, job, &job->source, err);
    if (result == 0 && pthread_create(&job->thread, NULL, work, job) != 0)
        result = err_set(err, ERR_UNAVAILABLE, "cannot start a thread");
    if (result < 0) {
        loop_remove(loop, job->source);
        fd_close(&job->event_fd);
        free(job);
        *out = NULL;
        return -1;
    }
    return 0;
}

void job_cancel(struct job *job)
{
    if (job == NULL)
        return;
    atomic_store(&job->cancelled, true);
    job_free(job);
}

bool job_cancelled(struct job *job)
{
    return atomic_load(&job->cancelled);
}

void job_set_percent(struct job *job, unsigned percent)
{
    atomic_store(&job->percent, percent);
}

unsigned job_percent(struct job *job)
{
    return atomic_load(&job->percent);
}
