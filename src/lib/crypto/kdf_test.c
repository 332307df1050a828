/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/kdf.h"

#include "base/enc.h"
#include "crypto/crypto_internal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The cheapest there is: what is tested here is not the cost. */
static const struct kdf_params quick = {.memory_kib = 8, .passes = 1, .lanes = 1};

static int heap(void **state UNUSED)
{
    struct err err = ERR_INIT;

    return secret_heap_init(&err);
}

/* From the test suite of the reference implementation that RFC 9106 names. */
static const char known_phc[] = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$"
                                "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

static void a_known_password_gives_the_known_key(void **state UNUSED)
{
    const struct kdf_params params = {.memory_kib = 65536, .passes = 2, .lanes = 1};
    CLEANUP(secret_free_ptr) struct secret *key = NULL;
    struct err err = ERR_INIT;
    char hex[65];

    assert_int_equal(
        kdf_argon2id(&params, span_str("password"), span_str("somesalt"), 32, &key, &err), 0);
    enc_hex(secret_span(key), hex);
    assert_string_equal(hex, "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7");
    assert_int_equal(kdf_password_verify(span_str(known_phc), span_str("password"), &err), 0);
    assert_int_equal(kdf_password_verify(span_str(known_phc), span_str("Password"), &err), -1);
    assert_int_equal(err.code, ERR_UNAUTHENTICATED);
}

static void a_hash_verifies_and_ages(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf one = BUF_INIT(KDF_PHC_MAX);
    CLEANUP(buf_free) struct buf two = BUF_INIT(KDF_PHC_MAX);
    struct err err = ERR_INIT;

    assert_int_equal(kdf_password_hash(&quick, span_str("s3cret"), &one, &err), 0);
    assert_int_equal(kdf_password_hash(&quick, span_str("s3cret"), &two, &err), 0);
    assert_string_not_equal(buf_text(&one), buf_text(&two));
    assert_int_equal(kdf_password_verify(buf_span(&one), span_str("s3cret"), &err), 0);
    assert_int_equal(kdf_password_verify(buf_span(&two), span_str("s3cret"), &err), 0);
    assert_int_equal(kdf_password_verify(buf_span(&one), span_str(""), &err), -1);
    assert_false(kdf_password_stale(buf_span(&one), &quick));
    assert_true(kdf_password_stale(buf_span(&one), &kdf_password_params));
    assert_true(kdf_password_stale(span_str("plain"), &quick));
}

static void a_phc_string_has_one_form(void **state UNUSED)
{
    static const char *const bad[] = {
        "",
        "$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=16$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=08,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=+8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=7,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=8,t=4294967295,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=8,t=0,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=8,t=1,p=2$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=8,t=1,p=1,x=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$t=1,m=8,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ=$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=8,t=1,p=1$c29tZQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAA",
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAB",
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA$",
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ",
        "$argon2id$v=19$m=8,t=1,p=1",
    };
    CLEANUP(buf_free) struct buf again = BUF_INIT(KDF_PHC_MAX);
    struct kdf_phc phc;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(kdf_password_verify(span_str(bad[i]), span_str("x"), &err), -1);
        assert_int_equal(err.code, ERR_INVALID);
    }
    assert_int_equal(kdf_phc_parse(span_str(known_phc), &phc, &err), 0);
    kdf_phc_put(&phc, &again);
    assert_string_equal(buf_text(&again), known_phc);
}

static void work_beyond_the_bounds_is_refused(void **state UNUSED)
{
    struct kdf_params params = quick;
    struct secret *key = NULL;
    struct err err = ERR_INIT;

    params.memory_kib = KDF_MEMORY_MAX_KIB + 1;
    assert_int_equal(kdf_argon2id(&params, span_str("x"), span_str("somesalt"), 32, &key, &err),
                     -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(kdf_argon2id(&quick, span_str("x"), span_str("short"), 32, &key, &err), -1);
    assert_int_equal(kdf_argon2id(&quick, span_str("x"), span_str("somesalt"), 8, &key, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_password_gives_the_known_key),
        cmocka_unit_test(a_hash_verifies_and_ages),
        cmocka_unit_test(a_phc_string_has_one_form),
        cmocka_unit_test(work_beyond_the_bounds_is_refused),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("kdf", tests, heap, NULL);
}
