/* SPDX-License-Identifier: Apache-2.0 */
/* What one model call pays for its four limits, and for four budgets: reserve and settle, by one
 * process and by two. */
#include "limit/limit.h"

#include "base/clock.h"
#include "base/fd.h"
#include "limit/budget.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>

enum { ROUNDS = 2000000 };

static void calls(struct limit_table *table, enum limit_algorithm algorithm, const char *what)
{
    struct limit_reservation reservation;
    struct limit_answer answer;
    uint64_t start = clock_mono_ns();

    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct limit_ask set[4];
        for (size_t j = 0; j < 4; j++)
            set[j] =
                (struct limit_ask){.key = 1000 + algorithm * 100000 + (j < 2 ? j + i % 64 * 16 : j),
                                   .cost = j % 2 == 0 ? 1 : 300,
                                   .limit = UINT64_C(1) << 40,
                                   .window_ns = 60 * UINT64_C(1000000000),
                                   .algorithm = algorithm};
        limit_reserve(table, set, 4, clock_mono_ns(), &reservation, &answer);
        limit_settle(table, &reservation, 1, 150, clock_mono_ns());
        limit_settle(table, &reservation, 3, 150, clock_mono_ns());
    }
    printf("%-40s %6.0f ns a call\n", what, (double)(clock_mono_ns() - start) / (double)ROUNDS);
}

/* A day's and a month's budget of the caller, and of all callers together. */
static void budget_calls(struct limit_budgets *budgets, const char *what)
{
    struct limit_charge charges[4];
    struct limit_budget_answer answer;
    uint64_t start = clock_mono_ns();
    uint64_t granted = 0;

    for (uint64_t i = 0; i < ROUNDS; i++) {
        int64_t now = clock_wall_sec();
        for (size_t j = 0; j < 4; j++) {
            struct limit_budget_ask ask = {.key = 1000 + (j < 2 ? j + i % 64 * 16 : j) * 4,
                                           .cost = 300,
                                           .limit = LIMIT_BUDGET_MAX,
                                           .window = j % 2 == 0 ? LIMIT_DAY : LIMIT_MONTH};
            granted +=
                limit_budget_reserve(budgets, &ask, now, &charges[j], &answer) == LIMIT_GRANTED;
        }
        for (size_t j = 0; j < 4; j++)
            limit_budget_settle(budgets, &charges[j], 150, now);
    }
    printf("%-40s %6.0f ns a call\n", what, (double)(clock_mono_ns() - start) / (double)ROUNDS);
    if (granted < 4 * (uint64_t)ROUNDS)
        printf("%lu were refused\n", (unsigned long)(4 * (uint64_t)ROUNDS - granted));
}

static int open_both(int dir_fd, struct limit_table **table, struct limit_budgets **budgets,
                     struct err *err)
{
    TRY(limit_open(dir_fd, "limit_bench", table, err));
    unlinkat(dir_fd, "limit_bench", 0);
    return limit_budgets_open(dir_fd, "limit_bench.budgets", true, budgets, err);
}

int main(void)
{
    struct limit_table *table;
    struct limit_budgets *budgets;
    struct err err = ERR_INIT;
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, "/dev/shm", &err);

    if (dir_fd < 0 || open_both(dir_fd, &table, &budgets, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    calls(table, LIMIT_TOKEN_BUCKET, "four limits, one process");
    calls(table, LIMIT_SLIDING_WINDOW, "four sliding windows, one process");
    budget_calls(budgets, "four budgets, one process");
    fflush(stdout);
    if (fork() == 0) {
        calls(table, LIMIT_TOKEN_BUCKET, "four limits, two processes, one tenant");
        calls(table, LIMIT_SLIDING_WINDOW, "four sliding windows, two, one tenant");
        if (limit_budgets_open(dir_fd, "limit_bench.budgets", true, &budgets, &err) == 0)
            budget_calls(budgets, "four budgets, two processes, one tenant");
        return 0;
    }
    calls(table, LIMIT_TOKEN_BUCKET, "four limits, two processes, one tenant");
    calls(table, LIMIT_SLIDING_WINDOW, "four sliding windows, two, one tenant");
    budget_calls(budgets, "four budgets, two processes, one tenant");
    wait(NULL);
    unlinkat(dir_fd, "limit_bench.budgets", 0);
    limit_budgets_close(budgets);
    limit_close(table);
    return 0;
}
