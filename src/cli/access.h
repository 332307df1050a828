/* SPDX-License-Identifier: Apache-2.0 */
/* For the files of `drun access-review`. */
#ifndef DRUN_CLI_ACCESS_H
#define DRUN_CLI_ACCESS_H

#include "base/attr.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What the platform told; arrays of objects, NULL where the caller may not read them. */
struct access_source {
    json_t *report; /* of rbac_model_report() */
    json_t *users, *groups, *keys, *accounts;
    int64_t now_sec;
    int64_t stale_sec; /* unused for longer is stale */
};

/* {"access": [...], "keys": [...], "findings": [...], "unread": [...]}: who has what through which
 * binding and when he was last seen; keys; and what somebody should look at. */
json_t *access_review(const struct access_source *source) MUST_USE;

/* access_findings.c: appends {"finding", "object", "message"}. `access` and `keys` are done. */
void access_find(const struct access_source *source, const json_t *access, const json_t *keys,
                 json_t *findings);

/* access_view.c */
void access_print_table(const json_t *review);
void access_print_csv(const json_t *review);

/* Shared: seconds since 1970, or 0. */
int64_t access_time(const char *text);
const char *access_name(const json_t *object);

#endif
