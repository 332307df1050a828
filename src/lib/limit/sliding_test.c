/* SPDX-License-Identifier: Apache-2.0 */
/* Sliding windows: against a log of every charge, and by many processes and threads at once. */
#include "limit/fixture.h"

#include "base/clock.h"
#include "limit/limit_internal.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)
#define MINUTE_NS (60 * SECOND_NS)

static struct limit_table *open_table(void **state)
{
    const struct fixture *fixture = *state;
    struct limit_table *table;
    struct err err = ERR_INIT;

    assert_int_equal(limit_open(fixture->dir_fd, "limits", &table, &err), 0);
    return table;
}

static struct limit_ask ask(uint64_t key, uint64_t cost, uint64_t limit)
{
    return (struct limit_ask){.key = key,
                              .cost = cost,
                              .limit = limit,
                              .window_ns = MINUTE_NS,
                              .algorithm = LIMIT_SLIDING_WINDOW};
}

static uint64_t left(struct limit_table *table, uint64_t key, uint64_t limit, uint64_t now)
{
    struct limit_ask none = ask(key, 0, limit);
    struct limit_reservation reservation;
    struct limit_answer answer;

    limit_reserve(table, &none, 1, now, &reservation, &answer);
    return answer.remaining[0];
}

/* ------------------------------------------------------------------ against a log */

enum { LOG_MAX = 40000, LOG_KEYS = 3 };

struct charge {
    uint64_t time_ns;
    uint64_t slice;
    uint64_t amount;
    struct limit_reservation reservation;
    bool open;
};

struct log {
    size_t count;
    struct charge charges[LOG_MAX];
};

static uint64_t slice_of(uint64_t time_ns)
{
    return time_ns / SECOND_NS;
}

/* What counts, slice by slice. */
static uint64_t counted(const struct log *log, uint64_t now)
{
    uint64_t sum = 0;

    for (size_t i = log->count; i-- > 0;)
        if (log->charges[i].slice + LIMIT_SLICES >= slice_of(now))
            sum += log->charges[i].amount;
    return sum;
}

/* What was charged in the last `length`, to the nanosecond. */
static uint64_t within(const struct log *log, uint64_t now, uint64_t length)
{
    uint64_t sum = 0;

    for (size_t i = log->count; i-- > 0;)
        if (log->charges[i].time_ns + length > now)
            sum += log->charges[i].amount;
    return sum;
}

/* The first time at which no more than `most` counts. */
static uint64_t free_at(const struct log *log, uint64_t now, uint64_t most)
{
    uint64_t at = now;

    while (counted(log, at) > most)
        at = (slice_of(at) + 1) * SECOND_NS;
    return at;
}

static void put(struct log *log, uint64_t now, uint64_t amount,
                const struct limit_reservation *reservation)
{
    assert_true(log->count < LOG_MAX);
    log->charges[log->count++] = (struct charge){
        .time_ns = now, .slice = slice_of(now), .amount = amount, .open = reservation != NULL};
    if (reservation != NULL)
        log->charges[log->count - 1].reservation = *reservation;
}

static uint64_t seed;

static uint64_t below(uint64_t bound)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (seed >> 33) % bound;
}

static void reserve_both(struct limit_table *table, struct log *log, uint64_t key, uint64_t limit,
                         uint64_t now)
{
    struct limit_ask one = ask(key, below(10) == 0 ? limit : below(limit / 10), limit);
    struct limit_reservation reservation;
    struct limit_answer answer;
    uint64_t used = counted(log, now);
    bool fits = used + one.cost <= limit;

    limit_reserve(table, &one, 1, now, &reservation, &answer);
    assert_int_equal(answer.verdict, fits ? LIMIT_GRANTED : LIMIT_REFUSED);
    if (fits) {
        put(log, now, one.cost, &reservation);
        used += one.cost;
        /* No more than a log of every charge lets through ... */
        assert_true(within(log, now, MINUTE_NS) <= limit || used > limit);
    } else {
        /* ... and at most a slice later than that. */
        assert_true(within(log, now, MINUTE_NS + SECOND_NS) + one.cost > limit);
        uint64_t at = free_at(log, now, limit - one.cost);
        assert_in_range(answer.retry_after_ns, at - now, at - now + 1);
    }
    assert_true(answer.remaining[0] == (used < limit ? limit - used : 0));
    uint64_t whole_at = free_at(log, now, 0);
    assert_in_range(answer.full_after_ns[0], whole_at - now, whole_at - now + 1);
}

static void settle_both(struct limit_table *table, struct log *log, uint64_t now)
{
    struct charge *charge = &log->charges[log->count - 1 - below(NUM_MIN(log->count, 40))];
    uint64_t actual = below(charge->amount + charge->amount / 8 + 1);

    if (!charge->open)
        return;
    charge->open = false;
    limit_settle(table, &charge->reservation, 0, actual, now);
    if (actual > charge->amount)
        put(log, now, actual - charge->amount, NULL);
    else
        charge->amount = actual;
}

