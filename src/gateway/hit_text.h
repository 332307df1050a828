/* SPDX-License-Identifier: Apache-2.0 */
/* What of a request may stand in the audit log when a rule of the firewall met it. */
#ifndef DRUN_GATEWAY_HIT_TEXT_H
#define DRUN_GATEWAY_HIT_TEXT_H

#include "base/buf.h"
#include "base/span.h"

enum { HIT_MATCH_MAX = 96, HIT_RUN_MAX = 20 };

/* The part that matched, printable and at most HIT_MATCH_MAX bytes of it. Secrets are left out: all
 * of it when the variable's name says that it holds one (a cookie, Authorization, a password, a
 * token), and every run of HIT_RUN_MAX or more characters of which keys and tokens are made. */
void hit_text_put(struct span variable, struct span match, struct buf *out);

#endif
