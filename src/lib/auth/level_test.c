/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void methods_give_levels(void **state UNUSED)
{
    static const struct {
        const char *amr;
        enum auth_level level;
    } cases[] = {
        {NULL, AUTH_LEVEL_NONE},
        {"", AUTH_LEVEL_NONE},
        {"pwd", AUTH_LEVEL_PASSWORD},
        {"pwd rba", AUTH_LEVEL_DEVICE},
        {"pwd otp mfa", AUTH_LEVEL_MFA},
        {"pwd sms mfa", AUTH_LEVEL_MFA},
        {"pwd hwk user mfa", AUTH_LEVEL_PHISHING_RESISTANT},
        {"swk user pin mfa", AUTH_LEVEL_PHISHING_RESISTANT},
        /* A key alone, without anybody's finger or password, is one factor. */
        {"hwk user", AUTH_LEVEL_PASSWORD},
        {"pwd mfax", AUTH_LEVEL_PASSWORD},
        {"xmfa pwd", AUTH_LEVEL_PASSWORD},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(auth_level_of_amr(cases[i].amr), cases[i].level);
}

static void names_come_back(void **state UNUSED)
{
    for (enum auth_level level = AUTH_LEVEL_PASSWORD; level < AUTH_LEVEL_COUNT; level++)
        assert_int_equal(auth_level_by_acr(span_str(auth_level_acr(level))), level);
    assert_int_equal(auth_level_by_acr(span_str("")), AUTH_LEVEL_NONE);
    assert_int_equal(auth_level_by_acr(span_str("urn:drun:mf")), AUTH_LEVEL_NONE);
}

static void strength_and_age_both_count(void **state UNUSED)
{
    struct auth_demand strong = {.level = AUTH_LEVEL_MFA};
    struct auth_demand both = {.level = AUTH_LEVEL_MFA, .max_age_sec = 60};
    int64_t now = clock_wall_sec();

    assert_true(auth_satisfies(AUTH_LEVEL_MFA, 0, &strong));
    assert_true(auth_satisfies(AUTH_LEVEL_PHISHING_RESISTANT, now, &both));
    assert_false(auth_satisfies(AUTH_LEVEL_DEVICE, now, &both));
    assert_false(auth_satisfies(AUTH_LEVEL_MFA, now - 3600, &both));
    assert_false(auth_satisfies(AUTH_LEVEL_MFA, 0, &both));
    assert_false(auth_satisfies(AUTH_LEVEL_MFA, now + 3600, &both));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_give_levels),
        cmocka_unit_test(names_come_back),
        cmocka_unit_test(strength_and_age_both_count),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
