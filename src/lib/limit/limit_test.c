/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/limit_internal.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>

#define MINUTE_NS (60 * UINT64_C(1000000000))

static struct limit_table *table;
static int dir_fd;
static uint64_t serial;

static int open_table(void **state UNUSED)
{
    struct err err = ERR_INIT;
    char name[64];

    snprintf(name, sizeof(name), "limit_test.%d", (int)getpid());
    dir_fd = fd_open_dir(AT_FDCWD, "/dev/shm", &err);
    if (dir_fd < 0 || limit_open(dir_fd, name, &table, &err) < 0)
        return -1;
    unlinkat(dir_fd, name, 0);
    return 0;
}

static int close_table(void **state UNUSED)
{
    limit_close_ptr(&table);
    fd_close(&dir_fd);
    return 0;
}

static struct limit_ask ask(uint64_t key, uint64_t cost, uint64_t limit)
{
    return (struct limit_ask){.key = key, .cost = cost, .limit = limit, .window_ns = MINUTE_NS};
}

static uint64_t fresh_key(void)
{
    return 0x1234567890 + ++serial * 7919;
}

static void a_bucket_gives_its_limit_and_then_its_rate(void **state UNUSED)
{
    struct limit_ask one = ask(fresh_key(), 1, 60);
    struct limit_reservation reservation;
    struct limit_answer answer;
    uint64_t now = clock_mono_ns();

    for (uint64_t i = 0; i < 60; i++) {
        limit_reserve(table, &one, 1, now, &reservation, &answer);
        assert_int_equal(answer.verdict, LIMIT_GRANTED);
        assert_int_equal(answer.remaining[0], 59 - i);
    }
    limit_reserve(table, &one, 1, now, &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_REFUSED);
    assert_int_equal(answer.remaining[0], 0);
    assert_in_range(answer.retry_after_ns, 999999000, 1000001000);
    limit_reserve(table, &one, 1, now + 1000001000, &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_GRANTED);
    limit_reserve(table, &one, 1, now + 1000001000, &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_REFUSED);
}

static void a_cost_over_the_limit_is_never_granted(void **state UNUSED)
{
    struct limit_ask big = ask(fresh_key(), 101, 100);
    struct limit_reservation reservation;
    struct limit_answer answer;

    limit_reserve(table, &big, 1, clock_mono_ns(), &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_NEVER);
    assert_int_equal(answer.remaining[0], 100);
    big.cost = 100;
    limit_reserve(table, &big, 1, clock_mono_ns(), &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_GRANTED);
    big.limit = 0;
    limit_reserve(table, &big, 1, clock_mono_ns(), &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_GRANTED);
    assert_true(answer.remaining[0] == UINT64_MAX);
}

static uint64_t left(uint64_t key, uint64_t limit, uint64_t now)
{
    struct limit_ask none = ask(key, 0, limit);
    struct limit_reservation reservation;
    struct limit_answer answer;

    limit_reserve(table, &none, 1, now, &reservation, &answer);
    return answer.remaining[0];
}

static void all_or_nothing_is_taken(void **state UNUSED)
{
    struct limit_ask set[] = {ask(fresh_key(), 10, 100), ask(fresh_key(), 10, 100),
                              ask(fresh_key(), 10, 15)};
    struct limit_reservation reservation;
    struct limit_answer answer;
    uint64_t now = clock_mono_ns();

    limit_reserve(table, set, 3, now, &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_GRANTED);
    limit_reserve(table, set, 3, now, &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_REFUSED);
    assert_int_equal(answer.which, 2);
    assert_int_equal(reservation.count, 0);
    assert_int_equal(left(set[0].key, 100, now), 90);
    assert_int_equal(left(set[1].key, 100, now), 90);
    assert_int_equal(left(set[2].key, 15, now), 5);
}

