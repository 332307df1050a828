/* SPDX-License-Identifier: Apache-2.0 */
/* What a person or a script reads: tables aligned by display width, colour on terminals only. */
#ifndef DRUN_CLI_OUTPUT_H
#define DRUN_CLI_OUTPUT_H

#include "base/attr.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `header` and each row are arrays of texts; columns are split by three blanks. */
void output_table(const json_t *header, const json_t *rows);
/* The same, with more behind each row. */
typedef void output_below_fn(void *ctx, size_t row);
void output_table_with(const json_t *header, const json_t *rows, output_below_fn *below, void *ctx);
/* One row at given widths, for what comes line by line; a wider text shifts the rest. */
void output_row(const json_t *row, const size_t *widths, size_t columns);
/* A Kubernetes Table; `wide` shows columns of lower priority, `with_namespace` puts one in front.
 */
void output_kube_table(const json_t *table, bool wide, bool with_namespace);
/* Text of somebody else with what could steer a terminal made harmless: control characters but
 * newline and tab become '?'. */
void output_harmless(char *text, size_t len);
/* "json", "yaml" or "name" ("kind.group/name"); ERR_INVALID for another format. */
int output_object(const json_t *object, const char *format, struct err *err) MUST_USE;

enum output_colour {
    OUTPUT_PLAIN,
    OUTPUT_GREEN,
    OUTPUT_YELLOW,
    OUTPUT_RED,
    OUTPUT_DIM,
    OUTPUT_BOLD
};
/* The escape that begins the colour, or "" where there is no terminal or NO_COLOR is set;
 * OUTPUT_PLAIN ends it. */
const char *output_colour(enum output_colour colour);
/* Columns that the text takes on a terminal; escapes that colour it take none. */
size_t output_width(const char *text);

/* How long ago an RFC 3339 time is: "12s", "5m", "3h", "4d"; "-" when it is none. */
enum { OUTPUT_AGE_SIZE = 24 };
void output_age(const char *time, int64_t now_sec, char out[OUTPUT_AGE_SIZE]);
/* A copy with ASCII capitals made small. */
char *output_lower(const char *text) MUST_USE;

#endif
