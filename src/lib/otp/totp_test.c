/* SPDX-License-Identifier: Apache-2.0 */
#include "otp/totp.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct span secret = {.p = (const uint8_t *)"12345678901234567890",
                                   .len = TOTP_SECRET_LEN};

/* RFC 6238 appendix B, the last six of its eight digits. */
static void codes_are_those_of_the_rfc(void **state UNUSED)
{
    static const struct {
        int64_t time;
        const char *code;
    } cases[] = {
        {59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
        {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = ERR_INIT;
        int64_t step = 0;
        char code[TOTP_DIGITS + 1];
        assert_int_equal(totp_code(secret, cases[i].time / 30, code, &err), 0);
        assert_string_equal(code, cases[i].code);
        assert_int_equal(totp_check(secret, code, cases[i].time, 0, &step, &err), 0);
        assert_int_equal(step, cases[i].time / 30);
    }
}

static void one_step_of_drift_is_forgiven(void **state UNUSED)
{
    int64_t now = 1111111111;
    int64_t step = 0;
    struct err err = ERR_INIT;

    for (int64_t off = -3; off <= 3; off++) {
        char code[TOTP_DIGITS + 1];
        assert_int_equal(totp_code(secret, now / 30 + off, code, &err), 0);
        assert_int_equal(totp_check(secret, code, now, 0, &step, &err), off * off <= 1 ? 0 : -1);
    }
}

static void a_code_is_good_once(void **state UNUSED)
{
    int64_t now = 1111111111;
    int64_t step = 0;
    struct err err = ERR_INIT;
    char code[TOTP_DIGITS + 1];

    assert_int_equal(totp_code(secret, now / 30, code, &err), 0);
    assert_int_equal(totp_check(secret, code, now, 0, &step, &err), 0);
    assert_int_equal(totp_check(secret, code, now, step, &step, &err), -1);
    assert_int_equal(err.code, ERR_UNAUTHENTICATED);
    assert_int_equal(totp_check(secret, code, now + 30, step, &step, &err), -1);
    /* Neither is an older one, though it would still be within the drift. */
    assert_int_equal(totp_code(secret, now / 30 - 1, code, &err), 0);
    assert_int_equal(totp_check(secret, code, now, step, &step, &err), -1);
    assert_int_equal(totp_code(secret, now / 30 + 1, code, &err), 0);
    assert_int_equal(totp_check(secret, code, now, step, &step, &err), 0);
}

static void what_is_no_code_is_refused(void **state UNUSED)
{
    static const char *const bad[] = {"",       "05047",   "0504711", "05047a",
                                      "-50471", "050 47 ", "٠٥٠٤٧١"};
    int64_t step = 0;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = ERR_INIT;
        assert_int_equal(totp_check(secret, bad[i], 1111111111, 0, &step, &err), -1);
        assert_int_equal(err.code, ERR_UNAUTHENTICATED);
    }
    struct err err = ERR_INIT;
    assert_int_equal(totp_check(secret, "050 471", 1111111111, 0, &step, &err), 0);
}

static void the_uri_is_what_apps_read(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf uri = BUF_INIT(1024);

    totp_put_uri("drun gpu1", "al:ice", secret, &uri);
    assert_string_equal(
        buf_text(&uri),
        "otpauth://totp/drun%20gpu1:al%3Aice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        "&issuer=drun%20gpu1&algorithm=SHA1&digits=6&period=30");
}

static void secrets_come_back(void **state UNUSED)
{
    uint8_t bytes[TOTP_SECRET_LEN];
    char text[TOTP_TEXT_SIZE];
    struct err err = ERR_INIT;

    totp_secret_text(secret, text);
    assert_int_equal(totp_secret_parse(text, bytes, &err), 0);
    assert_memory_equal(bytes, secret.p, sizeof(bytes));
    assert_int_equal(totp_secret_parse("GEZDGNBV", bytes, &err), -1);
    assert_int_equal(totp_secret_parse("1", bytes, &err), -1);
    assert_int_equal(totp_secret_parse("", bytes, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_those_of_the_rfc),
        cmocka_unit_test(one_step_of_drift_is_forgiven),
        cmocka_unit_test(a_code_is_good_once),
        cmocka_unit_test(what_is_no_code_is_refused),
        cmocka_unit_test(secrets_come_back),
        cmocka_unit_test(the_uri_is_what_apps_read),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
