/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRUN_EXPORTER_EXPORTER_H
#define DRUN_EXPORTER_EXPORTER_H

#include "role/role.h"

/* The process through which everything leaves that leaves the platform of its own accord. */
int exporter_main(struct role *role, struct err *err) MUST_USE;

#endif
