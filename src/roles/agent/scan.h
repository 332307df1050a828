/* SPDX-License-Identifier: Apache-2.0 */
/* Searches the raw bytes of every file of the data directory for canaries that must not be there in
 * the clear. Only paths and offsets come out of it. */
#ifndef DRUN_AGENT_SCAN_H
#define DRUN_AGENT_SCAN_H

#include "codec/json.h"

#include <stdbool.h>

enum {
    SCAN_NEEDLES_MAX = 16,
    SCAN_NEEDLE_MIN = 8, /* shorter ones are met by chance */
    SCAN_NEEDLE_MAX = 256,
    SCAN_FOUND_MAX = 64,
};

struct scan;

/* `needles` is an array of hex texts. */
int scan_new(const char *dir, const json_t *needles, struct scan **out, struct err *err) MUST_USE;
void scan_free(struct scan *scan);
void scan_free_ptr(struct scan **scan);
/* Searches until all is done or `stop` says so; then the answer's "complete" is false. */
typedef bool scan_stop_fn(void *ctx);
int scan_run(struct scan *scan, scan_stop_fn *stop, void *ctx, struct err *err) MUST_USE;
/* {"files", "bytes", "complete", "found": [{"path", "offset", "needle"}]}; the caller's. Paths are
 * relative to the directory, needles are numbered from 0. */
json_t *scan_answer(const struct scan *scan) MUST_USE;

#endif
