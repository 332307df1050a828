/* SPDX-License-Identifier: Apache-2.0 */
/* For this folder and its tests. */
#ifndef DRUN_LIMIT_LIMIT_INTERNAL_H
#define DRUN_LIMIT_LIMIT_INTERNAL_H

#include "limit/limit.h"

/* The first slot of a key. */
uint64_t limit_home(uint64_t key);

#endif
