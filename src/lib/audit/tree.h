/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Merkle tree of RFC 6962 section 2.1 with SHA-256: hashes, compact ranges, proofs and their
 * verification (by the algorithms of RFC 9162 sections 2.1.3.2 and 2.1.4.2).
 *
 * A compact range is the shortest list of perfect subtrees, aligned to their size, that covers the
 * leaves [begin, end). It grows leaf by leaf, and two neighbours join. With begin = 0 it is all
 * that appending needs to know of the tree.
 */
#ifndef DRUN_AUDIT_TREE_H
#define DRUN_AUDIT_TREE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum { TREE_HASH_LEN = 32, TREE_RANGE_MAX = 128, TREE_PROOF_MAX = 64 };

struct tree_hash {
    uint8_t bytes[TREE_HASH_LEN];
};

struct tree_range {
    uint64_t begin;
    uint64_t end;
    size_t count;
    struct tree_hash node[TREE_RANGE_MAX];
};

struct tree_proof {
    size_t count;
    struct tree_hash node[TREE_PROOF_MAX];
};

bool tree_hash_eq(const struct tree_hash *a, const struct tree_hash *b);
void tree_hash_leaf(struct span leaf, struct tree_hash *out);
void tree_hash_node(const struct tree_hash *left, const struct tree_hash *right,
                    struct tree_hash *out);

void tree_range_init(struct tree_range *range, uint64_t begin);
void tree_range_add(struct tree_range *range, const struct tree_hash *leaf);
/* `next` begins where `range` ends. */
void tree_range_join(struct tree_range *range, const struct tree_range *next);
/* How many nodes the compact range [begin, end) has. */
size_t tree_range_nodes(uint64_t begin, uint64_t end);
/* The node of `range` that is the subtree of 2^level leaves at `start`; NULL when none is. */
const struct tree_hash *tree_range_find(const struct tree_range *range, unsigned level,
                                        uint64_t start);
/* The root of a tree whose compact range this is (begin = 0). */
void tree_root(const struct tree_range *range, struct tree_hash *out);

/* Gives the root of the perfect subtree of 2^level leaves that begins at `start`. */
typedef int tree_node_fn(void *ctx, unsigned level, uint64_t start, struct tree_hash *out,
                         struct err *err);

/* That leaf `index` is in the tree of `size` leaves. */
int tree_prove_inclusion(tree_node_fn *node, void *ctx, uint64_t index, uint64_t size,
                         struct tree_proof *out, struct err *err) MUST_USE;
/* That the tree of `size` leaves begins with the tree of `old_size` leaves. */
int tree_prove_consistency(tree_node_fn *node, void *ctx, uint64_t old_size, uint64_t size,
                           struct tree_proof *out, struct err *err) MUST_USE;
/* The root of the first `size` leaves. */
int tree_root_at(tree_node_fn *node, void *ctx, uint64_t size, struct tree_hash *out,
                 struct err *err) MUST_USE;

/* ERR_CORRUPT when the proof does not show it. */
int tree_verify_inclusion(const struct tree_hash *leaf, uint64_t index, uint64_t size,
                          const struct tree_proof *proof, const struct tree_hash *root,
                          struct err *err) MUST_USE;
int tree_verify_consistency(uint64_t old_size, uint64_t size, const struct tree_proof *proof,
                            const struct tree_hash *old_root, const struct tree_hash *root,
                            struct err *err) MUST_USE;

#endif
