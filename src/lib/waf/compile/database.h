/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns on their way into a database of libhs; inside the compiler. */
#ifndef DRUN_WAF_DATABASE_H
#define DRUN_WAF_DATABASE_H

#include "waf/compile/compile.h"

/* Zeroed at first. */
struct expressions {
    char **texts;
    unsigned *flags;
    unsigned *ids;
    size_t count;
    size_t cap;
    bool anchored; /* one of them, in the sense of lines.h */
};

/* False: libhs cannot look for it. */
bool database_add(struct compiler *c, struct expressions *e, uint32_t pattern) MUST_USE;
/* Puts the database into the image; count 0: it could not be made. Patterns that do not fit are
 * taken out of `e`. */
int database_put(struct compiler *c, struct expressions *e, struct snapshot_ref *out,
                 struct err *err) MUST_USE;
bool database_has(const struct expressions *e, uint32_t pattern) MUST_USE;
void database_free(struct expressions *e);

#endif
