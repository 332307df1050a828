/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/tree.h"

#include "crypto/crypto.h"

enum { LEAF_PREFIX = 0, NODE_PREFIX = 1, LEAF_MAX = 256 };

bool tree_hash_eq(const struct tree_hash *a, const struct tree_hash *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

void tree_hash_leaf(struct span leaf, struct tree_hash *out)
{
    uint8_t data[1 + LEAF_MAX] = {LEAF_PREFIX};

    INVARIANT(leaf.len <= LEAF_MAX);
    if (leaf.len > 0)
        memcpy(data + 1, leaf.p, leaf.len);
    crypto_sha256(span_of(data, 1 + leaf.len), out->bytes);
}

void tree_hash_node(const struct tree_hash *left, const struct tree_hash *right,
                    struct tree_hash *out)
{
    uint8_t data[1 + 2 * TREE_HASH_LEN] = {NODE_PREFIX};

    memcpy(data + 1, left->bytes, TREE_HASH_LEN);
    memcpy(data + 1 + TREE_HASH_LEN, right->bytes, TREE_HASH_LEN);
    crypto_sha256(span_of(data, sizeof(data)), out->bytes);
}

/* Level of the largest subtree that begins at `at`, aligned, and ends by `end`. */
static unsigned level_at(uint64_t at, uint64_t end)
{
    unsigned fits = 63 - (unsigned)__builtin_clzll(end - at);
    unsigned aligned = at == 0 ? 63 : (unsigned)__builtin_ctzll(at);

    return aligned < fits ? aligned : fits;
}

static uint64_t leaves_of(unsigned level)
{
    return 1ULL << level;
}

size_t tree_range_nodes(uint64_t begin, uint64_t end)
{
    size_t count = 0;

    for (; begin < end; begin += leaves_of(level_at(begin, end)))
        count++;
    return count;
}

void tree_range_init(struct tree_range *range, uint64_t begin)
{
    range->begin = begin;
    range->end = begin;
    range->count = 0;
}

static void push(struct tree_range *range, unsigned level, const struct tree_hash *hash)
{
    uint64_t start = range->end;
    struct tree_hash merged = *hash;

    range->end += leaves_of(level);
    /* A right child whose sibling lies in the range is never left alone. */
    while ((start >> level & 1) != 0 && start - leaves_of(level) >= range->begin) {
        tree_hash_node(&range->node[--range->count], &merged, &merged);
        start -= leaves_of(level++);
    }
    INVARIANT(range->count < TREE_RANGE_MAX);
    range->node[range->count++] = merged;
}

void tree_range_add(struct tree_range *range, const struct tree_hash *leaf)
{
    push(range, 0, leaf);
}

void tree_range_join(struct tree_range *range, const struct tree_range *next)
{
    uint64_t at = next->begin;

    INVARIANT(range->end == next->begin);
    for (size_t i = 0; i < next->count; i++) {
        unsigned level = level_at(at, next->end);
        push(range, level, &next->node[i]);
        at += leaves_of(level);
    }
}

const struct tree_hash *tree_range_find(const struct tree_range *range, unsigned level,
                                        uint64_t start)
{
    uint64_t at = range->begin;

    for (size_t i = 0; i < range->count && at <= start; i++) {
        unsigned here = level_at(at, range->end);
        if (at == start)
            return here == level ? &range->node[i] : NULL;
        at += leaves_of(here);
    }
    return NULL;
}

void tree_root(const struct tree_range *range, struct tree_hash *out)
{
    INVARIANT(range->begin == 0);
    if (range->count == 0) {
        crypto_sha256(span_of("", 0), out->bytes);
        return;
    }
    *out = range->node[range->count - 1];
    for (size_t i = range->count - 1; i > 0; i--)
        tree_hash_node(&range->node[i - 1], out, out);
}

/* The largest power of two below n. */
static uint64_t split_of(uint64_t n)
{
    return 1ULL << (63 - __builtin_clzll(n - 1));
}

/* The root of the leaves [begin, end), which is a subtree or the right edge of the tree. */
static int hash_between(tree_node_fn *node, void *ctx, uint64_t begin, uint64_t end,
                        struct tree_hash *out, struct err *err)
{
    struct tree_range range;

    tree_range_init(&range, begin);
    while (range.end < end) {
        struct tree_hash hash;
        unsigned level = level_at(range.end, end);
        TRY(node(ctx, level, range.end, &hash, err));
        push(&range, level, &hash);
    }
    *out = range.node[range.count - 1];
    for (size_t i = range.count - 1; i > 0; i--)
        tree_hash_node(&range.node[i - 1], out, out);
    return 0;
}

/* Proofs are found from the root down and given from the leaf up. */
static void reverse(struct tree_proof *proof)
{
    for (size_t i = 0, j = proof->count; i + 1 < j; i++) {
        struct tree_hash kept = proof->node[i];
        proof->node[i] = proof->node[--j];
        proof->node[j] = kept;
    }
}

int tree_prove_inclusion(tree_node_fn *node, void *ctx, uint64_t index, uint64_t size,
                         struct tree_proof *out, struct err *err)
{
    uint64_t begin = 0;
    uint64_t end = size;

    out->count = 0;
    if (index >= size)
        return err_set(err, ERR_NOT_FOUND, "record %llu is not in a tree of %llu",
                       (unsigned long long)index, (unsigned long long)size);
    while (end - begin > 1) {
        uint64_t middle = begin + split_of(end - begin);
        struct tree_hash *at = &out->node[out->count++];
        if (index < middle) {
            TRY(hash_between(node, ctx, middle, end, at, err));
            end = middle;
        } else {
            TRY(hash_between(node, ctx, begin, middle, at, err));
            begin = middle;
        }
    }
    reverse(out);
    return 0;
}

int tree_prove_consistency(tree_node_fn *node, void *ctx, uint64_t old_size, uint64_t size,
                           struct tree_proof *out, struct err *err)
{
    uint64_t begin = 0;
    uint64_t end = size;

    out->count = 0;
    if (old_size > size)
        return err_set(err, ERR_INVALID, "a tree of %llu does not begin with one of %llu",
                       (unsigned long long)size, (unsigned long long)old_size);
    if (old_size == 0 || old_size == size)
        return 0;
    while (old_size != end) {
        uint64_t middle = begin + split_of(end - begin);
        struct tree_hash *at = &out->node[out->count++];
        if (old_size <= middle) {
            TRY(hash_between(node, ctx, middle, end, at, err));
            end = middle;
        } else {
            TRY(hash_between(node, ctx, begin, middle, at, err));
            begin = middle;
        }
    }
    /* The verifier knows the old root: it is left out when it is the subtree itself. */
    if (begin > 0)
        TRY(hash_between(node, ctx, begin, end, &out->node[out->count++], err));
    reverse(out);
    return 0;
}

int tree_root_at(tree_node_fn *node, void *ctx, uint64_t size, struct tree_hash *out,
                 struct err *err)
{
    if (size > 0)
        return hash_between(node, ctx, 0, size, out, err);
    crypto_sha256(span_of("", 0), out->bytes);
    return 0;
}

static int refuse(const char *what, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "the %s proof does not lead to the root", what);
}

