/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/fixture.h"
#include "limit/places.h"

#include "base/fd.h"
#include "base/mem.h"
#include "limit/limit.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct limit_places *open_places(const struct fixture *fixture)
{
    struct limit_places *places = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(limit_places_open(fixture->dir_fd, "places", &places, &err), 0);
    return places;
}

static uint64_t key_of(unsigned number)
{
    char text[16];

    snprintf(text, sizeof(text), "key%u", number);
    return limit_key(span_str(text), span_str("kc"));
}

static void no_more_enter_than_the_limit_says(void **state)
{
    CLEANUP(limit_places_close_ptr) struct limit_places *one = open_places(*state);
    CLEANUP(limit_places_close_ptr) struct limit_places *two = open_places(*state);
    struct limit_place held[4];

    assert_true(limit_enter(one, key_of(1), 3, &held[0]));
    assert_true(limit_enter(two, key_of(1), 3, &held[1]));
    assert_true(limit_enter(two, key_of(1), 3, &held[2]));
    assert_false(limit_enter(one, key_of(1), 3, &held[3]));
    assert_false(limit_enter(two, key_of(1), 3, &held[3]));
    assert_true(limit_enter(two, key_of(2), 3, &held[3]));
    limit_leave(two, &held[3]);
    limit_leave(two, &held[1]);
    limit_leave(two, &held[1]); /* once */
    assert_true(limit_enter(one, key_of(1), 3, &held[1]));
    assert_false(limit_enter(one, key_of(1), 3, &held[3]));
    assert_true(limit_enter(one, key_of(1), 0, &held[3]));
    assert_int_equal(held[3].slot, 0);
}

static void what_runs_is_counted_over_all_processes(void **state)
{
    CLEANUP(limit_places_close_ptr) struct limit_places *one = open_places(*state);
    CLEANUP(limit_places_close_ptr) struct limit_places *two = open_places(*state);
    struct limit_place held[3];

    assert_int_equal(limit_running(one, key_of(1)), 0);
    for (size_t i = 0; i < 3; i++)
        assert_true(limit_enter(i == 0 ? one : two, key_of(1), UINT32_MAX, &held[i]));
    assert_int_equal(limit_running(one, key_of(1)), 3);
    assert_int_equal(limit_running(two, key_of(1)), 3);
    assert_int_equal(limit_running(one, key_of(2)), 0);
    limit_leave(two, &held[1]);
    assert_int_equal(limit_running(one, key_of(1)), 2);
}

static void the_places_of_a_process_that_was_killed_are_free_again(void **state)
{
    CLEANUP(limit_places_close_ptr) struct limit_places *stays = open_places(*state);
    struct limit_place mine;
    struct limit_place other;
    int ready[2];
    char byte;

    assert_true(limit_enter(stays, key_of(1), 2, &mine));
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct limit_places *places = open_places(*state);
        bool entered = limit_enter(places, key_of(1), 2, &other);
        (void)!write(ready[1], entered ? "y" : "n", 1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_false(limit_enter(stays, key_of(1), 2, &other));
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    CLEANUP(limit_places_close_ptr) struct limit_places *next = open_places(*state);
    assert_true(limit_enter(next, key_of(1), 2, &other));
    limit_leave(stays, &mine);
    close(ready[0]);
    close(ready[1]);
}

static void slots_go_over_to_other_keys(void **state)
{
    CLEANUP(limit_places_close_ptr) struct limit_places *places = open_places(*state);
    struct limit_place kept;
    struct limit_place held;

    assert_true(limit_enter(places, key_of(0), 1, &kept));
    for (unsigned i = 1; i < 20 * LIMIT_PLACE_SLOTS; i++) {
        assert_true(limit_enter(places, key_of(i), 1, &held));
        limit_leave(places, &held);
    }
    assert_false(limit_enter(places, key_of(0), 1, &held));
}

enum { PROCESSES = 4, ROUNDS = 20000, LIMIT = 2 };

/* Counts who is inside by itself, and whether ever more were than may be. */
struct watched {
    atomic_int inside;
    atomic_int most;
    atomic_uint entered;
};

static void hammer(const struct fixture *fixture, struct watched *watched)
{
    struct limit_places *places = open_places(fixture);
    struct limit_place held;

    for (int i = 0; i < ROUNDS; i++) {
        if (!limit_enter(places, key_of(7), LIMIT, &held))
            continue;
        int inside = atomic_fetch_add(&watched->inside, 1) + 1;
        int most = atomic_load(&watched->most);
        while (inside > most && !atomic_compare_exchange_weak(&watched->most, &most, inside))
            ;
        atomic_fetch_add(&watched->entered, 1);
        atomic_fetch_sub(&watched->inside, 1);
        limit_leave(places, &held);
    }
    limit_places_close(places);
    _exit(0);
}

static void processes_never_pass_the_limit_together(void **state)
{
    struct watched *watched =
        mmap(NULL, sizeof(*watched), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[PROCESSES];
    int status;

    assert_ptr_not_equal(watched, MAP_FAILED);
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            hammer(*state, watched);
    }
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    assert_true(watched->most >= 1 && watched->most <= LIMIT);
    assert_true(watched->entered > ROUNDS / 4);
    munmap(watched, sizeof(*watched));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(no_more_enter_than_the_limit_says),
        TEST(what_runs_is_counted_over_all_processes),
        TEST(the_places_of_a_process_that_was_killed_are_free_again),
        TEST(slots_go_over_to_other_keys),
        TEST(processes_never_pass_the_limit_together),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("places", tests, NULL, NULL);
}
