/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit_test_util.h"
#include "audit/segment.h"
#include "audit/verify.h"

#include "base/fd.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct test_keys keys;

struct fixture {
    char path[64];
    struct audit_log_config config;
    struct audit_log *log;
};

static int set_up(void **state)
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

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    audit_log_close(fixture->log);
    test_dir_remove(fixture->path);
    free(fixture);
    return 0;
}

static void reopen(struct fixture *fixture)
{
    audit_log_close(fixture->log);
    fixture->log = test_log(fixture->path, &fixture->config);
}

static void assert_good(struct fixture *fixture, uint64_t records)
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

struct seen {
    uint64_t index[256];
    size_t count;
    size_t stop_after;
};

static int see(void *ctx, const struct audit_found *found, struct err *err UNUSED)
{
    struct seen *seen = ctx;

    assert_true(seen->count < ARRAY_LEN(seen->index));
    seen->index[seen->count++] = found->index;
    return seen->stop_after != 0 && seen->count == seen->stop_after;
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

/* ------------------------------------------------------------------ recovery */

static void change_file(const char *path, const char *name, off_t at, const void *bytes, size_t len,
                        off_t size)
{
    CLEANUP_FREE char *full = mem_printf("%s/%s", path, name);
    CLEANUP_FD int fd = open(full, O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    if (len > 0)
        assert_int_equal(pwrite(fd, bytes, len, at), len);
    if (size >= 0)
        assert_int_equal(ftruncate(fd, size), 0);
}

static off_t size_of_file(const char *path, const char *name)
{
    CLEANUP_FREE char *full = mem_printf("%s/%s", path, name);
    struct stat st;

    assert_int_equal(stat(full, &st), 0);
    return st.st_size;
}

static void a_torn_write_is_cut_off_wherever_it_ends(void **state)
{
    struct fixture *fixture = *state;
    const char *name = "00000000000000000000.seg";

    test_append(fixture->log, 0, 3);
    off_t whole = size_of_file(fixture->path, name);
    test_append(fixture->log, 3, 2);
    off_t end = size_of_file(fixture->path, name);
    for (off_t at = whole + 1; at < end; at += 61) {
        audit_log_close(fixture->log);
        change_file(fixture->path, name, 0, NULL, 0, at);
        fixture->log = test_log(fixture->path, &fixture->config);
        assert_int_equal(audit_log_size(fixture->log), 3);
        assert_int_equal(audit_log_damage_count(fixture->log), 0);
        assert_int_equal(size_of_file(fixture->path, name), whole);
        test_append(fixture->log, 3, 2);
    }
    assert_good(fixture, 5);
}

static void a_torn_trailer_is_cut_off(void **state)
{
    struct fixture *fixture = *state;

    test_append(fixture->log, 0, 16);
    test_append(fixture->log, 16, 1); /* seals the first segment */
    audit_log_close(fixture->log);
    CLEANUP_FREE char *second = mem_printf("%s/00000000000000000016.seg", fixture->path);
    assert_int_equal(unlink(second), 0);
    off_t size = size_of_file(fixture->path, "00000000000000000000.seg");
    change_file(fixture->path, "00000000000000000000.seg", 0, NULL, 0, size - 20);
    fixture->log = test_log(fixture->path, &fixture->config);
    assert_int_equal(audit_log_size(fixture->log), 16);
    assert_int_equal(audit_log_damage_count(fixture->log), 0);
    test_append(fixture->log, 16, 4);
    assert_good(fixture, 20);
}

static void a_sealed_newest_segment_is_followed_by_a_new_one(void **state)
{
    struct fixture *fixture = *state;

    test_append(fixture->log, 0, 16);
    test_append(fixture->log, 16, 1);
    audit_log_close(fixture->log);
    CLEANUP_FREE char *second = mem_printf("%s/00000000000000000016.seg", fixture->path);
    assert_int_equal(unlink(second), 0); /* as if killed between the two */
    fixture->log = test_log(fixture->path, &fixture->config);
    assert_int_equal(audit_log_size(fixture->log), 16);
    assert_int_equal(audit_log_damage_count(fixture->log), 0);
    test_append(fixture->log, 16, 3);
    assert_good(fixture, 19);
}

static void signed_records_that_nothing_can_restore_are_said_to_be_lost(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t zeros[1500];
    CLEANUP_FREE char *tree = mem_printf("%s/tree", fixture->path);
    struct audit_verify_options options = {.keys = &keys.signers, .origin = TEST_ORIGIN};
    struct audit_verdict verdict;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < 5; i++)
        test_append(fixture->log, i * 2, 2);
    assert_int_equal(audit_log_checkpoint(fixture->log, &err), 0);
    audit_log_close(fixture->log);
    change_file(fixture->path, "00000000000000000000.seg", 2500, zeros, sizeof(zeros), -1);
    assert_int_equal(unlink(tree), 0);
    fixture->log = test_log(fixture->path, &fixture->config);
    assert_int_equal(audit_log_damage_count(fixture->log), 1);
    assert_int_equal(audit_log_size(fixture->log), 1);
    assert_int_equal(audit_log_checkpoint(fixture->log, &err), 0);
    assert_int_equal(audit_log_newest_size(fixture->log), 1);
    CLEANUP_FD int fd = test_dir_fd(fixture->path);
    assert_int_equal(audit_verify(fd, &options, &verdict, &err), 0);
    assert_false(verdict.good);
}

static void an_unfinished_segment_is_removed(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP_FD int dir_fd = test_dir_fd(fixture->path);
    struct err err = ERR_INIT;

    test_append(fixture->log, 0, 16);
    audit_log_close(fixture->log);
    assert_int_equal(fd_replace_file(dir_fd, "00000000000000000016.seg", 0600,
                                     span_str("drunseg1...."), false, &err),
                     0);
    fixture->log = test_log(fixture->path, &fixture->config);
    assert_int_equal(audit_log_size(fixture->log), 16);
    test_append(fixture->log, 16, 4);
    assert_good(fixture, 20);
}

static void damage_is_left_alone_and_the_log_goes_on_behind_it(void **state)
{
    struct fixture *fixture = *state;
    const char *name = "00000000000000000000.seg";
    struct audit_query all = {.outcome = -1, .start = AUDIT_FROM_END};
    struct seen seen = {0};
    uint64_t next;
    uint64_t skipped;
    struct err err = ERR_INIT;

    test_append(fixture->log, 0, 4);
    off_t place = size_of_file(fixture->path, name) - 30; /* inside record 3 */
    test_append(fixture->log, 4, 4);
    assert_int_equal(audit_log_checkpoint(fixture->log, &err), 0);
    test_append(fixture->log, 8, 2);
    audit_log_close(fixture->log);
    change_file(fixture->path, name, place, "XXXX", 4, -1);
    off_t size = size_of_file(fixture->path, name);
    fixture->log = test_log(fixture->path, &fixture->config);
    assert_int_equal(audit_log_damage_count(fixture->log), 1);
    assert_int_equal(size_of_file(fixture->path, name), size);
    assert_int_equal(audit_log_size(fixture->log), 11); /* and the event about it */
    test_append(fixture->log, 11, 2);
    assert_int_equal(audit_log_query(fixture->log, &all, see, &seen, &next, &skipped, &err), 0);
    assert_int_equal(seen.count, 12);
    assert_int_equal(skipped, 1);
    struct tree_proof proof;
    struct tree_hash seal;
    assert_int_equal(audit_log_prove(fixture->log, 2, 13, &proof, &seal, &err), 0);
    assert_int_equal(audit_log_prove(fixture->log, 3, 13, &proof, &seal, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
}

static void a_lost_block_costs_only_what_was_not_signed_yet(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t zeros[1500];
    const char *name = "00000000000000000000.seg";
    struct err err = ERR_INIT;

    for (size_t i = 0; i < 5; i++)
        test_append(fixture->log, i * 2, 2);
    assert_int_equal(audit_log_checkpoint(fixture->log, &err), 0);
    audit_log_close(fixture->log);
    change_file(fixture->path, name, 2500, zeros, sizeof(zeros), -1);
    fixture->log = test_log(fixture->path, &fixture->config);
    assert_int_equal(audit_log_damage_count(fixture->log), 1);
    /* It continues the signed tree, from the file `tree`. */
    assert_int_equal(audit_log_size(fixture->log), 11);
    test_append(fixture->log, 11, 2);
    assert_int_equal(audit_log_checkpoint(fixture->log, &err), 0);
    reopen(fixture);
    assert_int_equal(audit_log_damage_count(fixture->log), 0);
}

static void a_damaged_header_puts_the_segment_aside(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;

    test_append(fixture->log, 0, 16);
    test_append(fixture->log, 16, 3);
    audit_log_close(fixture->log);
    change_file(fixture->path, "00000000000000000016.seg", 30, "X", 1, -1);
    fixture->log = test_log(fixture->path, &fixture->config);
    assert_int_equal(audit_log_damage_count(fixture->log), 1);
    assert_int_equal(size_of_file(fixture->path, "00000000000000000016.damaged") > 0, 1);
    assert_int_equal(audit_log_size(fixture->log), 17);
    assert_int_equal(audit_log_checkpoint(fixture->log, &err), 0);
}

static void records_that_were_signed_and_are_gone_are_damage(void **state)
{
    struct fixture *fixture = *state;
    const char *name = "00000000000000000000.seg";
    struct err err = ERR_INIT;

    test_append(fixture->log, 0, 3);
    off_t whole = size_of_file(fixture->path, name);
    test_append(fixture->log, 3, 3);
    assert_int_equal(audit_log_checkpoint(fixture->log, &err), 0);
    audit_log_close(fixture->log);
    change_file(fixture->path, name, 0, NULL, 0, whole);
    fixture->log = test_log(fixture->path, &fixture->config);
    assert_int_equal(audit_log_damage_count(fixture->log), 1);
    assert_int_equal(audit_log_size(fixture->log), 7);
}

static int heap(void **state UNUSED)
{
    struct err err = ERR_INIT;

    assert_int_equal(secret_heap_init(&err), 0);
    test_keys_init(&keys);
    return 0;
}

static int no_heap(void **state UNUSED)
{
    test_keys_free(&keys);
    return 0;
}

#define LOG_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

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
        LOG_TEST(a_torn_write_is_cut_off_wherever_it_ends),
        LOG_TEST(a_torn_trailer_is_cut_off),
        LOG_TEST(a_sealed_newest_segment_is_followed_by_a_new_one),
        LOG_TEST(signed_records_that_nothing_can_restore_are_said_to_be_lost),
        LOG_TEST(an_unfinished_segment_is_removed),
        LOG_TEST(damage_is_left_alone_and_the_log_goes_on_behind_it),
        LOG_TEST(a_lost_block_costs_only_what_was_not_signed_yet),
        LOG_TEST(a_damaged_header_puts_the_segment_aside),
        LOG_TEST(records_that_were_signed_and_are_gone_are_damage),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("audit log", tests, heap, no_heap);
}
