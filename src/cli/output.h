/* SPDX-License-Identifier: Apache-2.0 */
/* What a person or a script reads: tables aligned by display width, colour on terminals only. */
#ifndef DRUN_CLI_OUTPUT_H
#define DRUN_CLI_OUTPUT_H

#include "base/attr.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

/* `header` and each row are arrays of texts; columns are split by three blanks. */
void output_table(const json_t *header, const json_t *rows);
/* A Kubernetes Table; `wide` shows columns of lower priority, `with_namespace` puts one in front.
 */
void output_kube_table(const json_t *table, bool wide, bool with_namespace);
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
/* Columns that the text takes on a terminal. */
size_t output_width(const char *text);

#endif
