/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/budget_internal.h"
#include "limit/fixture.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "limit/limit_internal.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* 2026-11-22 15:00:30 UTC */
enum { NOW_SEC = 1795359630 };

static struct limit_budgets *open_budgets(const struct fixture *fixture)
{
    struct limit_budgets *budgets = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(limit_budgets_open(fixture->dir_fd, "budgets", true, &budgets, &err), 0);
    return budgets;
}

static struct limit_budget_ask ask(uint64_t key, uint64_t cost, uint64_t limit)
{
    return (struct limit_budget_ask){
        .key = 100 + 4 * key, .cost = cost, .limit = limit, .window = LIMIT_DAY};
}

static enum limit_verdict reserve(struct limit_budgets *budgets, struct limit_budget_ask what,
                                  int64_t now_sec, struct limit_charge *out)
{
    struct limit_budget_answer answer;

    return limit_budget_reserve(budgets, &what, now_sec, out, &answer);
}

static uint64_t left(struct limit_budgets *budgets, uint64_t key, uint64_t limit, int64_t now_sec)
{
    struct limit_budget_ask what = ask(key, 1, limit);
    struct limit_budget_answer answer;
    struct limit_charge charge;

    if (limit_budget_reserve(budgets, &what, now_sec, &charge, &answer) != LIMIT_GRANTED)
        return answer.left;
    limit_budget_settle(budgets, &charge, 0, now_sec);
    return answer.left + 1;
}

/* ------------------------------------------------------------------ one process */

static void windows_end_where_the_calendar_says(void **state UNUSED)
{
    static const struct {
        const char *now;
        const char *ends[4];
    } cases[] = {
        {"2026-11-22T15:00:30Z",
         {"2026-11-22T15:01:00Z", "2026-11-22T16:00:00Z", "2026-11-23T00:00:00Z",
          "2026-12-01T00:00:00Z"}},
        {"2026-12-31T23:59:59Z",
         {"2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z",
          "2027-01-01T00:00:00Z"}},
        {"2028-02-01T00:00:00Z",
         {"2028-02-01T00:01:00Z", "2028-02-01T01:00:00Z", "2028-02-02T00:00:00Z",
          "2028-03-01T00:00:00Z"}},
        {"2100-02-28T12:00:00Z",
         {"2100-02-28T12:01:00Z", "2100-02-28T13:00:00Z", "2100-03-01T00:00:00Z",
          "2100-03-01T00:00:00Z"}},
    };
    char text[CLOCK_TEXT_SIZE];
    struct err err = ERR_INIT;
    struct tm tm;
    int64_t now = 0;

    for (int64_t day = 0; day < 366 * 500; day++) {
        now = day * 86400 + day % 86400;
        assert_non_null(gmtime_r(&now, &tm));
        tm.tm_mon++;
        tm.tm_mday = 1;
        tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
        assert_int_equal(limit_window_end(LIMIT_MONTH, now), timegm(&tm));
    }
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(clock_parse(span_str(cases[i].now), &now, &err), 0);
        for (size_t j = 0; j < 4; j++) {
            clock_format_sec(limit_window_end((enum limit_window)j, now), text);
            assert_string_equal(text, cases[i].ends[j]);
        }
    }
}

static void what_was_reserved_is_settled_once(void **state)
{
    CLEANUP(limit_budgets_close_ptr) struct limit_budgets *budgets = open_budgets(*state);
    struct limit_budget_ask what = ask(1, 60, 100);
    struct limit_budget_answer answer;
    struct limit_charge charge;
    struct limit_charge second;

    assert_int_equal(limit_budget_reserve(budgets, &what, NOW_SEC, &charge, &answer),
                     LIMIT_GRANTED);
    assert_int_equal(answer.left, 40);
    assert_int_equal(answer.settled, 0);
    assert_int_equal(answer.ends_sec, limit_window_end(LIMIT_DAY, NOW_SEC));
    assert_int_equal(limit_budget_reserve(budgets, &what, NOW_SEC, &second, &answer),
                     LIMIT_REFUSED);
    assert_true(answer.by_others);
    assert_int_equal(answer.left, 40);
    limit_budget_settle(budgets, &second, 60, NOW_SEC); /* nothing is held */
    limit_budget_settle(budgets, &charge, 45, NOW_SEC);
    limit_budget_settle(budgets, &charge, 45, NOW_SEC);
    assert_int_equal(left(budgets, 1, 100, NOW_SEC), 55);
    assert_int_equal(limit_budget_reserve(budgets, &what, NOW_SEC, &second, &answer),
                     LIMIT_REFUSED);
    assert_false(answer.by_others);
    assert_int_equal(answer.settled, 45);
    what.cost = 101;
    assert_int_equal(limit_budget_reserve(budgets, &what, NOW_SEC, &second, &answer), LIMIT_NEVER);
}

