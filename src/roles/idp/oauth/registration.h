/* SPDX-License-Identifier: Apache-2.0 */
/* Client metadata (RFC 7591 section 2 and its registry) to and from the spec of an OidcClient.
 * Nothing here knows about the store. */
#ifndef DRUN_IDP_REGISTRATION_H
#define DRUN_IDP_REGISTRATION_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

#include <jansson.h>

/* A new spec. Members that are not known are left out, as section 2 wants it; what is known and
 * cannot be had is ERR_INVALID. Whoever registers himself must ask his users, and does not get the
 * scope "drun". */
int registration_read(struct span body, json_t **spec, struct err *err) MUST_USE;
/* Adds the metadata of a spec. */
void registration_put(const json_t *spec, json_t *out);

#endif