/* Time stands still, goes a little, over a slice, over a window. */
static uint64_t step(void)
{
    switch (below(64)) {
    case 0: return below(2 * MINUTE_NS);
    case 1:
    case 2:
    case 3: return below(5 * SECOND_NS);
    default: return below(4) == 0 ? below(SECOND_NS) : 0;
    }
}

static void it_decides_as_a_log_of_every_charge(void **state)
{
    static struct log logs[LOG_KEYS];
    struct limit_table *table = open_table(state);
    uint64_t now = 1000 * MINUTE_NS;

    seed = 20;
    memset(logs, 0, sizeof(logs));
    for (size_t i = 0; i < 30000; i++) {
        uint64_t key = below(LOG_KEYS);
        now += step();
        if (logs[key].count > 0 && below(3) == 0)
            settle_both(table, &logs[key], now);
        else /* the limit may change at any time */
            reserve_both(table, &logs[key], 70 + key, below(50) == 0 ? 500 : 1000 * (key + 1), now);
    }
    limit_close(table);
}

/* ------------------------------------------------------------------ by itself */

static void a_full_window_gives_nothing_for_a_window(void **state)
{
    struct limit_table *table = open_table(state);
    struct limit_reservation reservation;
    struct limit_answer answer;
    struct limit_ask window = ask(1, 60, 60);
    struct limit_ask bucket = ask(2, 60, 60);
    uint64_t now = 77 * MINUTE_NS + SECOND_NS / 2;

    bucket.algorithm = LIMIT_TOKEN_BUCKET;
    limit_reserve(table, &window, 1, now, &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_GRANTED);
    limit_reserve(table, &bucket, 1, now, &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_GRANTED);
    window.cost = bucket.cost = 30;
    limit_reserve(table, &bucket, 1, now + MINUTE_NS / 2 + 2, &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_GRANTED);
    limit_reserve(table, &window, 1, now + MINUTE_NS / 2 + 2, &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_REFUSED);
    uint64_t again = now + MINUTE_NS / 2 + 2 + answer.retry_after_ns;
    assert_in_range(again, now + MINUTE_NS, now + MINUTE_NS + SECOND_NS);
    limit_reserve(table, &window, 1, again - 2, &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_REFUSED);
    limit_reserve(table, &window, 1, again, &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_GRANTED);
    limit_close(table);
}

static void of_a_set_all_or_nothing_is_taken(void **state)
{
    struct limit_table *table = open_table(state);
    struct limit_ask set[] = {ask(1, 10, 100), ask(2, 10, 100), ask(3, 10, 15)};
    struct limit_reservation reservation;
    struct limit_answer answer;
    uint64_t now = 5 * MINUTE_NS;

    set[2].algorithm = LIMIT_TOKEN_BUCKET;
    limit_reserve(table, set, 3, now, &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_GRANTED);
    limit_reserve(table, set, 3, now, &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_REFUSED);
    assert_int_equal(answer.which, 2);
    assert_int_equal(left(table, 1, 100, now), 90);
    assert_int_equal(left(table, 2, 100, now), 90);
    limit_close(table);
}

static void a_cost_over_the_limit_is_never_granted(void **state)
{
    struct limit_table *table = open_table(state);
    struct limit_ask big = ask(1, 101, 100);
    struct limit_reservation reservation;
    struct limit_answer answer;

    limit_reserve(table, &big, 1, MINUTE_NS, &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_NEVER);
    assert_int_equal(answer.remaining[0], 100);
    big.cost = 30;
    limit_reserve(table, &big, 1, MINUTE_NS, &reservation, &answer);
    big.cost = 101;
    limit_reserve(table, &big, 1, MINUTE_NS, &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_NEVER);
    assert_int_equal(answer.remaining[0], 70);
    assert_true(answer.full_after_ns[0] == 61 * SECOND_NS);
    big.limit = 0;
    limit_reserve(table, &big, 1, MINUTE_NS, &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_GRANTED);
    limit_settle(table, &reservation, 0, 0, MINUTE_NS);
    limit_close(table);
}

/* A clock that is read before others go on, and used behind them. */
static void an_old_time_counts_as_the_newest_seen(void **state)
{
    struct limit_table *table = open_table(state);
    struct limit_ask one = ask(1, 40, 100);
    struct limit_reservation reservation;
    struct limit_answer answer;
    uint64_t now = 9 * MINUTE_NS;

    limit_reserve(table, &one, 1, now + 3 * SECOND_NS, &reservation, &answer);
    limit_reserve(table, &one, 1, now, &reservation, &answer);
    assert_int_equal(answer.verdict, LIMIT_GRANTED);
    assert_int_equal(left(table, 1, 100, now + MINUTE_NS + 3 * SECOND_NS), 20);
    assert_int_equal(left(table, 1, 100, now + MINUTE_NS + 4 * SECOND_NS), 100);
    limit_close(table);
}

/* ------------------------------------------------------------------ many at once */

enum { WORKERS = 4, HOT_ROUNDS = 60000, HOT_LIMIT = 5000, HOT_SLICES = 4096 };

/* What was granted in each slice, by all processes, after it was settled. */
struct tally {
    _Atomic uint64_t slices[HOT_SLICES];
};

