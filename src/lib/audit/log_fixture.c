/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/log_fixture.h"

#include "audit/verify.h"
#include "base/fd.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct test_keys keys;

int set_up(void **state)
{
    struct fixture *fixture = mem_new(sizeof(*fixture));

    keys.away = false;
    test_dir_make(fixture->path);
    fixture->config = test_config(&keys);
    fixture->config.segment_records = 16;
    fixture->log = test_log(fixture->path, &fixture->config);
    *state = fixture;
    return 0;
}

int tear_down(void **state)
{
    struct fixture *fixture = *state;

    audit_log_close(fixture->log);
    test_dir_remove(fixture->path);
    free(fixture);
    return 0;
}

void reopen(struct fixture *fixture)
{
    audit_log_close(fixture->log);
    fixture->log = test_log(fixture->path, &fixture->config);
}

void assert_good(struct fixture *fixture, uint64_t records)
{
    struct audit_verify_options options = {
        .keys = &keys.signers, .origin = TEST_ORIGIN, .decrypt = &fixture->config.keys};
    struct audit_verdict verdict;
    struct err err = ERR_INIT;
    CLEANUP_FD int fd = test_dir_fd(fixture->path);

    assert_int_equal(audit_log_checkpoint(fixture->log, &err), 0);
    assert_int_equal(audit_verify(fd, &options, &verdict, &err), 0);
    if (!verdict.good)
        fail_msg("%s: %s", verdict.file, verdict.what);
    assert_int_equal(verdict.records, records);
    assert_int_equal(verdict.opened, records);
}

int see(void *ctx, const struct audit_found *found, struct err *err UNUSED)
{
    struct seen *seen = ctx;

    assert_true(seen->count < ARRAY_LEN(seen->index));
    seen->index[seen->count++] = found->index;
    return seen->stop_after != 0 && seen->count == seen->stop_after;
}

int heap(void **state UNUSED)
{
    struct err err = ERR_INIT;

    assert_int_equal(secret_heap_init(&err), 0);
    test_keys_init(&keys);
    return 0;
}

int no_heap(void **state UNUSED)
{
    test_keys_free(&keys);
    return 0;
}
