/* SPDX-License-Identifier: Apache-2.0 */
/* The inputs and roots of the reference test vectors that the implementations of RFC 6962 share. */
#include "audit/tree.h"

#include "base/enc.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MANY = 70 };

static const char *const inputs[] = {"",
                                     "00",
                                     "10",
                                     "2021",
                                     "3031",
                                     "40414243",
                                     "5051525354555657",
                                     "606162636465666768696a6b6c6d6e6f"};
static const char *const roots[] = {
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

static struct tree_hash leaves[MANY];

static void fill(void)
{
    struct err err = ERR_INIT;

    for (size_t i = 0; i < MANY; i++) {
        uint8_t data[16] = {(uint8_t)i, 0xff};
        size_t len = 2;
        if (i < ARRAY_LEN(inputs)) {
            len = strlen(inputs[i]) / 2;
            assert_int_equal(enc_unhex(span_str(inputs[i]), data, len, &err), 0);
        }
        tree_hash_leaf(span_of(data, len), &leaves[i]);
    }
}

static int node_of_leaves(void *ctx UNUSED, unsigned level, uint64_t start, struct tree_hash *out,
                          struct err *err UNUSED)
{
    struct tree_range range;

    tree_range_init(&range, start);
    for (uint64_t i = 0; i < 1ULL << level; i++)
        tree_range_add(&range, &leaves[start + i]);
    assert_int_equal(range.count, 1);
    *out = range.node[0];
    return 0;
}

static void root_of(uint64_t size, struct tree_hash *out)
{
    struct tree_range range;

    tree_range_init(&range, 0);
    for (uint64_t i = 0; i < size; i++)
        tree_range_add(&range, &leaves[i]);
    tree_root(&range, out);
}

static void roots_are_those_of_the_vectors(void **state UNUSED)
{
    struct tree_hash root;
    char hex[2 * TREE_HASH_LEN + 1];

    root_of(0, &root);
    enc_hex(span_of(root.bytes, TREE_HASH_LEN), hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        root_of(i + 1, &root);
        enc_hex(span_of(root.bytes, TREE_HASH_LEN), hex);
        assert_string_equal(hex, roots[i]);
    }
}

static void assert_path(const struct tree_proof *proof, size_t count, const char *const *want)
{
    char hex[2 * TREE_HASH_LEN + 1];

    assert_int_equal(proof->count, count);
    for (size_t i = 0; i < count; i++) {
        enc_hex(span_of(proof->node[i].bytes, TREE_HASH_LEN), hex);
        assert_string_equal(hex, want[i]);
    }
}

static void proofs_are_those_of_the_vectors(void **state UNUSED)
{
    static const char *const inclusion_0_8[] = {
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"};
    static const char *const consistency_6_8[] = {
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"};
    struct tree_proof proof;
    struct err err = ERR_INIT;

    assert_int_equal(tree_prove_inclusion(node_of_leaves, NULL, 0, 8, &proof, &err), 0);
    assert_path(&proof, 3, inclusion_0_8);
    assert_int_equal(tree_prove_consistency(node_of_leaves, NULL, 6, 8, &proof, &err), 0);
    assert_path(&proof, 3, consistency_6_8);
}

static void every_inclusion_is_proved_and_no_other(void **state UNUSED)
{
    struct tree_proof proof;
    struct tree_hash root;
    struct err err = ERR_INIT;

    for (uint64_t size = 1; size <= MANY; size++) {
        root_of(size, &root);
        for (uint64_t i = 0; i < size; i++) {
            assert_int_equal(tree_prove_inclusion(node_of_leaves, NULL, i, size, &proof, &err), 0);
            assert_int_equal(tree_verify_inclusion(&leaves[i], i, size, &proof, &root, &err), 0);
            assert_int_equal(
                tree_verify_inclusion(&leaves[(i + 1) % MANY], i, size, &proof, &root, &err), -1);
            assert_int_equal(tree_verify_inclusion(&leaves[i], size, size, &proof, &root, &err),
                             -1);
            proof.count++;
            assert_int_equal(tree_verify_inclusion(&leaves[i], i, size, &proof, &root, &err), -1);
            proof.count--;
            if (proof.count == 0)
                continue;
            proof.node[proof.count - 1].bytes[7] ^= 1;
            assert_int_equal(tree_verify_inclusion(&leaves[i], i, size, &proof, &root, &err), -1);
        }
    }
}

static void every_consistency_is_proved_and_no_other(void **state UNUSED)
{
    struct tree_proof proof;
    struct tree_hash old_root;
    struct tree_hash root;
    struct err err = ERR_INIT;

    for (uint64_t size = 1; size <= MANY; size++)
        for (uint64_t old = 0; old <= size; old++) {
            root_of(size, &root);
            root_of(old, &old_root);
            assert_int_equal(tree_prove_consistency(node_of_leaves, NULL, old, size, &proof, &err),
                             0);
            assert_int_equal(tree_verify_consistency(old, size, &proof, &old_root, &root, &err), 0);
            if (old == 0)
                continue;
            old_root.bytes[0] ^= 1;
            assert_int_equal(tree_verify_consistency(old, size, &proof, &old_root, &root, &err),
                             -1);
            old_root.bytes[0] ^= 1;
            root.bytes[0] ^= 1;
            assert_int_equal(tree_verify_consistency(old, size, &proof, &old_root, &root, &err),
                             -1);
        }
}

static void ranges_join_as_if_they_had_grown(void **state UNUSED)
{
    for (uint64_t middle = 0; middle <= MANY; middle++) {
        struct tree_range whole;
        struct tree_range left;
        struct tree_range right;
        tree_range_init(&whole, 0);
        tree_range_init(&left, 0);
        tree_range_init(&right, middle);
        for (uint64_t i = 0; i < MANY; i++) {
            tree_range_add(&whole, &leaves[i]);
            tree_range_add(i < middle ? &left : &right, &leaves[i]);
        }
        assert_int_equal(right.count, tree_range_nodes(middle, MANY));
        tree_range_join(&left, &right);
        assert_int_equal(left.count, whole.count);
        assert_memory_equal(left.node, whole.node, whole.count * sizeof(whole.node[0]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_are_those_of_the_vectors),
        cmocka_unit_test(proofs_are_those_of_the_vectors),
        cmocka_unit_test(every_inclusion_is_proved_and_no_other),
        cmocka_unit_test(every_consistency_is_proved_and_no_other),
        cmocka_unit_test(ranges_join_as_if_they_had_grown),
    };

    fill();
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("audit tree", tests, NULL, NULL);
}
