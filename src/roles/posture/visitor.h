/* SPDX-License-Identifier: Apache-2.0 */
/* A browser at the front door, as far as signing in needs one: it keeps its cookies. */
#ifndef DRUN_POSTURE_VISITOR_H
#define DRUN_POSTURE_VISITOR_H

#include "front.h"

enum { VISITOR_COOKIES_MAX = 8 };

struct visitor {
    struct front *front;
    char *cookies[VISITOR_COOKIES_MAX]; /* "name=value" */
    size_t count;
    char *location; /* of the last answer; NULL for none */
};

void visitor_free(struct visitor *visitor);
/* One request; `body` NULL: none. Any status is an answer; 0 when there was none, and that is in
 * the evidence. `out` (may be NULL) gets the JSON, or NULL; the caller owns it. */
unsigned visitor_call(struct proof *proof, struct visitor *visitor, const char *method,
                      const char *path, const json_t *body, json_t **out);
/* The same cookies in another browser, as a thief has them. */
void visitor_copy(const struct visitor *from, struct visitor *to);

#endif
