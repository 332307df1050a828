/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/factors/factors.h"

#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { NOW = 1000000, DAY = 86400 };

static struct mfa_facts facts_of(unsigned have)
{
    return (struct mfa_facts){
        .rule = {.allowed = ~0U}, .have = have, .level = AUTH_LEVEL_PASSWORD, .now = NOW};
}

static void who_has_a_factor_is_asked_for_it(void **state UNUSED)
{
    struct mfa_facts facts = facts_of(0);

    assert_int_equal(mfa_next(&facts), MFA_DONE);
    facts.have = FACTOR_RECOVERY; /* codes alone are no factor */
    assert_int_equal(mfa_next(&facts), MFA_DONE);
    facts.have = FACTOR_TOTP;
    assert_int_equal(mfa_next(&facts), MFA_FACTOR);
    facts.have = FACTOR_PASSKEY;
    assert_int_equal(mfa_next(&facts), MFA_FACTOR);
    facts.level = AUTH_LEVEL_MFA;
    assert_int_equal(mfa_next(&facts), MFA_DONE);
}

static void a_trusted_device_spares_it(void **state UNUSED)
{
    struct mfa_facts facts = facts_of(FACTOR_TOTP);

    facts.device_trusted = true;
    assert_int_equal(mfa_next(&facts), MFA_DONE);
    facts.rule.required = true;
    facts.rule.level = AUTH_LEVEL_MFA;
    assert_int_equal(mfa_next(&facts), MFA_DONE);
    facts.rule.level = AUTH_LEVEL_PHISHING_RESISTANT;
    assert_int_equal(mfa_next(&facts), MFA_FACTOR);
    /* It is no second factor of somebody who has none. */
    facts.rule.level = AUTH_LEVEL_MFA;
    facts.have = 0;
    assert_int_equal(mfa_next(&facts), MFA_ENROL);
}

static void a_demand_ends_in_enrolment(void **state UNUSED)
{
    struct mfa_facts facts = facts_of(0);

    facts.rule.required = true;
    facts.rule.level = AUTH_LEVEL_MFA;
    assert_int_equal(mfa_next(&facts), MFA_ENROL);
    facts.rule.grace_sec = DAY;
    assert_int_equal(mfa_next(&facts), MFA_GRACE);
    facts.grace_from = NOW - DAY + 1;
    assert_int_equal(mfa_next(&facts), MFA_GRACE);
    facts.grace_from = NOW - DAY;
    assert_int_equal(mfa_next(&facts), MFA_ENROL);
}

static void a_stronger_factor_is_set_up_after_the_weaker_was_shown(void **state UNUSED)
{
    struct mfa_facts facts = facts_of(FACTOR_TOTP);

    facts.rule.required = true;
    facts.rule.level = AUTH_LEVEL_PHISHING_RESISTANT;
    assert_int_equal(mfa_next(&facts), MFA_FACTOR);
    facts.level = AUTH_LEVEL_MFA;
    assert_int_equal(mfa_next(&facts), MFA_ENROL);
    facts.have |= FACTOR_PASSKEY;
    assert_int_equal(mfa_next(&facts), MFA_FACTOR);
    facts.recovered = true; /* who lost the passkey */
    assert_int_equal(mfa_next(&facts), MFA_DONE);
}

static void only_what_is_allowed_counts(void **state UNUSED)
{
    struct mfa_facts facts = facts_of(FACTOR_SMS);

    facts.rule.required = true;
    facts.rule.level = AUTH_LEVEL_MFA;
    facts.rule.allowed = FACTOR_TOTP | FACTOR_PASSKEY;
    assert_int_equal(mfa_next(&facts), MFA_ENROL);
}

static void the_strictest_of_several_counts(void **state UNUSED)
{
    struct mfa_rule rule = {.allowed = ~0U};
    CLEANUP_JSON json_t *lax = json_pack("{s:b, s:i}", "required", 1, "graceSeconds", 2 * DAY);
    CLEANUP_JSON json_t *strict =
        json_pack("{s:b, s:s, s:i, s:[s, s]}", "required", 1, "level", "phishing-resistant",
                  "graceSeconds", DAY, "methods", "webauthn", "recovery");
    CLEANUP_JSON json_t *silent = json_pack("{s:b}", "required", 0);

    mfa_rule_add(&rule, NULL);
    mfa_rule_add(&rule, silent);
    assert_false(rule.required);
    mfa_rule_add(&rule, lax);
    assert_true(rule.required);
    assert_int_equal(rule.level, AUTH_LEVEL_MFA);
    assert_int_equal(rule.grace_sec, 2 * DAY);
    mfa_rule_add(&rule, strict);
    mfa_rule_add(&rule, lax);
    assert_int_equal(rule.level, AUTH_LEVEL_PHISHING_RESISTANT);
    assert_int_equal(rule.grace_sec, DAY);
    assert_int_equal(rule.allowed, FACTOR_PASSKEY | FACTOR_RECOVERY);
}

/* ------------------------------------------------------------------ what belongs to it */

static void recovery_codes_forgive_typing(void **state UNUSED)
{
    char code[RECOVERY_SIZE];
    char same[RECOVERY_SIZE];
    struct err err = ERR_INIT;

    assert_int_equal(recovery_make(code, &err), 0);
    assert_int_equal(strlen(code), RECOVERY_SIZE - 1);
    assert_true(recovery_normal(code, same));
    assert_string_equal(code, same);
    assert_true(recovery_normal(" ABCD EFGH jkmn pqoI", same));
    assert_string_equal(same, "abcd-efgh-jkmn-pq01");
    assert_false(recovery_normal("abcd-efgh-jkmn-pqr", same));
    assert_false(recovery_normal("abcd-efgh-jkmn-pqrst", same));
    assert_false(recovery_normal("abcd-efgh-jkmn-pq!t", same));
    assert_false(recovery_normal("", same));
}

static void methods_add_up(void **state UNUSED)
{
    char amr[AMR_SIZE] = "";

    amr_add(amr, "pwd");
    assert_string_equal(amr, "pwd");
    amr_add(amr, "otp");
    assert_string_equal(amr, "pwd otp mfa");
    amr_add(amr, "otp pwd");
    assert_string_equal(amr, "pwd otp mfa");
    amr_add(amr, "hwk user");
    assert_string_equal(amr, "pwd otp mfa hwk user");
    char alone[AMR_SIZE] = "";
    amr_add(alone, "swk user");
    assert_string_equal(alone, "swk user");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_a_factor_is_asked_for_it),
        cmocka_unit_test(a_trusted_device_spares_it),
        cmocka_unit_test(a_demand_ends_in_enrolment),
        cmocka_unit_test(a_stronger_factor_is_set_up_after_the_weaker_was_shown),
        cmocka_unit_test(only_what_is_allowed_counts),
        cmocka_unit_test(the_strictest_of_several_counts),
        cmocka_unit_test(recovery_codes_forgive_typing),
        cmocka_unit_test(methods_add_up),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
