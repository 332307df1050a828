/* SPDX-License-Identifier: Apache-2.0 */
/* Who may ask kms for what: const data, default deny. The whole of it is in table.c. */
#ifndef DRUN_KMS_TABLE_H
#define DRUN_KMS_TABLE_H

#include "base/attr.h"
#include "base/err.h"
#include "ipc/ipc.h"

#include <stdbool.h>

extern const struct ipc_table kms_table;

/* ERR_DENIED unless a row of the tables says so. */
int table_may_open(unsigned peer, const char *collection, struct err *err) MUST_USE;
int table_may_sign(unsigned peer, const char *name, struct err *err) MUST_USE;
int table_may_rotate(unsigned peer, const char *what, struct err *err) MUST_USE;

#endif
