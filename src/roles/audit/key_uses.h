/* SPDX-License-Identifier: Apache-2.0 */
/* Which API keys were used lately, so that nothing need be stored for a request. In memory alone:
 * what was not taken when the role ends is forgotten. */
#ifndef DRUN_ROLES_AUDIT_KEY_USES_H
#define DRUN_ROLES_AUDIT_KEY_USES_H

#include "audit/audit.h"

struct key_uses;

struct key_uses *key_uses_new(void) MUST_USE;
void key_uses_free(struct key_uses *uses);
/* Looks at an event of the log. A request that was refused is no use. */
void key_uses_note(struct key_uses *uses, const struct audit_event *event);
/* Appends a message of those that fit into `max` bytes, and forgets them; a count of 0 when there
 * are none left. docs/PROTOCOL.audit */
void key_uses_take(struct key_uses *uses, size_t max, struct buf *out);

#endif
