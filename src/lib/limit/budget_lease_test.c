/* SPDX-License-Identifier: Apache-2.0 */
/* Budgets that gateways share: two files, and a ledger between them. */
#include "limit/budget_fixture.h"
#include "limit/budget_internal.h"
#include "limit/ledger.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 2, GIVEN_MAX = 16, KEPT_SEC = 86400 };

static const char *const names[FILES] = {"budgets", "budgets2"};

static struct limit_budgets *open_shared(const struct fixture *fixture, unsigned number,
                                         bool reserves, limit_budget_ring_fn *ring, void *ctx)
{
    struct limit_budgets *budgets = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(limit_budgets_open(fixture->dir_fd, names[number], reserves, &budgets, &err),
                     0);
    limit_budgets_share(budgets, ring, ctx);
    return budgets;
}

static void count_ring(void *ctx)
{
    ++*(unsigned *)ctx;
}

static void keep_one(void *ctx, const struct limit_holding *holding)
{
    *(struct limit_holding *)ctx = *holding;
}

static struct limit_holding told(struct limit_budgets *budgets, int64_t now_sec, bool waiting_only)
{
    struct limit_holding holding = {0};

    limit_budgets_tell(budgets, now_sec, waiting_only, keep_one, &holding);
    return holding;
}

static void give(struct limit_budgets *budgets, uint64_t key, uint64_t share, uint64_t elsewhere)
{
    const struct limit_lease lease = {.key = (100 + 4 * key) | 2,
                                      .ends_sec = limit_window_end(LIMIT_DAY, NOW_SEC),
                                      .share = share,
                                      .elsewhere = elsewhere,
                                      .raises = true};

    limit_budgets_lease(budgets, &lease, 1);
}

/* ------------------------------------------------------------------ one file */

static void a_call_waits_for_a_share(void **state)
{
    unsigned rings = 0;
    struct limit_budgets *budgets = open_shared(*state, 0, true, count_ring, &rings);
    struct limit_charge charge;

    assert_int_equal(reserve(budgets, ask(1, 30, 100), NOW_SEC, &charge), LIMIT_WAIT);
    assert_int_equal(charge.slot, 0);
    assert_int_equal(reserve(budgets, ask(1, 40, 100), NOW_SEC, &charge), LIMIT_WAIT);
    assert_int_equal(reserve(budgets, ask(1, 10, 100), NOW_SEC, &charge), LIMIT_WAIT);
    assert_int_equal(rings, 1); /* until somebody looks */
    struct limit_holding holding = told(budgets, NOW_SEC, true);
    assert_int_equal(holding.key, 106);
    assert_int_equal(holding.wants, 40);
    assert_int_equal(holding.limit, 100);
    assert_int_equal(holding.share, 0);
    assert_int_equal(holding.ends_sec, limit_window_end(LIMIT_DAY, NOW_SEC));
    assert_int_equal(told(budgets, NOW_SEC, true).key, 0);
    give(budgets, 1, 60, 5);
    assert_int_equal(reserve(budgets, ask(1, 40, 100), NOW_SEC, &charge), LIMIT_GRANTED);
    limit_budget_settle(budgets, &charge, 35, NOW_SEC);
    assert_int_equal(left(budgets, 1, 100, NOW_SEC), 60); /* of all gateways */
    assert_int_equal(reserve(budgets, ask(1, 26, 100), NOW_SEC, &charge), LIMIT_WAIT);
    assert_int_equal(rings, 2);
    holding = told(budgets, NOW_SEC, false);
    assert_int_equal(holding.wants, 0);
    assert_int_equal(holding.share, 60);
    assert_int_equal(holding.used, 35);
    assert_int_equal(holding.settled, 35);
    assert_int_equal(told(budgets, NOW_SEC, true).wants, 26);
    /* What all have used is too much for certain. */
    give(budgets, 1, 60, 40);
    assert_int_equal(reserve(budgets, ask(1, 26, 100), NOW_SEC, &charge), LIMIT_REFUSED);
    assert_int_equal(reserve(budgets, ask(1, 25, 100), NOW_SEC, &charge), LIMIT_GRANTED);
    limit_budgets_close(budgets);
}

