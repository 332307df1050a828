/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of the PostgreSQL backend, its errors and its news. */
#include "store/postgres_internal.h"

#include <errno.h>
#include <string.h>

/* ------------------------------------------------------------------ errors */

static int fail_lost(const struct postgres *postgres, const PGconn *conn, struct err *err)
{
    const char *why = postgres->pq->errorMessage(conn);

    return err_set(err, ERR_UNAVAILABLE, "PostgreSQL is away: %.*s", (int)strcspn(why, "\n"), why);
}

static const struct {
    const char *state; /* a SQLSTATE, or the class that begins it */
    enum err_code code;
    int sys;
} states[] = {
    {"53100", ERR_IO, ENOSPC},  {"55P03", ERR_UNAVAILABLE, 0}, {"53", ERR_UNAVAILABLE, 0},
    {"57", ERR_UNAVAILABLE, 0}, {"08", ERR_UNAVAILABLE, 0},    {"40", ERR_UNAVAILABLE, 0},
    {"42501", ERR_DENIED, 0},   {"XX001", ERR_CORRUPT, 0},     {"XX002", ERR_CORRUPT, 0},
};

int postgres_fail(struct postgres *postgres, const PGresult *result, const char *doing,
                  struct err *err)
{
    const struct pq *pq = postgres->pq;
    const char *state = pq->resultErrorField(result, PG_DIAG_SQLSTATE);
    const char *why = pq->resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (pq->status(postgres->conn) != CONNECTION_OK)
        return fail_lost(postgres, postgres->conn, err);
    /* Without a SQLSTATE it was not the server that refused. */
    err_set(err, state == NULL ? ERR_UNAVAILABLE : ERR_IO, "PostgreSQL cannot %s: %s", doing,
            why == NULL ? "the connection is gone" : why);
    for (size_t i = 0; state != NULL && i < ARRAY_LEN(states); i++) {
        if (strncmp(state, states[i].state, strlen(states[i].state)) == 0) {
            err->code = states[i].code;
            err->sys = states[i].sys;
            break;
        }
    }
    return -1;
}

/* ------------------------------------------------------------------ the connection */

static void ignore_notice(void *ctx UNUSED, const PGresult *result UNUSED)
{
}

int postgres_exec(struct postgres *postgres, PGconn *conn, const char *text, const char *doing,
                  struct err *err)
{
    const struct pq *pq = postgres->pq;
    PGresult *result = pq->exec(conn, text);
    ExecStatusType status = pq->resultStatus(result);
    int ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK
                 ? 0
                 : postgres_fail(postgres, result, doing, err);

    pq->clear(result);
    return ok;
}

static int session(struct postgres *postgres, struct err *err)
{
    memset(postgres->prepared, 0, sizeof(postgres->prepared));
    postgres->queued = 0;
    postgres->pq->setNoticeReceiver(postgres->conn, ignore_notice, NULL);
    return postgres_exec(
        postgres, postgres->conn,
        "SET synchronous_commit = on; SET lock_timeout = '10s'; SET bytea_output = hex; "
        "SET client_min_messages = error",
        "begin a session", err);
}

int postgres_connected(struct postgres *postgres, struct err *err)
{
    const struct pq *pq = postgres->pq;

    if (postgres->conn != NULL && pq->status(postgres->conn) == CONNECTION_OK)
        return 0;
    if (postgres->in_transaction)
        return fail_lost(postgres, postgres->conn, err);
    if (postgres->conn == NULL)
        postgres->conn = pq->connectdb(postgres->conninfo);
    else
        pq->reset(postgres->conn);
    if (pq->status(postgres->conn) != CONNECTION_OK)
        return fail_lost(postgres, postgres->conn, err);
    return session(postgres, err);
}

/* ------------------------------------------------------------------ news */

static int listen_again(struct postgres *postgres, struct err *err)
{
    const struct pq *pq = postgres->pq;
    char text[SQL_MAX];

    if (postgres->listener == NULL)
        postgres->listener = pq->connectdb(postgres->conninfo);
    else
        pq->reset(postgres->listener);
    if (pq->status(postgres->listener) != CONNECTION_OK)
        return fail_lost(postgres, postgres->listener, err);
    snprintf(text, sizeof(text), "LISTEN drun_store_%s", postgres->schema);
    return postgres_exec(postgres, postgres->listener, text, "listen", err);
}

int postgres_listen(struct backend *backend, struct err *err)
{
    struct postgres *postgres = postgres_of(backend);

    if (postgres->listener != NULL && postgres->pq->status(postgres->listener) == CONNECTION_OK)
        return 0;
    return listen_again(postgres, err);
}

int postgres_fd(const struct backend *backend)
{
    const struct postgres *postgres = postgres_of(backend);

    return postgres->listener == NULL ? -1 : postgres->pq->socket(postgres->listener);
}

int postgres_news(struct backend *backend, struct err *err)
{
    struct postgres *postgres = postgres_of(backend);
    const struct pq *pq = postgres->pq;
    PGnotify *notify;

    if (postgres->listener == NULL)
        return 0;
    /* What was notified while the connection was gone is found by the refresh that follows. */
    if (pq->consumeInput(postgres->listener) == 0 ||
        pq->status(postgres->listener) != CONNECTION_OK)
        return listen_again(postgres, err);
    while ((notify = pq->notifies(postgres->listener)) != NULL)
        pq->freemem(notify);
    return 0;
}
