/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: one option and its value. */
#ifndef DRUN_OPT_OPT_INTERNAL_H
#define DRUN_OPT_OPT_INTERNAL_H

#include "opt/opt.h"

/* Reads a value as it is written on the command line into the field. The error says what is wrong
 * with the value, without the option's name. */
int opt_value_parse(const struct opt *opt, void *settings, const char *text,
                    struct err *err) MUST_USE;
/* A list, item by item. */
void opt_list_add(struct opt_list *list, const char *item);
/* Frees what the field holds and zeroes it. */
void opt_value_clear(const struct opt *opt, void *settings);
/* What may be written: "a size from 1048576 bytes". */
void opt_value_describe(const struct opt *opt, struct buf *out);

#endif