static void hammer(struct limit_table *table, struct tally *tally, uint64_t began, uint64_t window)
{
    struct limit_reservation reservation;
    struct limit_answer answer;

    for (uint64_t i = 0; i < HOT_ROUNDS; i++) {
        struct limit_ask one = ask(7, 1 + i % 30, HOT_LIMIT);
        one.window_ns = window;
        limit_reserve(table, &one, 1, clock_mono_ns(), &reservation, &answer);
        if (answer.verdict != LIMIT_GRANTED)
            continue;
        uint64_t used = i % 3 == 0 ? one.cost : one.cost / 2;
        limit_settle(table, &reservation, 0, used, clock_mono_ns());
        uint64_t slice = (reservation.until_ns[0] - began) / (window / LIMIT_SLICES);
        assert_true(slice < HOT_SLICES);
        tally->slices[slice] += used;
    }
}

/* So that some windows pass, and no machine is so slow that there are more than HOT_SLICES. */
static void processes_together_get_the_limit_and_no_more(void **state)
{
    struct limit_table *table = open_table(state);
    struct tally *tally =
        mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t window = 60 * 1000000 * UINT64_C(5);
    uint64_t began = clock_mono_ns() / (window / LIMIT_SLICES) * (window / LIMIT_SLICES);
    uint64_t total = 0;
    uint64_t sum = 0;

    assert_ptr_not_equal(tally, MAP_FAILED);
    for (int i = 0; i < WORKERS; i++) {
        if (fork() == 0) {
            hammer(table, tally, began, window);
            _exit(0);
        }
    }
    for (int status; wait(&status) > 0;)
        assert_int_equal(status, 0);
    for (size_t i = 0; i < HOT_SLICES; i++) {
        sum += tally->slices[i];
        sum -= i >= LIMIT_RING ? tally->slices[i - LIMIT_RING] : 0;
        assert_true(sum <= HOT_LIMIT);
        total += tally->slices[i];
    }
    assert_true(total >= HOT_LIMIT / 2);
    munmap(tally, sizeof(*tally));
    limit_close(table);
}

/* Windows so short, and so many keys in so few slots, that slots change owners all the time. */
enum { CHURN_KEYS = 96, CHURN_LIMIT = 3, CHURN_ROUNDS = 250000, CHURN_WINDOW_NS = 1200000 };

struct grant {
    uint64_t until_ns;
    uint32_t key;
};

struct churner {
    struct limit_table *table;
    const uint64_t *keys;
    unsigned seed;
    size_t count;
    struct grant *grants;
};

/* Who is asleep for a slice between reading the clock and the answer decides about a past that
 * others may have forgotten: not counted here. */
static void *churn(void *arg)
{
    struct churner *churner = arg;
    struct limit_reservation reservation;
    struct limit_answer answer;

    for (size_t i = 0; i < CHURN_ROUNDS; i++) {
        churner->seed = churner->seed * 1664525 + 1013904223;
        uint32_t key = (churner->seed >> 16) % CHURN_KEYS;
        struct limit_ask one = ask(churner->keys[key], 1, CHURN_LIMIT);
        one.window_ns = CHURN_WINDOW_NS;
        uint64_t now = clock_mono_ns();
        limit_reserve(churner->table, &one, 1, now, &reservation, &answer);
        if (answer.verdict == LIMIT_GRANTED &&
            clock_mono_ns() - now < CHURN_WINDOW_NS / LIMIT_SLICES)
            churner->grants[churner->count++] =
                (struct grant){.until_ns = reservation.until_ns[0], .key = key};
    }
    return NULL;
}

static int by_key_and_time(const void *a, const void *b)
{
    const struct grant *x = a;
    const struct grant *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->until_ns < y->until_ns ? -1 : x->until_ns > y->until_ns;
}

static void slots_that_change_owners_lose_no_charge(void **state)
{
    struct limit_table *table = open_table(state);
    CLEANUP_FREE struct grant *all = mem_new_array(WORKERS * CHURN_ROUNDS, sizeof(*all));
    uint64_t keys[CHURN_KEYS];
    pthread_t threads[WORKERS];
    struct churner churners[WORKERS];
    size_t count = 0;

    for (uint64_t key = 1; count < CHURN_KEYS; key++)
        if (limit_home(key) < 8)
            keys[count++] = key;
    count = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        churners[i] = (struct churner){.table = table, .keys = keys, .seed = i * 77 + 5};
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
    qsort(all, count, sizeof(*all), by_key_and_time);
    for (size_t i = CHURN_LIMIT; i < count; i++)
        if (all[i].key == all[i - CHURN_LIMIT].key)
            assert_true(all[i].until_ns - all[i - CHURN_LIMIT].until_ns > CHURN_WINDOW_NS);
    limit_close(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_decides_as_a_log_of_every_charge, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_window_gives_nothing_for_a_window, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(of_a_set_all_or_nothing_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cost_over_the_limit_is_never_granted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_old_time_counts_as_the_newest_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(processes_together_get_the_limit_and_no_more, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(slots_that_change_owners_lose_no_charge, set_up, tear_down),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
