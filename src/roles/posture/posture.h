/* SPDX-License-Identifier: Apache-2.0 */
/* The whitepaper that runs: every control is a program that attacks or measures the platform. */
#ifndef DRUN_POSTURE_POSTURE_H
#define DRUN_POSTURE_POSTURE_H

#include "role/role.h"

int posture_main(struct role *role, struct err *err) MUST_USE;

#endif
