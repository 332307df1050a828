/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRUN_AGENT_AUDIT_FILE_H
#define DRUN_AGENT_AUDIT_FILE_H

#include "agent/agent_internal.h"

/* Opens the number-th regular file of the audit log's folder for reading and appends its name. */
int audit_file_open(struct agent *agent, uint32_t number, struct buf *name,
                    struct err *err) MUST_USE;

#endif
