/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of the PostgreSQL backend: made, made anew, listening; and its errors. */
#ifndef DRUN_STORE_POSTGRES_INTERNAL_H
#define DRUN_STORE_POSTGRES_INTERNAL_H

#include "store/backend.h"
#include "store/pq.h"

enum statement { GET, PUT, REMOVE, SCAN, STATEMENTS };
enum { SCHEMA_MAX = 48, SQL_MAX = 2048 };

struct postgres {
    struct backend base;
    const struct pq *pq;
    PGconn *conn;
    PGconn *listener; /* its own connection, so that its descriptor is readable for news alone */
    char *conninfo;
    char *schema;
    bool in_transaction;
    bool prepared[BACKEND_TABLES][STATEMENTS];
    unsigned queued; /* statements that were sent and not yet answered */
};

static inline struct postgres *postgres_of(const struct backend *backend)
{
    return (struct postgres *)(uintptr_t)backend;
}

/* Sets err from the result, or from a connection that is gone; returns -1. */
int postgres_fail(struct postgres *postgres, const PGresult *result, const char *doing,
                  struct err *err);
int postgres_exec(struct postgres *postgres, PGconn *conn, const char *text, const char *doing,
                  struct err *err) MUST_USE;
/* Makes the connection when there is none or it broke; not inside a transaction. */
int postgres_connected(struct postgres *postgres, struct err *err) MUST_USE;

int postgres_listen(struct backend *backend, struct err *err) MUST_USE;
int postgres_fd(const struct backend *backend);
int postgres_news(struct backend *backend, struct err *err) MUST_USE;

#endif
