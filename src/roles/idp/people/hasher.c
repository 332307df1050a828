/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/people/hasher.h"

#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "crypto/kdf.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

struct job {
    bool verify;
    struct buf phc; /* to verify against, then the new one */
    struct secret *password;
    struct err err;
    hasher_fn *fn;
    void *ctx;
    STAILQ_ENTRY(job) entry;
};

STAILQ_HEAD(jobs, job);

struct hasher {
    struct loop *loop;
    struct loop_source *source;
    int done_fd;
    pthread_t thread;
    bool started;
    char nobody[KDF_PHC_MAX]; /* a hash of no password */

    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct jobs queue;
    struct jobs done;
    size_t open; /* jobs whose result was not delivered yet */
    bool stop;
};

static void job_free(struct job *job)
{
    buf_free_wiped(&job->phc);
    secret_free(job->password);
    free(job);
}

/* ------------------------------------------------------------------ the thread */

static int run_verify(struct job *job)
{
    CLEANUP(buf_free_wiped) struct buf old = job->phc;
    struct span password = secret_span(job->password);

    job->phc = (struct buf)BUF_INIT(KDF_PHC_MAX);
    TRY(kdf_password_verify(buf_span(&old), password, &job->err));
    if (!kdf_password_stale(buf_span(&old), &kdf_password_params))
        return 0;
    return kdf_password_hash(&kdf_password_params, password, &job->phc, &job->err);
}

static int run_hash(struct job *job)
{
    return kdf_password_hash(&kdf_password_params, secret_span(job->password), &job->phc,
                             &job->err);
}

/* How it went is in job->err. */
static void run(struct job *job)
{
    if (job->verify)
        (void)run_verify(job);
    else
        (void)run_hash(job);
}

static struct job *next_job(struct hasher *hasher)
{
    struct job *job = NULL;

    pthread_mutex_lock(&hasher->lock);
    while (!hasher->stop && STAILQ_EMPTY(&hasher->queue))
        pthread_cond_wait(&hasher->wake, &hasher->lock);
    if (!hasher->stop) {
        job = STAILQ_FIRST(&hasher->queue);
        STAILQ_REMOVE_HEAD(&hasher->queue, entry);
    }
    pthread_mutex_unlock(&hasher->lock);
    return job;
}

static void *work(void *ctx)
{
    struct hasher *hasher = ctx;
    struct job *job;

    while ((job = next_job(hasher)) != NULL) {
        run(job);
        pthread_mutex_lock(&hasher->lock);
        STAILQ_INSERT_TAIL(&hasher->done, job, entry);
        pthread_mutex_unlock(&hasher->lock);
        (void)eventfd_write(hasher->done_fd, 1);
    }
    return NULL;
}

/* ------------------------------------------------------------------ the loop's side */

static void on_done(void *ctx, int fd, uint32_t events UNUSED)
{
    struct hasher *hasher = ctx;
    struct jobs done = STAILQ_HEAD_INITIALIZER(done);
    eventfd_t count;

    (void)eventfd_read(fd, &count);
    pthread_mutex_lock(&hasher->lock);
    STAILQ_CONCAT(&done, &hasher->done);
    pthread_mutex_unlock(&hasher->lock);
    while (!STAILQ_EMPTY(&done)) {
        struct job *job = STAILQ_FIRST(&done);
        STAILQ_REMOVE_HEAD(&done, entry);
        hasher->open--;
        job->fn(job->ctx, job->phc.len > 0 ? buf_text(&job->phc) : NULL,
                job->err.code == ERR_NONE ? NULL : &job->err);
        job_free(job);
    }
}