static void what_goes_beyond_the_reservation_is_counted(void **state)
{
    CLEANUP(limit_budgets_close_ptr) struct limit_budgets *budgets = open_budgets(*state);
    struct limit_charge charge;

    assert_int_equal(reserve(budgets, ask(1, 10, 100), NOW_SEC, &charge), LIMIT_GRANTED);
    limit_budget_settle(budgets, &charge, 95, NOW_SEC);
    assert_int_equal(left(budgets, 1, 100, NOW_SEC), 5);
    assert_int_equal(reserve(budgets, ask(1, 5, 100), NOW_SEC, &charge), LIMIT_GRANTED);
    limit_budget_settle(budgets, &charge, UINT64_MAX, NOW_SEC); /* an engine that says anything */
    assert_int_equal(left(budgets, 1, LIMIT_BUDGET_MAX, NOW_SEC), 0);
    assert_int_equal(left(budgets, 1, 100, NOW_SEC + 86400), 100);
}

static void a_new_window_begins_empty_but_for_what_runs(void **state)
{
    CLEANUP(limit_budgets_close_ptr) struct limit_budgets *budgets = open_budgets(*state);
    struct limit_charge charge;
    struct limit_charge running;
    int64_t later = limit_window_end(LIMIT_DAY, NOW_SEC);

    assert_int_equal(reserve(budgets, ask(1, 70, 100), NOW_SEC, &charge), LIMIT_GRANTED);
    assert_int_equal(reserve(budgets, ask(1, 30, 100), NOW_SEC, &running), LIMIT_GRANTED);
    limit_budget_settle(budgets, &charge, 70, NOW_SEC);
    assert_int_equal(left(budgets, 1, 100, later - 1), 0);
    assert_int_equal(left(budgets, 1, 100, later), 70);
    assert_int_equal(left(budgets, 1, 100, NOW_SEC), 70); /* the clock was set back */
    limit_budget_settle(budgets, &running, 20, later);
    assert_int_equal(left(budgets, 1, 100, later), 80);
}

static void counts_outlive_the_process(void **state)
{
    struct limit_budgets *budgets = open_budgets(*state);
    struct limit_charge charge;

    assert_int_equal(reserve(budgets, ask(1, 40, 100), NOW_SEC, &charge), LIMIT_GRANTED);
    limit_budget_settle(budgets, &charge, 30, NOW_SEC);
    assert_int_equal(reserve(budgets, ask(1, 40, 100), NOW_SEC, &charge), LIMIT_GRANTED);
    limit_budgets_close_ptr(&budgets);
    budgets = open_budgets(*state);
    assert_int_equal(left(budgets, 1, 100, NOW_SEC), 70);
    limit_budgets_close(budgets);
}

