/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRUN_AGENT_AGENT_H
#define DRUN_AGENT_AGENT_H

#include "role/role.h"

/* The process that runs the engines of model services in sandboxes. */
int agent_main(struct role *role, struct err *err) MUST_USE;

#endif
