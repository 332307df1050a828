/* SPDX-License-Identifier: Apache-2.0 */
/* The sign-in that `drun login` keeps in $XDG_CONFIG_HOME/drun/login.json, mode 0600. */
#ifndef DRUN_CLI_LOGIN_H
#define DRUN_CLI_LOGIN_H

#include "base/attr.h"
#include "base/err.h"

/* 1: signed in, the three are the caller's; refreshed first when it was about to expire. 0: not
 * signed in. */
int login_load(char **server, char **token, char **ca_pem, struct err *err) MUST_USE;

#endif
