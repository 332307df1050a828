/* SPDX-License-Identifier: Apache-2.0 */
/* Starting the process of one role. */
#ifndef DRUN_SUPERVISOR_SPAWN_H
#define DRUN_SUPERVISOR_SPAWN_H

#include "base/attr.h"
#include "base/err.h"

#include <sys/types.h>

/* Re-executes this binary as `drun role NAME` with the control socket's other end as descriptor 3
 * and no other descriptor but the standard three. Gives a pidfd and our end. */
int spawn_role(const char *name, pid_t *out_pid, int *out_pidfd, int *out_control,
               struct err *err) MUST_USE;

#endif
