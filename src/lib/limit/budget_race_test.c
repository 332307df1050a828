/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads and processes at once, some of which are killed. */
#include "limit/budget_fixture.h"

#include "base/clock.h"
#include "limit/limit_internal.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A thousand calls run at the same time, of which the limit lets a part. */
enum { WORKERS = 8, CALLS_EACH = 125, CROWD_COST = 1000, CROWD_LIMIT = 400 * CROWD_COST };

struct crowd {
    struct limit_budgets *budgets;
    pthread_barrier_t *all_reserved;
    unsigned granted;
};

static void *crowd(void *arg)
{
    struct crowd *own = arg;
    struct limit_charge charges[CALLS_EACH];

    for (size_t i = 0; i < CALLS_EACH; i++)
        own->granted += reserve(own->budgets, ask(1, CROWD_COST, CROWD_LIMIT), NOW_SEC,
                                &charges[i]) == LIMIT_GRANTED;
    pthread_barrier_wait(own->all_reserved);
    for (size_t i = 0; i < CALLS_EACH; i++)
        limit_budget_settle(own->budgets, &charges[i], CROWD_COST, NOW_SEC);
    return NULL;
}

static void a_thousand_calls_at_once_overshoot_by_nothing(void **state)
{
    pthread_barrier_t all_reserved;
    struct crowd crowds[WORKERS] = {0};
    pthread_t threads[WORKERS];
    unsigned granted = 0;

    pthread_barrier_init(&all_reserved, NULL, WORKERS);
    for (size_t i = 0; i < WORKERS; i++) {
        crowds[i] = (struct crowd){.budgets = open_budgets(*state), .all_reserved = &all_reserved};
        assert_int_equal(pthread_create(&threads[i], NULL, crowd, &crowds[i]), 0);
    }
    for (size_t i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
        granted += crowds[i].granted;
    }
    /* Some may have given way to others that gave way to them. */
    assert_in_range(granted, 1, CROWD_LIMIT / CROWD_COST);
    assert_int_equal(left(crowds[0].budgets, 1, CROWD_LIMIT, NOW_SEC),
                     CROWD_LIMIT - granted * CROWD_COST);
    for (size_t i = 0; i < WORKERS; i++)
        limit_budgets_close(crowds[i].budgets);
    pthread_barrier_destroy(&all_reserved);
}

/* Processes that are killed at any instant. */
enum { GENERATIONS = 60 };

static void burn(const struct fixture *fixture, _Atomic uint64_t *settled) NORETURN;

static void burn(const struct fixture *fixture, _Atomic uint64_t *settled)
{
    struct limit_budgets *budgets = open_budgets(fixture);
    struct limit_charge charges[8];

    for (uint64_t round = 0;; round++) {
        for (size_t i = 0; i < ARRAY_LEN(charges); i++)
            (void)!reserve(budgets, ask(1, 20 + i, LIMIT_BUDGET_MAX), NOW_SEC, &charges[i]);
        for (size_t i = 0; i < ARRAY_LEN(charges); i++) {
            bool held = charges[i].slot != 0;
            limit_budget_settle(budgets, &charges[i], round % 3, NOW_SEC);
            if (held)
                atomic_fetch_add(settled, round % 3); /* behind: at most this is not yet told */
        }
    }
}

static void reservations_of_killed_processes_come_back(void **state)
{
    _Atomic uint64_t *settled =
        mmap(NULL, sizeof(*settled), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[3] = {0};
    const struct timespec moment = {.tv_nsec = 2000000};

    assert_ptr_not_equal(settled, MAP_FAILED);
    for (unsigned i = 0; i < GENERATIONS; i++) {
        pid_t *pid = &pids[i % ARRAY_LEN(pids)];
        if (*pid > 0) {
            kill(*pid, SIGKILL);
            assert_int_equal(waitpid(*pid, NULL, 0), *pid);
        }
        *pid = fork();
        if (*pid == 0)
            burn(*state, settled);
        uint64_t before = atomic_load(settled);
        do
            nanosleep(&moment, NULL);
        while (atomic_load(settled) == before);
    }
    for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
        kill(pids[i], SIGKILL);
        assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
    }
    CLEANUP(limit_budgets_close_ptr) struct limit_budgets *budgets = open_budgets(*state);
    uint64_t told = atomic_load(settled);
    uint64_t rest = left(budgets, 1, LIMIT_BUDGET_MAX, NOW_SEC);
    /* Nothing is lost, and nothing stays but what was settled. */
    assert_in_range(LIMIT_BUDGET_MAX - rest, told, told + GENERATIONS * 2);
    munmap(settled, sizeof(*settled));
}

/* More keys than the slots that they may live in: each window they race for them anew. */
enum { CHURN_KEYS = 80, CHURN_WINDOWS = 400, CHURN_ROUNDS = 200, CHURN_LIMIT = 6 };

static uint64_t churn_key[CHURN_KEYS];
static _Atomic uint64_t churn_settled[CHURN_WINDOWS][CHURN_KEYS];
static pthread_barrier_t churn_window;

struct churner {
    struct limit_budgets *budgets;
    uint64_t random;
};

static void churn_one(struct churner *own, int window)
{
    struct limit_budget_answer answer;
    struct limit_charge charge;
    int64_t now = NOW_SEC + 60 * (int64_t)window;

    own->random = own->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    unsigned key = (own->random >> 33) % CHURN_KEYS;
    struct limit_budget_ask what = {
        .key = churn_key[key], .cost = 2, .limit = CHURN_LIMIT, .window = LIMIT_MINUTE};
    if (limit_budget_reserve(own->budgets, &what, now, &charge, &answer) != LIMIT_GRANTED)
        return;
    atomic_fetch_add(&churn_settled[window][key], 1);
    limit_budget_settle(own->budgets, &charge, 1, now);
}

static void *churn(void *arg)
{
    for (int window = 0; window < CHURN_WINDOWS; window++) {
        pthread_barrier_wait(&churn_window);
        for (int i = 0; i < CHURN_ROUNDS; i++)
            churn_one(arg, window);
    }
    return NULL;
}

static void slots_that_change_owners_lose_no_count(void **state)
{
    struct churner churners[3];
    pthread_t threads[ARRAY_LEN(churners)];
    size_t count = 0;
    uint64_t total = 0;

    for (uint64_t key = 2; count < CHURN_KEYS; key += 4)
        if (limit_home(key) % LIMIT_BUDGET_SLOTS < 4)
            churn_key[count++] = key;
    pthread_barrier_init(&churn_window, NULL, ARRAY_LEN(churners));
    for (size_t i = 0; i < ARRAY_LEN(churners); i++) {
        churners[i] = (struct churner){.budgets = open_budgets(*state), .random = i};
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &churners[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < CHURN_WINDOWS; i++)
        for (size_t j = 0; j < CHURN_KEYS; j++) {
            assert_in_range(churn_settled[i][j], 0, CHURN_LIMIT);
            total += churn_settled[i][j];
        }
    assert_in_range(total, CHURN_WINDOWS * LIMIT_BUDGET_PROBE_MAX,
                    CHURN_WINDOWS * (LIMIT_BUDGET_PROBE_MAX + 3) * CHURN_LIMIT);
    for (size_t i = 0; i < ARRAY_LEN(churners); i++)
        limit_budgets_close(churners[i].budgets);
    pthread_barrier_destroy(&churn_window);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_thousand_calls_at_once_overshoot_by_nothing),
        TEST(reservations_of_killed_processes_come_back),
        TEST(slots_that_change_owners_lose_no_count),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("budgets, many at once", tests, NULL, NULL);
}
