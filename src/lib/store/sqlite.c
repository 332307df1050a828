/* SPDX-License-Identifier: Apache-2.0 */
/* One file and its write-ahead log, opened by one process at a time. */
#include "store/backend.h"

#include "base/fd.h"
#include "base/mem.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

enum { APPLICATION_ID = 0x6472756e, FORMAT = 1 };

enum statement { GET, PUT, REMOVE, SCAN, STATEMENTS };

struct sqlite {
    struct backend base;
    sqlite3 *db;
    char *path;
    sqlite3_stmt *statements[BACKEND_TABLES][STATEMENTS];
    sqlite3_stmt *begin;
    sqlite3_stmt *commit;
};

/* The history has a number as its key: rows are appended at the right edge of the tree, and large
 * values stay out of its inner pages. */
static const char *const schema[BACKEND_TABLES] = {
    [BACKEND_META] =
        "CREATE TABLE meta(k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID",
    [BACKEND_CURRENT] =
        "CREATE TABLE current(k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID",
    [BACKEND_CHANGE] = "CREATE TABLE change(k INTEGER PRIMARY KEY NOT NULL, v BLOB NOT NULL)",
    [BACKEND_TERM] =
        "CREATE TABLE term(k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID",
};
static const char *const names[BACKEND_TABLES] = {"meta", "current", "change", "term"};
static const char *const sql[STATEMENTS] = {
    [GET] = "SELECT v FROM %s WHERE k = ?1",
    [PUT] = "INSERT INTO %s(k, v) VALUES(?1, ?2) ON CONFLICT(k) DO UPDATE SET v = excluded.v",
    [REMOVE] = "DELETE FROM %s WHERE k = ?1",
    [SCAN] = "SELECT k, v FROM %s WHERE k > ?1 AND k <= ?2 ORDER BY k LIMIT ?3",
};

static struct sqlite *of(struct backend *backend)
{
    return (struct sqlite *)backend;
}

static int fail(struct sqlite *sqlite, const char *doing, struct err *err)
{
    int code = sqlite3_errcode(sqlite->db);
    const char *why = sqlite3_errmsg(sqlite->db);

    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, ERR_UNAVAILABLE, "%s: another process has it open", sqlite->path);
    case SQLITE_CORRUPT:
        return err_set(err, ERR_CORRUPT,
                       "%s: cannot %s: the file is damaged (%s); restore it from a backup",
                       sqlite->path, doing, why);
    case SQLITE_NOTADB:
        return err_set(err, ERR_CORRUPT, "%s is not a store, or its first page is damaged",
                       sqlite->path);
    case SQLITE_FULL:
        err_set(err, ERR_IO, "%s: cannot %s: the disk is full; make room and try again",
                sqlite->path, doing);
        err->sys = ENOSPC;
        return -1;
    default:
        err_set(err, ERR_IO, "%s: cannot %s: %s", sqlite->path, doing, why);
        err->sys = sqlite3_system_errno(sqlite->db);
        return -1;
    }
}

static void reset(sqlite3_stmt **statement)
{
    /* Its result is that of the last step, which was looked at. */
    (void)sqlite3_reset(*statement);
    (void)sqlite3_clear_bindings(*statement);
}

static int run(struct sqlite *sqlite, const char *text, struct err *err)
{
    if (sqlite3_exec(sqlite->db, text, NULL, NULL, NULL) != SQLITE_OK)
        return fail(sqlite, "prepare it", err);
    return 0;
}

static void bind_key(sqlite3_stmt *statement, int at, enum backend_table table, struct span key)
{
    if (table == BACKEND_CHANGE) {
        uint64_t id;
        INVARIANT(key.len == sizeof(id));
        memcpy(&id, key.p, sizeof(id));
        INVARIANT(sqlite3_bind_int64(statement, at, (int64_t)be64toh(id)) == SQLITE_OK);
        return;
    }
    INVARIANT(sqlite3_bind_blob(statement, at, key.len > 0 ? key.p : (const void *)"", (int)key.len,
                                SQLITE_STATIC) == SQLITE_OK);
}

static int sqlite_get(struct backend *backend, enum backend_table table, struct span key,
                      struct buf *value, struct err *err)
{
    struct sqlite *sqlite = of(backend);
    CLEANUP(reset) sqlite3_stmt *get = sqlite->statements[table][GET];

