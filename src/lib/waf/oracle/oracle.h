/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ModSecurity v3 makes of the same input, through its C API: for the tests, the fuzz targets
 * and the benchmarks of this folder. A rule set tells its result by a redirect: what stands behind
 * `redirect:` is expanded and comes out here.
 */
#ifndef DRUN_WAF_ORACLE_H
#define DRUN_WAF_ORACLE_H

#include "base/buf.h"
#include "base/span.h"

struct oracle;

struct oracle_request {
    const char *method; /* NULL: GET */
    const char *uri;    /* NULL: / */
    const char *content_type;
    struct span cookie;        /* any bytes; p == NULL: none */
    struct span value;         /* of the header X-Value, likewise */
    struct span argument;      /* of the header X-Arg, likewise */
    const struct span *chunks; /* of the body */
    size_t chunk_count;
};

/* True for the ModSecurity that DIFFERENCES.md speaks of. A newer one (Debian 13 has 3.0.14) does
 * utf8toUnicode and URLENCODED_ERROR in other ways, which nobody has gone through yet. */
bool oracle_is_known(void);
/* Aborts with ModSecurity's message when the rules are wrong. */
struct oracle *oracle_new(const char *rules) MUST_USE;
void oracle_free(struct oracle *oracle);
/* The text of the redirect; empty when there was none. */
void oracle_run(const struct oracle *oracle, const struct oracle_request *request, struct buf *out);
/* Hex digits, as t:hexEncode writes them, back into bytes. */
void oracle_unhex(struct span hex, struct buf *out);

#endif
