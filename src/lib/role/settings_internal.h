/* SPDX-License-Identifier: Apache-2.0 */
/* For this folder. */
#ifndef DRUN_ROLE_SETTINGS_INTERNAL_H
#define DRUN_ROLE_SETTINGS_INTERNAL_H

#include "role/settings.h"

/* Of struct settings_edge. */
extern const struct opt settings_edge_options[];
/* Of struct settings_breached. */
extern const struct opt settings_breached_options[];

#endif
