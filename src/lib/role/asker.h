/* SPDX-License-Identifier: Apache-2.0 */
/* A question that is answered late and then asked again, for as long as the role lives. */
#ifndef DRUN_ROLE_ASKER_H
#define DRUN_ROLE_ASKER_H

#include "ipc/ipc.h"
#include "loop/loop.h"

struct asker;

struct asker_config {
    const char *name; /* in the log: "exporter.orders" */
    struct loop *loop;
    struct ipc_client *client; /* a late channel, for this question alone */
    uint16_t type;
    void (*put)(void *ctx, struct buf *question);
    int (*take)(void *ctx, struct span answer, struct err *err);
    void *ctx;
};

/* Asks for the first time when the loop turns. */
int asker_new(const struct asker_config *config, struct asker **out, struct err *err) MUST_USE;
void asker_free(struct asker *asker);
/* The other role was started again. */
void asker_anew(struct asker *asker);
/* The question is out: there is nothing new at the moment. */
bool asker_waits(const struct asker *asker);

#endif