static void a_share_that_is_taken_down_holds_what_runs(void **state)
{
    struct limit_budgets *budgets = open_shared(*state, 0, true, NULL, NULL);
    struct limit_budgets *keeper = open_shared(*state, 0, false, NULL, NULL);
    struct limit_charge charge;
    struct limit_holding holding;

    (void)!reserve(budgets, ask(1, 30, 100), NOW_SEC, &charge);
    give(keeper, 1, 50, 0);
    assert_int_equal(reserve(budgets, ask(1, 30, 100), NOW_SEC, &charge), LIMIT_GRANTED);
    give(keeper, 1, 10, 0);
    limit_budgets_tell_of(keeper, 106, NOW_SEC, &holding);
    assert_int_equal(holding.share, 10);
    assert_int_equal(holding.used, 30);
    limit_budget_settle(budgets, &charge, 4, NOW_SEC);
    limit_budgets_tell_of(keeper, 106, NOW_SEC, &holding);
    assert_int_equal(holding.share, 10);
    assert_int_equal(holding.used, 4);
    limit_budgets_tell_of(keeper, 110, NOW_SEC, &holding);
    assert_int_equal(holding.share, 0);
    limit_budgets_close(keeper);
    limit_budgets_close(budgets);
}

static void a_share_ends_with_its_window(void **state)
{
    struct limit_budgets *budgets = open_shared(*state, 0, true, NULL, NULL);
    int64_t later = limit_window_end(LIMIT_DAY, NOW_SEC);
    struct limit_charge running;
    struct limit_charge charge;

    (void)!reserve(budgets, ask(1, 30, 100), NOW_SEC, &charge);
    assert_int_equal(told(budgets, NOW_SEC, true).wants, 30);
    give(budgets, 1, 50, 7);
    assert_int_equal(reserve(budgets, ask(1, 20, 100), NOW_SEC, &running), LIMIT_GRANTED);
    assert_int_equal(reserve(budgets, ask(1, 5, 100), NOW_SEC, &charge), LIMIT_GRANTED);
    limit_budget_settle(budgets, &charge, 5, NOW_SEC);
    struct limit_holding holding = told(budgets, later, false);
    assert_int_equal(holding.ends_sec, later);
    assert_int_equal(holding.settled, 0);
    assert_int_equal(holding.share, 0);
    assert_int_equal(holding.used, 20);
    /* Nothing more of it, also not by a clock that is behind. */
    assert_int_equal(reserve(budgets, ask(1, 5, 100), later - 1, &charge), LIMIT_WAIT);
    assert_int_equal(reserve(budgets, ask(1, 5, 100), later, &charge), LIMIT_WAIT);
    holding = told(budgets, later, true);
    assert_int_equal(holding.ends_sec, later + KEPT_SEC);
    assert_int_equal(holding.used, 20);
    assert_int_equal(holding.wants, 5);
    limit_budgets_close(budgets);
    /* A share of an earlier window than the one that is in force is not taken. */
    budgets = open_shared(*state, 0, true, NULL, NULL);
    give(budgets, 1, 50, 0);
    assert_int_equal(reserve(budgets, ask(1, 5, 100), later, &charge), LIMIT_WAIT);
    limit_budgets_close(budgets);
}

static void keep_alert(void *ctx, const struct limit_budget_use *use)
{
    *(unsigned *)ctx = use->alert;
}

static unsigned alert_of(struct limit_budgets *budgets)
{
    unsigned alert = 0;

    limit_budgets_look(budgets, NOW_SEC, keep_alert, &alert);
    return alert;
}

