/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes without which a text cannot have a pattern: of an expression what PCRE2 itself looks for
 * before it tries (the first byte of a match, or one that comes later), of phrases one byte of
 * each. Few values have a bracket, a quote or a semicolon, and most patterns need one.
 */
#ifndef DRUN_WAF_NEEDS_H
#define DRUN_WAF_NEEDS_H

#include "base/span.h"
#include "waf/image.h"

/* Fills in all bits where nothing is known. `trie`: of phrases.h. */
void needs_of_regex(struct span pattern, uint32_t needs[IMAGE_NEEDS]);
void needs_of_phrases(struct span trie, uint32_t needs[IMAGE_NEEDS]);
/* Whether words, numbers, paths and names of hosts have none of them. */
bool needs_are_rare(const uint32_t needs[IMAGE_NEEDS]) MUST_USE;

#endif
