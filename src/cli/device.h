/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in on a machine without a browser (RFC 8628): it shows a code, which the user types in
 * elsewhere. */
#ifndef DRUN_CLI_DEVICE_H
#define DRUN_CLI_DEVICE_H

#include "base/attr.h"
#include "base/err.h"
#include "cli/login.h"

/* Returns when the user has decided; the tokens are in `login` then. */
int device_sign_in(struct login *login, const char *device_url, struct err *err) MUST_USE;

#endif