static void alerts_are_of_all_gateways(void **state)
{
    struct limit_budgets *budgets = open_shared(*state, 0, true, NULL, NULL);
    struct limit_budget_ask what = ask(1, 10, 100);
    struct limit_charge charge;

    what.alerts = 50;
    (void)!reserve(budgets, what, NOW_SEC, &charge);
    give(budgets, 1, 50, 39);
    assert_int_equal(reserve(budgets, what, NOW_SEC, &charge), LIMIT_GRANTED);
    limit_budget_settle(budgets, &charge, 10, NOW_SEC);
    assert_int_equal(alert_of(budgets), 0);
    give(budgets, 1, 50, 40);
    assert_int_equal(alert_of(budgets), 50);
    struct limit_lease others = {
        .key = 106, .ends_sec = limit_window_end(LIMIT_DAY, NOW_SEC), .share = 50, .elsewhere = 40};
    limit_budgets_lease(budgets, &others, 1);
    assert_int_equal(alert_of(budgets), 0); /* another one raises it */
    others.raises = true;
    others.noted = 50;
    limit_budgets_lease(budgets, &others, 1);
    assert_int_equal(alert_of(budgets), 0); /* another one has */
    limit_budgets_close(budgets);
}

/* Of the version before: the same file without leases. Its counts stay. */
static void a_file_without_leases_is_taken_over(void **state)
{
    const struct fixture *fixture = *state;
    struct limit_budgets *budgets = open_budgets(fixture);
    struct limit_charge charge;

    assert_int_equal(reserve(budgets, ask(5, 7, 10), NOW_SEC, &charge), LIMIT_GRANTED);
    limit_budget_settle(budgets, &charge, 7, NOW_SEC);
    limit_budgets_close(budgets);
    CLEANUP_FD int fd = openat(fixture->dir_fd, "budgets", O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "drun budgets 2\n", 16, 0), 16);
    assert_int_equal(ftruncate(fd, offsetof(struct budget_file, leases)), 0);
    budgets = open_shared(fixture, 0, true, NULL, NULL);
    struct limit_holding holding = told(budgets, NOW_SEC, false);
    assert_int_equal(holding.settled, 7);
    assert_int_equal(holding.share, 0);
    limit_budgets_close(budgets);
}

/* ------------------------------------------------------------------ two files and a ledger */

enum { WORKERS_EACH = 3, CALLS_EACH = 400, CROWD_LIMIT = 6000, COST_MAX = 12, ROUNDS_MAX = 4000 };

struct crowd {
    const struct fixture *fixture;
    struct limit_ledger *ledger;
    struct limit_budgets *keepers[FILES];
    _Atomic uint64_t taken; /* at most what the files have: granted and not given back */
    _Atomic uint64_t settled;
    _Atomic uint64_t beyond; /* times that `taken` was above the limit */
    _Atomic bool over;
};

struct tellings {
    struct crowd *crowd;
    unsigned number;
    struct limit_lease leases[GIVEN_MAX];
    size_t count;
};

static void tell_ledger(void *ctx, const struct limit_holding *holding)
{
    struct tellings *tellings = ctx;
    struct err err = ERR_INIT;

    assert_true(tellings->count < GIVEN_MAX);
    assert_int_equal(limit_ledger_tell(tellings->crowd->ledger, tellings->number, holding,
                                       clock_mono_ns() / 1000000,
                                       &tellings->leases[tellings->count++], &err),
                     0);
}

static void tell_recalled(struct tellings *tellings)
{
    uint64_t keys[LIMIT_RECALLS_MAX];
    struct limit_holding holding;
    size_t count = limit_ledger_recalls(tellings->crowd->ledger, tellings->number, keys);

    for (size_t i = 0; i < count; i++) {
        limit_budgets_tell_of(tellings->crowd->keepers[tellings->number], keys[i], NOW_SEC,
                              &holding);
        tell_ledger(tellings, &holding);
    }
}

/* What both keepers and api do. */
static void exchange(struct crowd *crowd, bool all)
{
    for (unsigned i = 0; i < FILES; i++) {
        struct tellings tellings = {.crowd = crowd, .number = i};
        if (all)
            limit_ledger_begin(crowd->ledger, i);
        tell_recalled(&tellings);
        limit_budgets_tell(crowd->keepers[i], NOW_SEC, !all, tell_ledger, &tellings);
        if (all)
            limit_ledger_complete(crowd->ledger, i);
        limit_budgets_lease(crowd->keepers[i], tellings.leases, tellings.count);
    }
}

