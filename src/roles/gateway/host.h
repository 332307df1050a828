/* SPDX-License-Identifier: Apache-2.0 */
/* What the gateway finds on its machine. */
#ifndef DRUN_ROLES_GATEWAY_HOST_H
#define DRUN_ROLES_GATEWAY_HOST_H

#include "role/settings.h"

/* Where the module and the console are: beside the binary as built, or where it is installed. The
 * caller frees it. */
char *host_share_dir(const struct settings *settings);
/* As many as the settings say, or as there are processors. */
unsigned host_worker_count(const struct settings *settings);

#endif
