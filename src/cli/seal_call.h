/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the supervisor of the platform on this machine: is it sealed, seal it, unseal it. */
#ifndef DRUN_CLI_SEAL_CALL_H
#define DRUN_CLI_SEAL_CALL_H

#include "base/attr.h"
#include "base/err.h"
#include "role/sealing.h"

/* Sends one message, with a descriptor unless `fd` is -1, and waits for its answer; `reply` may be
 * NULL. ERR_UNAVAILABLE: the platform on `data_dir` does not run; ERR_DENIED: it is another user's;
 * any other error is its own. */
int seal_call(const char *data_dir, enum sealing_message message, int fd, struct buf *reply,
              struct err *err) MUST_USE;
int seal_call_status(const char *data_dir, struct sealing_status *out, struct err *err) MUST_USE;

#endif
