/* SPDX-License-Identifier: Apache-2.0 */
/* A tamperer at the SQLite file. */
#include "store/fixture.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>

#include <cmocka.h>

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
    fixture_put(fixture, fixture_user("alice"), "admin");
    fixture_flush(fixture);
    fixture_put(fixture, fixture_user("bob"), "guest");
    fixture_flush(fixture);
    fixture_put(fixture, fixture_user("alice"), "revoked");
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
    fixture_put(fixture, fixture_user("carol"), "guest");
    fixture_flush(fixture);
    tamper(fixture,
           "CREATE TEMP TABLE t AS SELECT * FROM change;"
           "UPDATE change SET v = (SELECT v FROM t WHERE k = " ROW(3) ") WHERE k = " ROW(
               2) ";"
                  "UPDATE change SET v = (SELECT v FROM t WHERE k = " ROW(2) ") WHERE k = " ROW(3));
    fixture_open(fixture);
    assert_int_equal(get(fixture, fixture_user("alice"), msg), ERR_CORRUPT);
    assert_non_null(strstr(msg, "collection users: the record at position"));
    assert_int_equal(get(fixture, fixture_user("bob"), msg), ERR_CORRUPT);
    assert_string_equal(fixture_value(fixture, fixture_user("carol")), "guest");
    assert_int_equal(store_list(fixture->store, &query, fixture->arena, &page, &err), 0);
    assert_int_equal(page.count, 1);
    assert_int_equal(page.damaged, 2);
    assert_int_equal(fixture->damages, 2);
    assert_string_equal(fixture->damaged_collection, "users");
    store_stats(fixture->store, &stats);
    assert_int_equal(stats.damaged, 2);
    fixture_put(fixture, fixture_user("bob"), "repaired");
    fixture_flush(fixture);
    assert_string_equal(fixture_value(fixture, fixture_user("bob")), "repaired");
    assert_int_equal(store_delete(fixture->store, fixture_user("alice"), &err), 0);
    fixture_flush(fixture);
    fixture_open(fixture);
    assert_int_equal(get(fixture, fixture_user("alice"), msg), ERR_NOT_FOUND);
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
    assert_int_equal(get(fixture, fixture_user("alice"), msg), ERR_CORRUPT);
    assert_string_equal(fixture_value(fixture, fixture_user("bob")), "guest");
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
    assert_string_equal(fixture_value(fixture, fixture_user("alice")), "admin");
    fixture->config.accept_loss = false;
    fixture_put(fixture, fixture_user("alice"), "revoked again");
    fixture_flush(fixture);
    fixture_open(fixture);
    assert_string_equal(fixture_value(fixture, fixture_user("alice")), "revoked again");
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
    assert_int_equal(get(fixture, fixture_user("alice"), msg), ERR_CORRUPT);
    assert_string_equal(fixture_value(fixture, fixture_user("bob")), "guest");
    assert_int_equal(fixture_scrub(fixture, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
}

static void a_changed_index_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    struct store_change put = {
        .key = fixture_user("alice"), .terms = {"key=1", "key=1", "key=2"}, .term_count = 3};
    struct store_txn txn = {.changes = &put, .change_count = 1};
    struct err err = ERR_INIT;

    assert_int_equal(store_txn_commit(fixture->store, &txn, NULL, &err), 0);
    put.terms[2] = "key=3";
    assert_int_equal(store_txn_commit(fixture->store, &txn, NULL, &err), 0);
    fixture_flush(fixture);
    fixture_open(fixture);
    tamper(fixture, "CREATE TEMP TABLE t AS SELECT * FROM term LIMIT 1; DELETE FROM term WHERE k = "
                    "(SELECT k FROM t)");
    refuses_to_open(fixture, "their index");
    fixture->config.accept_loss = true;
    fixture_open(fixture);
    fixture->config.accept_loss = false;
    fixture_open(fixture);
    tamper(fixture,
           "INSERT INTO term SELECT CAST(substr(k, 1, 64) || zeroblob(16) AS BLOB), v FROM term");
    refuses_to_open(fixture, "their index");
}

static void a_damaged_record_with_terms_is_replaced(void **state)
{
    struct fixture *fixture = *state;
    struct store_change put = {.key = fixture_user("alice"), .terms = {"key=1"}, .term_count = 1};
    struct store_txn txn = {.changes = &put, .change_count = 1};
    struct store_list query = {.collection = "users", .term = "key=1"};
    struct store_page page;
    struct err err = ERR_INIT;

    assert_int_equal(store_txn_commit(fixture->store, &txn, NULL, &err), 0);
    fixture_flush(fixture);
    tamper(fixture,
           "UPDATE change SET v = substr(v, 1, length(v) - 16) || zeroblob(16) WHERE k = " ROW(1));
    fixture_open(fixture);
    put.terms[0] = "key=2";
    assert_int_equal(store_txn_commit(fixture->store, &txn, NULL, &err), 0);
    assert_int_equal(store_list(fixture->store, &query, fixture->arena, &page, &err), 0);
    assert_int_equal(page.count, 0);
    assert_int_equal(page.damaged, 0);
    put.terms[0] = "key=1";
    assert_int_equal(store_txn_commit(fixture->store, &txn, NULL, &err), 0);
    fixture_flush(fixture);
    fixture_open(fixture);
    assert_int_equal(store_list(fixture->store, &query, fixture->arena, &page, &err), 0);
    assert_int_equal(page.count, 1);
    assert_int_equal(store_delete(fixture->store, fixture_user("alice"), &err), 0);
    fixture_flush(fixture);
    fixture_open(fixture);
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
    assert_string_equal(fixture_value(fixture, fixture_user("alice")), "revoked");
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

    fixture_put(fixture, fixture_user("alice"), "1");
    fixture_flush(fixture);
    snprintf(sql, sizeof(sql),
             "ATTACH '%s/old.db' AS old; CREATE TABLE old.keep(v);"
             "INSERT INTO old.keep SELECT v FROM meta WHERE k = x'68656164'",
             fixture->dir);
    tamper(fixture, sql);
    fixture_open(fixture);
    fixture_put(fixture, fixture_user("alice"), "2");
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
    assert_string_equal(fixture_value(fixture, fixture_user("alice")), "2");
    fixture->config.accept_loss = false;
    fixture_put(fixture, fixture_user("alice"), "3");
    fixture_flush(fixture);
    fixture_open(fixture);
    assert_string_equal(fixture_value(fixture, fixture_user("alice")), "3");
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
    tamper(fixture,
           "UPDATE change SET v = substr(v, 1, length(v) - 16) || zeroblob(16) WHERE k = " ROW(0));
    fixture_open(fixture);
    assert_string_equal(fixture_value(fixture, fixture_key("groups", "", "g")), "x");
    assert_int_equal(store_get(fixture->store, fixture_user("bob"), fixture->arena, &record, &err),
                     -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_int_equal(store_put(fixture->store, fixture_user("bob"), span_str("x"), &err), -1);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(swapped_values_are_quarantined, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_sealed_body_in_another_row_is_quarantined, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_record_moved_to_another_place_is_noticed, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_record_rolled_back_is_noticed, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_missing_newest_record_is_noticed, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_missing_row_is_quarantined, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_changed_index_is_noticed, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_damaged_record_with_terms_is_replaced, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_gap_in_the_history_ends_a_watch, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_head_of_another_time_is_noticed, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_lost_id_is_no_new_store, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_damaged_data_key_costs_one_collection, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_trigger_is_refused, fixture_setup, fixture_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store damage", tests, NULL, NULL);
}
