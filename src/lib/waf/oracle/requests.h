/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and answers out of a flat file (tests/waf/flatten.py writes it): for the runner of rule
 * sets' regression tests, the oracle and the benchmark. */
#ifndef DRUN_WAF_REQUESTS_H
#define DRUN_WAF_REQUESTS_H

#include "base/buf.h"
#include "waf/waf.h"

enum { REQUEST_HEADERS_MAX = 64 };

struct request_header {
    struct span name;
    struct span value;
};

struct request {
    struct span name;
    struct span method;
    struct span uri;
    struct span protocol;
    struct request_header headers[REQUEST_HEADERS_MAX];
    uint32_t header_count;
    struct span body;
    uint32_t status;
    struct request_header answer_headers[REQUEST_HEADERS_MAX];
    uint32_t answer_header_count;
    struct span answer;
};

/* False at the end of the file. */
bool request_next(struct cursor *cursor, struct request *out) MUST_USE;
/* The whole of it: phases 1 to 5. */
void request_run(struct waf_tx *tx, const struct request *request);

/* libmodsecurity3 with the same rules. */
struct reference;
struct reference *reference_new(const char *const *files, size_t count) MUST_USE;
void reference_free(struct reference *reference);
/* The status of its intervention, or 0; appends the ids that it logged, as text. */
int reference_run(struct reference *reference, const struct request *request, struct buf *ids);

#endif
