/* SPDX-License-Identifier: Apache-2.0 */
/* The passphrase that unseals, on its way to kms. */
#ifndef DRUN_CLI_PASSPHRASE_H
#define DRUN_CLI_PASSPHRASE_H

#include "base/attr.h"
#include "base/err.h"

/* Reads the file at `path`, or standard input for "-" (a terminal without an echo), into a file in
 * memory, whose descriptor it gives; the caller closes it. */
int passphrase_take(const char *path, struct err *err) MUST_USE;

#endif
