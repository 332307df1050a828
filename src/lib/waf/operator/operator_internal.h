/* SPDX-License-Identifier: Apache-2.0 */
/* What the operators share. For this folder. */
#ifndef DRUN_WAF_OPERATOR_INTERNAL_H
#define DRUN_WAF_OPERATOR_INTERNAL_H

#include "waf/operator/operator.h"

enum { OP_FILE_MAX = 16 * 1024 * 1024 };

/* Each kind of state begins with this. */
struct waf_op_state {
    void (*free)(struct waf_op_state *state);
};

struct op_call {
    enum waf_op op;
    struct span blob;
    struct waf_op_state *state;
    struct span argument;
    struct span value;
    struct waf_op_run *run;
};

typedef int op_prepare_fn(enum waf_op op, struct span argument, const char *dir, struct buf *blob,
                          struct err *err);
typedef int op_load_fn(enum waf_op op, struct span blob, struct waf_op_state **out,
                       struct err *err);
/* *found says the whole value when it is called. */
typedef bool op_match_fn(const struct op_call *call, struct waf_op_found *found);

/* A file that an argument names, into `out`. */
int op_read_file(enum waf_op op, struct span name, const char *dir, struct buf *out,
                 struct err *err) MUST_USE;

static inline bool op_found_at(struct waf_op_found *found, size_t offset, size_t len)
{
    found->offset = offset;
    found->len = len;
    return true;
}

op_match_fn op_begins_with, op_contains, op_contains_word, op_ends_with, op_streq, op_within;
op_match_fn op_eq, op_ge, op_gt, op_le, op_lt;
op_prepare_fn op_prepare_ip, op_prepare_ip_file;
op_match_fn op_ip_match;
op_prepare_fn op_prepare_byte_range;
op_match_fn op_validate_byte_range, op_validate_url_encoding, op_validate_utf8_encoding;
op_match_fn op_detect_sqli, op_detect_xss, op_geo_lookup;
op_prepare_fn op_prepare_verify;
op_load_fn op_load_verify;
op_match_fn op_verify;
op_prepare_fn op_prepare_xml;
op_load_fn op_load_xml;
op_match_fn op_validate_xml;

#endif