    bind_key(get, 1, table, key);
    int result = sqlite3_step(get);
    if (result == SQLITE_DONE)
        return 0;
    if (result != SQLITE_ROW)
        return fail(sqlite, "read a record", err);
    const void *bytes = sqlite3_column_blob(get, 0);
    int len = sqlite3_column_bytes(get, 0);
    if (bytes == NULL && len > 0)
        return fail(sqlite, "read a record", err);
    buf_put(value, bytes, (size_t)len);
    TRY(buf_check(value, "a stored value", err));
    return 1;
}

static int sqlite_put(struct backend *backend, enum backend_table table, struct span key,
                      struct span value, struct err *err)
{
    struct sqlite *sqlite = of(backend);
    CLEANUP(reset) sqlite3_stmt *put = sqlite->statements[table][PUT];

    bind_key(put, 1, table, key);
    INVARIANT(sqlite3_bind_blob(put, 2, value.len > 0 ? value.p : (const void *)"", (int)value.len,
                                SQLITE_STATIC) == SQLITE_OK);
    return sqlite3_step(put) == SQLITE_DONE ? 0 : fail(sqlite, "write a record", err);
}

static int sqlite_remove(struct backend *backend, enum backend_table table, struct span key,
                         struct err *err)
{
    struct sqlite *sqlite = of(backend);
    CLEANUP(reset) sqlite3_stmt *statement = sqlite->statements[table][REMOVE];

    bind_key(statement, 1, table, key);
    return sqlite3_step(statement) == SQLITE_DONE ? 0 : fail(sqlite, "remove a record", err);
}

static void put_row(sqlite3_stmt *scan, enum backend_table table, struct buf *rows)
{
    uint64_t id = htobe64((uint64_t)sqlite3_column_int64(scan, 0));

    if (table == BACKEND_CHANGE)
        buf_put_block(rows, span_of(&id, sizeof(id)));
    else
        buf_put_block(rows,
                      span_of(sqlite3_column_blob(scan, 0), (size_t)sqlite3_column_bytes(scan, 0)));
    const void *value = sqlite3_column_blob(scan, 1);
    buf_put_block(rows, span_of(value, (size_t)sqlite3_column_bytes(scan, 1)));
}

static int sqlite_scan(struct backend *backend, enum backend_table table, struct span after,
                       struct span last, size_t limit, struct buf *rows, struct err *err)
{
    struct sqlite *sqlite = of(backend);
    CLEANUP(reset) sqlite3_stmt *scan = sqlite->statements[table][SCAN];
    int count = 0;

    bind_key(scan, 1, table, after);
    bind_key(scan, 2, table, last);
    INVARIANT(sqlite3_bind_int64(scan, 3, (int64_t)limit) == SQLITE_OK);
    while (rows->len < BACKEND_SCAN_BYTES) {
        int result = sqlite3_step(scan);
        if (result == SQLITE_DONE)
            break;
        if (result != SQLITE_ROW)
            return fail(sqlite, "list records", err);
        put_row(scan, table, rows);
        count++;
    }
    TRY(buf_check(rows, "a stored row", err));
    return count;
}

static int step(struct sqlite *sqlite, sqlite3_stmt *statement, const char *doing, struct err *err)
{
    CLEANUP(reset) sqlite3_stmt *scoped = statement;

    return sqlite3_step(scoped) == SQLITE_DONE ? 0 : fail(sqlite, doing, err);
}

static int sqlite_begin(struct backend *backend, struct err *err)
{
    return step(of(backend), of(backend)->begin, "begin a transaction", err);
}

static int sqlite_commit(struct backend *backend, struct err *err)
{
    return step(of(backend), of(backend)->commit, "make a transaction durable", err);
}

static void sqlite_rollback(struct backend *backend)
{
    /* SQLite may have rolled back by itself; a rollback cannot fail in a way that leaves one open.
     */
    if (!sqlite3_get_autocommit(of(backend)->db))
        (void)sqlite3_exec(of(backend)->db, "ROLLBACK", NULL, NULL, NULL);
}

static void sqlite_close(struct backend *backend)
{
    struct sqlite *sqlite = of(backend);

    for (int table = 0; table < BACKEND_TABLES; table++)
        for (int i = 0; i < STATEMENTS; i++)
            sqlite3_finalize(sqlite->statements[table][i]);
    sqlite3_finalize(sqlite->begin);
    sqlite3_finalize(sqlite->commit);
    sqlite3_close(sqlite->db);
    free(sqlite->path);
    free(sqlite);
}

