/* SPDX-License-Identifier: Apache-2.0 */
/* What is seen of budgets beside their use. */
#include "limit/budget_fixture.h"
#include "limit/budget_internal.h"

#include <unistd.h>

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
        TEST(who_looks_sees_what_is_used),
        TEST(an_alert_is_raised_once_a_window),
        TEST(a_label_that_is_too_long_is_cut),
        TEST(a_file_without_labels_is_taken_over),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("budgets, looked at", tests, NULL, NULL);
}