static int add(struct hasher *hasher, const char *phc, struct span password, hasher_fn *fn,
               void *ctx, struct err *err)
{
    if (hasher->open >= HASHER_QUEUE_MAX)
        return err_set(err, ERR_LIMITED,
                       "too many people are signing in at this moment; try again in a moment");
    if (password.len > HASHER_PASSWORD_MAX)
        return err_set(err, ERR_TOO_LARGE, "a password has at most %d bytes", HASHER_PASSWORD_MAX);
    struct job *job = mem_new(sizeof(*job));
    *job = (struct job){.verify = phc != NULL,
                        .phc = BUF_INIT(KDF_PHC_MAX),
                        .password = secret_copy(password),
                        .fn = fn,
                        .ctx = ctx};
    if (phc != NULL)
        buf_put_str(&job->phc, phc);
    hasher->open++;
    pthread_mutex_lock(&hasher->lock);
    STAILQ_INSERT_TAIL(&hasher->queue, job, entry);
    pthread_cond_signal(&hasher->wake);
    pthread_mutex_unlock(&hasher->lock);
    return 0;
}

int hasher_verify(struct hasher *hasher, const char *phc, struct span password, hasher_fn *fn,
                  void *ctx, struct err *err)
{
    return add(hasher, phc == NULL ? hasher->nobody : phc, password, fn, ctx, err);
}

int hasher_hash(struct hasher *hasher, struct span password, hasher_fn *fn, void *ctx,
                struct err *err)
{
    return add(hasher, NULL, password, fn, ctx, err);
}

static void put_random(size_t len, struct buf *out)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(128);
    struct err err = ERR_INIT;
    uint8_t bytes[KDF_HASH_LEN];

    INVARIANT(len <= sizeof(bytes) && crypto_random(bytes, len, &err) == 0);
    enc_base64_put(ENC_BASE64, span_of(bytes, len), &text);
    while (text.len > 0 && text.data[text.len - 1] == '=')
        text.len--;
    buf_put_span(out, buf_span(&text));
}

/* Random bytes in the place of a hash: no password is known for it, and checking one against it
 * costs what any other check costs. */
static void make_nobody(struct hasher *hasher)
{
    CLEANUP(buf_free) struct buf phc = BUF_INIT(KDF_PHC_MAX - 1);

    buf_printf(&phc, "$argon2id$v=19$m=%u,t=%u,p=%u$", kdf_password_params.memory_kib,
               kdf_password_params.passes, kdf_password_params.lanes);
    put_random(KDF_SALT_LEN, &phc);
    buf_put_u8(&phc, '$');
    put_random(KDF_HASH_LEN, &phc);
    snprintf(hasher->nobody, sizeof(hasher->nobody), "%s", buf_text(&phc));
}

int hasher_new(struct loop *loop, struct hasher **out, struct err *err)
{
    struct hasher *hasher = mem_new(sizeof(*hasher));

    *out = hasher;
    hasher->loop = loop;
    STAILQ_INIT(&hasher->queue);
    STAILQ_INIT(&hasher->done);
    pthread_mutex_init(&hasher->lock, NULL);
    pthread_cond_init(&hasher->wake, NULL);
    make_nobody(hasher);
    hasher->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (hasher->done_fd < 0)
        return err_sys(err, "cannot make an eventfd");
    TRY(loop_add_fd(loop, hasher->done_fd, EPOLLIN, on_done, hasher, &hasher->source, err));
    if (pthread_create(&hasher->thread, NULL, work, hasher) != 0)
        return err_set(err, ERR_INTERNAL, "cannot start the thread that hashes passwords");
    hasher->started = true;
    return 0;
}

static void free_jobs(struct jobs *jobs)
{
    while (!STAILQ_EMPTY(jobs)) {
        struct job *job = STAILQ_FIRST(jobs);
        STAILQ_REMOVE_HEAD(jobs, entry);
        job_free(job);
    }
}

void hasher_free(struct hasher *hasher)
{
    if (hasher == NULL)
        return;
    pthread_mutex_lock(&hasher->lock);
    hasher->stop = true;
    pthread_cond_signal(&hasher->wake);
    pthread_mutex_unlock(&hasher->lock);
    if (hasher->started)
        pthread_join(hasher->thread, NULL);
    if (hasher->source != NULL)
        loop_remove(hasher->loop, hasher->source);
    fd_close(&hasher->done_fd);
    free_jobs(&hasher->queue);
    free_jobs(&hasher->done);
    pthread_cond_destroy(&hasher->wake);
    pthread_mutex_destroy(&hasher->lock);
    free(hasher);
}
