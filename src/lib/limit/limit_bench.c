/* SPDX-License-Identifier: Apache-2.0 */
/* What one model call pays for its four limits: reserve and settle, by one process and by two. */
#include "limit/limit.h"

#include "base/clock.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>

enum { ROUNDS = 2000000 };

static void calls(struct limit_table *table, uint64_t who, const char *what)
{
    struct limit_reservation reservation;
    struct limit_answer answer;
    uint64_t start = clock_mono_ns();

    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct limit_ask set[4];
        for (size_t j = 0; j < 4; j++)
            set[j] = (struct limit_ask){.key = 1000 + who + (j < 2 ? j + i % 64 * 16 : j),
                                        .cost = j % 2 == 0 ? 1 : 300,
                                        .limit = UINT64_C(1) << 40,
                                        .window_ns = 60 * UINT64_C(1000000000)};
        limit_reserve(table, set, 4, clock_mono_ns(), &reservation, &answer);
        limit_settle(table, &reservation, 1, 150, clock_mono_ns());
        limit_settle(table, &reservation, 3, 150, clock_mono_ns());
    }
    printf("%-40s %6.0f ns a call\n", what, (double)(clock_mono_ns() - start) / (double)ROUNDS);
}

int main(void)
{
    struct limit_table *table;
    struct err err = ERR_INIT;
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, "/dev/shm", &err);

    if (dir_fd < 0 || limit_open(dir_fd, "limit_bench", &table, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    unlinkat(dir_fd, "limit_bench", 0);
    calls(table, 0, "four limits, one process");
    fflush(stdout);
    if (fork() == 0) {
        calls(table, 0, "the same, two processes, one tenant");
        return 0;
    }
    calls(table, 0, "the same, two processes, one tenant");
    wait(NULL);
    limit_close(table);
    return 0;
}
