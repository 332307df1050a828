/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRUN_WAF_WAF_ROLE_H
#define DRUN_WAF_WAF_ROLE_H

#include "role/role.h"

int waf_main(struct role *role, struct err *err) MUST_USE;

#endif
