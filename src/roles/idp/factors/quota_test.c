/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/factors/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static uint32_t take(struct quota *quota, const char *number, const char *account, uint64_t now)
{
    const struct quota_rule rules[] = {{"number", number, 3, 3600}, {"account", account, 5, 86400}};

    return quota_take(quota, rules, 2, now);
}

static void the_first_are_free_and_then_there_is_a_wait(void **state)
{
    for (int i = 0; i < 3; i++)
        assert_int_equal(take(*state, "+491", "alice", 100), 0);
    assert_int_equal(take(*state, "+491", "alice", 200), 3500);
    assert_int_equal(take(*state, "+492", "bob", 200), 0);
    assert_int_equal(take(*state, "+491", "alice", 3700), 0);
}

static void what_one_rule_refuses_costs_the_others_nothing(void **state)
{
    for (int i = 0; i < 20; i++)
        (void)take(*state, "+491", "alice", 100);
    assert_int_equal(take(*state, "+492", "alice", 100), 0);
    assert_int_equal(take(*state, "+492", "alice", 100), 0);
    assert_int_equal(take(*state, "+492", "alice", 100), 86400);
}

static void it_is_bounded(void **state)
{
    char number[32];

    for (int i = 0; i < 20000; i++) {
        snprintf(number, sizeof(number), "+49%d", i);
        (void)take(*state, number, number, 100);
    }
    assert_int_equal(take(*state, "+499999999", "x", 100), 0);
}

static int setup(void **state)
{
    *state = quota_new();
    return 0;
}

static int teardown(void **state)
{
    quota_free(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_are_free_and_then_there_is_a_wait),
        TEST(what_one_rule_refuses_costs_the_others_nothing),
        TEST(it_is_bounded),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
