/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper of nginx: its configuration, its certificate, its audit rings. There may be two of
 * them (decision 0049), each with an address of its own. */
#ifndef DRUN_ROLES_GATEWAY_GATEWAY_ROLE_H
#define DRUN_ROLES_GATEWAY_GATEWAY_ROLE_H

#include "role/role.h"

int gateway_main(struct role *role, struct err *err) MUST_USE;

#endif
