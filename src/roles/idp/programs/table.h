/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRUN_IDP_TABLE_H
#define DRUN_IDP_TABLE_H

#include "ipc/ipc.h"

extern const struct ipc_table idp_table;

#endif
