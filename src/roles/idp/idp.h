/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRUN_IDP_IDP_H
#define DRUN_IDP_IDP_H

#include "role/role.h"

/* The process that knows who people and programs are: accounts, sessions, tokens, keys. */
int idp_main(struct role *role, struct err *err) MUST_USE;

#endif
