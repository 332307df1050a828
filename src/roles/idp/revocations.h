/* SPDX-License-Identifier: Apache-2.0 */
/* What was revoked and could still be shown, in memory: each token that is issued or looked at asks
 * here, and after a day of sign-outs there are very many. One look-up is one hash. */
#ifndef DRUN_IDP_REVOCATIONS_H
#define DRUN_IDP_REVOCATIONS_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct revocation {
    char *id;       /* an enum publish_what, then the name */
    int64_t until;  /* then there is no token any more that it could be about */
    int64_t before; /* of a user: tokens issued before it */
};

/* Zeroed is empty. The items stand in no order; adding and dropping moves them. */
struct revocations {
    struct revocation *items;
    size_t count, room;
    uint32_t *slots; /* an index into items and one more; 0 is free */
    size_t slot_count;
};

void revocations_free(struct revocations *list);
/* NULL when there is none. */
const struct revocation *revocations_find(const struct revocations *list, char what,
                                          const char *name);
/* Adds one, or changes the one with this id. */
void revocations_put(struct revocations *list, const char *id, int64_t until, int64_t before);
/* Takes one out that is there. */
void revocations_take(struct revocations *list, const char *id);
/* Takes out up to `max` that are over at `now`; `fn` hears of each before it is freed. The number
 * of them. */
size_t revocations_drop(struct revocations *list, int64_t now, size_t max,
                        void (*fn)(void *ctx, const struct revocation *one), void *ctx);

#endif
