/* SPDX-License-Identifier: Apache-2.0 */
/* What a thief of the SQLite file sees, and a bad disk under it: flipped pages, a file cut short, a
 * full disk. */
#include "store/fixture.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

/* ------------------------------------------------------------------ what a thief sees */

static bool file_holds(const char *path, const char *text)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(64 * 1024 * 1024);
    struct err err = ERR_INIT;

    if (fd_read_file(AT_FDCWD, path, &bytes, &err) < 0)
        return false;
    return memmem(bytes.data, bytes.len, text, strlen(text)) != NULL;
}

static void the_disk_holds_no_name_and_no_value(void **state)
{
    static const char *const words[] = {"NameOfARecord", "ScopeOfARecord", "collectionname",
                                        "ValueOfARecord", "TermOfARecord"};
    struct fixture *fixture = *state;
    struct store_change put = {.key = {words[2], words[1], words[0]},
                               .value = span_str(words[3]),
                               .terms = {words[4]},
                               .term_count = 1};
    struct store_txn txn = {.changes = &put, .change_count = 1};
    struct err err = ERR_INIT;
    struct stat st;
    char wal[128];

    assert_int_equal(store_txn_commit(fixture->store, &txn, NULL, &err), 0);
    fixture_flush(fixture);
    snprintf(wal, sizeof(wal), "%s-wal", fixture->path);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        assert_false(file_holds(wal, words[i]));
    snprintf(wal, sizeof(wal), "%s-shm", fixture->path);
    assert_int_equal(stat(wal, &st), -1);
    fixture_open(fixture);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        assert_false(file_holds(fixture->path, words[i]));
    assert_true(file_holds(fixture->path, "SQLite format 3"));
}

static void a_second_opener_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct store *second = NULL;
    struct err err = ERR_INIT;
    int status;

    fixture_put(fixture, fixture_user("alice"), "x");
    fixture_flush(fixture);
    assert_int_equal(store_open(&fixture->config, &second, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "another process has it open"));
    pid_t pid = fork();
    if (pid == 0)
        _exit(store_open(&fixture->config, &second, &err) < 0 && err.code == ERR_UNAVAILABLE ? 0
                                                                                             : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_string_equal(fixture_value(fixture, fixture_user("alice")), "x");
}

/* ------------------------------------------------------------------ a bad disk */

static void flip(const char *path, off_t at, size_t len)
{
    CLEANUP_FD int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t byte;

    assert_true(fd >= 0);
    for (size_t i = 0; i < len; i++) {
        if (pread(fd, &byte, 1, at + (off_t)i) != 1)
            return;
        byte ^= 0xa5;
        assert_int_equal(pwrite(fd, &byte, 1, at + (off_t)i), 1);
    }
}

static void copy(const char *from, const char *to)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(64 * 1024 * 1024);
    struct err err = ERR_INIT;

    assert_int_equal(fd_read_file(AT_FDCWD, from, &bytes, &err), 0);
    assert_int_equal(fd_replace_file(AT_FDCWD, to, 0600, buf_span(&bytes), false, &err), 0);
}

/* Every call either works or says clearly why not; a value that is given out is the right one. */
static void use_damaged(struct fixture *fixture, unsigned *out_refused, unsigned *out_bad)
{
    struct store_list query = {.collection = "users"};
    struct store_page page;
    struct err err = ERR_INIT;
    char name[16];

    if (fixture_try_open(fixture, &err) < 0) {
        assert_true(err.code == ERR_CORRUPT || err.code == ERR_IO || err.code == ERR_UNSUPPORTED);
        (*out_refused)++;
        return;
    }
    for (unsigned i = 0; i < 200; i++) {
        struct store_record record;
        snprintf(name, sizeof(name), "%u", i);
        if (store_get(fixture->store, fixture_user(name), fixture->arena, &record, &err) == 0) {
            assert_true(span_eq_str(record.value, name));
        } else {
            assert_int_equal(err.code, ERR_CORRUPT);
            (*out_bad)++;
        }
    }
    (void)!store_list(fixture->store, &query, fixture->arena, &page, &err);
    (void)!fixture_scrub(fixture, &err);
    if (store_put(fixture->store, fixture_user("new"), span_str("x"), &err) == 0)
        (void)!store_flush(fixture->store, &err);
    arena_reset(fixture->arena);
}

static void flipped_pages_never_crash_it(void **state)
{
    struct fixture *fixture = *state;
    char good[128];
    char wal[128];
    struct stat st;
    unsigned refused = 0;
    unsigned bad = 0;

    fixture_put_users(fixture, 200);
    store_close(fixture->store);
    fixture->store = NULL;
    snprintf(good, sizeof(good), "%s/good.db", fixture->dir);
    snprintf(wal, sizeof(wal), "%s-wal", fixture->path);
    copy(fixture->path, good);
    assert_int_equal(stat(good, &st), 0);
    for (off_t page = 0; page < st.st_size / 4096; page++) {
        for (int at = 0; at < 2; at++) {
            unlink(wal);
            copy(good, fixture->path);
            flip(fixture->path, page * 4096 + (at == 0 ? 0 : 2000 + page * 7 % 1500),
                 at == 0 ? 16 : 64);
            use_damaged(fixture, &refused, &bad);
            store_close(fixture->store);
            fixture->store = NULL;
        }
    }
    assert_true(refused > 0);
    assert_true(bad > 0);
}

