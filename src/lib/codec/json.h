/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON (RFC 8259) to and from jansson values. A text that is not plain JSON is refused with line
 * and column: duplicate names, trailing bytes, invalid UTF-8, U+0000 in strings, numbers that do
 * not fit (integers into 64 bits with sign, others into a double), nesting over CODEC_DEPTH_MAX.
 *
 * What parses prints, and what is printed parses back to an equal value. Reals are printed with
 * the fewest digits that give the same double, and stay reals: 1.0 is not printed as 1.
 */
#ifndef DRUN_CODEC_JSON_H
#define DRUN_CODEC_JSON_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#include <jansson.h>

enum { CODEC_DEPTH_MAX = 64 };

/* `what` names the text in errors: "request body", "models.yaml". Any JSON value may be at the top.
 * An error reads "<what>:<line>:<column>: <why>", in plain ASCII whatever the text holds. */
int codec_json_parse(struct span text, const char *what, json_t **out, struct err *err) MUST_USE;
/* Compact, names in their own order. */
void codec_json_put(const json_t *value, struct buf *out);
/* Two spaces, ends in a newline. */
void codec_json_put_pretty(const json_t *value, struct buf *out);
/* RFC 8785: names sorted by UTF-16 code units, numbers as ECMAScript writes them. Numbers there are
 * doubles, so an integer beyond 2^53 is written as the nearest one, with zeros for the digits that
 * a double does not need, and a double from 2^63 to 10^21 as an integer that codec_json_parse()
 * refuses. */
void codec_json_put_canonical(const json_t *value, struct buf *out);
/* -1 when a number would not come back from canonical form; it should be written as a string. To be
 * asked first where two different values must never give the same bytes. */
int codec_json_check_canonical(const json_t *value, const char *what, struct err *err) MUST_USE;

/* For CLEANUP. */
void codec_json_free(json_t **value);
#define CLEANUP_JSON CLEANUP(codec_json_free)

/* The member at a path of names, such as "metadata", "name"; NULL when there is none. Ends with
 * NULL. */
json_t *codec_json_at(const json_t *value, ...) __attribute__((sentinel));
/* The text of a member, or `otherwise` when it is missing or no string. */
const char *codec_json_text(const json_t *value, const char *name, const char *otherwise);

#endif
