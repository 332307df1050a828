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
    runner_fn *done;
    void *ctx;
    pthread_t thread;
    bool started;
    int orders[2];
    int results[2];
    struct loop_source *source;
    const struct control *waiting[CONTROLS_MAX];
    size_t waiting_count;
};

static struct runner_result *prove(struct runner *runner, struct front *front,
                                   const struct control *control)
{
    struct proof proof = {.role = runner->role,
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
    struct front *front = front_new(runner->role);
    const struct control *control;

    while (read(runner->orders[0], &control, sizeof(control)) == sizeof(control)) {
        struct runner_result *result = prove(runner, front, control);
        if (write(runner->results[1], &result, sizeof(result)) != sizeof(result))
            break;
    }
    front_free(front);
    return NULL;
}

static void forget_waiting(struct runner *runner, const struct control *control)
{
    for (size_t i = 0; i < runner->waiting_count; i++)
        if (runner->waiting[i] == control) {
            runner->waiting[i] = runner->waiting[--runner->waiting_count];
            return;
        }
}

static void on_result(void *ctx, int fd, uint32_t events UNUSED)
{
    struct runner *runner = ctx;
    struct runner_result *result;

    if (read(fd, &result, sizeof(result)) != sizeof(result))
        return;
    forget_waiting(runner, result->control);
    runner->done(runner->ctx, result);
    free(result->evidence);
    free(result);
}

int runner_new(struct role *role, runner_fn *done, void *ctx, struct runner **out, struct err *err)
{
    struct runner *runner = mem_new(sizeof(*runner));

    *runner = (struct runner){
        .role = role, .done = done, .ctx = ctx, .orders = {-1, -1}, .results = {-1, -1}};
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

void runner_free(struct runner *runner)
{
    if (runner == NULL)
        return;
    fd_close(&runner->orders[1]);
    if (runner->started)
        pthread_join(runner->thread, NULL);
    loop_remove(role_loop(runner->role), runner->source);
    fd_close(&runner->orders[0]);
    fd_close(&runner->results[0]);
    fd_close(&runner->results[1]);
    free(runner);
}

void runner_add(struct runner *runner, const struct control *control)
{
    for (size_t i = 0; i < runner->waiting_count; i++)
        if (runner->waiting[i] == control)
            return;
    INVARIANT(runner->waiting_count < CONTROLS_MAX);
    runner->waiting[runner->waiting_count++] = control;
    /* A pipe takes thousands of pointers; there are at most CONTROLS_MAX. */
    INVARIANT(write(runner->orders[1], &control, sizeof(control)) == sizeof(control));
}

bool runner_busy(const struct runner *runner)
{
    return runner->waiting_count > 0;
}
