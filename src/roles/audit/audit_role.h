/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRUN_ROLES_AUDIT_AUDIT_ROLE_H
#define DRUN_ROLES_AUDIT_AUDIT_ROLE_H

#include "role/role.h"

/* The process that writes the audit log. */
int audit_main(struct role *role, struct err *err) MUST_USE;

#endif
