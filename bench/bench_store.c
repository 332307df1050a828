/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records a second through the barrier, durable, against plain SQLite rows of the same size with
 * the same batches and pragmas in the same run. PostgreSQL is measured where it is installed.
 * Argument: seconds for each line (2).
 */
#include "store/fixture.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"

#include <sqlite3.h>

enum { VALUE_LEN = 1024, RECORDS = 20000 };

static uint64_t seconds = 2;

struct bench {
    struct fixture fixture;
    sqlite3 *db;
    sqlite3_stmt *put;
    sqlite3_stmt *get;
    char value[VALUE_LEN];
};

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bench_store: %s\n", what);
        exit(1);
    }
}

static const char *name_of(uint64_t i)
{
    static char name[32];

    snprintf(name, sizeof(name), "record-%llu", (unsigned long long)(i % RECORDS));
    return name;
}

typedef void bench_fn(struct bench *bench, uint64_t i);

static void store_put_one(struct bench *bench, uint64_t i)
{
    struct err err = ERR_INIT;

    must(store_put(bench->fixture.store, fixture_key("bench", "default", name_of(i)),
                   span_of(bench->value, VALUE_LEN), &err) == 0,
         err.msg);
}

static void store_commit(struct bench *bench, uint64_t i UNUSED)
{
    struct err err = ERR_INIT;

    must(store_flush(bench->fixture.store, &err) == 0, err.msg);
}

static void store_get_one(struct bench *bench, uint64_t i)
{
    struct store_record record;
    struct err err = ERR_INIT;

    must(store_get(bench->fixture.store, fixture_key("bench", "default", name_of(i * 7919)),
                   bench->fixture.arena, &record, &err) == 0,
         err.msg);
    arena_reset(bench->fixture.arena);
}

static void plain_put_one(struct bench *bench, uint64_t i)
{
    if (sqlite3_get_autocommit(bench->db))
        must(sqlite3_exec(bench->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK, "begin");
    sqlite3_bind_text(bench->put, 1, name_of(i), -1, SQLITE_STATIC);
    sqlite3_bind_blob(bench->put, 2, bench->value, VALUE_LEN, SQLITE_STATIC);
    must(sqlite3_step(bench->put) == SQLITE_DONE, "put");
    sqlite3_reset(bench->put);
}

static void plain_commit(struct bench *bench, uint64_t i UNUSED)
{
    must(sqlite3_exec(bench->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK, "commit");
}

static void plain_get_one(struct bench *bench, uint64_t i)
{
    sqlite3_bind_text(bench->get, 1, name_of(i * 7919), -1, SQLITE_STATIC);
    must(sqlite3_step(bench->get) == SQLITE_ROW, "get");
    must(sqlite3_column_bytes(bench->get, 0) == VALUE_LEN, "length");
    sqlite3_reset(bench->get);
}

static double rate(struct bench *bench, bench_fn *fn, bench_fn *commit, unsigned batch)
{
    uint64_t start = clock_mono_ns();
    uint64_t end = start + seconds * 1000000000U;
    uint64_t done = 0;

    while (clock_mono_ns() < end) {
        for (unsigned i = 0; i < batch; i++)
            fn(bench, done++);
        if (commit != NULL)
            commit(bench, 0);
    }
    return (double)done * 1e9 / (double)(clock_mono_ns() - start);
}

static void fill(struct bench *bench, bench_fn *put, bench_fn *commit)
{
    for (uint64_t i = 0; i < RECORDS; i++) {
        put(bench, i);
        if (i % 1000 == 999)
            commit(bench, 0);
    }
}

static void open_plain(struct bench *bench)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/plain.db", bench->fixture.dir);
    must(sqlite3_open(path, &bench->db) == SQLITE_OK, "open");
    must(sqlite3_exec(bench->db,
                      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA secure_delete = ON;"
                      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                      "CREATE TABLE t(k TEXT PRIMARY KEY, v BLOB) WITHOUT ROWID",
                      NULL, NULL, NULL) == SQLITE_OK,
         "prepare");
    must(sqlite3_prepare_v2(bench->db, "INSERT OR REPLACE INTO t VALUES(?1, ?2)", -1, &bench->put,
                            NULL) == SQLITE_OK,
         "prepare");
    must(sqlite3_prepare_v2(bench->db, "SELECT v FROM t WHERE k = ?1", -1, &bench->get, NULL) ==
             SQLITE_OK,
         "prepare");
}

static void close_plain(struct bench *bench)
{
    sqlite3_finalize(bench->put);
    sqlite3_finalize(bench->get);
    sqlite3_close(bench->db);
}

static void line(const char *what, double sealed, double plain)
{
    printf("%-32s %9.0f %9.0f   %.2f\n", what, sealed, plain, sealed / plain);
}

static void run_sqlite(struct bench *bench)
{
    fixture_open(&bench->fixture);
    open_plain(bench);
    fill(bench, store_put_one, store_commit);
    fill(bench, plain_put_one, plain_commit);
    printf("%d records of %d bytes             store/s  SQLite/s  ratio\n", RECORDS, VALUE_LEN);
    line("put, batch 1, durable", rate(bench, store_put_one, store_commit, 1),
         rate(bench, plain_put_one, plain_commit, 1));
    line("put, batch 64, durable", rate(bench, store_put_one, store_commit, 64),
         rate(bench, plain_put_one, plain_commit, 64));
    line("get", rate(bench, store_get_one, NULL, 64), rate(bench, plain_get_one, NULL, 64));
    close_plain(bench);
}

static void run_postgres(struct bench *bench, const char *dir)
{
    fixture_use_postgres(&bench->fixture, dir);
    fixture_open(&bench->fixture);
    fill(bench, store_put_one, store_commit);
    printf("PostgreSQL                         store/s\n");
    printf("%-32s %9.0f\n", "put, batch 1, durable", rate(bench, store_put_one, store_commit, 1));
    printf("%-32s %9.0f\n", "put, batch 64, durable", rate(bench, store_put_one, store_commit, 64));
    printf("%-32s %9.0f\n", "get", rate(bench, store_get_one, NULL, 64));
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct err err = ERR_INIT;
    char cluster[64];
    pid_t server;

    if (argc > 1)
        must(num_parse_u64(span_str(argv[1]), 1, 600, "seconds", &seconds, &err) == 0, err.msg);
    fixture_start(&bench.fixture);
    run_sqlite(&bench);
    const char *none = fixture_postgres_start(cluster, &server);
    if (none == NULL) {
        run_postgres(&bench, cluster);
        store_close(bench.fixture.store);
        bench.fixture.store = NULL;
        fixture_postgres_stop(cluster, server);
    } else {
        printf("PostgreSQL: not measured, %s\n", none);
    }
    fixture_stop(&bench.fixture);
    return 0;
}