static void a_file_of_something_else_is_refused(void **state)
{
    const struct fixture *fixture = *state;
    struct limit_budgets *budgets = NULL;
    struct err err = ERR_INIT;
    CLEANUP_FD int fd = openat(fixture->dir_fd, "budgets", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert_int_equal(write(fd, "something else", 14), 14);
    assert_int_equal(limit_budgets_open(fixture->dir_fd, "budgets", true, &budgets, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    err_clear(&err);
    assert_int_equal(ftruncate(fd, 0), 0);
    limit_budgets_close(open_budgets(fixture));
    assert_int_equal(pwrite(fd, "drun budgets 9\n", 16, 0), 16);
    assert_int_equal(limit_budgets_open(fixture->dir_fd, "budgets", true, &budgets, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_non_null(strstr(err.msg, "budgets"));
}

static void a_flood_of_keys_empties_no_budget(void **state)
{
    CLEANUP(limit_budgets_close_ptr) struct limit_budgets *budgets = open_budgets(*state);
    struct limit_charge charge;
    unsigned full = 0;

    assert_int_equal(reserve(budgets, ask(0, 7, 10), NOW_SEC, &charge), LIMIT_GRANTED);
    limit_budget_settle(budgets, &charge, 7, NOW_SEC);
    for (unsigned i = 1; i < 4 * LIMIT_BUDGET_SLOTS; i++) {
        enum limit_verdict verdict = reserve(budgets, ask(i, 1, 10), NOW_SEC, &charge);
        assert_true(verdict == LIMIT_GRANTED || verdict == LIMIT_FULL);
        full += verdict == LIMIT_FULL;
        limit_budget_settle(budgets, &charge, 1, NOW_SEC);
    }
    assert_in_range(full, 3 * LIMIT_BUDGET_SLOTS - 1, 4 * LIMIT_BUDGET_SLOTS);
    assert_int_equal(left(budgets, 0, 10, NOW_SEC), 3);
    for (unsigned i = 1; i < 4 * LIMIT_BUDGET_SLOTS; i += 7)
        assert_int_not_equal(reserve(budgets, ask(i, 1, 10), NOW_SEC + 86400, &charge),
                             LIMIT_REFUSED);
}

/* A process that dies between two steps of giving a slot away; see take_over(). */
static void a_slot_that_was_left_half_given_away_still_counts(void **state)
{
    const struct fixture *fixture = *state;
    CLEANUP(limit_budgets_close_ptr) struct limit_budgets *budgets = open_budgets(fixture);
    struct limit_charge charge;
    static const uint64_t moving = 1;

    assert_int_equal(reserve(budgets, ask(1, 40, 100), NOW_SEC, &charge), LIMIT_GRANTED);
    off_t slot = 1024 + 16 * (off_t)(charge.slot - 1);
    limit_budget_settle(budgets, &charge, 40, NOW_SEC);
    uint64_t key = 0;
    CLEANUP_FD int fd = openat(fixture->dir_fd, "budgets", O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &key, sizeof(key), slot), sizeof(key));
    assert_int_equal(pwrite(fd, &moving, sizeof(moving), slot), sizeof(moving));
    assert_int_equal(pwrite(fd, &key, sizeof(key), slot + 8), sizeof(key));
    assert_int_equal(left(budgets, 1, 100, NOW_SEC), 60);
}

/* ------------------------------------------------------------------ against a naive model */

enum { MODEL_SEATS = 3, MODEL_KEYS = 5, MODEL_CALLS = 12, MODEL_STEPS = 60000, MODEL_LIMIT = 1000 };

struct call {
    struct limit_charge charge;
    unsigned key;
    uint64_t cost; /* 0: does not run */
};

struct model {
    struct limit_budgets *seat[MODEL_SEATS];
    struct call calls[MODEL_SEATS][MODEL_CALLS];
    uint64_t settled[MODEL_KEYS];
    int64_t ends[MODEL_KEYS];
    int64_t now;
    uint64_t random;
};

static uint64_t draw(struct model *model, uint64_t below)
{
    model->random = model->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (model->random >> 33) % below;
}

static enum limit_window window_of(unsigned key)
{
    return (enum limit_window)(key % 4);
}

static void roll(struct model *model, unsigned key)
{
    int64_t ends = limit_window_end(window_of(key), model->now);

    if (ends <= model->ends[key])
        return;
    model->ends[key] = ends;
    model->settled[key] = 0;
}

static uint64_t running(const struct model *model, unsigned key)
{
    uint64_t total = 0;

    for (size_t i = 0; i < MODEL_SEATS; i++)
        for (size_t j = 0; j < MODEL_CALLS; j++)
            if (model->calls[i][j].key == key)
                total += model->calls[i][j].cost;
    return total;
}

static void step_begin(struct model *model, unsigned seat, struct call *call)
{
    unsigned key = (unsigned)draw(model, MODEL_KEYS);
    struct limit_budget_ask what = ask(key, 1 + draw(model, 300), MODEL_LIMIT);
    struct limit_budget_answer answer;

    what.window = window_of(key);
    roll(model, key);
    uint64_t used = model->settled[key] + running(model, key);
    bool fits = used + what.cost <= MODEL_LIMIT;
    enum limit_verdict verdict =
        limit_budget_reserve(model->seat[seat], &what, model->now, &call->charge, &answer);
    assert_int_equal(verdict, fits ? LIMIT_GRANTED : LIMIT_REFUSED);
    assert_int_equal(answer.settled, model->settled[key]);
    assert_int_equal(answer.ends_sec, model->ends[key]);
    uint64_t now_used = used + (fits ? what.cost : 0);
    assert_int_equal(answer.left, now_used < MODEL_LIMIT ? MODEL_LIMIT - now_used : 0);
    call->key = key;
    call->cost = fits ? what.cost : 0;
}

static void step_end(struct model *model, unsigned seat, struct call *call)
{
    uint64_t actual = draw(model, draw(model, 50) == 0 ? 500 : call->cost + 1);

    limit_budget_settle(model->seat[seat], &call->charge, actual, model->now);
    if (actual > 0)
        roll(model, call->key);
    model->settled[call->key] += actual;
    call->cost = 0;
}

static void step_die(struct model *model, const struct fixture *fixture, unsigned seat)
{
    limit_budgets_close(model->seat[seat]);
    memset(model->calls[seat], 0, sizeof(model->calls[seat]));
    model->seat[seat] = open_budgets(fixture);
}

static void every_decision_is_that_of_a_naive_model(void **state)
{
    struct model model = {.now = NOW_SEC, .random = 7};

    for (size_t i = 0; i < MODEL_SEATS; i++)
        model.seat[i] = open_budgets(*state);
    for (int step = 0; step < MODEL_STEPS; step++) {
        unsigned seat = (unsigned)draw(&model, MODEL_SEATS);
        struct call *call = &model.calls[seat][draw(&model, MODEL_CALLS)];
        if (draw(&model, 2000) == 0)
            step_die(&model, *state, seat);
        else if (call->cost > 0)
            step_end(&model, seat, call);
        else
            step_begin(&model, seat, call);
        if (draw(&model, 4) == 0)
            model.now += (int64_t)draw(&model, draw(&model, 20) == 0 ? 100000 : 30);
        if (draw(&model, 500) == 0)
            model.now -= (int64_t)draw(&model, 4000); /* somebody sets the clock */
    }
    for (size_t i = 0; i < MODEL_SEATS; i++)
        limit_budgets_close(model.seat[i]);
}

/* ------------------------------------------------------------------ many at once */

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

/* ------------------------------------------------------------------ looking */

struct seen {
    size_t count;
    char names[4][64];
    struct limit_budget_use use[4];
    struct limit_budgets *note; /* in here, unless NULL */
};

static void see(void *ctx, const struct limit_budget_use *use)
{
    struct seen *seen = ctx;

    assert_true(seen->count < 4);
    snprintf(seen->names[seen->count], sizeof(seen->names[0]), "%s/%s",
             (const char *)use->label[0].p, (const char *)use->label[7].p);
    seen->use[seen->count++] = *use;
    if (seen->note != NULL && use->alert > 0)
        limit_budget_noted(seen->note, use);
}

static struct seen look(struct limit_budgets *budgets, int64_t now_sec, bool note)
{
    struct seen seen = {.note = note ? budgets : NULL};

    limit_budgets_look(budgets, now_sec, see, &seen);
    return seen;
}

static struct limit_budget_ask named(const char *owner, uint64_t cost, uint64_t limit)
{
    struct limit_budget_ask what = ask((uint64_t)owner[0], cost, limit);

    what.alerts = 80 | 100 << 8 | 50 << 16;
    for (size_t i = 0; i < LIMIT_LABEL_PARTS; i++)
        what.label[i] = span_str("team");
    what.label[LIMIT_LABEL_PARTS - 1] = span_str(owner);
    return what;
}

static void use(struct limit_budgets *budgets, struct limit_budget_ask what, int64_t now_sec)
{
    struct limit_charge charge;

    assert_int_equal(reserve(budgets, what, now_sec, &charge), LIMIT_GRANTED);
    limit_budget_settle(budgets, &charge, what.cost, now_sec);
}

static void who_looks_sees_what_is_used(void **state)
{
    struct limit_budgets *budgets = open_budgets(*state);
    struct limit_budgets *looker = NULL;
    const struct fixture *fixture = *state;
    struct limit_charge charge;
    struct err err = ERR_INIT;

    assert_int_equal(limit_budgets_open(fixture->dir_fd, "budgets", false, &looker, &err), 0);
    assert_int_equal(look(looker, NOW_SEC, false).count, 0);
    use(budgets, named("alice", 30, 100), NOW_SEC);
    assert_int_equal(reserve(budgets, named("alice", 20, 100), NOW_SEC, &charge), LIMIT_GRANTED);
    struct seen seen = look(looker, NOW_SEC, false);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.names[0], "team/alice");
    assert_int_equal(seen.use[0].settled, 30);
    assert_int_equal(seen.use[0].reserved, 20);
    assert_int_equal(seen.use[0].limit, 100);
    assert_int_equal(seen.use[0].ends_sec, limit_window_end(LIMIT_DAY, NOW_SEC));
    /* Another limit, and a window that is over but for what is reserved. */
    limit_budget_settle(budgets, &charge, 0, NOW_SEC);
    use(budgets, named("alice", 1, 70), NOW_SEC);
    assert_int_equal(look(looker, NOW_SEC, false).use[0].limit, 70);
    assert_int_equal(look(looker, NOW_SEC + 86400, false).count, 0);
    limit_budgets_close(looker);
    limit_budgets_close(budgets);
}

static void an_alert_is_raised_once_a_window(void **state)
{
    struct limit_budgets *budgets = open_budgets(*state);
    int64_t tomorrow = NOW_SEC + 86400;

    use(budgets, named("bob", 49, 100), NOW_SEC);
    assert_int_equal(look(budgets, NOW_SEC, true).use[0].alert, 0);
    use(budgets, named("bob", 1, 100), NOW_SEC);
    assert_int_equal(look(budgets, NOW_SEC, true).use[0].alert, 50);
    assert_int_equal(look(budgets, NOW_SEC, true).use[0].alert, 0);
    /* Two levels at once are one alert, the higher one; also behind a restart. */
    use(budgets, named("bob", 50, 100), NOW_SEC);
    limit_budgets_close(budgets);
    budgets = open_budgets(*state);
    assert_int_equal(look(budgets, NOW_SEC, true).use[0].alert, 100);
    assert_int_equal(look(budgets, NOW_SEC, true).use[0].alert, 0);
    use(budgets, named("bob", 85, 100), tomorrow);
    assert_int_equal(look(budgets, tomorrow, true).use[0].alert, 80);
    assert_int_equal(look(budgets, tomorrow, true).use[0].alert, 0);
    limit_budgets_close(budgets);
}

static void a_label_that_is_too_long_is_cut(void **state)
{
    struct limit_budgets *budgets = open_budgets(*state);
    struct limit_budget_ask what = named("carol", 1, 10);
    char wide[600];

    memset(wide, 'x', sizeof(wide));
    what.label[6] = span_of(wide, sizeof(wide));
    use(budgets, what, NOW_SEC);
    struct seen seen = look(budgets, NOW_SEC, false);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.names[0], "team/");
    assert_int_equal(seen.use[0].label[6].len, LIMIT_LABEL_MAX - LIMIT_LABEL_PARTS - 6 * 4);
    limit_budgets_close(budgets);
}

/* Of the version before: the same file without labels. Its counts stay. */
static void a_file_without_labels_is_taken_over(void **state)
{
    const struct fixture *fixture = *state;
    struct limit_budgets *budgets = open_budgets(fixture);

    use(budgets, ask(5, 7, 10), NOW_SEC);
    limit_budgets_close(budgets);
    CLEANUP_FD int fd = openat(fixture->dir_fd, "budgets", O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "drun budgets 1\n", 16, 0), 16);
    assert_int_equal(ftruncate(fd, offsetof(struct budget_file, labels)), 0);
    /* It had zeros there. */
    for (size_t i = 0; i < LIMIT_BUDGET_SLOTS; i++) {
        static const uint64_t zero[2];
        off_t at = (off_t)(offsetof(struct budget_file, slots) + i * sizeof(struct budget_slot) +
                           offsetof(struct budget_slot, limit));
        assert_int_equal(pwrite(fd, zero, sizeof(zero), at), sizeof(zero));
    }
    budgets = open_budgets(fixture);
    assert_int_equal(left(budgets, 5, 10, NOW_SEC), 3);
    assert_int_equal(look(budgets, NOW_SEC, false).use[0].settled, 7);
    limit_budgets_close(budgets);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(windows_end_where_the_calendar_says),
        TEST(what_was_reserved_is_settled_once),
        TEST(what_goes_beyond_the_reservation_is_counted),
        TEST(a_new_window_begins_empty_but_for_what_runs),
        TEST(counts_outlive_the_process),
        TEST(a_file_of_something_else_is_refused),
        TEST(a_flood_of_keys_empties_no_budget),
        TEST(a_slot_that_was_left_half_given_away_still_counts),
        TEST(every_decision_is_that_of_a_naive_model),
        TEST(a_thousand_calls_at_once_overshoot_by_nothing),
        TEST(reservations_of_killed_processes_come_back),
        TEST(slots_that_change_owners_lose_no_count),
        TEST(who_looks_sees_what_is_used),
        TEST(an_alert_is_raised_once_a_window),
        TEST(a_label_that_is_too_long_is_cut),
        TEST(a_file_without_labels_is_taken_over),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("budgets", tests, NULL, NULL);
}
