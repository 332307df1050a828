/* SPDX-License-Identifier: Apache-2.0 */
/* Where several gateways share budgets: tells api what this one holds of each, and puts in force
 * what it gets (docs/PROTOCOL.shares, limit/ledger.h). */
#ifndef DRUN_GATEWAY_SHARES_H
#define DRUN_GATEWAY_SHARES_H

#include "gateway/conf.h"
#include "role/role.h"

struct shares;

/* With one gateway *out is NULL, and all the others do nothing. */
int shares_new(struct role *role, struct shares **out, struct err *err) MUST_USE;
void shares_free(struct shares *shares);
/* How many gateways there are, and the descriptor by which nginx's workers say that a call waits;
 * -1 with one gateway. It stays ours, and nginx inherits it. */
int shares_bell(const struct shares *shares);
void shares_configure(const struct shares *shares, struct gateway_conf *out);
/* api was started again. */
void shares_tell_anew(struct shares *shares);

#endif
