/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request or an answer as a person pastes it: the first line, headers, an empty line, the body
 * (RFC 9112, section 2.1; lines may end in LF alone). For trying rules, never for a connection:
 * what is odd is given to the rules as it stands, so that they can say so.
 */
#ifndef DRUN_WAF_RAW_H
#define DRUN_WAF_RAW_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>

/* Views of the text. */
struct waf_raw {
    struct span method;
    struct span uri;
    struct span protocol; /* HTTP/1.1 where the line has none */
    struct span headers;  /* lines, each with a colon; for waf_raw_header() */
    struct span body;
};

struct waf_raw_answer {
    unsigned status;
    struct span protocol;
    struct span headers;
    struct span body;
};

/* ERR_INVALID names the line that is no request line or header. */
int waf_raw_read(struct span text, struct waf_raw *out, struct err *err) MUST_USE;
int waf_raw_read_answer(struct span text, struct waf_raw_answer *out, struct err *err) MUST_USE;
/* Takes the next header off `left`, which begins as `headers`. False: there is none. */
bool waf_raw_header(struct span *left, struct span *name, struct span *value);

#endif
