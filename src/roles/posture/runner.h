/* SPDX-License-Identifier: Apache-2.0 */
/* Runs proofs one after the other on a thread, because they block. */
#ifndef DRUN_POSTURE_RUNNER_H
#define DRUN_POSTURE_RUNNER_H

#include "proof.h"

struct runner;

struct runner_result {
    const struct control *control;
    enum proof_verdict verdict;
    char *evidence; /* the callback's to read, the runner's to free */
    uint64_t duration_ms;
};

typedef void runner_fn(void *ctx, const struct runner_result *result);

/* `done` is called from the role's loop for each proof. Begin after the lock-down: the thread is
 * bound by what its process promised before. */
int runner_new(struct role *role, runner_fn *done, void *ctx, struct runner **out,
               struct err *err) MUST_USE;
/* False, and frees nothing, while a proof runs: that blocks where it likes, computes or asks
 * others, and nothing but the end of the process ends it at once. */
bool runner_end(struct runner *runner) MUST_USE;
/* Runs it when those before it are done; a control that waits already waits once. */
void runner_add(struct runner *runner, const struct control *control);
bool runner_busy(const struct runner *runner);

#endif