static void what_was_not_used_comes_back(void **state UNUSED)
{
    struct limit_ask tokens = ask(fresh_key(), 60, 100);
    struct limit_reservation reservation;
    struct limit_answer answer;
    uint64_t now = clock_mono_ns();

    limit_reserve(table, &tokens, 1, now, &reservation, &answer);
    limit_settle(table, &reservation, 0, 10, now);
    assert_int_equal(left(tokens.key, 100, now), 90);
    limit_reserve(table, &tokens, 1, now, &reservation, &answer);
    limit_settle(table, &reservation, 0, 80, now); /* 20 more than reserved */
    assert_int_equal(left(tokens.key, 100, now), 10);
    limit_settle(table, &reservation, 0, 1000, now); /* a debt, but a capped one */
    assert_int_equal(left(tokens.key, 100, now), 0);
    assert_int_equal(left(tokens.key, 100, now + MINUTE_NS), 0);
    assert_in_range(left(tokens.key, 100, now + 2 * MINUTE_NS), 99, 100);
}

static void what_has_drained_does_not_come_back(void **state UNUSED)
{
    struct limit_ask tokens = ask(fresh_key(), 100, 100);
    struct limit_reservation reservation;
    struct limit_reservation second;
    struct limit_answer answer;
    uint64_t now = clock_mono_ns();

    limit_reserve(table, &tokens, 1, now, &reservation, &answer);
    limit_reserve(table, &tokens, 1, now + MINUTE_NS + 10, &second, &answer);
    assert_int_equal(answer.verdict, LIMIT_GRANTED);
    limit_settle(table, &reservation, 0, 0, now + MINUTE_NS + 10);
    assert_int_equal(left(tokens.key, 100, now + MINUTE_NS + 10), 0);
}

static void a_file_of_another_boot_is_emptied(void **state UNUSED)
{
    struct limit_table *again = NULL;
    struct err err = ERR_INIT;
    char name[64];

    snprintf(name, sizeof(name), "limit_boot.%d", (int)getpid());
    assert_int_equal(limit_open(dir_fd, name, &again, &err), 0);
    struct limit_ask one = ask(fresh_key(), 60, 60);
    struct limit_reservation reservation;
    struct limit_answer answer;
    limit_reserve(again, &one, 1, clock_mono_ns(), &reservation, &answer);
    limit_close_ptr(&again);
    assert_int_equal(limit_open(dir_fd, name, &again, &err), 0);
    limit_reserve(again, &one, 1, clock_mono_ns(), &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_REFUSED);
    struct limit_table *third = NULL;
    assert_int_equal(limit_open(dir_fd, name, &third, &err), 0); /* while it is open already */
    limit_close_ptr(&third);
    limit_close_ptr(&again);
    CLEANUP_FD int fd = openat(dir_fd, name, O_RDWR);
    assert_int_equal(pwrite(fd, "0", 1, 20), 1);
    assert_int_equal(limit_open(dir_fd, name, &again, &err), 0);
    limit_reserve(again, &one, 1, clock_mono_ns(), &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_GRANTED);
    limit_close_ptr(&again);
    unlinkat(dir_fd, name, 0);
}

/* ------------------------------------------------------------------ many at once */

enum { WORKERS = 4, HOT_ROUNDS = 40000, HOT_LIMIT = 20000 };

struct tally {
    uint64_t granted;
    uint64_t first_ns;
    uint64_t last_ns;
};

static void hammer(struct tally *tally, uint64_t key)
{
    struct limit_reservation reservation;
    struct limit_answer answer;

    tally->first_ns = clock_mono_ns();
    for (uint64_t i = 0; i < HOT_ROUNDS; i++) {
        struct limit_ask set[] = {ask(key, 1 + i % 3, HOT_LIMIT), ask(key + 1, 1, HOT_LIMIT)};
        limit_reserve(table, set, 2, clock_mono_ns(), &reservation, &answer);
        if (answer.verdict != LIMIT_GRANTED)
            continue;
        uint64_t used = set[0].cost / 2;
        limit_settle(table, &reservation, 0, used, clock_mono_ns());
        tally->granted += used;
    }
    tally->last_ns = clock_mono_ns();
}

