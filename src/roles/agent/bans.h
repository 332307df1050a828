/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bans in the kernel: a table of nftables of our own in the host's network namespace, with a set of
 * addresses for each family whose elements end by themselves, and one rule for each that drops what
 * comes from them to our listeners. Nothing else of the host's rules is touched. The table is made
 * anew as a whole, in one transaction, each time the list changes.
 */
#ifndef DRUN_AGENT_BANS_H
#define DRUN_AGENT_BANS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "role/role.h"

struct bans;

/* Before the lock-down, which takes the host's network away. */
int bans_new(struct role *role, struct bans **out, struct err *err) MUST_USE;
/* Removes the table. */
void bans_free(struct bans *bans);
/* The body of AGENT_SET_BANS, which replaces what the same gateway said before. What the other one
 * said stays. */
int bans_set(struct bans *bans, enum role_id gateway, struct span body, struct err *err) MUST_USE;

#endif
