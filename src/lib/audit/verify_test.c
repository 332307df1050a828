/* SPDX-License-Identifier: Apache-2.0 */
/* Each test breaks a copy of a good log in one way and sees that verification finds it. */
#include "audit/audit_test_util.h"
#include "audit/segment.h"
#include "audit/verify.h"

#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct test_keys keys;
static char original[64]; /* a log of 5 segments of 4 records, the last with 2 */
static char copy[64];
static struct audit_log_config config;

static const char *const segment_names[] = {"00000000000000000000.seg", "00000000000000000004.seg",
                                            "00000000000000000008.seg", "00000000000000000012.seg",
                                            "00000000000000000016.seg"};

static int make_original(void **state UNUSED)
{
    struct err err = ERR_INIT;

    INVARIANT(secret_heap_init(&err) == 0);
    test_keys_init(&keys);
    test_dir_make(original);
    config = test_config(&keys);
    config.segment_records = 4;
    struct audit_log *log = test_log(original, &config);
    for (size_t i = 0; i < 9; i++)
        test_append(log, i * 2, 2);
    INVARIANT(audit_log_checkpoint(log, &err) == 0);
    audit_log_close(log);
    return 0;
}

static int remove_original(void **state UNUSED)
{
    test_dir_remove(original);
    test_keys_free(&keys);
    return 0;
}

static int copy_it(void **state UNUSED)
{
    test_dir_make(copy);
    test_dir_copy(original, copy);
    return 0;
}

static int remove_copy(void **state UNUSED)
{
    test_dir_remove(copy);
    return 0;
}

static struct audit_verdict verify(struct span kept)
{
    struct audit_verify_options options = {
        .keys = &keys.signers, .origin = TEST_ORIGIN, .kept = kept};
    struct audit_verdict verdict;
    struct err err = ERR_INIT;
    CLEANUP_FD int fd = test_dir_fd(copy);

    if (audit_verify(fd, &options, &verdict, &err) < 0)
        fail_msg("%s", err.msg);
    return verdict;
}

static void assert_found(const char *file, uint64_t index, const char *what)
{
    struct audit_verdict verdict = verify(span_of("", 0));

    assert_false(verdict.good);
    assert_string_equal(verdict.file, file);
    if (verdict.index != index || strstr(verdict.what, what) == NULL)
        fail_msg("%s, record %lld: %s", verdict.file, (long long)verdict.index, verdict.what);
}

static void read_copy(const char *name, struct buf *out)
{
    struct err err = ERR_INIT;
    CLEANUP_FD int dir_fd = test_dir_fd(copy);

    assert_int_equal(fd_read_file(dir_fd, name, out, &err), 0);
}

static void write_copy(const char *name, struct span bytes)
{
    struct err err = ERR_INIT;
    CLEANUP_FD int dir_fd = test_dir_fd(copy);

    assert_int_equal(fd_replace_file(dir_fd, name, 0600, bytes, false, &err), 0);
}

static void unlink_copy(const char *name)
{
    CLEANUP_FD int dir_fd = test_dir_fd(copy);

    assert_int_equal(unlinkat(dir_fd, name, 0), 0);
}

static void a_good_log_verifies_without_its_data_keys(void **state UNUSED)
{
    struct audit_verdict verdict = verify(span_of("", 0));

    assert_true(verdict.good);
    assert_int_equal(verdict.segments, 5);
    assert_int_equal(verdict.records, 18);
    assert_int_equal(verdict.size, 18);
    assert_int_equal(verdict.signed_size, 18);
    assert_int_equal(verdict.opened, 0);
}

/* With every kind of file: sealed, open and dropped segments, checkpoints, tree. */
static void make_small_log(void)
{
    struct audit_log_config small = config;
    struct err err = ERR_INIT;

    test_dir_remove(copy);
    assert_int_equal(mkdir(copy, 0700), 0);
    small.segment_records = 2;
    struct audit_log *log = test_log(copy, &small);
    for (size_t i = 0; i < 4; i++)
        test_append(log, i, 1);
    uint64_t before = 1795343924000000000ULL + 2 * 1000000;
    assert_int_equal(audit_log_drop_before(log, before, &err), 1);
    assert_int_equal(audit_log_checkpoint(log, &err), 0);
    audit_log_close(log);
}

