/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRUN_CLI_ROLE_TABLE_H
#define DRUN_CLI_ROLE_TABLE_H

#include "supervisor/supervisor.h"

/* Every process of the platform in start order, ending with a zeroed line. */
extern const struct role_entry role_table[];

#endif
