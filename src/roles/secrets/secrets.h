/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRUN_SECRETS_SECRETS_H
#define DRUN_SECRETS_SECRETS_H

#include "role/role.h"

/* The process that holds Secret objects, and nothing else. */
int secrets_main(struct role *role, struct err *err) MUST_USE;

#endif
