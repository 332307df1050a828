/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values that are kept for a while, in memory that a process shares with those that it forks: a log
 * in a circle with an index over it. Its size is fixed; what was put last stays longest, and when
 * the circle closes the oldest is written over.
 *
 *     log    | newest ... | <- head       oldest ... | older | newer ... |
 *     index  bucket of the key: KEPT_WAYS places in the log
 *
 * The memory is anonymous: it has no name and no file, core dumps leave it out, and of what was
 * never used there is none. One lock guards all of it, for as long as one value is copied. Who dies
 * under the lock, or holds it longer than KEPT_PATIENCE_MS, takes away what is kept and nothing
 * else: the next one begins with an empty log, and until the lock is back nothing is found.
 */
#ifndef DRUN_KEPT_KEPT_H
#define DRUN_KEPT_KEPT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    KEPT_KEY_LEN = 32, /* a digest: the index takes its bits as they are */
    KEPT_VALUE_MAX = 1 << 20,
    KEPT_BYTES_MIN = 4 << 20,
    KEPT_PATIENCE_MS = 100,
};

struct kept;

/* `bytes` are those of the log, at least KEPT_BYTES_MIN; the index is a 64th of it besides. Before
 * the processes that share it are forked. ERR_LIMITED: there is no such memory. */
int kept_new(size_t bytes, struct kept **out, struct err *err) MUST_USE;
/* The memory goes with the last process that has it. */
void kept_free(struct kept *kept);
void kept_free_ptr(struct kept **kept);

/* Appends the value to `out`. False: there is none whose time is not over, or it is larger than
 * `out` may become. *age_ns: how long ago it was put. Time is the monotonic clock. */
bool kept_get(struct kept *kept, const uint8_t key[KEPT_KEY_LEN], uint64_t now_ns, struct buf *out,
              uint64_t *age_ns) MUST_USE;
/* The parts behind one another are the value, in the place of the one before. False: it is larger
 * than KEPT_VALUE_MAX, or the lock does not come. */
bool kept_put(struct kept *kept, const uint8_t key[KEPT_KEY_LEN], const struct span *parts,
              size_t count, uint64_t now_ns, uint64_t until_ns);

#endif
