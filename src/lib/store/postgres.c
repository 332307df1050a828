/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One schema of a PostgreSQL database. Several processes may have it open; who writes holds the
 * lock of the table `meta` until the commit, and every commit notifies the others. A connection
 * that broke is made anew with the next call; inside a transaction the call fails.
 *
 * Writes are sent and not waited for: the next read or the commit takes their answers in the same
 * round trip. A write that failed shows there.
 */
#include "store/postgres_internal.h"

#include "base/mem.h"
#include "base/num.h"

#include <endian.h>

enum { LARGE_ROWS = 16, QUEUE_MAX = 64 };

struct param {
    const char *value;
    int len;
};

static const char *const names[BACKEND_TABLES] = {"meta", "current", "change", "term"};
static const char *const sql[STATEMENTS] = {
    [GET] = "SELECT v FROM %s.%s WHERE k = $1",
    [PUT] = "INSERT INTO %s.%s(k, v) VALUES($1, $2) ON CONFLICT(k) DO UPDATE SET v = excluded.v",
    [REMOVE] = "DELETE FROM %s.%s WHERE k = $1",
    [SCAN] = "SELECT k, v FROM %s.%s WHERE k > $1 AND k <= $2 ORDER BY k LIMIT $3::int8",
};

static int prepare(struct postgres *postgres, enum backend_table table, enum statement what,
                   const char *name, struct err *err)
{
    char text[SQL_MAX];

    if (postgres->prepared[table][what])
        return 0;
    snprintf(text, sizeof(text), sql[what], postgres->schema, names[table]);
    PGresult *result = postgres->pq->prepare(postgres->conn, name, text, 0, NULL);
    int ok = postgres->pq->resultStatus(result) == PGRES_COMMAND_OK
                 ? 0
                 : postgres_fail(postgres, result, "read its schema", err);
    postgres->pq->clear(result);
    postgres->prepared[table][what] = ok == 0;
    return ok;
}

