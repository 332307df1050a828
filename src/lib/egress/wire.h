/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of the exporter's messages (docs/PROTOCOL.egress). What is decoded points into the
 * bytes that it came from; C strings among it are copies in the arena. */
#ifndef DRUN_EGRESS_WIRE_H
#define DRUN_EGRESS_WIRE_H

#include "base/arena.h"
#include "egress/egress.h"

enum egress_message { EGRESS_FETCH = 1, EGRESS_BIND = 2 };

/* Puts nothing that the other side would refuse: ERR_INVALID or ERR_TOO_LARGE says why. */
int egress_put_request(const struct egress_request *request, struct buf *out,
                       struct err *err) MUST_USE;
int egress_put_bind(const struct egress_bind *bind, struct buf *out, struct err *err) MUST_USE;

/* Every rule of egress.h is checked again: the caller may be captured. */
int egress_get_request(struct span body, struct arena *arena, struct egress_request *out,
                       struct err *err) MUST_USE;
int egress_get_bind(struct span body, struct arena *arena, struct egress_bind *out,
                    struct err *err) MUST_USE;

void egress_put_answer(const struct egress_answer *answer, struct buf *out);
int egress_get_answer(struct span body, struct egress_answer *out, struct err *err) MUST_USE;

/* Of a directory's answer, as it is written entry by entry: a count, then each. */
void egress_put_directory(const struct egress_directory *found, struct buf *out);
int egress_get_directory(struct span body, struct arena *arena, struct egress_directory *out,
                         struct err *err) MUST_USE;

#endif
