/* SPDX-License-Identifier: Apache-2.0 */
/* Time. Durations and deadlines use the monotonic clock, records the wall clock. */
#ifndef DRUN_BASE_CLOCK_H
#define DRUN_BASE_CLOCK_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

#include <stdint.h>

enum { CLOCK_TEXT_SIZE = 32 };

uint64_t clock_mono_ns(void);
uint64_t clock_wall_ns(void); /* since 1970-01-01, UTC */
int64_t clock_wall_sec(void);
uint64_t clock_cpu_ns(void); /* of this thread: what it took, however busy the machine is */

/* RFC 3339 in UTC: "2026-11-22T10:38:44Z"; with microseconds "2026-11-22T10:38:44.123456Z". */
void clock_format_sec(int64_t sec, char out[CLOCK_TEXT_SIZE]);
void clock_format_ns(uint64_t ns, char out[CLOCK_TEXT_SIZE]);
/* Accepts what RFC 3339 allows, with any offset; gives whole seconds. */
int clock_parse(struct span text, int64_t *out_sec, struct err *err) MUST_USE;

#endif