static void every_flipped_byte_is_found(void **state UNUSED)
{
    make_small_log();
    assert_true(verify(span_of("", 0)).good);
    DIR *dir = opendir(copy);
    size_t flipped = 0;

    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        CLEANUP(buf_free) struct buf bytes = BUF_INIT(1 << 20);
        if (entry->d_name[0] == '.')
            continue;
        read_copy(entry->d_name, &bytes);
        CLEANUP_FD int fd = openat(dirfd(dir), entry->d_name, O_WRONLY | O_CLOEXEC);
        for (size_t i = 0; i < bytes.len; i++) {
            uint8_t changed = bytes.data[i] ^ (uint8_t)(1U << i % 8);
            assert_int_equal(pwrite(fd, &changed, 1, (off_t)i), 1);
            if (verify(span_of("", 0)).good)
                fail_msg("%s: the changed byte %zu was not found", entry->d_name, i);
            assert_int_equal(pwrite(fd, &bytes.data[i], 1, (off_t)i), 1);
            flipped++;
        }
    }
    closedir(dir);
    assert_true(verify(span_of("", 0)).good);
    print_message("# %zu bytes flipped, each found\n", flipped);
}

static void every_truncation_is_found(void **state UNUSED)
{
    for (size_t s = 0; s < ARRAY_LEN(segment_names); s++) {
        CLEANUP(buf_free) struct buf bytes = BUF_INIT(1 << 20);
        read_copy(segment_names[s], &bytes);
        for (size_t len = 0; len < bytes.len; len += 29) {
            write_copy(segment_names[s], span_of(bytes.data, len));
            assert_false(verify(span_of("", 0)).good);
        }
        write_copy(segment_names[s], buf_span(&bytes));
    }
    assert_true(verify(span_of("", 0)).good);
}

static void a_record_that_was_changed_is_named(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(1 << 20);

    read_copy(segment_names[4], &bytes);
    bytes.data[bytes.len - 40] ^= 1;
    write_copy(segment_names[4], buf_span(&bytes));
    assert_found(segment_names[4], 17, "was changed");
}

static void a_deleted_segment_is_named(void **state UNUSED)
{
    unlink_copy(segment_names[2]);
    assert_found("00000000000000000008.ckpt", 8, "missing");
    unlink_copy("00000000000000000008.ckpt");
    assert_found(segment_names[3], 8, "deleted");
}

static void a_deleted_newest_segment_is_truncation(void **state UNUSED)
{
    unlink_copy(segment_names[4]);
    unlink_copy("00000000000000000016.ckpt");
    assert_found("tree", 16, "missing at the end");
    unlink_copy("tree");
    /* Now it is what the log was a while ago; only who kept a checkpoint can tell. */
    assert_true(verify(span_of("", 0)).good);
    CLEANUP(buf_free) struct buf kept = BUF_INIT(NOTE_MAX);
    struct err err = ERR_INIT;
    CLEANUP_FD int dir_fd = test_dir_fd(original);
    assert_int_equal(fd_read_file(dir_fd, "00000000000000000016.ckpt", &kept, &err), 0);
    struct audit_verdict verdict = verify(span_of(kept.data, kept.len - 1));
    assert_false(verdict.good);
    assert_string_equal(verdict.file, "the kept checkpoint");
}

static void segments_in_another_order_are_found(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf first = BUF_INIT(1 << 20);
    CLEANUP(buf_free) struct buf second = BUF_INIT(1 << 20);

    read_copy(segment_names[1], &first);
    read_copy(segment_names[2], &second);
    write_copy(segment_names[1], buf_span(&second));
    write_copy(segment_names[2], buf_span(&first));
    assert_found(segment_names[1], AUDIT_FROM_END, "its header says");
}

static void checkpoints_by_another_key_are_refused(void **state UNUSED)
{
    struct test_keys others;
    struct audit_verify_options options = {.origin = TEST_ORIGIN};
    struct audit_verdict verdict;
    struct err err = ERR_INIT;
    CLEANUP_FD int fd = test_dir_fd(copy);

    test_keys_init(&others);
    options.keys = &others.signers;
    assert_int_equal(audit_verify(fd, &options, &verdict, &err), 0);
    assert_false(verdict.good);
    assert_non_null(strstr(verdict.what, "none of the given keys"));
    test_keys_free(&others);
}

