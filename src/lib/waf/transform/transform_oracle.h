/* SPDX-License-Identifier: Apache-2.0 */
/* The transformations by ModSecurity v3. For the tests of this folder. */
#ifndef DRUN_WAF_TRANSFORM_ORACLE_H
#define DRUN_WAF_TRANSFORM_ORACLE_H

#include "waf/oracle/oracle.h"
#include "waf/transform/transform.h"

struct transform_oracle;

/* urlDecodeUni with the code page 20127 of `unicode_map_file`; NULL: without a map. */
struct transform_oracle *transform_oracle_new(const char *unicode_map_file) MUST_USE;
void transform_oracle_free(struct transform_oracle *oracle);
/* What each transformation makes of `in`. */
void transform_oracle_run(struct transform_oracle *oracle, struct span in,
                          struct span out[WAF_T_COUNT]);
/* Whether DIFFERENCES.md says that ours, which is `out`, differs from ModSecurity's. */
bool transform_differs(enum waf_transform kind, struct span in, struct span out);

#endif
