/* SPDX-License-Identifier: Apache-2.0 */
/* A thief, a tamperer and a bad disk at the SQLite file. */
#include "store/fixture.h"

#include "base/fd.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

static int start(void **state)
{
    static struct fixture fixture;

    fixture_start(&fixture);
    fixture_open(&fixture);
    *state = &fixture;
    return 0;
}

static int stop(void **state)
{
    fixture_stop(*state);
    return 0;
}

static struct store_key user(const char *name)
{
    return fixture_key("users", "staff", name);
}

/* Closes the store and does what an attacker with the disk can do. */
static void tamper(struct fixture *fixture, const char *sql)
{
    sqlite3 *db;
    char *why = NULL;

    store_close(fixture->store);
    fixture->store = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s", why);
    assert_true(sqlite3_total_changes(db) > 0);
    sqlite3_close(db);
}

static void three_users(struct fixture *fixture)
{
    fixture_put(fixture, user("alice"), "admin");
    fixture_flush(fixture);
    fixture_put(fixture, user("bob"), "guest");
    fixture_flush(fixture);
    fixture_put(fixture, user("alice"), "revoked");
    fixture_flush(fixture);
}

static void refuses_to_open(struct fixture *fixture, const char *because)
{
    struct err err = ERR_INIT;

    assert_int_equal(fixture_try_open(fixture, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    if (strstr(err.msg, because) == NULL)
        fail_msg("%s", err.msg);
}

static enum err_code get(struct fixture *fixture, struct store_key key, char msg[384])
{
    struct store_record record;
    struct err err = ERR_INIT;

    (void)!store_get(fixture->store, key, fixture->arena, &record, &err);
    snprintf(msg, 384, "%s", err.msg);
    return err.code;
}

/* Rows of the history: 0 is the data key of users; then alice, bob, alice again. */
#define ROW(n) "(SELECT k FROM change ORDER BY k LIMIT 1 OFFSET " #n ")"

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

    fixture_put(fixture, user("alice"), "x");
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
    assert_string_equal(fixture_value(fixture, user("alice")), "x");
}

/* ------------------------------------------------------------------ tampering with rows */

static void swapped_values_are_quarantined(void **state)
{
    struct fixture *fixture = *state;
    struct store_list query = {.collection = "users"};
    struct store_page page;
    struct store_stats stats;
    struct err err = ERR_INIT;
    char msg[384];

    three_users(fixture);
    fixture_put(fixture, user("carol"), "guest");
    fixture_flush(fixture);
    tamper(fixture,
           "CREATE TEMP TABLE t AS SELECT * FROM change;"
           "UPDATE change SET v = (SELECT v FROM t WHERE k = " ROW(3) ") WHERE k = " ROW(
               2) ";"
                  "UPDATE change SET v = (SELECT v FROM t WHERE k = " ROW(2) ") WHERE k = " ROW(3));
    fixture_open(fixture);
    assert_int_equal(get(fixture, user("alice"), msg), ERR_CORRUPT);
    assert_non_null(strstr(msg, "collection users: the record at position"));
    assert_int_equal(get(fixture, user("bob"), msg), ERR_CORRUPT);
    assert_string_equal(fixture_value(fixture, user("carol")), "guest");
    assert_int_equal(store_list(fixture->store, &query, fixture->arena, &page, &err), 0);
    assert_int_equal(page.count, 1);
    assert_int_equal(page.damaged, 2);
    assert_int_equal(fixture->damages, 2);
    assert_string_equal(fixture->damaged_collection, "users");
    store_stats(fixture->store, &stats);
    assert_int_equal(stats.damaged, 2);
    fixture_put(fixture, user("bob"), "repaired");
    fixture_flush(fixture);
    assert_string_equal(fixture_value(fixture, user("bob")), "repaired");
    assert_int_equal(store_delete(fixture->store, user("alice"), &err), 0);
    fixture_flush(fixture);
    fixture_open(fixture);
    assert_int_equal(get(fixture, user("alice"), msg), ERR_NOT_FOUND);
}

static void a_sealed_body_in_another_row_is_quarantined(void **state)
{
    struct fixture *fixture = *state;
    char msg[384];

    three_users(fixture);
    /* The open part stays, the sealed one is alice's old value. */
    tamper(fixture, "UPDATE change SET v = substr(v, 1, 70) || "
                    "substr((SELECT v FROM change WHERE k = " ROW(1) "), 71) WHERE k = " ROW(3));
    fixture_open(fixture);
    assert_int_equal(get(fixture, user("alice"), msg), ERR_CORRUPT);
    assert_string_equal(fixture_value(fixture, user("bob")), "guest");
}

static void a_record_moved_to_another_place_is_noticed(void **state)
{
    struct fixture *fixture = *state;

    three_users(fixture);
    tamper(fixture, "UPDATE current SET v = (SELECT v FROM current WHERE k = "
                    "(SELECT max(k) FROM current)) WHERE k = "
                    "(SELECT k FROM current ORDER BY k DESC LIMIT 1 OFFSET 1)");
    refuses_to_open(fixture, "tampered");
}

static void a_record_rolled_back_is_noticed(void **state)
{
    struct fixture *fixture = *state;

    three_users(fixture);
    /* alice's first row is still in the history: let `current` point to it, with its salt. */
    tamper(fixture, "UPDATE current SET v = x'0002000000000000' || "
                    "(SELECT substr(v, 15, 8) FROM change WHERE k = 512) "
                    "WHERE substr(v, 1, 8) = x'0004000000000000'");
    refuses_to_open(fixture, "older than they should be");
    fixture->config.accept_loss = true;
    fixture_open(fixture);
    assert_string_equal(fixture_value(fixture, user("alice")), "admin");
    fixture->config.accept_loss = false;
    fixture_put(fixture, user("alice"), "revoked again");
    fixture_flush(fixture);
    fixture_open(fixture);
    assert_string_equal(fixture_value(fixture, user("alice")), "revoked again");
}

static void a_missing_newest_record_is_noticed(void **state)
{
    struct fixture *fixture = *state;

    three_users(fixture);
    tamper(fixture, "DELETE FROM current WHERE substr(v, 1, 8) = x'0004000000000000';"
                    "DELETE FROM change WHERE k = (SELECT max(k) FROM change)");
    refuses_to_open(fixture, "tampered");
}

static void a_missing_row_is_quarantined(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    char msg[384];

    three_users(fixture);
    tamper(fixture, "DELETE FROM change WHERE k = (SELECT max(k) FROM change)");
    fixture_open(fixture);
    assert_int_equal(get(fixture, user("alice"), msg), ERR_CORRUPT);
    assert_string_equal(fixture_value(fixture, user("bob")), "guest");
    assert_int_equal(fixture_scrub(fixture, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
}

static void a_missing_index_entry_is_reported_by_the_scrub(void **state)
{
    struct fixture *fixture = *state;
    struct store_change put = {.key = user("alice"), .terms = {"key=1"}, .term_count = 1};
    struct store_txn txn = {.changes = &put, .change_count = 1};
    struct err err = ERR_INIT;

    assert_int_equal(store_txn_commit(fixture->store, &txn, NULL, &err), 0);
    fixture_flush(fixture);
    tamper(fixture, "DELETE FROM term");
    fixture_open(fixture);
    assert_int_equal(fixture->damages, 0);
    assert_int_equal(fixture_scrub(fixture, &err), 0);
    assert_int_equal(fixture->damages, 1);
}

static void a_gap_in_the_history_ends_a_watch(void **state)
{
    struct fixture *fixture = *state;
    struct store_watch watch = {.collection = "users", .from_revision = 1};
    struct store_watcher *watcher;
    struct store_stats stats;
    struct err err = ERR_INIT;

    three_users(fixture);
    tamper(fixture, "DELETE FROM change WHERE k = " ROW(1));
    fixture_open(fixture);
    assert_string_equal(fixture_value(fixture, user("alice")), "revoked");
    assert_int_equal(store_watch_add(fixture->store, &watch, &watcher, &err), 0);
    store_stats(fixture->store, &stats);
    assert_int_equal(stats.watchers, 0);
    assert_int_equal(fixture_scrub(fixture, &err), -1);
    assert_non_null(strstr(err.msg, "missing from the history"));
}

static void a_head_of_another_time_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    char sql[256];

    fixture_put(fixture, user("alice"), "1");
    fixture_flush(fixture);
    snprintf(sql, sizeof(sql),
             "ATTACH '%s/old.db' AS old; CREATE TABLE old.keep(v);"
             "INSERT INTO old.keep SELECT v FROM meta WHERE k = x'68656164'",
             fixture->dir);
    tamper(fixture, sql);
    fixture_open(fixture);
    fixture_put(fixture, user("alice"), "2");
    fixture_flush(fixture);
    snprintf(sql, sizeof(sql),
             "ATTACH '%s/old.db' AS old;"
             "UPDATE meta SET v = (SELECT v FROM old.keep) WHERE k = x'68656164'",
             fixture->dir);
    tamper(fixture, sql);
    refuses_to_open(fixture, "tampered");
    tamper(fixture, "UPDATE meta SET v = zeroblob(length(v)) WHERE k = x'68656164'");
    refuses_to_open(fixture, "head");
    tamper(fixture, "DELETE FROM meta WHERE k = x'68656164'");
    refuses_to_open(fixture, "lost its head");
    fixture->config.accept_loss = true;
    fixture_open(fixture);
    assert_string_equal(fixture_value(fixture, user("alice")), "2");
    fixture->config.accept_loss = false;
    fixture_put(fixture, user("alice"), "3");
    fixture_flush(fixture);
    fixture_open(fixture);
    assert_string_equal(fixture_value(fixture, user("alice")), "3");
}

static void a_lost_id_is_no_new_store(void **state)
{
    struct fixture *fixture = *state;

    three_users(fixture);
    tamper(fixture, "DELETE FROM meta WHERE k = x'6964'");
    refuses_to_open(fixture, "lost its id");
}

static void a_damaged_data_key_costs_one_collection(void **state)
{
    struct fixture *fixture = *state;
    struct store_record record;
    struct err err = ERR_INIT;

    three_users(fixture);
    fixture_put(fixture, fixture_key("groups", "", "g"), "x");
    fixture_flush(fixture);
    tamper(fixture, "UPDATE change SET v = substr(v, 1, length(v) - 1) || x'00' WHERE k = " ROW(0));
    fixture_open(fixture);
    assert_string_equal(fixture_value(fixture, fixture_key("groups", "", "g")), "x");
    assert_int_equal(store_get(fixture->store, user("bob"), fixture->arena, &record, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_int_equal(store_put(fixture->store, user("bob"), span_str("x"), &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
}

static void a_trigger_is_refused(void **state)
{
    struct fixture *fixture = *state;

    three_users(fixture);
    tamper(fixture, "CREATE TRIGGER t AFTER INSERT ON change BEGIN DELETE FROM current; END;"
                    "UPDATE meta SET v = v");
    refuses_to_open(fixture, "did not make");
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
        if (store_get(fixture->store, user(name), fixture->arena, &record, &err) == 0) {
            assert_true(span_eq_str(record.value, name));
        } else {
            assert_int_equal(err.code, ERR_CORRUPT);
            (*out_bad)++;
        }
    }
    (void)!store_list(fixture->store, &query, fixture->arena, &page, &err);
    (void)!fixture_scrub(fixture, &err);
    if (store_put(fixture->store, user("new"), span_str("x"), &err) == 0)
        (void)!store_flush(fixture->store, &err);
    arena_reset(fixture->arena);
}

static void flipped_pages_never_crash_it(void **state)
{
    struct fixture *fixture = *state;
    char good[128];
    char name[16];
    char wal[128];
    struct stat st;
    unsigned refused = 0;
    unsigned bad = 0;

    for (unsigned i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "%u", i);
        fixture_put(fixture, user(name), name);
    }
    fixture_flush(fixture);
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
    char good[128];
    char name[16];
    struct stat st;
    unsigned refused = 0;
    unsigned bad = 0;

    for (unsigned i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "%u", i);
        fixture_put(fixture, user(name), name);
    }
    fixture_flush(fixture);
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
    refuses_to_open(fixture, "rolled back");
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
        if (store_put(fixture->store, user(name), span_of(value, sizeof(value)), err) < 0 ||
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
        assert_true((fixture_value(fixture, user(name)) != NULL) == (i < count));
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
    fixture_put(fixture, user("after"), "room again");
    fixture_flush(fixture);
    fixture_open(fixture);
    assert_string_equal(fixture_value(fixture, user("after")), "room again");
    exactly_these_are_there(fixture, acknowledged);
    assert_int_equal(fixture_scrub(fixture, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_disk_holds_no_name_and_no_value, start, stop),
        cmocka_unit_test_setup_teardown(a_second_opener_is_told, start, stop),
        cmocka_unit_test_setup_teardown(swapped_values_are_quarantined, start, stop),
        cmocka_unit_test_setup_teardown(a_sealed_body_in_another_row_is_quarantined, start, stop),
        cmocka_unit_test_setup_teardown(a_record_moved_to_another_place_is_noticed, start, stop),
        cmocka_unit_test_setup_teardown(a_record_rolled_back_is_noticed, start, stop),
        cmocka_unit_test_setup_teardown(a_missing_newest_record_is_noticed, start, stop),
        cmocka_unit_test_setup_teardown(a_missing_row_is_quarantined, start, stop),
        cmocka_unit_test_setup_teardown(a_missing_index_entry_is_reported_by_the_scrub, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_gap_in_the_history_ends_a_watch, start, stop),
        cmocka_unit_test_setup_teardown(a_head_of_another_time_is_noticed, start, stop),
        cmocka_unit_test_setup_teardown(a_lost_id_is_no_new_store, start, stop),
        cmocka_unit_test_setup_teardown(a_damaged_data_key_costs_one_collection, start, stop),
        cmocka_unit_test_setup_teardown(a_trigger_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(flipped_pages_never_crash_it, start, stop),
        cmocka_unit_test_setup_teardown(a_truncated_file_is_noticed, start, stop),
        cmocka_unit_test_setup_teardown(a_full_disk_loses_nothing_and_heals, start, stop),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store damage", tests, NULL, NULL);
}
