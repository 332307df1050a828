/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/budget_fixture.h"
#include "limit/budget_internal.h"

#include "base/clock.h"
#include "limit/limit_internal.h"

#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

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
    assert_int_equal(answer.settled, 45);
    assert_int_equal(answer.left, 55);
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
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("budgets", tests, NULL, NULL);
}
