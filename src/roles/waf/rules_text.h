/* SPDX-License-Identifier: Apache-2.0 */
/* drun's own rules around the rule sets: what CRS is to know of the platform, and the WafPolicies
 * as SecLang. */
#ifndef DRUN_WAF_RULES_TEXT_H
#define DRUN_WAF_RULES_TEXT_H

#include "base/buf.h"

#include <jansson.h>

/* drun's own ids; rule sets of others must not use them. */
enum { RULES_ID_FIRST = 9500000, RULES_POLICY_FIRST = 9510000, RULES_ID_LAST = 9599999 };

/* The TX variables that the gateway sets before phase 1: "" where they do not apply. */
#define RULES_NAMESPACE "drun_namespace"
#define RULES_SERVICE   "drun_service" /* "namespace/name" */
/* The one that the rules set for the gateway: which answers are looked at, where
 * SecResponseBodyAccess is On: "errors" (status 400 and above) or "all". */
#define RULES_ANSWERS "drun_answers"

/* `policies` is an array of WafPolicies. Those that match everything count first, then the others,
 * each by name: what a later one says replaces what an earlier one said, and exclusions add up. */
void rules_put_before(const json_t *policies, struct buf *out);
/* What goes behind all rule sets. */
void rules_put_after(const json_t *policies, struct buf *out);

#endif
