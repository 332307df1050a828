/* SPDX-License-Identifier: Apache-2.0 */
/* Work that takes long, in a thread of its own; its end is told in the loop. */
#ifndef DRUN_AGENT_JOB_H
#define DRUN_AGENT_JOB_H

#include "base/attr.h"
#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct job;

/* In the thread: touches nothing but what is the job's own. Asks job_cancelled() now and then. */
typedef int job_fn(struct job *job, void *ctx, struct err *err);
/* In the loop, once; the job is freed after it. `err` is NULL when the work succeeded. */
typedef void job_done_fn(void *ctx, const struct err *err);

int job_start(struct loop *loop, job_fn *run, job_done_fn *done, void *ctx, struct job **out,
              struct err *err) MUST_USE;
/* Asks it to end, waits for that, and does not tell. */
void job_cancel(struct job *job);

bool job_cancelled(struct job *job);
void job_set_percent(struct job *job, unsigned percent);
unsigned job_percent(struct job *job);

#endif
