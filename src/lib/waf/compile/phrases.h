/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The phrases of @pm as a trie over their lower-case bytes, position-independent: which of many
 * words is in a text, letters' case aside. The databases find candidates; this says what and where,
 * and stands in where no database was made.
 */
#ifndef DRUN_WAF_PHRASES_H
#define DRUN_WAF_PHRASES_H

#include "base/buf.h"
#include "base/span.h"

#include <stdint.h>

/* Appends the trie to `out`; it must be aligned on 4 where it is used. Empty phrases are left out.
 */
void phrases_build(const struct span *phrases, size_t count, struct buf *out);
/* Whether bytes from a file are such a trie. */
bool phrases_valid(struct span trie) MUST_USE;
/* The phrase that ends first; of several, the longest. */
bool phrases_find(struct span trie, struct span text, size_t *at, size_t *len) MUST_USE;

/* Each phrase of a valid trie, in lower case; it lives for the call. */
void phrases_each(struct span trie, void (*each)(void *ctx, struct span phrase), void *ctx);

#endif