static void *keep(void *arg)
{
    const struct timespec moment = {.tv_nsec = 200000};
    struct crowd *crowd = arg;

    for (unsigned i = 0; !atomic_load(&crowd->over); i++) {
        if (i % 50 == 49) { /* api is started again */
            limit_ledger_free(crowd->ledger);
            crowd->ledger = limit_ledger_new(FILES);
        }
        exchange(crowd, i % 50 == 49 || i % 7 == 0);
        nanosleep(&moment, NULL);
    }
    return NULL;
}

struct worker {
    struct crowd *crowd;
    unsigned file;
    uint64_t random;
};

static uint64_t draw(struct worker *worker, uint64_t below)
{
    worker->random = worker->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (worker->random >> 33) % below;
}

static enum limit_verdict call(struct crowd *crowd, struct limit_budgets *budgets, uint64_t cost,
                               uint64_t actual)
{
    const struct timespec moment = {.tv_nsec = 300000};
    struct limit_charge charge;
    enum limit_verdict verdict = LIMIT_WAIT;

    for (int i = 0; i < ROUNDS_MAX && verdict == LIMIT_WAIT; i++) {
        if (i > 0)
            nanosleep(&moment, NULL);
        verdict = reserve(budgets, ask(1, cost, CROWD_LIMIT), NOW_SEC, &charge);
    }
    if (verdict != LIMIT_GRANTED)
        return verdict;
    if (atomic_fetch_add(&crowd->taken, cost) + cost > CROWD_LIMIT)
        atomic_fetch_add(&crowd->beyond, 1);
    atomic_fetch_sub(&crowd->taken, cost - actual);
    atomic_fetch_add(&crowd->settled, actual);
    limit_budget_settle(budgets, &charge, actual, NOW_SEC);
    return verdict;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct limit_budgets *budgets =
        open_shared(worker->crowd->fixture, worker->file, true, NULL, NULL);

    for (int i = 0; i < CALLS_EACH; i++) {
        uint64_t cost = 1 + draw(worker, COST_MAX);
        (void)!call(worker->crowd, budgets, cost, draw(worker, cost + 1));
    }
    limit_budgets_close(budgets);
    return NULL;
}

static void use_the_rest(struct crowd *crowd)
{
    struct limit_budgets *budgets[FILES];
    enum limit_verdict verdict = LIMIT_GRANTED;

    for (unsigned i = 0; i < FILES; i++)
        budgets[i] = open_shared(crowd->fixture, i, true, NULL, NULL);
    for (unsigned i = 0; verdict == LIMIT_GRANTED; i++)
        verdict = call(crowd, budgets[i % FILES], 1, 1);
    assert_int_equal(verdict, LIMIT_REFUSED);
    for (unsigned i = 0; i < FILES; i++)
        limit_budgets_close(budgets[i]);
}

static void many_calls_at_two_gateways_use_all_and_no_more(void **state)
{
    struct crowd crowd = {.fixture = *state, .ledger = limit_ledger_new(FILES)};
    struct worker workers[FILES * WORKERS_EACH];
    pthread_t threads[FILES * WORKERS_EACH];
    pthread_t keeper;

    for (unsigned i = 0; i < FILES; i++)
        crowd.keepers[i] = open_shared(*state, i, false, NULL, NULL);
    exchange(&crowd, true);
    assert_int_equal(pthread_create(&keeper, NULL, keep, &crowd), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        workers[i] = (struct worker){.crowd = &crowd, .file = i % FILES, .random = i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&crowd.beyond), 0);
    use_the_rest(&crowd);
    atomic_store(&crowd.over, true);
    pthread_join(keeper, NULL);
    assert_int_equal(atomic_load(&crowd.settled), CROWD_LIMIT);
    assert_int_equal(atomic_load(&crowd.beyond), 0);
    for (unsigned i = 0; i < FILES; i++)
        limit_budgets_close(crowd.keepers[i]);
    limit_ledger_free(crowd.ledger);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_call_waits_for_a_share),
        TEST(a_share_that_is_taken_down_holds_what_runs),
        TEST(a_share_ends_with_its_window),
        TEST(alerts_are_of_all_gateways),
        TEST(a_file_without_leases_is_taken_over),
        TEST(many_calls_at_two_gateways_use_all_and_no_more),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("budgets that gateways share", tests, NULL, NULL);
}
