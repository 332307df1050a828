/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON (RFC 8259) to and from jansson values. A text that is not plain JSON is refused with line
 * and column: duplicate names, trailing bytes, invalid UTF-8, U+0000 in strings, numbers that do
 * not fit, nesting over CODEC_DEPTH_MAX.
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
 */
int codec_json_parse(struct span text, const char *what, json_t **out, struct err *err) MUST_USE;
void codec_json_put(const json_t *value, struct buf *out); /* compact, names in their own order */
void codec_json_put_pretty(const json_t *value,
                           struct buf *out); /* two spaces, ends in a newline */
/* RFC 8785: names sorted by UTF-16 code units, numbers as ECMAScript writes them. */
void codec_json_put_canonical(const json_t *value, struct buf *out);

/* For CLEANUP. */
void codec_json_free(json_t **value);
#define CLEANUP_JSON CLEANUP(codec_json_free)

/* The member at a path of names, such as "metadata", "name"; NULL when there is none. Ends with
 * NULL. */
json_t *codec_json_at(const json_t *value, ...) __attribute__((sentinel));
/* The text at a path, or `otherwise` when it is missing or no string. */
const char *codec_json_text(const json_t *value, const char *name, const char *otherwise);

#endif
