/* SPDX-License-Identifier: Apache-2.0 */
/* Lines out of an answer that comes in pieces, and the events of a text/event-stream (WHATWG HTML,
 * section 9.2.6) as far as model APIs use it: one line of data each. */
#ifndef DRUN_CLI_LINES_H
#define DRUN_CLI_LINES_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

enum { LINES_MAX = 4 * 1024 * 1024 }; /* bytes of one line */

typedef int lines_fn(void *ctx, struct span line, struct err *err);

struct lines {
    lines_fn *fn; /* gets each line without its end; -1 stops */
    void *ctx;
    struct buf rest;
};

#define LINES_INIT(each, context)                                                                  \
    {                                                                                              \
        .fn = (each), .ctx = (context), .rest = BUF_INIT(LINES_MAX)                                \
    }

/* Lines end in LF or CRLF. ERR_TOO_LARGE for one over the ceiling. */
int lines_add(struct lines *lines, struct span bytes, struct err *err) MUST_USE;
void lines_free(struct lines *lines);

/* The value of a "data:" line; false for any other line. */
bool lines_event_data(struct span line, struct span *out);

#endif
