/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/people/hasher.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "crypto/kdf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct bench {
    struct loop *loop;
    struct hasher *hasher;
    int passed, failed, open;
    char phc[KDF_PHC_MAX];
};

static void on_result(void *ctx, const char *phc, const struct err *err)
{
    struct bench *bench = ctx;

    bench->open--;
    bench->passed += err == NULL;
    bench->failed += err != NULL;
    snprintf(bench->phc, sizeof(bench->phc), "%s", phc == NULL ? "" : phc);
}

static void drain(struct bench *bench)
{
    struct err err = ERR_INIT;

    while (bench->open > 0)
        assert_int_equal(loop_turn(bench->loop, 10000, &err), 0);
}

static void verify(struct bench *bench, const char *phc, const char *password)
{
    struct err err = ERR_INIT;

    bench->open++;
    assert_int_equal(hasher_verify(bench->hasher, phc, span_str(password), on_result, bench, &err),
                     0);
    drain(bench);
}

static void hash(struct bench *bench, const char *password)
{
    struct err err = ERR_INIT;

    bench->open++;
    assert_int_equal(hasher_hash(bench->hasher, span_str(password), on_result, bench, &err), 0);
    drain(bench);
}

static void a_hash_is_verified_by_its_password_alone(void **state)
{
    struct bench *bench = *state;
    char phc[KDF_PHC_MAX];

    hash(bench, "correct horse");
    memcpy(phc, bench->phc, sizeof(phc));
    assert_memory_equal(phc, "$argon2id$v=19$m=19456,t=2,p=1$", 31);
    verify(bench, phc, "correct horse");
    assert_int_equal(bench->passed, 2);
    assert_string_equal(bench->phc, "");
    verify(bench, phc, "correct horsf");
    assert_int_equal(bench->failed, 1);
}

static void an_older_hash_gives_a_new_one(void **state)
{
    struct bench *bench = *state;
    struct kdf_params weak = {.memory_kib = 8, .passes = 1, .lanes = 1};
    CLEANUP(buf_free) struct buf phc = BUF_INIT(KDF_PHC_MAX);
    struct err err = ERR_INIT;

    assert_int_equal(kdf_password_hash(&weak, span_str("secret"), &phc, &err), 0);
    verify(bench, buf_text(&phc), "secret");
    assert_int_equal(bench->passed, 1);
    assert_false(kdf_password_stale(span_str(bench->phc), &kdf_password_params));
}

static void nobody_has_no_password_and_takes_as_long(void **state)
{
    struct bench *bench = *state;
    char phc[KDF_PHC_MAX];

    hash(bench, "somebody");
    memcpy(phc, bench->phc, sizeof(phc));
    uint64_t began = clock_mono_ns();
    verify(bench, phc, "wrong");
    uint64_t wrong = clock_mono_ns() - began;
    began = clock_mono_ns();
    verify(bench, NULL, "wrong");
    uint64_t nobody = clock_mono_ns() - began;
    assert_int_equal(bench->failed, 2);
    assert_true(nobody > wrong / 4 && nobody < wrong * 4);
}

static void a_full_queue_says_so_and_loses_nothing(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;

    while (hasher_verify(bench->hasher, NULL, span_str("x"), on_result, bench, &err) == 0)
        bench->open++;
    assert_int_equal(err.code, ERR_LIMITED);
    assert_int_equal(bench->open, HASHER_QUEUE_MAX);
    drain(bench);
    assert_int_equal(bench->failed, HASHER_QUEUE_MAX);
}

static void a_long_password_is_refused(void **state)
{
    struct bench *bench = *state;
    char password[HASHER_PASSWORD_MAX + 1] = {0};
    struct err err = ERR_INIT;

    assert_int_equal(
        hasher_hash(bench->hasher, span_of(password, sizeof(password)), on_result, bench, &err),
        -1);
    assert_int_equal(err.code, ERR_TOO_LARGE);
}

static void freeing_forgets_what_waits(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;

    for (int i = 0; i < 4; i++)
        assert_int_equal(hasher_verify(bench->hasher, NULL, span_str("x"), on_result, bench, &err),
                         0);
    hasher_free(bench->hasher);
    bench->hasher = NULL;
    assert_int_equal(bench->failed, 0);
}

static int setup(void **state)
{
    struct bench *bench = mem_new(sizeof(*bench));
    struct err err = ERR_INIT;

    *state = bench;
    if (secret_heap_init(&err) < 0 || loop_new(&bench->loop, &err) < 0)
        return -1;
    return hasher_new(bench->loop, &bench->hasher, &err);
}

static int teardown(void **state)
{
    struct bench *bench = *state;

    hasher_free(bench->hasher);
    loop_free(bench->loop);
    free(bench);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_hash_is_verified_by_its_password_alone),
        TEST(an_older_hash_gives_a_new_one),
        TEST(nobody_has_no_password_and_takes_as_long),
        TEST(a_full_queue_says_so_and_loses_nothing),
        TEST(a_long_password_is_refused),
        TEST(freeing_forgets_what_waits),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