/* Whoever has the files and even the data keys, but not the signing key, writes another history. */
static void a_history_computed_anew_is_found(void **state UNUSED)
{
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(segment_names); i++)
        unlink_copy(segment_names[i]);
    unlink_copy("tree");
    struct buf notes[5] = {BUF_INIT(NOTE_MAX), BUF_INIT(NOTE_MAX), BUF_INIT(NOTE_MAX),
                           BUF_INIT(NOTE_MAX), BUF_INIT(NOTE_MAX)};
    char name[SEGMENT_NAME_SIZE];
    for (uint64_t i = 0; i < 5; i++) {
        segment_name(i * 4, ".ckpt", name);
        read_copy(name, &notes[i]);
        unlink_copy(name);
    }
    struct audit_log *log = test_log(copy, &config);
    for (size_t i = 0; i < 9; i++)
        test_append(log, i * 2 + 1, 2);
    assert_int_equal(audit_log_checkpoint(log, &err), 0);
    audit_log_close(log);
    unlink_copy("tree");
    for (uint64_t i = 0; i < 5; i++) {
        segment_name(i * 4, ".ckpt", name);
        write_copy(name, buf_span(&notes[i]));
    }
    assert_found("00000000000000000000.ckpt", 3, "computed anew");
    for (size_t i = 0; i < 5; i++)
        buf_free(&notes[i]);
}

static void the_same_record_twice_is_found(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(1 << 20);
    CLEANUP(buf_free) struct buf twice = BUF_INIT(1 << 20);

    read_copy(segment_names[4], &bytes);
    const uint8_t *batch = memmem(bytes.data, bytes.len, "drunbat1", 8);
    assert_non_null(batch);
    buf_put_span(&twice, buf_span(&bytes));
    buf_put(&twice, batch, bytes.len - (size_t)(batch - bytes.data));
    write_copy(segment_names[4], buf_span(&twice));
    assert_found(segment_names[4], 18, "no whole batch");
}

static void without_a_checkpoint_nothing_is_proved(void **state UNUSED)
{
    unlink_copy("tree");
    for (uint64_t i = 0; i < 5; i++) {
        char name[SEGMENT_NAME_SIZE];
        segment_name(i * 4, ".ckpt", name);
        unlink_copy(name);
    }
    assert_found(segment_names[0], 0, "no checkpoint covers it");
}

static void a_forged_note_of_retention_is_found(void **state UNUSED)
{
    struct test_keys others;
    struct audit_log_config forger = config;
    struct err err = ERR_INIT;

    test_keys_init(&others);
    forger.signers = &others.signers;
    forger.keys = test_config(&others).keys;
    char other[64];
    test_dir_make(other);
    struct audit_log *log = test_log(other, &forger);
    for (size_t i = 0; i < 9; i++)
        test_append(log, i * 2, 2);
    assert_int_equal(audit_log_drop_before(log, 1795343924000000000ULL + 4 * 1000000, &err), 1);
    audit_log_close(log);
    CLEANUP(buf_free) struct buf note = BUF_INIT(NOTE_MAX);
    CLEANUP_FD int dir_fd = test_dir_fd(other);
    assert_int_equal(fd_read_file(dir_fd, "00000000000000000000.dropped", &note, &err), 0);
    write_copy("00000000000000000000.dropped", buf_span(&note));
    unlink_copy(segment_names[0]);
    assert_found("00000000000000000000.dropped", AUDIT_FROM_END, "none of the given keys");
    test_dir_remove(other);
    test_keys_free(&others);
}

static void no_name_and_no_address_is_in_the_files(void **state UNUSED)
{
    static const char *const canaries[] = {"alice",     "bob",      "pod-",     "tenant-a",
                                           "192.0.2.7", "k-7f3a9c", "drun.api", "kubectl",
                                           "create",    "\"api\""};
    DIR *dir = opendir(copy);

    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        CLEANUP(buf_free) struct buf bytes = BUF_INIT(1 << 20);
        if (entry->d_name[0] == '.')
            continue;
        read_copy(entry->d_name, &bytes);
        for (size_t i = 0; i < ARRAY_LEN(canaries); i++)
            assert_null(memmem(bytes.data, bytes.len, canaries[i], strlen(canaries[i])));
    }
    closedir(dir);
}

#define COPY_TEST(fn) cmocka_unit_test_setup_teardown(fn, copy_it, remove_copy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COPY_TEST(a_good_log_verifies_without_its_data_keys),
        COPY_TEST(every_flipped_byte_is_found),
        COPY_TEST(every_truncation_is_found),
        COPY_TEST(a_record_that_was_changed_is_named),
        COPY_TEST(a_deleted_segment_is_named),
        COPY_TEST(a_deleted_newest_segment_is_truncation),
        COPY_TEST(segments_in_another_order_are_found),
        COPY_TEST(checkpoints_by_another_key_are_refused),
        COPY_TEST(a_history_computed_anew_is_found),
        COPY_TEST(the_same_record_twice_is_found),
        COPY_TEST(without_a_checkpoint_nothing_is_proved),
        COPY_TEST(a_forged_note_of_retention_is_found),
        COPY_TEST(no_name_and_no_address_is_in_the_files),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("audit verify", tests, make_original, remove_original);
}
