/* SPDX-License-Identifier: Apache-2.0 */
/* Which kinds of bytes a text has, and which ones a transformation looks for. */
#ifndef DRUN_WAF_TRAITS_H
#define DRUN_WAF_TRAITS_H

#include "base/span.h"
#include "waf/transform/transform.h"

#include <stdint.h>

uint32_t traits_of(struct span text) MUST_USE;
/* Without any of them the transformation leaves a text as it is; UINT32_MAX: never sure. */
uint32_t traits_needed(enum waf_transform step) MUST_USE;

#endif
