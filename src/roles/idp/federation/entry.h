/* SPDX-License-Identifier: Apache-2.0 */
/* A directory's entry as claims for the mapping. */
#ifndef DRUN_IDP_ENTRY_H
#define DRUN_IDP_ENTRY_H

#include "egress/egress.h"

#include <jansson.h>

enum { ENTRY_NAMES = EGRESS_ATTRIBUTES_MAX + 1 };

/* The attributes that an IdentityProvider's spec.ldap wants; ends with NULL. */
void entry_names(const json_t *ldap, const char *names[ENTRY_NAMES]);
/* Sets `dn` and these attributes under the names that were asked for: directories answer in their
 * own case. One value is a text, several are a list. */
void entry_claims(const struct egress_entry *entry, const char *const *names, json_t *claims);
/* Text, or the hex digits of what is none (objectGUID); a new value. */
json_t *entry_value(struct span value) MUST_USE;

#endif