static void a_truncated_file_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    char good[128];
    struct stat st;
    unsigned refused = 0;
    unsigned bad = 0;

    fixture_put_users(fixture, 200);
    store_head(fixture->store, &fixture->config.least);
    store_close(fixture->store);
    fixture->store = NULL;
    snprintf(good, sizeof(good), "%s/good.db", fixture->dir);
    copy(fixture->path, good);
    assert_int_equal(stat(good, &st), 0);
    for (off_t pages = 0; pages < st.st_size / 4096; pages++) {
        copy(good, fixture->path);
        assert_int_equal(truncate(fixture->path, pages * 4096), 0);
        use_damaged(fixture, &refused, &bad);
        store_close(fixture->store);
        fixture->store = NULL;
    }
    assert_true(refused > 0);
    copy(good, fixture->path);
    assert_int_equal(truncate(fixture->path, 0), 0);
    assert_int_equal(fixture_try_open(fixture, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_non_null(strstr(err.msg, "rolled back"));
}

static void set_file_limit(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static unsigned put_until_full(struct fixture *fixture, struct err *err)
{
    char value[4000];
    char name[16];
    unsigned i;

    memset(value, 'x', sizeof(value));
    for (i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "%u", i);
        if (store_put(fixture->store, fixture_user(name), span_of(value, sizeof(value)), err) < 0 ||
            store_flush(fixture->store, err) < 0)
            break;
    }
    return i;
}

static void exactly_these_are_there(struct fixture *fixture, unsigned count)
{
    char name[16];

    for (unsigned i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "%u", i);
        assert_true((fixture_value(fixture, fixture_user(name)) != NULL) == (i < count));
    }
}

static void a_full_disk_loses_nothing_and_heals(void **state)
{
    struct fixture *fixture = *state;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct err err = ERR_INIT;

    sigaction(SIGXFSZ, &ignore, NULL);
    set_file_limit(600 * 1024);
    unsigned acknowledged = put_until_full(fixture, &err);
    assert_true(acknowledged > 10 && acknowledged < 500);
    assert_int_equal(err.code, ERR_IO);
    assert_non_null(strstr(err.msg, "nothing since the last flush was stored"));
    if (store_needs_flush(fixture->store))
        assert_int_equal(store_flush(fixture->store, &err), -1);
    exactly_these_are_there(fixture, acknowledged);
    set_file_limit(RLIM_INFINITY);
    fixture_put(fixture, fixture_user("after"), "room again");
    fixture_flush(fixture);
    fixture_open(fixture);
    assert_string_equal(fixture_value(fixture, fixture_user("after")), "room again");
    exactly_these_are_there(fixture, acknowledged);
    assert_int_equal(fixture_scrub(fixture, &err), 0);
}

static void fill_and_heal(struct fixture *fixture)
{
    struct err err = ERR_INIT;

    fixture_open(fixture);
    unsigned acknowledged = put_until_full(fixture, &err);
    assert_true(acknowledged > 10 && acknowledged < 500);
    assert_int_equal(err.sys, ENOSPC);
    assert_non_null(strstr(err.msg, "the disk is full"));
    if (store_needs_flush(fixture->store))
        assert_int_equal(store_flush(fixture->store, &err), -1);
    exactly_these_are_there(fixture, acknowledged);
    assert_int_equal(mount(NULL, fixture->dir, NULL, MS_REMOUNT, "size=64m"), 0);
    fixture_put(fixture, fixture_user("after"), "room again");
    fixture_flush(fixture);
    fixture_open(fixture);
    assert_string_equal(fixture_value(fixture, fixture_user("after")), "room again");
    exactly_these_are_there(fixture, acknowledged);
    assert_int_equal(fixture_scrub(fixture, &err), 0);
}

static void a_full_file_system_is_named(void **state)
{
    struct fixture *fixture = *state;

    store_close(fixture->store);
    fixture->store = NULL;
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", fixture->dir, "tmpfs", 0, "size=1m") < 0)
        skip();
    fill_and_heal(fixture);
    store_close(fixture->store);
    fixture->store = NULL;
    assert_int_equal(umount(fixture->dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_disk_holds_no_name_and_no_value, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_second_opener_is_told, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(flipped_pages_never_crash_it, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_truncated_file_is_noticed, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_loses_nothing_and_heals, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_full_file_system_is_named, fixture_setup,
                                        fixture_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store on a bad disk", tests, NULL, NULL);
}
