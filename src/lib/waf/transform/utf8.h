/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as RFC 3629 has it: nothing overlong, no surrogates, up to U+10FFFF. For this folder. */
#ifndef DRUN_WAF_UTF8_H
#define DRUN_WAF_UTF8_H

#include "base/span.h"

/* The length of the sequence at p, 1 to 4; 0 when it is none. p < end. */
size_t utf8_len(const uint8_t *p, const uint8_t *end);
/* How many bytes from the start on are valid. */
size_t utf8_valid_len(struct span text);
/* Writes the code point's bytes, at most 4; returns how many. */
size_t utf8_put(uint32_t code, uint8_t *out);

#endif
