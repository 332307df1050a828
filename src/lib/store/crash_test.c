/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child writes batches and says through a pipe which are flushed; it is killed at a random
 * moment; then the store must open, verify, hold every batch that was acknowledged and none in
 * part. DRUN_CRASH_ROUNDS sets how often (25).
 */
#include "store/fixture.h"

#include "base/num.h"
#include "crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { BATCH = 7, ROUNDS = 25, LONGEST_US = 60 * 1000 };

/* Each batch rewrites the same records in two transactions, compacts behind itself and adds one
 * record of its own. */
static void write_batch(struct fixture *fixture, uint64_t number)
{
    struct store_change changes[BATCH];
    struct store_txn txn = {.changes = changes, .change_count = BATCH};
    struct err err = ERR_INIT;
    char names[BATCH][8];
    char value[32];
    char own[32];

    snprintf(value, sizeof(value), "%llu", (unsigned long long)number);
    snprintf(own, sizeof(own), "own-%llu", (unsigned long long)number);
    for (int i = 0; i < BATCH; i++) {
        snprintf(names[i], sizeof(names[i]), "%d", i);
        changes[i] = (struct store_change){.key = {"same", "", names[i]},
                                           .value = span_str(value),
                                           .terms = {value},
                                           .term_count = 1};
    }
    if (store_txn_commit(fixture->store, &txn, NULL, &err) < 0)
        _exit(3);
    fixture_put(fixture, fixture_key("own", "", own), value);
    if (number % 8 == 0 &&
        store_compact_slice(fixture->store, store_revision(fixture->store) - 10, 50, &err) < 0)
        _exit(3);
}

static void child(struct fixture *fixture, uint64_t first, int pipe_fd)
{
    fixture_open(fixture);
    for (uint64_t number = first;; number++) {
        write_batch(fixture, number);
        fixture_flush(fixture);
        if (write(pipe_fd, &number, sizeof(number)) != sizeof(number))
            _exit(4);
    }
}

static uint64_t number_of(struct fixture *fixture, struct store_key key)
{
    const char *text = fixture_value(fixture, key);
    struct err err = ERR_INIT;
    uint64_t number = 0;

    if (text != NULL)
        assert_int_equal(num_parse_u64(span_str(text), 0, UINT64_MAX, "a value", &number, &err), 0);
    return number;
}

static uint64_t check_after(struct fixture *fixture, uint64_t acknowledged)
{
    struct store_stats stats;
    struct err err = ERR_INIT;
    char name[32];

    fixture_open(fixture);
    store_stats(fixture->store, &stats);
    assert_true(stats.verified);
    uint64_t found = number_of(fixture, fixture_key("same", "", "0"));
    assert_true(found >= acknowledged);
    assert_true(found <= acknowledged + 1);
    for (int i = 1; i < BATCH; i++) {
        snprintf(name, sizeof(name), "%d", i);
        assert_int_equal(number_of(fixture, fixture_key("same", "", name)), found);
    }
    for (uint64_t i = 1; i <= found + 1; i++) {
        snprintf(name, sizeof(name), "own-%llu", (unsigned long long)i);
        assert_int_equal(number_of(fixture, fixture_key("own", "", name)), i <= found ? i : 0);
    }
    assert_int_equal(fixture_scrub(fixture, &err), 0);
    store_close(fixture->store);
    fixture->store = NULL;
    arena_reset(fixture->arena);
    return found;
}

static uint64_t one_round(struct fixture *fixture, uint64_t last)
{
    struct err err = ERR_INIT;
    uint32_t pause_us;
    uint64_t number;
    int fds[2];

    assert_int_equal(crypto_random(&pause_us, sizeof(pause_us), &err), 0);
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        child(fixture, last + 1, fds[1]);
        _exit(5);
    }
    close(fds[1]);
    usleep(pause_us % LONGEST_US);
    assert_int_equal(kill(pid, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    while (read(fds[0], &number, sizeof(number)) == sizeof(number))
        last = number;
    close(fds[0]);
    return check_after(fixture, last);
}

static void nothing_acknowledged_is_lost(void **state UNUSED)
{
    const char *wanted = getenv("DRUN_CRASH_ROUNDS");
    uint64_t rounds = ROUNDS;
    uint64_t last = 0;
    struct fixture fixture;
    struct err err = ERR_INIT;

    if (wanted != NULL)
        assert_int_equal(
            num_parse_u64(span_str(wanted), 1, 1000000, "DRUN_CRASH_ROUNDS", &rounds, &err), 0);
    fixture_start(&fixture);
    for (uint64_t i = 0; i < rounds; i++)
        last = one_round(&fixture, last);
    print_message("# %llu rounds, %llu batches\n", (unsigned long long)rounds,
                  (unsigned long long)last);
    assert_true(last > 0);
    fixture_stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_acknowledged_is_lost)};

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store crash", tests, NULL, NULL);
}
