/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords that attackers know, by their SHA-1 hashes: in a sorted file, in hex of either case,
 * one a line, each alone or followed by ':' and anything (password_policy.c), and in the answers of
 * a service (breached_service.c). */
#ifndef DRUN_IDP_BREACHED_H
#define DRUN_IDP_BREACHED_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>

enum { BREACHED_PREFIX_MIN = 10, BREACHED_LINE_MAX = 80 };

/* Looks at the first lines: ERR_INVALID when the file is something else. */
int breached_check_file(int fd, const char *path, struct err *err) MUST_USE;
/* Some thirty reads of a file of any size. */
int breached_find(int fd, const char *password, bool *found, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ breached_range.c */

enum { BREACHED_RANGE_DIGITS = 5, BREACHED_SUFFIX_DIGITS = 35 };

struct breached_question {
    char prefix[BREACHED_RANGE_DIGITS + 1];  /* what the service hears; hex, capital letters */
    char suffix[BREACHED_SUFFIX_DIGITS + 1]; /* what is looked for in its answer */
};

void breached_question(const char *password, struct breached_question *out);
/* The answer has "SUFFIX:COUNT" in each line; those with the count 0 are padding. ERR_INVALID when
 * it is something else. */
int breached_range_find(struct span answer, const struct breached_question *question, bool *found,
                        struct err *err) MUST_USE;

#endif
