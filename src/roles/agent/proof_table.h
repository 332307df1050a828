/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRUN_AGENT_PROOF_TABLE_H
#define DRUN_AGENT_PROOF_TABLE_H

#include "ipc/ipc.h"

/* Its context is a struct agent. */
extern const struct ipc_table agent_table;

struct agent;
/* Gives up what is under way. */
void proofs_cancel(struct agent *agent);

#endif
