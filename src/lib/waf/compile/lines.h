/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database of patterns is given many values as the lines of one text, or one value alone
 * (run/joined.c). A pattern that is in a value must be in every text of which the value is a line.
 * What is beside a value matters to assertions alone: ^ and $ hold at the ends of lines as they do
 * at the ends of a text, and \b sees no letter there either; \A, \z and \Z are made ^ and $, which
 * hold wherever they do. Lookaround never gets into a database: libhs leaves it out.
 */
#ifndef DRUN_WAF_LINES_H
#define DRUN_WAF_LINES_H

#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>

struct lines {
    bool anchored; /* it has ^ or $, so lines end with a newline; else with any odd byte */
    bool newline;  /* it looks for newlines, so it would find the ends of lines */
};

/* Appends the pattern to `out` as a database may have it. False: it switches the meaning of ^ and
 * $, or is written in ways that are not followed here; it is looked for in values one by one. */
bool lines_of(struct span pattern, struct lines *lines, struct buf *out) MUST_USE;

#endif
