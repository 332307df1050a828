/* SPDX-License-Identifier: Apache-2.0 */
/* What a start makes of files that a crash, a disk or somebody has changed. */
#include "audit/log_fixture.h"
#include "audit/segment.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    return cmocka_run_group_tests_name("audit recover", tests, heap, no_heap);
}
