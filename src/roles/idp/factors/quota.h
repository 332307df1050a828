/* SPDX-License-Identifier: Apache-2.0 */
/* So many of something in so long, by a key: text messages cost money. Fixed windows; in memory and
 * bounded: what was begun longest ago is forgotten first. One belongs to one thread. */
#ifndef DRUN_IDP_QUOTA_H
#define DRUN_IDP_QUOTA_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct quota;

struct quota *quota_new(void) MUST_USE;
void quota_free(struct quota *quota);

struct quota_rule {
    const char *what; /* part of the key: "number/hour" */
    const char *key;
    uint32_t max;
    uint32_t window_sec;
};

/* Takes one of each rule, or of none: then it is the seconds until there is one again, else 0.
 * `now` is monotonic, in seconds. */
uint32_t quota_take(struct quota *quota, const struct quota_rule *rules, unsigned count,
                    uint64_t now);

#endif
