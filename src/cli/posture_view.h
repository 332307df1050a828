/* SPDX-License-Identifier: Apache-2.0 */
/* What `drun posture` shows of a list of Control objects. */
#ifndef DRUN_CLI_POSTURE_VIEW_H
#define DRUN_CLI_POSTURE_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct posture_count {
    size_t proven;
    size_t degraded;
    size_t failed;
    size_t absent;
};

void posture_tally(const json_t *controls, struct posture_count *out);
/* How many of the controls in `started` (names) have been proved anew since `before`. *out_next is
 * the number of the first that has not, "" when there is none. */
size_t posture_renewed(const json_t *before, const json_t *now, const json_t *started,
                       const char **out_next);
/* The table, with `evidence` each control's lines below it, and the sum. */
void posture_print(const json_t *controls, bool evidence, int64_t now_sec);

#endif
