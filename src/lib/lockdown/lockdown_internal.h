/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of lockdown_apply(), in the order in which they are taken. Each writes its entries of
 * the report, and fails only when it could not finish what it began. */
#ifndef DRUN_LOCKDOWN_LOCKDOWN_INTERNAL_H
#define DRUN_LOCKDOWN_LOCKDOWN_INTERNAL_H

#include "lockdown/lockdown.h"

int lockdown_enter_namespaces(const struct lockdown *lockdown, struct lockdown_report *report,
                              struct err *err) MUST_USE;
/* Replaces the root by a tmpfs that has only the listed paths; the mount namespace is already the
 * process's own. 0: done. 1: the kernel does not grant it and nothing was changed; err says why. */
int lockdown_build_root(const struct lockdown *lockdown, struct err *err) MUST_USE;

/* *out_fd is -1 when Landlock is not there or not asked for. Made while the process may still look
 * at all paths, enforced at the end. */
int lockdown_make_ruleset(const struct lockdown *lockdown, struct lockdown_report *report,
                          int *out_fd, struct err *err) MUST_USE;

/* What execve could give back. Dropping it takes CAP_SETPCAP, so it comes before the change of uid;
 * without that right nothing is dropped, and no-new-privs alone does the same work. */
int lockdown_drop_bounding(const struct lockdown *lockdown, struct err *err) MUST_USE;
int lockdown_change_identity(const struct lockdown *lockdown, struct lockdown_report *report,
                             struct err *err) MUST_USE;
int lockdown_drop_capabilities(const struct lockdown *lockdown, struct lockdown_report *report,
                               struct err *err) MUST_USE;
int lockdown_enforce_ruleset(int ruleset_fd, struct err *err) MUST_USE;
int lockdown_load_filter(const struct lockdown *lockdown, struct lockdown_report *report,
                         struct err *err) MUST_USE;

void lockdown_say(struct lockdown_report *report, enum lockdown_mechanism mechanism,
                  enum lockdown_state state, const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
