/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second lane for one kind of work: jobs that are given in order are run in order by a helper
 * thread while the caller prepares the next one. At most one job is under way. Where no thread can
 * be had the jobs run at once in the caller's, and all is the same but the time.
 */
#ifndef DRUN_STORE_BLOB_LANE_H
#define DRUN_STORE_BLOB_LANE_H

#include "base/attr.h"
#include "base/err.h"

#include <stddef.h>

typedef int blob_lane_fn(void *ctx, size_t job, struct err *err);

struct blob_lane;

struct blob_lane *blob_lane_new(blob_lane_fn *fn, void *ctx) MUST_USE;
/* Waits for the job before and starts this one. -1 with the error of an earlier job; from then on
 * no job is run. */
int blob_lane_run(struct blob_lane *lane, size_t job, struct err *err) MUST_USE;
/* Waits until nothing is under way. */
int blob_lane_wait(struct blob_lane *lane, struct err *err) MUST_USE;
void blob_lane_free(struct blob_lane *lane);

#endif