static void processes_together_get_the_limit_and_no_more(void **state UNUSED)
{
    struct tally *tallies = mmap(NULL, WORKERS * sizeof(*tallies), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t key = fresh_key();
    uint64_t total = 0;
    uint64_t first = UINT64_MAX;
    uint64_t last = 0;

    for (int i = 0; i < WORKERS; i++) {
        if (fork() == 0) {
            hammer(&tallies[i], key);
            _exit(0);
        }
    }
    while (wait(NULL) > 0)
        ;
    for (int i = 0; i < WORKERS; i++) {
        total += tallies[i].granted;
        first = tallies[i].first_ns < first ? tallies[i].first_ns : first;
        last = tallies[i].last_ns > last ? tallies[i].last_ns : last;
    }
    uint64_t bound = HOT_LIMIT + (last - first) * HOT_LIMIT / MINUTE_NS + 1;
    assert_in_range(total, HOT_LIMIT / 3, bound);
    munmap(tallies, WORKERS * sizeof(*tallies));
}

/* Windows so short, and so many keys in so few slots, that slots change owners all the time. */
enum { CHURN_KEYS = 96, CHURN_LIMIT = 3, CHURN_ROUNDS = 60000, CHURN_WINDOW_NS = 1000000 };

struct grant {
    uint64_t now_ns;
    uint32_t key;
};

static uint64_t churn_key[CHURN_KEYS];

static void choose_keys(void)
{
    size_t count = 0;

    for (uint64_t key = 1; count < CHURN_KEYS; key++)
        if (limit_home(key) < 8)
            churn_key[count++] = key;
}

struct churner {
    unsigned seed;
    size_t count;
    struct grant *grants;
};

static void *churn(void *arg)
{
    struct churner *churner = arg;
    struct limit_reservation reservation;
    struct limit_answer answer;

    for (size_t i = 0; i < CHURN_ROUNDS; i++) {
        churner->seed = churner->seed * 1664525 + 1013904223;
        uint32_t key = (churner->seed >> 16) % CHURN_KEYS;
        struct limit_ask one = {
            .key = key, .cost = 1, .limit = CHURN_LIMIT, .window_ns = CHURN_WINDOW_NS};
        uint64_t now = clock_mono_ns();
        limit_reserve(table, &one, 1, now, &reservation, &answer);
        if (answer.verdict == LIMIT_GRANTED)
            churner->grants[churner->count++] = (struct grant){.now_ns = now, .key = key};
    }
    return NULL;
}

static int by_time(const void *a, const void *b)
{
    const struct grant *x = a;
    const struct grant *y = b;

    return x->now_ns < y->now_ns ? -1 : x->now_ns > y->now_ns;
}

/* The bound for all intervals at once: a leaky bucket over the grants never holds more than a
 * window. */
static void grants_keep_the_bound(struct grant *grants, size_t count)
{
    static uint64_t full_at[CHURN_KEYS];

    memset(full_at, 0, sizeof(full_at));
    qsort(grants, count, sizeof(*grants), by_time);
    for (size_t i = 0; i < count; i++) {
        uint64_t *at = &full_at[grants[i].key];
        *at = (*at > grants[i].now_ns ? *at : grants[i].now_ns) + CHURN_WINDOW_NS / CHURN_LIMIT;
        assert_true(*at <= grants[i].now_ns + CHURN_WINDOW_NS + 2);
    }
}

static void slots_that_change_owners_lose_no_charge(void **state UNUSED)
{
    pthread_t threads[WORKERS];
    struct churner churners[WORKERS];
    CLEANUP_FREE struct grant *all = mem_new_array(WORKERS * CHURN_ROUNDS, sizeof(struct grant));
    size_t count = 0;

    choose_keys();
    for (unsigned i = 0; i < WORKERS; i++) {
        churners[i] = (struct churner){.seed = i * 77 + 5};
        churners[i].grants = mem_new_array(CHURN_ROUNDS, sizeof(struct grant));
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &churners[i]), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
        memcpy(all + count, churners[i].grants, churners[i].count * sizeof(struct grant));
        count += churners[i].count;
        free(churners[i].grants);
    }
    assert_true(count > CHURN_KEYS);
    grants_keep_the_bound(all, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_gives_its_limit_and_then_its_rate),
        cmocka_unit_test(a_cost_over_the_limit_is_never_granted),
        cmocka_unit_test(all_or_nothing_is_taken),
        cmocka_unit_test(what_was_not_used_comes_back),
        cmocka_unit_test(what_has_drained_does_not_come_back),
        cmocka_unit_test(a_file_of_another_boot_is_emptied),
        cmocka_unit_test(processes_together_get_the_limit_and_no_more),
        cmocka_unit_test(slots_that_change_owners_lose_no_charge),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, open_table, close_table);
}
