/* SPDX-License-Identifier: Apache-2.0 */
/* A fresh log with segments of 16 records for each test. */
#ifndef DRUN_AUDIT_LOG_FIXTURE_H
#define DRUN_AUDIT_LOG_FIXTURE_H

#include "audit/audit_test_util.h"

struct fixture {
    char path[64];
    struct audit_log_config config;
    struct audit_log *log;
};

extern struct test_keys keys;

int set_up(void **state);
int tear_down(void **state);
int heap(void **state);
int no_heap(void **state);
void reopen(struct fixture *fixture);
/* That it verifies, and how many records it has. */
void assert_good(struct fixture *fixture, uint64_t records);

struct seen {
    uint64_t index[256];
    size_t count;
    size_t stop_after;
};
/* An audit_found_fn. */
int see(void *ctx, const struct audit_found *found, struct err *err);

#define LOG_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

#endif
