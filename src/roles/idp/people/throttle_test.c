/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/people/throttle.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct throttle_try password(const char *who, const char *from)
{
    return (struct throttle_try){.kind = THROTTLE_PASSWORD, .account = who, .address = from};
}

static void begin(struct throttle *throttle, const char *who, const char *from, uint64_t now)
{
    struct throttle_try what = password(who, from);

    throttle_begin(throttle, &what, now);
}

static uint32_t wait(struct throttle *throttle, const char *who, const char *from, uint64_t now)
{
    struct throttle_try what = password(who, from);

    return throttle_wait(throttle, &what, now);
}

static void wrong(struct throttle *throttle, const char *who, const char *from, unsigned times,
                  uint64_t now)
{
    while (times-- > 0)
        begin(throttle, who, from, now);
}

static void some_tries_are_free_then_the_wait_doubles(void **state)
{
    struct throttle *throttle = *state;

    wrong(throttle, "alice", "192.0.2.1", 4, 100);
    assert_int_equal(wait(throttle, "alice", "192.0.2.1", 100), 0);
    wrong(throttle, "alice", "192.0.2.1", 1, 100);
    assert_int_equal(wait(throttle, "alice", "192.0.2.1", 100), 1);
    wrong(throttle, "alice", "192.0.2.1", 3, 100);
    assert_int_equal(wait(throttle, "alice", "192.0.2.1", 100), 8);
    assert_int_equal(wait(throttle, "alice", "192.0.2.1", 107), 1);
    assert_int_equal(wait(throttle, "alice", "192.0.2.1", 108), 0);
}

static void the_whole_network_waits_together(void **state)
{
    struct throttle *throttle = *state;

    wrong(throttle, "alice", "2001:db8::1", 8, 100);
    assert_int_equal(wait(throttle, "alice", "2001:db8::ffff:2", 100), 8);
    assert_int_equal(wait(throttle, "alice", "2001:db8:0:1::1", 100), 0);
}

static void an_attacker_elsewhere_does_not_lock_the_owner_out(void **state)
{
    struct throttle *throttle = *state;

    wrong(throttle, "alice", "198.51.100.9", 10000, 100);
    assert_int_equal(wait(throttle, "alice", "198.51.100.9", 100), 900);
    assert_true(wait(throttle, "alice", "192.0.2.1", 100) <= 10);
    assert_int_equal(wait(throttle, "alice", "192.0.2.1", 110), 0);
}

static void one_network_that_tries_many_names_waits(void **state)
{
    struct throttle *throttle = *state;
    char name[32];

    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof(name), "user%d", i);
        begin(throttle, name, "198.51.100.9", 100);
    }
    assert_int_equal(wait(throttle, "bob", "198.51.100.77", 100), 60);
    assert_int_equal(wait(throttle, "bob", "192.0.2.1", 100), 0);
}

static void success_clears_the_pair_alone(void **state)
{
    struct throttle *throttle = *state;

    wrong(throttle, "alice", "192.0.2.1", 60, 100);
    assert_true(wait(throttle, "alice", "192.0.2.1", 100) > 60);
    struct throttle_try what = password("alice", "192.0.2.1");
    throttle_passed(throttle, &what);
    assert_int_equal(wait(throttle, "mallory", "192.0.2.1", 100), 60);
}

static void quiet_places_are_forgotten(void **state)
{
    struct throttle *throttle = *state;

    wrong(throttle, "alice", "192.0.2.1", 100, 100);
    assert_int_equal(wait(throttle, "alice", "192.0.2.1", 100 + 3600), 0);
    wrong(throttle, "alice", "192.0.2.1", 1, 100 + 3600);
    assert_int_equal(wait(throttle, "alice", "192.0.2.1", 100 + 3600), 0);
}

static void what_is_no_address_is_one_network(void **state)
{
    struct throttle *throttle = *state;

    wrong(throttle, "alice", "", 8, 100);
    assert_int_equal(wait(throttle, "alice", "unknown", 100), 8);
}

static void a_known_device_keeps_working(void **state)
{
    struct throttle *throttle = *state;
    struct throttle_try known = password("alice", "198.51.100.9");

    wrong(throttle, "alice", "198.51.100.9", 1000, 100);
    known.device = "d1";
    assert_int_equal(throttle_wait(throttle, &known, 100), 0);
    for (int i = 0; i < 11; i++)
        throttle_begin(throttle, &known, 100);
    assert_int_equal(throttle_wait(throttle, &known, 100), 2);
    known.device = "d2";
    assert_int_equal(throttle_wait(throttle, &known, 100), 0);
    known.device = "d1";
    throttle_passed(throttle, &known);
    assert_int_equal(throttle_wait(throttle, &known, 100), 0);
    assert_int_equal(wait(throttle, "alice", "198.51.100.9", 100), 900);
}

static void codes_are_counted_apart_and_harder(void **state)
{
    struct throttle *throttle = *state;
    struct throttle_try code = {.kind = THROTTLE_FACTOR, .account = "alice", .address = ""};
    char from[32];

    for (int i = 0; i < 30; i++) {
        snprintf(from, sizeof(from), "192.0.%d.1", i);
        code.address = from;
        throttle_begin(throttle, &code, 100);
    }
    code.address = "203.0.113.1";
    assert_int_equal(throttle_wait(throttle, &code, 100), 900);
    assert_int_equal(wait(throttle, "alice", "203.0.113.1", 100), 0);
}

static int setup(void **state)
{
    *state = throttle_new();
    return 0;
}

static int teardown(void **state)
{
    throttle_free(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(some_tries_are_free_then_the_wait_doubles),
        TEST(the_whole_network_waits_together),
        TEST(an_attacker_elsewhere_does_not_lock_the_owner_out),
        TEST(one_network_that_tries_many_names_waits),
        TEST(success_clears_the_pair_alone),
        TEST(quiet_places_are_forgotten),
        TEST(what_is_no_address_is_one_network),
        TEST(a_known_device_keeps_working),
        TEST(codes_are_counted_apart_and_harder),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
