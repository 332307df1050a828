/* SPDX-License-Identifier: Apache-2.0 */
/* Who may ask the audit role for what. The context of the table is a struct audit_service. */
#ifndef DRUN_ROLES_AUDIT_TABLE_H
#define DRUN_ROLES_AUDIT_TABLE_H

#include "ipc/ipc.h"

extern const struct ipc_table audit_table;

#endif
