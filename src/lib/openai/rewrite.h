/* SPDX-License-Identifier: Apache-2.0 */
/* Members at the top of a request, for an engine that wants others than clients send. */
#ifndef DRUN_OPENAI_REWRITE_H
#define DRUN_OPENAI_REWRITE_H

#include "openai/openai.h"

/* Appends the object `body` without the members that `drop` names (each with a blank behind it),
 * and with those of `set` at its front: JSON as it stands between braces, or nothing. Names in the
 * body may have escapes in them. ERR_INVALID when the body is no JSON object. */
int openai_rewrite(struct span body, struct span drop, struct span set, struct buf *out,
                   struct err *err) MUST_USE;
/* Whether a route may set or drop this: what the guard, the limits and the answer's reading hang on
 * stays the client's. Small letters, digits and '_'. */
bool openai_rewrite_may(const char *name);

#endif
