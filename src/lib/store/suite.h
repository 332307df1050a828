/* SPDX-License-Identifier: Apache-2.0 */
/* A suite that every backend must pass: the first argument of the program names the backend. */
#ifndef DRUN_STORE_SUITE_H
#define DRUN_STORE_SUITE_H

#include "store/fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char suite_cluster[64];
static bool suite_on_postgres;

static int suite_start(void **state)
{
    static struct fixture fixture;

    fixture_start(&fixture);
    if (suite_on_postgres)
        fixture_use_postgres(&fixture, suite_cluster);
    fixture_open(&fixture);
    *state = &fixture;
    return 0;
}

static int suite_stop(void **state)
{
    fixture_stop(*state);
    return 0;
}

#define SUITE_TEST(fn) cmocka_unit_test_setup_teardown(fn, suite_start, suite_stop)

/* NULL, or why the suite cannot be run. */
static const char *suite_begin(int argc, char **argv, pid_t *server)
{
    suite_on_postgres = argc > 1 && strcmp(argv[1], "postgresql") == 0;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return suite_on_postgres ? fixture_postgres_start(suite_cluster, server) : NULL;
}

#define SUITE_MAIN(name, tests)                                                                    \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        pid_t server = 0;                                                                          \
        const char *none = suite_begin(argc, argv, &server);                                       \
                                                                                                   \
        if (none != NULL) {                                                                        \
            printf("1..0 # SKIP %s\n", none);                                                      \
            return 0;                                                                              \
        }                                                                                          \
        int failed = cmocka_run_group_tests_name(name, tests, NULL, NULL);                         \
        if (server != 0)                                                                           \
            fixture_postgres_stop(suite_cluster, server);                                          \
        return failed;                                                                             \
    }

#endif