static bool good(const struct postgres *postgres, const PGresult *result)
{
    ExecStatusType status = postgres->pq->resultStatus(result);

    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* Takes the answers of all that was sent; `last`, if not NULL, gets the last one. */
static int drain(struct postgres *postgres, PGresult **last, struct err *err)
{
    const struct pq *pq = postgres->pq;
    PGresult *result = NULL;
    int failed = 0;

    if (postgres->queued == 0)
        return 0;
    if (pq->pipelineSync(postgres->conn) != 1)
        failed = postgres_fail(postgres, NULL, "send a transaction", err);
    for (; postgres->queued > 0; postgres->queued--) {
        pq->clear(result);
        result = pq->getResult(postgres->conn);
        if (failed == 0 && !good(postgres, result))
            failed = postgres_fail(postgres, result, "read or write a record", err);
        /* A NULL ends the answer of each. */
        for (PGresult *end; (end = pq->getResult(postgres->conn)) != NULL;)
            pq->clear(end);
    }
    pq->clear(pq->getResult(postgres->conn)); /* that of the sync */
    (void)pq->exitPipelineMode(postgres->conn);
    if (failed == 0 && last != NULL)
        *last = result;
    else
        pq->clear(result);
    return failed;
}

static int send_statement(struct postgres *postgres, enum backend_table table, enum statement what,
                          const struct param *params, int count, struct err *err)
{
    const struct pq *pq = postgres->pq;
    const char *values[3];
    int lens[3];
    const int formats[3] = {1, 1, 1};
    char name[32];

    TRY(postgres_connected(postgres, err));
    snprintf(name, sizeof(name), "%s_%d", names[table], what);
    if (!postgres->prepared[table][what]) {
        TRY(drain(postgres, NULL, err));
        TRY(prepare(postgres, table, what, name, err));
    }
    for (int i = 0; i < count; i++) {
        values[i] = params[i].value;
        lens[i] = params[i].len;
    }
    if (postgres->queued == 0)
        (void)pq->enterPipelineMode(postgres->conn);
    if (pq->sendQueryPrepared(postgres->conn, name, count, values, lens, formats, 1) != 1)
        return postgres_fail(postgres, NULL, "send a statement", err);
    postgres->queued++;
    return 0;
}

static int run_once(struct postgres *postgres, enum backend_table table, enum statement what,
                    const struct param *params, int count, PGresult **out, struct err *err)
{
    TRY(send_statement(postgres, table, what, params, count, err));
    return drain(postgres, out, err);
}

/* Outside a transaction a call that met a broken connection is repeated once on a new one. */
static int run(struct postgres *postgres, enum backend_table table, enum statement what,
               const struct param *params, int count, PGresult **out, struct err *err)
{
    if (run_once(postgres, table, what, params, count, out, err) == 0)
        return 0;
    if (postgres->in_transaction || postgres->pq->status(postgres->conn) == CONNECTION_OK)
        return -1;
    return run_once(postgres, table, what, params, count, out, err);
}

static struct param param_of(struct span bytes)
{
    return (struct param){bytes.len > 0 ? (const char *)bytes.p : "", (int)bytes.len};
}

static struct span column(const struct postgres *postgres, const PGresult *result, int row, int at)
{
    return span_of(postgres->pq->getvalue(result, row, at),
                   (size_t)postgres->pq->getlength(result, row, at));
}

/* ------------------------------------------------------------------ the backend */

static int postgres_get(struct backend *backend, enum backend_table table, struct span key,
                        struct buf *value, struct err *err)
{
    struct postgres *postgres = postgres_of(backend);
    struct param params[] = {param_of(key)};
    PGresult *result;

    TRY(run(postgres, table, GET, params, 1, &result, err));
    int found = postgres->pq->ntuples(result);
    if (found > 0)
        buf_put_span(value, column(postgres, result, 0, 0));
    postgres->pq->clear(result);
    TRY(buf_check(value, "a stored value", err));
    return found;
}

static int queue(struct postgres *postgres, enum backend_table table, enum statement what,
                 const struct param *params, int count, struct err *err)
{
    TRY(send_statement(postgres, table, what, params, count, err));
    return postgres->queued < QUEUE_MAX ? 0 : drain(postgres, NULL, err);
}

static int postgres_put(struct backend *backend, enum backend_table table, struct span key,
                        struct span value, struct err *err)
{
    struct param params[] = {param_of(key), param_of(value)};

    return queue(postgres_of(backend), table, PUT, params, 2, err);
}

static int postgres_remove(struct backend *backend, enum backend_table table, struct span key,
                           struct err *err)
{
    struct param params[] = {param_of(key)};

    return queue(postgres_of(backend), table, REMOVE, params, 1, err);
}

static int postgres_scan(struct backend *backend, enum backend_table table, struct span after,
                         struct span last, size_t limit, struct buf *rows, struct err *err)
{
    struct postgres *postgres = postgres_of(backend);
    /* libpq takes in the whole answer, and rows of the history may be large. */
    size_t at_most = table == BACKEND_CHANGE ? NUM_MIN(limit, (size_t)LARGE_ROWS) : limit;
    uint64_t wire = htobe64((uint64_t)at_most);
    struct param params[] = {
        param_of(after), param_of(last), {(const char *)&wire, (int)sizeof(wire)}};
    PGresult *result;
    int count = 0;

    TRY(run(postgres, table, SCAN, params, 3, &result, err));
    int found = postgres->pq->ntuples(result);
    while (count < found && rows->len < BACKEND_SCAN_BYTES) {
        buf_put_block(rows, column(postgres, result, count, 0));
        buf_put_block(rows, column(postgres, result, count, 1));
        count++;
    }
    postgres->pq->clear(result);
    TRY(buf_check(rows, "a stored row", err));
    return count;
}

static void postgres_rollback(struct backend *backend)
{
    struct postgres *postgres = postgres_of(backend);
    struct err ignored = ERR_INIT;

    (void)!drain(postgres, NULL, &ignored);
    /* A connection that is gone has rolled back by itself. */
    if (postgres->in_transaction && postgres->pq->status(postgres->conn) == CONNECTION_OK)
        (void)!postgres_exec(postgres, postgres->conn, "ROLLBACK", "undo", &ignored);
    postgres->in_transaction = false;
}

static int begin_once(struct postgres *postgres, struct err *err)
{
    char text[SQL_MAX];

    TRY(postgres_connected(postgres, err));
    /* EXCLUSIVE keeps other writers out and lets readers in. */
    snprintf(text, sizeof(text), "BEGIN; LOCK TABLE %s.meta IN EXCLUSIVE MODE", postgres->schema);
    if (postgres_exec(postgres, postgres->conn, text, "begin a transaction", err) == 0) {
        postgres->in_transaction = true;
        return 0;
    }
    struct err ignored = ERR_INIT;
    if (postgres->pq->status(postgres->conn) == CONNECTION_OK)
        (void)!postgres_exec(postgres, postgres->conn, "ROLLBACK", "undo", &ignored);
    return -1;
}

static int postgres_begin(struct backend *backend, struct err *err)
{
    struct postgres *postgres = postgres_of(backend);

    if (begin_once(postgres, err) == 0)
        return 0;
    if (postgres->pq->status(postgres->conn) == CONNECTION_OK)
        return -1;
    return begin_once(postgres, err);
}

static int postgres_commit(struct backend *backend, struct err *err)
{
    struct postgres *postgres = postgres_of(backend);
    const struct pq *pq = postgres->pq;
    char text[SQL_MAX];

    TRY(drain(postgres, NULL, err));
    snprintf(text, sizeof(text), "NOTIFY drun_store_%s; COMMIT", postgres->schema);
    PGresult *result = pq->exec(postgres->conn, text);
    /* COMMIT of a transaction that failed before answers ROLLBACK. */
    bool done = pq->resultStatus(result) == PGRES_COMMAND_OK &&
                strcmp(pq->cmdStatus(result), "COMMIT") == 0;
    int ok = done ? 0 : postgres_fail(postgres, result, "make a transaction durable", err);
    pq->clear(result);
    if (done)
        postgres->in_transaction = false;
    return ok;
}

static void postgres_close(struct backend *backend)
{
    struct postgres *postgres = postgres_of(backend);

    if (postgres->conn != NULL)
        postgres->pq->finish(postgres->conn);
    if (postgres->listener != NULL)
        postgres->pq->finish(postgres->listener);
    free(postgres->conninfo);
    free(postgres->schema);
    free(postgres);
}

static const struct backend_ops ops = {
    .name = "postgresql",
    .shared = true,
    .close = postgres_close,
    .begin = postgres_begin,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .get = postgres_get,
    .put = postgres_put,
    .remove = postgres_remove,
    .scan = postgres_scan,
    .listen = postgres_listen,
    .fd = postgres_fd,
    .news = postgres_news,
};

static int check_schema_name(const char *schema, struct err *err)
{
    size_t len = schema == NULL ? 0 : strlen(schema);

    if (len == 0 || len > SCHEMA_MAX || (schema[0] >= '0' && schema[0] <= '9') ||
        strspn(schema, "abcdefghijklmnopqrstuvwxyz0123456789_") != len)
        return err_set(
            err, ERR_INVALID,
            "the schema %s is not of a-z, 0-9 and _, at most %d, beginning with a letter",
            schema == NULL ? "(none)" : schema, SCHEMA_MAX);
    return 0;
}

/* All in one implicit transaction; the lock keeps two processes from making it at once. Sealed
 * bytes do not compress. */
static int create_schema(struct postgres *postgres, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(SQL_MAX);

    buf_put_str(&text, "SELECT pg_advisory_xact_lock(hashtext('drun store'));");
    buf_printf(&text, "CREATE SCHEMA IF NOT EXISTS %s;", postgres->schema);
    for (int table = 0; table < BACKEND_TABLES; table++)
        buf_printf(&text,
                   "CREATE TABLE IF NOT EXISTS %s.%s(k bytea PRIMARY KEY, v bytea NOT NULL);"
                   "ALTER TABLE %s.%s ALTER v SET STORAGE EXTERNAL;",
                   postgres->schema, names[table], postgres->schema, names[table]);
    TRY(buf_check(&text, "a schema", err));
    return postgres_exec(postgres, postgres->conn, buf_text(&text), "make its schema", err);
}

static int need_schema(struct postgres *postgres, struct err *err)
{
    char text[SQL_MAX];

    TRY(postgres_connected(postgres, err));
    snprintf(text, sizeof(text), "SELECT 1 WHERE to_regclass('%s.meta') IS NOT NULL",
             postgres->schema);
    PGresult *result = postgres->pq->exec(postgres->conn, text);
    int ok = postgres->pq->resultStatus(result) == PGRES_TUPLES_OK
                 ? postgres->pq->ntuples(result)
                 : postgres_fail(postgres, result, "look for its schema", err);
    postgres->pq->clear(result);
    return ok == 0 ? create_schema(postgres, err) : ok;
}

int backend_postgres_open(const char *conninfo, const char *schema, struct backend **out,
                          struct err *err)
{
    const struct pq *pq;

    TRY(check_schema_name(schema, err));
    TRY(pq_load(&pq, err));
    struct postgres *postgres = mem_new(sizeof(*postgres));
    postgres->base.ops = &ops;
    postgres->pq = pq;
    postgres->conninfo = mem_strdup(conninfo);
    postgres->schema = mem_strdup(schema);
    if (need_schema(postgres, err) < 0) {
        postgres_close(&postgres->base);
        return -1;
    }
    *out = &postgres->base;
    return 0;
}
