/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of budgets share, above limit/fixture.h. */
#ifndef DRUN_LIMIT_BUDGET_FIXTURE_H
#define DRUN_LIMIT_BUDGET_FIXTURE_H

#include "limit/budget.h"
#include "limit/fixture.h"

/* 2026-11-22 15:00:30 UTC */
enum { NOW_SEC = 1795359630 };

static inline struct limit_budgets *open_budgets(const struct fixture *fixture)
{
    struct limit_budgets *budgets = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(limit_budgets_open(fixture->dir_fd, "budgets", true, &budgets, &err), 0);
    return budgets;
}

static inline struct limit_budget_ask ask(uint64_t key, uint64_t cost, uint64_t limit)
{
    return (struct limit_budget_ask){
        .key = 100 + 4 * key, .cost = cost, .limit = limit, .window = LIMIT_DAY};
}

static inline enum limit_verdict reserve(struct limit_budgets *budgets,
                                         struct limit_budget_ask what, int64_t now_sec,
                                         struct limit_charge *out)
{
    struct limit_budget_answer answer;

    return limit_budget_reserve(budgets, &what, now_sec, out, &answer);
}

static inline uint64_t left(struct limit_budgets *budgets, uint64_t key, uint64_t limit,
                            int64_t now_sec)
{
    struct limit_budget_ask what = ask(key, 1, limit);
    struct limit_budget_answer answer;
    struct limit_charge charge;

    if (limit_budget_reserve(budgets, &what, now_sec, &charge, &answer) != LIMIT_GRANTED)
        return answer.left;
    limit_budget_settle(budgets, &charge, 0, now_sec);
    return answer.left + 1;
}

#endif
