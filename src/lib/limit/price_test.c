/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/price.h"

#include "base/num.h"
#include "limit/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { EUR = 1000000 };

static void a_million_tokens_cost_their_price(void **state)
{
    static const struct limit_rates rates = {3 * EUR, EUR / 2, 15 * EUR};

    (void)state;
    assert_int_equal(limit_cost(&rates, &(struct limit_tokens){1000000, 0, 0}), 3 * EUR);
    assert_int_equal(limit_cost(&rates, &(struct limit_tokens){1000000, 1000000, 0}), EUR / 2);
    assert_int_equal(limit_cost(&rates, &(struct limit_tokens){0, 0, 1000000}), 15 * EUR);
    assert_int_equal(limit_cost(&rates, &(struct limit_tokens){1200, 200, 300}), 3000 + 100 + 4500);
    assert_int_equal(limit_cost(&rates, &(struct limit_tokens){0}), 0);
}

static void parts_are_rounded_up_once(void **state)
{
    static const struct limit_rates rates = {1, 1, 1};

    (void)state;
    assert_int_equal(limit_cost(&rates, &(struct limit_tokens){1, 0, 0}), 1);
    assert_int_equal(limit_cost(&rates, &(struct limit_tokens){400000, 0, 600000}), 1);
    assert_int_equal(limit_cost(&rates, &(struct limit_tokens){400000, 0, 600001}), 2);
}

static void what_cannot_be_is_put_right(void **state)
{
    static const struct limit_rates odd = {1 * EUR, 9 * EUR, 0};
    static const struct limit_rates dear = {UINT64_MAX, UINT64_MAX, UINT64_MAX};

    (void)state;
    assert_int_equal(limit_cost(&odd, &(struct limit_tokens){10, 99, 5}), 10);
    assert_int_equal(
        limit_cost(&dear, &(struct limit_tokens){UINT64_MAX, UINT64_MAX / 2, UINT64_MAX}),
        LIMIT_BUDGET_MAX);
}

/* A reservation is the cost of the most that a call can take, so this is why it holds. */
static void less_never_costs_more(void **state)
{
    uint64_t seed = 7;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint64_t value[8];
        for (size_t j = 0; j < ARRAY_LEN(value); j++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            value[j] = (seed >> 33) >> (j % 3 * 8);
        }
        struct limit_rates rates = {value[0], value[1], value[2]};
        struct limit_tokens most = {value[3], 0, value[4]};
        struct limit_tokens used = {value[5] % (value[3] + 1), value[6], value[7] % (value[4] + 1)};
        assert_true(limit_cost(&rates, &used) <= limit_cost(&rates, &most));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_tokens_cost_their_price),
        cmocka_unit_test(parts_are_rounded_up_once),
        cmocka_unit_test(what_cannot_be_is_put_right),
        cmocka_unit_test(less_never_costs_more),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("price", tests, NULL, NULL);
}
