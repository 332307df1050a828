/* SPDX-License-Identifier: Apache-2.0 */
#include "runner.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "front.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum { CONTROLS_MAX = 64 };

/* Orders and results are pointers through pipes: one writer and one reader each, so no lock is
 * needed. */
struct runner {
    struct role *role;
    struct role_line *lines[ROLE_COUNT]; /* the thread's */
    runner_fn *done;
    void *ctx;
    pthread_t thread;
    bool started;
    int orders[2];
    int results[2];
    struct loop_source *source;
    const struct control *waiting[CONTROLS_MAX]; /* the first is being proved */
    size_t waiting_count;
};

static struct runner_result *prove(struct runner *runner, struct front *front,
                                   const struct control *control)
{
    struct proof proof = {.role = runner->role,
                          .lines = runner->lines,
                          .front = front,
                          .verdict = PROOF_PROVEN,
                          .evidence = BUF_INIT(PROOF_EVIDENCE_MAX)};
    struct runner_result *result = mem_new(sizeof(*result));
    uint64_t began = clock_mono_ns();

    control->prove(&proof);
    result->control = control;
    result->verdict = proof.verdict;
    result->duration_ms = (clock_mono_ns() - began) / 1000000;
    result->evidence = buf_take(&proof.evidence);
    return result;
}

static void *run(void *ctx)
{
    struct runner *runner = ctx;
    struct front *front = front_new(runner->role, runner->lines[ROLE_IDP]);
    const struct control *control;

    while (read(runner->orders[0], &control, sizeof(control)) == sizeof(control)) {
        struct runner_result *result = prove(runner, front, control);
        if (write(runner->results[1], &result, sizeof(result)) != sizeof(result))
            break;
    }
    front_free(front);
    return NULL;
}

/* One at a time, so that a proof sees what those before it found. */
static void order_first(struct runner *runner)
{
    const struct control *control = runner->waiting[0];

    if (runner->waiting_count > 0)
        INVARIANT(write(runner->orders[1], &control, sizeof(control)) == sizeof(control));
}

static void drop_first(struct runner *runner)
{
    runner->waiting_count--;
    for (size_t i = 0; i < runner->waiting_count; i++)
        runner->waiting[i] = runner->waiting[i + 1];
}

static void on_result(void *ctx, int fd, uint32_t events UNUSED)
{
    struct runner *runner = ctx;
    struct runner_result *result;

    if (read(fd, &result, sizeof(result)) != sizeof(result))
        return;
    drop_first(runner);
    runner->done(runner->ctx, result);
    order_first(runner);
    free(result->evidence);
    free(result);
}

/* Whom proofs ask; audit is left to the loop, which records what they found. */
static const enum role_id called[] = {ROLE_KMS, ROLE_IDP, ROLE_AGENT};

int runner_new(struct role *role, runner_fn *done, void *ctx, struct runner **out, struct err *err)
{
    struct runner *runner = mem_new(sizeof(*runner));

    *runner = (struct runner){
        .role = role, .done = done, .ctx = ctx, .orders = {-1, -1}, .results = {-1, -1}};
    for (size_t i = 0; i < ARRAY_LEN(called); i++)
        runner->lines[called[i]] = role_take_line(role, called[i]);
    *out = runner;
    if (pipe2(runner->orders, O_CLOEXEC) < 0 || pipe2(runner->results, O_CLOEXEC) < 0)
        return err_sys(err, "cannot make a pipe");
    TRY(loop_add_fd(role_loop(role), runner->results[0], EPOLLIN, on_result, runner,
                    &runner->source, err));
    if (pthread_create(&runner->thread, NULL, run, runner) != 0)
        return err_set(err, ERR_INTERNAL, "cannot start the thread of the proofs");
    runner->started = true;
    return 0;
}

bool runner_end(struct runner *runner)
{
    if (runner == NULL)
        return true;
    if (runner->waiting_count > 0)
        return false;
    /* It waits for an order, and gets none any more. */
    fd_close(&runner->orders[1]);
    if (runner->started)
        pthread_join(runner->thread, NULL);
    loop_remove(role_loop(runner->role), runner->source);
    fd_close(&runner->orders[0]);
    fd_close(&runner->results[0]);
    fd_close(&runner->results[1]);
    free(runner);
    return true;
}

void runner_add(struct runner *runner, const struct control *control)
{
    for (size_t i = 0; i < runner->waiting_count; i++)
        if (runner->waiting[i] == control)
            return;
    INVARIANT(runner->waiting_count < CONTROLS_MAX);
    runner->waiting[runner->waiting_count++] = control;
    if (runner->waiting_count == 1)
        order_first(runner);
}

bool runner_busy(const struct runner *runner)
{
    return runner->waiting_count > 0;
}
