/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/log_fixture.h"
#include "audit/segment.h"

#include "base/fd.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static void what_is_appended_is_there_after_a_restart(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < 10; i++)
        test_append(fixture->log, i * 7, 7);
    assert_int_equal(audit_log_size(fixture->log), 70);
    reopen(fixture);
    assert_int_equal(audit_log_size(fixture->log), 70);
    test_append(fixture->log, 70, 3);
    assert_good(fixture, 73);
    assert_int_equal(audit_log_damage_count(fixture->log), 0);
}

static void a_second_writer_is_refused(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP_FD int fd = test_dir_fd(fixture->path);
    struct audit_log *other;
    struct err err = ERR_INIT;

    assert_int_equal(audit_log_open(&fd, &fixture->config, &other, &err), -1);
    assert_int_equal(err.code, ERR_CONFLICT);
}

static size_t query(struct fixture *fixture, const struct audit_query *query, struct seen *seen,
                    uint64_t *next)
{
    struct err err = ERR_INIT;

    seen->count = 0;
    assert_int_equal(audit_log_query(fixture->log, query, see, seen, next, NULL, &err), 0);
    return seen->count;
}

static void queries_filter_in_both_directions(void **state)
{
    struct fixture *fixture = *state;
    struct audit_query all = {.outcome = -1, .start = AUDIT_FROM_END};
    struct seen seen = {0};
    uint64_t next;

    for (size_t i = 0; i < 10; i++)
        test_append(fixture->log, i * 10, 10);
    assert_int_equal(query(fixture, &all, &seen, &next), 100);
    assert_int_equal(seen.index[0], 99);
    assert_true(next == AUDIT_FROM_END);
    all.oldest_first = true;
    assert_int_equal(query(fixture, &all, &seen, &next), 100);
    assert_int_equal(seen.index[99], 99);
    struct audit_query some = all;
    some.actor = span_str("alice");
    assert_int_equal(query(fixture, &some, &seen, &next), 50);
    some.actor = span_str("!alice");
    assert_int_equal(query(fixture, &some, &seen, &next), 50);
    some.actor = span_str("!nobody");
    assert_int_equal(query(fixture, &some, &seen, &next), 100);
    some.actor = span_str("alice");
    some.event = span_str("drun.auth.*");
    assert_int_equal(query(fixture, &some, &seen, &next), 17);
    some.outcome = AUDIT_DENIED;
    assert_int_equal(query(fixture, &some, &seen, &next), 4);
    some.namespace = span_str("tenant-b");
    assert_int_equal(query(fixture, &some, &seen, &next), 0);
    struct audit_query times = all;
    times.since_ns = 1795343924000000000ULL + 40 * 1000000;
    times.until_ns = times.since_ns + 5 * 1000000;
    assert_int_equal(query(fixture, &times, &seen, &next), 5);
    assert_int_equal(seen.index[0], 40);
}

static void pages_continue_where_the_last_one_ended(void **state)
{
    struct fixture *fixture = *state;
    struct audit_query page = {.outcome = -1, .start = AUDIT_FROM_END, .scan_max = 9};
    struct seen seen = {.stop_after = 4};
    uint64_t expected = 39;

    test_append(fixture->log, 0, 20);
    test_append(fixture->log, 20, 20);
    while (page.start != AUDIT_FROM_END || expected == 39) {
        size_t count = query(fixture, &page, &seen, &page.start);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(seen.index[i], expected--);
    }
    assert_true(expected == UINT64_MAX);
}

static int check_found(void *ctx, const struct audit_found *found, struct err *err UNUSED)
{
    struct tree_hash *commitment = ctx;

    segment_commit(found->salt, found->json, commitment);
    return 0;
}

