/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of a request, ours and ModSecurity's, in a form that can be compared: names and values
 * in hex, each list sorted, because ModSecurity keeps no order. For the tests of this folder. */
#ifndef DRUN_WAF_BODY_ORACLE_H
#define DRUN_WAF_BODY_ORACLE_H

#include "waf/body/body.h"
#include "waf/oracle/oracle.h"

struct body_list {
    struct buf names; /* "6162|63|" */
    struct buf values;
};

void body_list_init(struct body_list *list);
void body_list_free(struct body_list *list);
void body_list_add(struct body_list *list, struct span name, struct span value);
/* A struct waf_pair_sink whose ctx is a struct body_list. */
struct waf_pair_sink body_list_sink(struct body_list *list);
/* Aborts and says how they differ, unless they do not. */
void body_list_compare(struct body_list *ours, struct body_list *theirs);

/* The rules that dump a collection, such as "ARGS_POST"; and what oracle_run() then says, taken
 * apart. `more` is added to the dump: "%{MULTIPART_STRICT_ERROR}"; its text goes to `rest`. */
struct oracle *body_oracle_new(const char *directives, const char *names, const char *values,
                               const char *more) MUST_USE;
void body_oracle_run(const struct oracle *oracle, const struct oracle_request *request,
                     struct body_list *list, struct buf *rest);

#endif
