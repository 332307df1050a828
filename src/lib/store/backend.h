/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the bytes lie. A backend is four ordered maps from bytes to bytes with one transaction at a
 * time; it knows nothing of names, seals or revisions, and all that it is given is sealed, hashed
 * or of no value to a thief. Keys order as memcmp() does.
 */
#ifndef DRUN_STORE_BACKEND_H
#define DRUN_STORE_BACKEND_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum backend_table {
    BACKEND_META,    /* text -> bytes */
    BACKEND_CURRENT, /* position -> id, salt */
    BACKEND_CHANGE,  /* id, 8 bytes big-endian and positive -> row */
    BACKEND_TERM,    /* term, position -> nothing */
    BACKEND_TABLES
};

/* A scan ends with the row that brings it to this many bytes. */
enum { BACKEND_SCAN_BYTES = 2 * 1024 * 1024, BACKEND_ROW_MAX = 2 * 1024 * 1024 };

/* For the `rows` of a scan. */
#define BACKEND_ROWS_INIT BUF_INIT(BACKEND_SCAN_BYTES + BACKEND_ROW_MAX)

struct backend;

struct backend_ops {
    const char *name;
    bool shared; /* other processes may write while no transaction is open */
    void (*close)(struct backend *backend);
    /* Between begin and commit this is the only writer. ERR_UNAVAILABLE when it stays locked. */
    int (*begin)(struct backend *backend, struct err *err);
    /* Durable when it returns 0. After -1 the caller calls rollback. */
    int (*commit)(struct backend *backend, struct err *err);
    /* Does nothing when no transaction is open. */
    void (*rollback)(struct backend *backend);
    /* 1: appended to value. 0: not there. */
    int (*get)(struct backend *backend, enum backend_table table, struct span key,
               struct buf *value, struct err *err);
    /* Inserts or replaces; only inside a transaction, as `remove`. */
    int (*put)(struct backend *backend, enum backend_table table, struct span key,
               struct span value, struct err *err);
    int (*remove)(struct backend *backend, enum backend_table table, struct span key,
                  struct err *err);
    /* Appends (block key, block value) of the rows with after < key <= last in order, at most
     * `limit`; returns how many, 0 at the end alone. */
    int (*scan)(struct backend *backend, enum backend_table table, struct span after,
                struct span last, size_t limit, struct buf *rows, struct err *err);
    /* Shared backends alone, else NULL. listen() starts to wait for news, fd() is -1 before it;
     * news() takes what came. */
    int (*listen)(struct backend *backend, struct err *err);
    int (*fd)(const struct backend *backend);
    int (*news)(struct backend *backend, struct err *err);
};

/* The first member of each backend. */
struct backend {
    const struct backend_ops *ops;
};

int backend_sqlite_open(const char *path, struct backend **out, struct err *err) MUST_USE;
int backend_postgres_open(const char *conninfo, const char *schema, struct backend **out,
                          struct err *err) MUST_USE;

#endif