static void an_entry_is_disclosed_with_salt_and_proof(void **state)
{
    struct fixture *fixture = *state;
    struct tree_hash commitment;
    struct tree_hash seal;
    struct tree_hash leaf;
    struct tree_proof proof;
    struct checkpoint checkpoint;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < 9; i++)
        test_append(fixture->log, i * 11, 11);
    assert_int_equal(audit_log_checkpoint(fixture->log, &err), 0);
    reopen(fixture);
    assert_int_equal(checkpoint_open(audit_log_newest_note(fixture->log), &keys.signers,
                                     TEST_ORIGIN, &checkpoint, &err),
                     0);
    assert_int_equal(checkpoint.size, 99);
    for (uint64_t i = 0; i < 99; i++) {
        assert_int_equal(audit_log_get(fixture->log, i, check_found, &commitment, &err), 0);
        assert_int_equal(audit_log_prove(fixture->log, i, 99, &proof, &seal, &err), 0);
        segment_leaf_of(&commitment, &seal, &leaf);
        assert_int_equal(tree_verify_inclusion(&leaf, i, 99, &proof, &checkpoint.root, &err), 0);
    }
    for (uint64_t old = 0; old <= 99; old++)
        assert_int_equal(audit_log_prove_consistency(fixture->log, old, 99, &proof, &err), 0);
    assert_int_equal(audit_log_prove(fixture->log, 99, 99, &proof, &seal, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void anchors_survive_restarts_and_segments(void **state)
{
    struct fixture *fixture = *state;
    struct audit_event event = {
        .time_ns = 1, .event = span_str(AUDIT_STORE_ANCHOR), .role = span_str("idp")};
    struct err err = ERR_INIT;

    for (event.anchor_revision = 5; event.anchor_revision <= 9; event.anchor_revision++)
        assert_int_equal(audit_log_append(fixture->log, &event, 1, NULL, &err), 0);
    assert_int_equal(audit_log_anchor(fixture->log, span_str("idp")), 9);
    assert_int_equal(audit_log_anchor(fixture->log, span_str("api")), 0);
    for (size_t i = 0; i < 10; i++)
        test_append(fixture->log, i * 10, 10);
    reopen(fixture);
    assert_int_equal(audit_log_anchor(fixture->log, span_str("idp")), 9);
}

static void retention_drops_whole_segments_and_still_verifies(void **state)
{
    struct fixture *fixture = *state;
    struct audit_query all = {.outcome = -1, .start = AUDIT_FROM_END};
    struct tree_proof proof;
    struct tree_hash seal;
    struct seen seen = {0};
    uint64_t next;
    uint64_t skipped;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < 10; i++) {
        test_append(fixture->log, i * 8, 8);
        assert_int_equal(audit_log_checkpoint(fixture->log, &err), 0);
    }
    uint64_t before = 1795343924000000000ULL + 40 * 1000000;
    assert_int_equal(audit_log_drop_before(fixture->log, before, &err), 2);
    assert_int_equal(audit_log_drop_before(fixture->log, before, &err), 0);
    reopen(fixture);
    assert_good(fixture, 82 - 32);
    assert_int_equal(audit_log_query(fixture->log, &all, see, &seen, &next, &skipped, &err), 0);
    assert_int_equal(seen.count, 50);
    assert_int_equal(skipped, 32);
    assert_int_equal(audit_log_prove(fixture->log, 40, 82, &proof, &seal, &err), 0);
    assert_int_equal(audit_log_prove(fixture->log, 3, 82, &proof, &seal, &err), -1);
    assert_int_equal(err.code, ERR_GONE);
    assert_int_equal(audit_log_prove_consistency(fixture->log, 32, 82, &proof, &err), 0);
}

static uint64_t now_backwards(void)
{
    static uint64_t now = 1795343924000000000ULL;

    return now -= 3600000000000ULL;
}

static void a_clock_that_jumps_back_disturbs_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct audit_query times = {.outcome = -1, .start = AUDIT_FROM_END, .until_ns = 2000};
    struct audit_event event = {.event = span_str("drun.test")};
    struct seen seen = {0};
    uint64_t next;
    struct err err = ERR_INIT;

    fixture->config.now_ns = now_backwards;
    reopen(fixture);
    for (uint64_t i = 0; i < 40; i++) {
        event.time_ns = 4000 - i * 100;
        assert_int_equal(audit_log_append(fixture->log, &event, 1, NULL, &err), 0);
        assert_int_equal(audit_log_checkpoint(fixture->log, &err), 0);
    }
    reopen(fixture);
    assert_good(fixture, 40);
    assert_int_equal(query(fixture, &times, &seen, &next), 19);
}

static void a_full_disk_fails_the_append_and_loses_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct audit_event event = {.time_ns = 1, .event = span_str("drun.test")};
    struct rlimit old;
    struct err err = ERR_INIT;

    test_append(fixture->log, 0, 5);
    /* The kernel refuses to let any file grow past the limit, as a full disk does: EFBIG. */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit small = {.rlim_cur = 4096, .rlim_max = old.rlim_max};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGXFSZ);
    sigprocmask(SIG_BLOCK, &set, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    size_t taken = 0;
    while (taken < 10 && audit_log_append(fixture->log, &event, 1, NULL, &err) == 0)
        taken++;
    assert_true(taken < 10);
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(audit_log_append(fixture->log, &event, 1, NULL, &err), -1);
    assert_int_equal(audit_log_size(fixture->log), 5 + taken);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(audit_log_append(fixture->log, &event, 1, NULL, &err), 0);
    reopen(fixture);
    assert_good(fixture, 6 + taken);
}

static void without_kms_it_goes_on_until_it_needs_a_key(void **state)
{
    struct fixture *fixture = *state;
    struct audit_event event = {.time_ns = 1, .event = span_str("drun.test")};
    struct err err = ERR_INIT;

    test_append(fixture->log, 0, 10);
    keys.away = true;
    assert_int_equal(audit_log_append(fixture->log, &event, 1, NULL, &err), 0);
    assert_int_equal(audit_log_checkpoint(fixture->log, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(audit_log_append(fixture->log, &event, 1, NULL, &err), 0);
    assert_int_equal(audit_log_append(fixture->log, &event, 1, NULL, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    keys.away = false;
    assert_int_equal(audit_log_append(fixture->log, &event, 1, NULL, &err), 0);
    assert_good(fixture, 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(what_is_appended_is_there_after_a_restart),
        LOG_TEST(a_second_writer_is_refused),
        LOG_TEST(queries_filter_in_both_directions),
        LOG_TEST(pages_continue_where_the_last_one_ended),
        LOG_TEST(an_entry_is_disclosed_with_salt_and_proof),
        LOG_TEST(anchors_survive_restarts_and_segments),
        LOG_TEST(retention_drops_whole_segments_and_still_verifies),
        LOG_TEST(a_clock_that_jumps_back_disturbs_nothing),
        LOG_TEST(a_full_disk_fails_the_append_and_loses_nothing),
        LOG_TEST(without_kms_it_goes_on_until_it_needs_a_key),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("audit log", tests, heap, no_heap);
}
