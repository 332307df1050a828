/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects that api has a role look after, as they change (wire/orders.h). Everything is told
 * once at first, and again when api was started anew:
 *
 *     begin     all that is known may be gone
 *     take      one object, as it is now or gone
 *     settled   that was all: what was not told since begin is gone
 */
#ifndef DRUN_FOLLOW_FOLLOW_H
#define DRUN_FOLLOW_FOLLOW_H

#include "codec/json.h"
#include "ipc/ipc.h"
#include "loop/loop.h"

struct follow;

/* Valid during the call. */
struct followed {
    const char *kind;
    const char *namespace; /* "" without one */
    const char *name;
    json_t *object; /* NULL: it is gone */
};

struct follow_config {
    const char *name; /* in the log: "exporter.orders" */
    struct loop *loop;
    struct ipc_client *api; /* a late channel, for this alone */
    unsigned settle_ms;     /* api has said all it has when it was silent for so long */
    void (*begin)(void *ctx);
    void (*take)(void *ctx, const struct followed *followed);
    void (*settled)(void *ctx);
    void *ctx;
};

/* Begins when the loop turns. */
int follow_new(const struct follow_config *config, struct follow **out, struct err *err) MUST_USE;
void follow_free(struct follow *follow);
/* api was started again. */
void follow_anew(struct follow *follow);

#endif
