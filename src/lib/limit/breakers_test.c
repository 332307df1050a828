/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/breakers.h"

#include "limit/fixture.h"

#include <sys/wait.h>
#include <unistd.h>

#define SEC UINT64_C(1000000000)
#define NOW (1000 * SEC)

static struct limit_breakers *opened(void **state)
{
    const struct fixture *fixture = *state;
    struct limit_breakers *breakers = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(limit_breakers_open(fixture->dir_fd, "breakers", &breakers, &err), 0);
    return breakers;
}

static bool fails(struct limit_breakers *breakers, uint64_t now)
{
    return limit_breaker_failed(breakers, span_str("a/m"), 3, 10 * SEC, now);
}

static void so_many_failures_in_a_row_open_it(void **state)
{
    CLEANUP(limit_breakers_close_ptr) struct limit_breakers *breakers = opened(state);
    struct span who = span_str("a/m");

    assert_false(fails(breakers, NOW));
    assert_false(fails(breakers, NOW));
    limit_breaker_succeeded(breakers, who, NOW);
    assert_false(fails(breakers, NOW));
    assert_false(fails(breakers, NOW));
    assert_true(limit_breaker_try(breakers, who, NOW));
    assert_true(fails(breakers, NOW));
    assert_true(limit_breaker_is_open(breakers, who, NOW));
    assert_false(limit_breaker_try(breakers, who, NOW + 9 * SEC));
    assert_false(limit_breaker_is_open(breakers, span_str("a/n"), NOW));
}

static void one_call_is_the_trial(void **state)
{
    CLEANUP(limit_breakers_close_ptr) struct limit_breakers *breakers = opened(state);
    CLEANUP(limit_breakers_close_ptr) struct limit_breakers *other = opened(state);
    struct span who = span_str("a/m");

    for (int i = 0; i < 3; i++)
        (void)fails(breakers, NOW);
    assert_false(limit_breaker_is_open(breakers, who, NOW + 10 * SEC));
    assert_true(limit_breaker_try(breakers, who, NOW + 10 * SEC));
    assert_false(limit_breaker_try(other, who, NOW + 10 * SEC));
    assert_true(limit_breaker_is_open(other, who, NOW + 10 * SEC));
    limit_breaker_succeeded(breakers, who, NOW + 11 * SEC);
    assert_true(limit_breaker_try(other, who, NOW + 11 * SEC));
    assert_true(limit_breaker_try(breakers, who, NOW + 11 * SEC));
}

static void a_trial_that_fails_opens_it_for_longer(void **state)
{
    CLEANUP(limit_breakers_close_ptr) struct limit_breakers *breakers = opened(state);
    struct span who = span_str("a/m");

    for (int i = 0; i < 3; i++)
        (void)fails(breakers, NOW);
    /* Of calls that had begun before. */
    assert_false(fails(breakers, NOW + SEC));
    limit_breaker_succeeded(breakers, who, NOW + SEC);
    assert_true(limit_breaker_is_open(breakers, who, NOW + 2 * SEC));
    assert_true(limit_breaker_try(breakers, who, NOW + 10 * SEC));
    assert_true(fails(breakers, NOW + 10 * SEC));
    assert_true(limit_breaker_is_open(breakers, who, NOW + 29 * SEC));
    assert_true(limit_breaker_try(breakers, who, NOW + 30 * SEC));
}

static void a_trial_that_nobody_ends_is_over(void **state)
{
    CLEANUP(limit_breakers_close_ptr) struct limit_breakers *breakers = opened(state);
    struct span who = span_str("a/m");

    for (int i = 0; i < 3; i++)
        (void)fails(breakers, NOW);
    pid_t child = fork();
    if (child == 0)
        _exit(limit_breaker_try(breakers, who, NOW + 10 * SEC) ? 0 : 1);
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_false(limit_breaker_try(breakers, who, NOW + 69 * SEC));
    assert_true(limit_breaker_try(breakers, who, NOW + 70 * SEC));
}

static void a_time_of_another_boot_closes_it(void **state)
{
    CLEANUP(limit_breakers_close_ptr) struct limit_breakers *breakers = opened(state);

    for (int i = 0; i < 3; i++)
        (void)fails(breakers, NOW + 100000 * SEC);
    assert_true(limit_breaker_try(breakers, span_str("a/m"), SEC));
    /* And can be opened again. */
    for (int i = 0; i < 3; i++)
        (void)fails(breakers, SEC);
    assert_true(limit_breaker_is_open(breakers, span_str("a/m"), SEC));
}

static void note(void *ctx, const char *name)
{
    unsigned *count = ctx;

    ++*count;
    assert_true(strncmp(name, "ns/", 3) == 0);
}

static void names_that_were_still_give_up_their_slots(void **state)
{
    CLEANUP(limit_breakers_close_ptr) struct limit_breakers *breakers = opened(state);
    char name[LIMIT_BREAKER_NAME + 8];
    unsigned count = 0;

    for (int i = 0; i < 4000; i++) {
        snprintf(name, sizeof(name), "ns/m%d", i);
        (void)limit_breaker_failed(breakers, span_str(name), 1, SEC, NOW);
        assert_true(limit_breaker_is_open(breakers, span_str(name), NOW) || i > 512);
    }
    limit_breakers_each(breakers, NOW, note, &count);
    assert_in_range(count, 900, LIMIT_BREAKER_SLOTS);
    assert_true(limit_breaker_failed(breakers, span_str("ns/late"), 1, SEC, NOW + 4000 * SEC));
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_false(limit_breaker_failed(breakers, span_str(name), 1, SEC, NOW + 4000 * SEC));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(so_many_failures_in_a_row_open_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_call_is_the_trial, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_trial_that_fails_opens_it_for_longer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_trial_that_nobody_ends_is_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_time_of_another_boot_closes_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_that_were_still_give_up_their_slots, set_up,
                                        tear_down),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("breakers", tests, NULL, NULL);
}