int tree_verify_inclusion(const struct tree_hash *leaf, uint64_t index, uint64_t size,
                          const struct tree_proof *proof, const struct tree_hash *root,
                          struct err *err)
{
    struct tree_hash hash = *leaf;
    uint64_t last = size - 1;

    if (index >= size)
        return refuse("inclusion", err);
    for (size_t i = 0; i < proof->count; i++) {
        if (last == 0)
            return refuse("inclusion", err);
        if ((index & 1) != 0 || index == last) {
            tree_hash_node(&proof->node[i], &hash, &hash);
            for (; (index & 1) == 0 && index != 0; index >>= 1)
                last >>= 1;
        } else {
            tree_hash_node(&hash, &proof->node[i], &hash);
        }
        index >>= 1;
        last >>= 1;
    }
    return last == 0 && tree_hash_eq(&hash, root) ? 0 : refuse("inclusion", err);
}

int tree_verify_consistency(uint64_t old_size, uint64_t size, const struct tree_proof *proof,
                            const struct tree_hash *old_root, const struct tree_hash *root,
                            struct err *err)
{
    uint64_t index = old_size - 1;
    uint64_t last = size - 1;
    size_t at = 0;

    if (old_size > size || (old_size == size && !tree_hash_eq(old_root, root)))
        return refuse("consistency", err);
    if (old_size == 0 || old_size == size)
        return proof->count == 0 ? 0 : refuse("consistency", err);
    for (; (index & 1) != 0; index >>= 1)
        last >>= 1;
    bool whole = (old_size & (old_size - 1)) == 0;
    if (!whole && proof->count == 0)
        return refuse("consistency", err);
    struct tree_hash old_hash = whole ? *old_root : proof->node[at++];
    struct tree_hash hash = old_hash;
    for (; at < proof->count; at++) {
        if (last == 0)
            return refuse("consistency", err);
        if ((index & 1) != 0 || index == last) {
            tree_hash_node(&proof->node[at], &old_hash, &old_hash);
            tree_hash_node(&proof->node[at], &hash, &hash);
            for (; (index & 1) == 0 && index != 0; index >>= 1)
                last >>= 1;
        } else {
            tree_hash_node(&hash, &proof->node[at], &hash);
        }
        index >>= 1;
        last >>= 1;
    }
    bool good = last == 0 && tree_hash_eq(&old_hash, old_root) && tree_hash_eq(&hash, root);
    return good ? 0 : refuse("consistency", err);
}
