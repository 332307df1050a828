/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much is used of the budgets, told to api for the status of LimitPolicies, and alerts before
 * their end. The keeper reads the counts of the workers every few seconds; no call waits for it.
 */
#ifndef DRUN_GATEWAY_USES_H
#define DRUN_GATEWAY_USES_H

#include "role/role.h"

struct uses;

int uses_new(struct role *role, struct uses **out, struct err *err) MUST_USE;
void uses_free(struct uses *uses);
/* api was started again: what it was told may be lost. */
void uses_tell_anew(struct uses *uses);

#endif
