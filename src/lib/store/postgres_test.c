/* SPDX-License-Identifier: Apache-2.0 */
/* What several processes and a server of its own add: other writers, news, lost connections. */
#include "store/fixture.h"

#include "store/pq.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

static char cluster[64];
static const struct pq *pq;

struct pair {
    struct fixture one;
    struct store *two;
};

static int start(void **state)
{
    static struct pair pair;
    struct err err = ERR_INIT;

    fixture_start(&pair.one);
    fixture_use_postgres(&pair.one, cluster);
    fixture_open(&pair.one);
    assert_int_equal(store_open(&pair.one.config, &pair.two, &err), 0);
    *state = &pair;
    return 0;
}

static int stop(void **state)
{
    struct pair *pair = *state;

    store_close(pair->two);
    pair->two = NULL;
    fixture_stop(&pair->one);
    return 0;
}

/* As the owner of the database; returns the first value of the answer as a number. */
static long sql(struct pair *pair, const char *text)
{
    PGconn *conn = pq->connectdb(pair->one.conninfo);
    char room[512];

    snprintf(room, sizeof(room), "SET search_path = %s; %s", pair->one.schema, text);
    PGresult *result = pq->exec(conn, room);
    if (pq->resultStatus(result) != PGRES_TUPLES_OK && pq->resultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", text, pq->errorMessage(conn));
    long value = pq->ntuples(result) > 0 ? strtol(pq->getvalue(result, 0, 0), NULL, 10) : 0;
    pq->clear(result);
    pq->finish(conn);
    return value;
}

static void cut_connections(struct pair *pair)
{
    sql(pair, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
              "WHERE pid <> pg_backend_pid() AND usename = 'drun'");
}

static const char *value_in(struct pair *pair, struct store *store, const char *name)
{
    struct store_record record;
    struct err err = ERR_INIT;

    if (store_get(store, fixture_key("pods", "", name), pair->one.arena, &record, &err) < 0)
        return NULL;
    return (const char *)record.value.p;
}

static int put(struct store *store, const char *name, const char *value, struct err *err)
{
    return store_put(store, fixture_key("pods", "", name), span_str(value), err);
}

static void one_sees_what_the_other_wrote(void **state)
{
    struct pair *pair = *state;
    struct err err = ERR_INIT;

    assert_int_equal(put(pair->one.store, "a", "1", &err), 0);
    fixture_flush(&pair->one);
    assert_string_equal(value_in(pair, pair->two, "a"), "1");
    assert_int_equal(put(pair->two, "a", "2", &err), 0);
    assert_int_equal(store_flush(pair->two, &err), 0);
    assert_string_equal(value_in(pair, pair->one.store, "a"), "2");
    for (int i = 0; i < 20; i++) {
        struct store *store = i % 3 == 0 ? pair->one.store : pair->two;
        assert_int_equal(put(store, "a", i % 2 == 0 ? "x" : "y", &err), 0);
        assert_int_equal(store_flush(store, &err), 0);
    }
    assert_int_equal(fixture_scrub(&pair->one, &err), 0);
    assert_int_equal(store_rekey(pair->two, "pods", &err), 0);
    assert_int_equal(store_rekey(pair->two, STORE_SELF, &err), 0);
    assert_int_equal(put(pair->two, "b", "new key", &err), 0);
    assert_int_equal(store_flush(pair->two, &err), 0);
    assert_string_equal(value_in(pair, pair->one.store, "b"), "new key");
    assert_int_equal(put(pair->one.store, "c", "x", &err), 0);
    fixture_flush(&pair->one);
    fixture_open(&pair->one);
}

static void a_check_sees_the_write_of_the_other(void **state)
{
    struct pair *pair = *state;
    struct store_change change = {.key = {"pods", "", "a"}, .value = span_str("2")};
    struct store_check check = {.key = change.key, .is = STORE_AT_REVISION};
    struct store_txn txn = {&check, 1, &change, 1};
    struct store_record record;
    struct err err = ERR_INIT;

    assert_int_equal(put(pair->one.store, "a", "1", &err), 0);
    fixture_flush(&pair->one);
    assert_int_equal(store_get(pair->two, change.key, pair->one.arena, &record, &err), 0);
    check.mod_revision = record.mod_revision;
    assert_int_equal(put(pair->one.store, "a", "first", &err), 0);
    fixture_flush(&pair->one);
    assert_int_equal(store_txn_commit(pair->two, &txn, NULL, &err), -1);
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_int_equal(store_flush(pair->two, &err), 0);
}

static void count_event(void *ctx, const struct store_event *event UNUSED)
{
    (*(unsigned *)ctx)++;
}

static unsigned wait_for_events(struct store *store, const unsigned *count, unsigned wanted)
{
    struct err err = ERR_INIT;

    for (int i = 0; i < 50 && *count < wanted; i++) {
        struct pollfd readable = {.fd = store_fd(store), .events = POLLIN};
        poll(&readable, 1, 100);
        (void)!store_poll(store, &err);
    }
    return *count;
}

static void a_watcher_hears_of_the_other(void **state)
{
    struct pair *pair = *state;
    unsigned count = 0;
    struct store_watch watch = {.collection = "pods", .on_event = count_event, .ctx = &count};
    struct store_watcher *watcher;
    struct err err = ERR_INIT;

    assert_int_equal(store_watch_add(pair->two, &watch, &watcher, &err), 0);
    assert_true(store_fd(pair->two) >= 0);
    assert_int_equal(put(pair->one.store, "a", "1", &err), 0);
    fixture_flush(&pair->one);
    assert_int_equal(wait_for_events(pair->two, &count, 1), 1);
    cut_connections(pair);
    assert_int_equal(put(pair->one.store, "a", "2", &err), 0);
    fixture_flush(&pair->one);
    assert_int_equal(wait_for_events(pair->two, &count, 2), 2);
    assert_int_equal(put(pair->one.store, "a", "3", &err), 0);
    fixture_flush(&pair->one);
    assert_int_equal(wait_for_events(pair->two, &count, 3), 3);
}

static void a_lost_connection_undoes_the_batch_and_heals(void **state)
{
    struct pair *pair = *state;
    struct err err = ERR_INIT;

    assert_int_equal(put(pair->one.store, "a", "1", &err), 0);
    fixture_flush(&pair->one);
    cut_connections(pair);
    assert_string_equal(value_in(pair, pair->one.store, "a"), "1");
    assert_int_equal(put(pair->one.store, "a", "2", &err), 0);
    cut_connections(pair);
    assert_int_equal(store_flush(pair->one.store, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_string_equal(value_in(pair, pair->one.store, "a"), "1");
    assert_int_equal(put(pair->one.store, "a", "3", &err), 0);
    cut_connections(pair);
    assert_int_equal(put(pair->one.store, "a", "4", &err), -1);
    assert_int_equal(put(pair->one.store, "a", "5", &err), -1);
    assert_int_equal(store_flush(pair->one.store, &err), -1);
    assert_int_equal(put(pair->one.store, "a", "6", &err), 0);
    fixture_flush(&pair->one);
    assert_string_equal(value_in(pair, pair->two, "a"), "6");
}

/* The other process replaces and compacts as fast as it can. */
static void replace_and_compact(struct pair *pair)
{
    struct err err = ERR_INIT;
    struct store *store = NULL;
    char value[16];

    if (store_open(&pair->one.config, &store, &err) < 0)
        _exit(1);
    for (unsigned i = 0; i < 300; i++) {
        snprintf(value, sizeof(value), "%u", i);
        if (put(store, i % 2 == 0 ? "a" : "b", value, &err) < 0 ||
            (i % 10 == 9 && store_delete(store, fixture_key("pods", "", "b"), &err) < 0) ||
            store_compact_slice(store, store_revision(store), 100, &err) < 0 ||
            store_flush(store, &err) < 0)
            _exit(2);
    }
    _exit(0);
}

static void a_reader_never_takes_compaction_for_damage(void **state)
{
    struct pair *pair = *state;
    unsigned count = 0;
    struct store_watch watch = {.collection = "pods", .on_event = count_event, .ctx = &count};
    struct store_list query = {.collection = "pods"};
    struct store_watcher *watcher;
    struct store_record record;
    struct store_page page;
    struct err err = ERR_INIT;
    int status = 0;

    assert_int_equal(put(pair->one.store, "a", "1", &err), 0);
    fixture_flush(&pair->one);
    pid_t pid = fork();
    if (pid == 0)
        replace_and_compact(pair);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        (void)!store_watch_add(pair->one.store, &watch, &watcher, &err);
        assert_int_equal(store_get(pair->one.store, fixture_key("pods", "", "a"), pair->one.arena,
                                   &record, &err),
                         0);
        assert_int_equal(store_list(pair->one.store, &query, pair->one.arena, &page, &err), 0);
        assert_int_equal(page.damaged, 0);
        assert_true(store_scrub(pair->one.store, 1, &err) >= 0);
        assert_int_equal(store_poll(pair->one.store, &err), 0);
        arena_reset(pair->one.arena);
    }
    assert_int_equal(status, 0);
    assert_int_equal(pair->one.damages, 0);
}

static void tampered_rows_are_noticed(void **state)
{
    struct pair *pair = *state;
    struct err err = ERR_INIT;

    assert_int_equal(put(pair->one.store, "a", "1", &err), 0);
    assert_int_equal(put(pair->one.store, "b", "2", &err), 0);
    fixture_flush(&pair->one);
    sql(pair, "UPDATE change SET v = set_byte(v, 100, get_byte(v, 100) # 1) "
              "WHERE k = (SELECT k FROM change ORDER BY k DESC LIMIT 1)");
    assert_null(value_in(pair, pair->one.store, "b"));
    assert_string_equal(value_in(pair, pair->one.store, "a"), "1");
    assert_int_equal(pair->one.damages, 1);
    sql(pair, "DELETE FROM current WHERE k = (SELECT k FROM current ORDER BY k DESC LIMIT 1)");
    assert_int_equal(fixture_scrub(&pair->one, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_int_equal(fixture_try_open(&pair->one, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
}

static void the_server_sees_no_name_and_no_value(void **state)
{
    struct pair *pair = *state;
    struct err err = ERR_INIT;

    assert_int_equal(put(pair->one.store, "NameOfARecord", "ValueOfARecord", &err), 0);
    fixture_flush(&pair->one);
    assert_int_equal(sql(pair, "SELECT count(*) FROM change WHERE encode(v, 'escape') LIKE "
                               "'%OfARecord%'"),
                     0);
    assert_true(sql(pair, "SELECT count(*) FROM change") == 2);
}

static void a_bad_address_or_schema_is_a_clear_error(void **state)
{
    struct pair *pair = *state;
    struct store_config config = pair->one.config;
    struct store *store = NULL;
    struct err err = ERR_INIT;

    config.conninfo = "host=/nowhere user=drun";
    assert_int_equal(store_open(&config, &store, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    config.conninfo = pair->one.config.conninfo;
    config.schema = "x; DROP TABLE y";
    assert_int_equal(store_open(&config, &store, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
}

static void needs_are_those_of_the_address(void **state UNUSED)
{
    static const struct {
        const char *conninfo;
        bool network;
        const char *path; /* among the paths */
    } cases[] = {
        {"postgresql://u:p@db.example/drun?sslrootcert=/etc/drun/ca.pem", true, "/etc/drun/ca.pem"},
        {"host=/run/pg,/run/pg2 dbname=drun", false, "/run/pg2"},
        {"hostaddr=127.0.0.1 dbname=drun", true, "/etc/resolv.conf"},
        {"host=/run/pg,db.example dbname=drun", true, "/run/pg"},
        {"dbname=drun", false, "/var/run/postgresql"},
    };
    struct err err = ERR_INIT;
    struct store_needs needs;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(store_needs_of(cases[i].conninfo, &needs, &err), 0);
        assert_int_equal(needs.network, cases[i].network);
        bool found = false;
        for (size_t j = 0; j < needs.path_count; j++)
            found = found || strcmp(needs.paths[j], cases[i].path) == 0;
        assert_true(found);
        store_needs_free(&needs);
    }
    assert_int_equal(store_needs_of("password=hunter2 nonsense", &needs, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_null(strstr(err.msg, "hunter2"));
    store_needs_free(&needs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_sees_what_the_other_wrote, start, stop),
        cmocka_unit_test_setup_teardown(a_check_sees_the_write_of_the_other, start, stop),
        cmocka_unit_test_setup_teardown(a_watcher_hears_of_the_other, start, stop),
        cmocka_unit_test_setup_teardown(a_lost_connection_undoes_the_batch_and_heals, start, stop),
        cmocka_unit_test_setup_teardown(a_reader_never_takes_compaction_for_damage, start, stop),
        cmocka_unit_test_setup_teardown(tampered_rows_are_noticed, start, stop),
        cmocka_unit_test_setup_teardown(the_server_sees_no_name_and_no_value, start, stop),
        cmocka_unit_test(needs_are_those_of_the_address),
        cmocka_unit_test_setup_teardown(a_bad_address_or_schema_is_a_clear_error, start, stop),
    };
    struct err err = ERR_INIT;
    pid_t server;
    const char *none = pq_load(&pq, &err) < 0 ? err.msg : fixture_postgres_start(cluster, &server);

    if (none != NULL) {
        printf("1..0 # SKIP %s\n", none);
        return 0;
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int failed = cmocka_run_group_tests_name("store postgresql", tests, NULL, NULL);
    fixture_postgres_stop(cluster, server);
    return failed;
}
