/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"
#include "crypto/mac.h"

#include "base/enc.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int heap(void **state UNUSED)
{
    struct err err = ERR_INIT;

    return secret_heap_init(&err);
}

static void hash_is_sha256(void **state UNUSED)
{
    struct span parts[] = {span_str("a"), span_str(""), span_str("bc")};
    uint8_t hash[CRYPTO_HASH_LEN];
    uint8_t again[CRYPTO_HASH_LEN];
    char hex[2 * CRYPTO_HASH_LEN + 1];

    crypto_sha256(span_str("abc"), hash);
    enc_hex(span_of(hash, sizeof(hash)), hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    crypto_sha256_parts(parts, ARRAY_LEN(parts), again);
    assert_memory_equal(hash, again, sizeof(hash));
}

static void a_prepared_mac_is_the_same_each_time(void **state UNUSED)
{
    /* RFC 4231 test case 2 */
    CLEANUP(crypto_mac_free_ptr) struct crypto_mac *mac = crypto_mac_new(span_str("Jefe"));
    struct span data = span_str("what do ya want for nothing?");
    uint8_t hash[CRYPTO_HASH_LEN];
    char hex[2 * CRYPTO_HASH_LEN + 1];

    for (int i = 0; i < 3; i++) {
        crypto_mac_sha256(mac, data, hash);
        enc_hex(span_of(hash, sizeof(hash)), hex);
        assert_string_equal(hex,
                            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
    crypto_mac_sha256(mac, span_str(""), hash);
    enc_hex(span_of(hash, sizeof(hash)), hex);
    assert_string_not_equal(hex,
                            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void sealed_opens_only_as_it_was(void **state UNUSED)
{
    CLEANUP(secret_free_ptr) struct secret *key = NULL;
    CLEANUP(secret_free_ptr) struct secret *other = NULL;
    CLEANUP(buf_free) struct buf sealed = BUF_INIT(1000);
    CLEANUP(buf_free) struct buf plain = BUF_INIT(1000);
    struct err err = ERR_INIT;

    assert_int_equal(secret_random(CRYPTO_KEY_LEN, &key, &err), 0);
    assert_int_equal(crypto_derive(key, "other", CRYPTO_KEY_LEN, &other, &err), 0);
    assert_int_equal(crypto_seal(key, span_str("place"), span_str("hello"), &sealed, &err), 0);
    assert_int_equal(sealed.len, 5 + CRYPTO_SEAL_OVERHEAD);
    assert_int_equal(crypto_open(key, span_str("place"), buf_span(&sealed), &plain, &err), 0);
    assert_string_equal(buf_text(&plain), "hello");
    assert_int_equal(crypto_open(key, span_str("else"), buf_span(&sealed), &plain, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_int_equal(crypto_open(other, span_str("place"), buf_span(&sealed), &plain, &err), -1);
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.data[i] ^= 1;
        assert_int_equal(crypto_open(key, span_str("place"), buf_span(&sealed), &plain, &err), -1);
        sealed.data[i] ^= 1;
    }
}

/* Over more than one draw of nonces. */
static void a_sealer_seals_many(void **state UNUSED)
{
    enum { MANY = 70 };
    CLEANUP(secret_free_ptr) struct secret *key = NULL;
    CLEANUP(secret_free_ptr) struct secret *shorter = NULL;
    CLEANUP(crypto_sealer_free_ptr) struct crypto_sealer *sealer = NULL;
    CLEANUP(crypto_sealer_free_ptr) struct crypto_sealer *none = NULL;
    CLEANUP(buf_free) struct buf all = BUF_INIT(MANY * 64);
    size_t each = 5 + CRYPTO_SEAL_OVERHEAD;
    struct err err = ERR_INIT;

    assert_int_equal(secret_random(CRYPTO_KEY_LEN, &key, &err), 0);
    assert_int_equal(crypto_sealer_new(key, &sealer, &err), 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(
            crypto_sealer_seal(sealer, span_str("place"), span_str("hello"), &all, &err), 0);
    assert_int_equal(all.len, MANY * each);
    for (int i = 0; i < MANY; i++) {
        CLEANUP(buf_free) struct buf plain = BUF_INIT(100);
        struct span sealed = span_of(all.data + i * each, each);
        assert_int_equal(crypto_open(key, span_str("else"), sealed, &plain, &err), -1);
        assert_int_equal(crypto_open(key, span_str("place"), sealed, &plain, &err), 0);
        assert_string_equal(buf_text(&plain), "hello");
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(sealed.p, all.data + j * each, CRYPTO_NONCE_LEN);
    }
    all.max = all.len + 10;
    assert_int_equal(crypto_sealer_seal(sealer, span_str(""), span_str("hello"), &all, &err), -1);
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_int_equal(secret_random(16, &shorter, &err), 0);
    assert_int_equal(crypto_sealer_new(shorter, &none, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_is_sha256),
        cmocka_unit_test(a_prepared_mac_is_the_same_each_time),
        cmocka_unit_test(sealed_opens_only_as_it_was),
        cmocka_unit_test(a_sealer_seals_many),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("crypto", tests, heap, NULL);
}
