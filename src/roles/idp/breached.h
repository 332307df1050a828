/* SPDX-License-Identifier: Apache-2.0 */
/* Search in a sorted file of SHA-1 hashes, in hex of either case, one a line, each alone or
 * followed by ':' and anything; see password_policy.c. */
#ifndef DRUN_IDP_BREACHED_H
#define DRUN_IDP_BREACHED_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>

enum { BREACHED_PREFIX_MIN = 10, BREACHED_LINE_MAX = 80 };

/* Looks at the first lines: ERR_INVALID when the file is something else. */
int breached_check_file(int fd, const char *path, struct err *err) MUST_USE;
/* Some thirty reads of a file of any size. */
int breached_find(int fd, const char *password, bool *found, struct err *err) MUST_USE;

#endif