static const struct backend_ops ops = {
    .name = "sqlite",
    .close = sqlite_close,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .get = sqlite_get,
    .put = sqlite_put,
    .remove = sqlite_remove,
    .scan = sqlite_scan,
};

static int prepare(struct sqlite *sqlite, const char *text, sqlite3_stmt **out, struct err *err)
{
    if (sqlite3_prepare_v3(sqlite->db, text, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) != SQLITE_OK)
        return fail(sqlite, "read its schema", err);
    return 0;
}

static int prepare_all(struct sqlite *sqlite, struct err *err)
{
    char text[160];

    for (int table = 0; table < BACKEND_TABLES; table++) {
        for (int i = 0; i < STATEMENTS; i++) {
            snprintf(text, sizeof(text), sql[i], names[table]);
            TRY(prepare(sqlite, text, &sqlite->statements[table][i], err));
        }
    }
    TRY(prepare(sqlite, "BEGIN IMMEDIATE", &sqlite->begin, err));
    return prepare(sqlite, "COMMIT", &sqlite->commit, err);
}

static int create_tables(struct sqlite *sqlite, struct err *err)
{
    char mark[96];

    TRY(run(sqlite, "BEGIN IMMEDIATE", err));
    for (int table = 0; table < BACKEND_TABLES; table++)
        TRY(run(sqlite, schema[table], err));
    snprintf(mark, sizeof(mark), "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
             APPLICATION_ID, FORMAT);
    return run(sqlite, mark, err);
}

static void finalize(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
}

static bool is_ours(const char *text)
{
    for (int table = 0; table < BACKEND_TABLES; table++)
        if (text != NULL && strcmp(text, schema[table]) == 0)
            return true;
    return false;
}

/* A trigger or view that somebody added would run inside our statements: the schema must be ours to
 * the letter. */
static int check_schema(struct sqlite *sqlite, struct err *err)
{
    CLEANUP(finalize) sqlite3_stmt *list = NULL;
    int count = 0;
    int result;

    TRY(prepare(sqlite, "SELECT sql FROM sqlite_schema", &list, err));
    while ((result = sqlite3_step(list)) == SQLITE_ROW) {
        if (!is_ours((const char *)sqlite3_column_text(list, 0)))
            return err_set(err, ERR_CORRUPT, "%s holds something that the store did not make",
                           sqlite->path);
        count++;
    }
    if (result != SQLITE_DONE)
        return fail(sqlite, "read its schema", err);
    if (count == 0)
        return create_tables(sqlite, err);
    if (count != BACKEND_TABLES)
        return err_set(err, ERR_CORRUPT, "%s lacks %d of its tables", sqlite->path,
                       BACKEND_TABLES - count);
    return 0;
}

static int open_file(struct sqlite *sqlite, struct err *err)
{
    /* Made here because SQLite would let the group read it. A file that is there is not opened: to
     * close a second descriptor of it would give up the locks of the first (POSIX). */
    CLEANUP_FD int fd = open(sqlite->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno != EEXIST)
        return err_sys(err, "cannot make the store %s", sqlite->path);
    if (sqlite3_open_v2(sqlite->path, &sqlite->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                        NULL) != SQLITE_OK)
        return fail(sqlite, "open it", err);
    INVARIANT(sqlite3_db_config(sqlite->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) == SQLITE_OK);
    return run(sqlite,
               "PRAGMA locking_mode = EXCLUSIVE;"
               "PRAGMA trusted_schema = OFF;"
               "PRAGMA cell_size_check = ON;"
               "PRAGMA temp_store = MEMORY;"
               "PRAGMA secure_delete = ON;"
               "PRAGMA journal_mode = WAL;"
               "PRAGMA journal_size_limit = 16777216;"
               "PRAGMA synchronous = FULL",
               err);
}

int backend_sqlite_open(const char *path, struct backend **out, struct err *err)
{
    struct sqlite *sqlite = mem_new(sizeof(*sqlite));

    sqlite->base.ops = &ops;
    sqlite->path = mem_strdup(path);
    if (open_file(sqlite, err) < 0 || check_schema(sqlite, err) < 0 ||
        prepare_all(sqlite, err) < 0) {
        sqlite_close(&sqlite->base);
        return -1;
    }
    *out = &sqlite->base;
    return 0;
}
