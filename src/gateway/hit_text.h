/* SPDX-License-Identifier: Apache-2.0 */
/* What of a request may stand in the audit log when a rule of the firewall met it. */
#ifndef DRUN_GATEWAY_HIT_TEXT_H
#define DRUN_GATEWAY_HIT_TEXT_H

#include "base/buf.h"
#include "base/span.h"

enum { HIT_MATCH_MAX = 96, HIT_AROUND_MAX = 24, HIT_RUN_MAX = 20 };

/* The part that matched, printable and at most HIT_MATCH_MAX bytes of it. Secrets are left out: all
 * of it when the variable's name says that it holds one (a cookie, Authorization, a password, a
 * token), and every run of HIT_RUN_MAX or more characters of which keys and tokens are made. */
void hit_text_put(struct span variable, struct span match, struct buf *out);
/* The same in its place: between « and », with at most HIT_AROUND_MAX bytes of the value on either
 * side, where "..." stands for more. Of a variable that holds a secret only its length. Nothing
 * else that is put here is other than printable ASCII, so the marks are these two alone. */
void hit_text_put_in_place(struct span variable, struct span value, size_t at, size_t len,
                           struct buf *out);
/* A name that a client may have chosen, as a word of a record: without blanks, commas and
 * semicolons, and at most `max` bytes of it. */
void hit_text_put_word(struct span name, size_t max, struct buf *out);

#endif
