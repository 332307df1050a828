/* SPDX-License-Identifier: Apache-2.0 */
/* Which kinds of bytes a text has, which ones a transformation looks for, and which ones a pattern.
 */
#ifndef DRUN_WAF_TRAITS_H
#define DRUN_WAF_TRAITS_H

#include "base/span.h"
#include "waf/transform/transform.h"

#include <stdint.h>

#define TRAITS_ALWAYS UINT64_MAX

uint64_t traits_of(struct span text) MUST_USE;
uint64_t traits_of_byte(uint8_t byte) MUST_USE;
/* Without any of them the transformation leaves a text as it is; TRAITS_ALWAYS: never sure. */
uint64_t traits_needed(enum waf_transform step) MUST_USE;
/* Without any of them the transformation makes no bytes but those of the text and TRAITS_MADE;
 * TRAITS_ALWAYS: never sure. */
uint64_t traits_decoded(enum waf_transform step) MUST_USE;
#define TRAITS_MADE                                                                                \
    (traits_of_byte('a') | traits_of_byte('A') | traits_of_byte(' ') | traits_of_byte('/'))

#endif
