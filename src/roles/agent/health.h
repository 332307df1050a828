/* SPDX-License-Identifier: Apache-2.0 */
/* One question over HTTP to an engine's socket, without waiting. */
#ifndef DRUN_AGENT_HEALTH_H
#define DRUN_AGENT_HEALTH_H

#include "base/attr.h"
#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>

struct health;

/* Told once, unless it is freed before: `well` when the answer's status is 200. */
typedef void health_fn(void *ctx, bool well);

struct health *health_new(struct loop *loop, health_fn *fn, void *ctx) MUST_USE;
void health_free(struct health *health);
/* GET `path` on the socket; one that is under way is given up. */
void health_ask(struct health *health, const char *socket, const char *path, unsigned timeout_ms);
bool health_asking(const struct health *health);

#endif
