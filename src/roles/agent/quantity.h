/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes' quantities: "2", "500m", "1.5", "4Gi", "1e9". */
#ifndef DRUN_AGENT_QUANTITY_H
#define DRUN_AGENT_QUANTITY_H

#include "base/attr.h"
#include "base/err.h"

#include <stdint.h>

/* In thousandths, rounded up. ERR_INVALID also when it is negative or does not fit. */
int quantity_milli(const char *text, const char *what, uint64_t *out, struct err *err) MUST_USE;

#endif
