/* SPDX-License-Identifier: Apache-2.0 */
/* The process that owns the objects which hold no secret, and publishes the policy snapshot. */
#ifndef DRUN_API_API_H
#define DRUN_API_API_H

#include "role/role.h"

int api_main(struct role *role, struct err *err) MUST_USE;

#endif
