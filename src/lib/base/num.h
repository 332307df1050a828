/* SPDX-License-Identifier: Apache-2.0 */
/* Checked arithmetic and strict number parsing. */
#ifndef DRUN_BASE_NUM_H
#define DRUN_BASE_NUM_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* False when the result does not fit; *out is then unspecified. */
#define num_add(a, b, out) (!__builtin_add_overflow((a), (b), (out)))
#define num_sub(a, b, out) (!__builtin_sub_overflow((a), (b), (out)))
#define num_mul(a, b, out) (!__builtin_mul_overflow((a), (b), (out)))

#define NUM_MIN(a, b)      ((a) < (b) ? (a) : (b))
#define NUM_MAX(a, b)      ((a) > (b) ? (a) : (b))

/* Decimal digits only: no sign, no blank, no leading zero but "0" itself. `what` names the thing in
 * the error: "port", "limit". */
int num_parse_u64(struct span text, uint64_t min, uint64_t max, const char *what, uint64_t *out,
                  struct err *err) MUST_USE;

/* The value in decimal, at most NUM_DECIMAL_MAX bytes; returns where they end. */
enum { NUM_DECIMAL_MAX = 20 };
uint8_t *num_put_decimal(uint8_t *at, uint64_t value);

#endif
