/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests and benchmarks of this folder share: a directory, data keys, a PostgreSQL of their
 * own. Every function fails the running program when the system does not play along. */
#ifndef DRUN_STORE_FIXTURE_H
#define DRUN_STORE_FIXTURE_H

#include "store/store.h"

#include <sys/types.h>

struct fixture {
    char dir[64];
    char path[96]; /* the SQLite file */
    char conninfo[128];
    char schema[32];
    struct store_config config;
    struct store *store;
    struct arena *arena;
    unsigned damages; /* calls of on_damage */
    char damaged_collection[STORE_COLLECTION_MAX + 1];
    unsigned keys_made;
    bool keys_refused;
};

/* A fresh directory; the config is for SQLite. The data keys are wrapped by a fixed key, so that
 * another process with this fixture opens the same store. */
void fixture_start(struct fixture *fixture);
void fixture_stop(struct fixture *fixture);
/* cmocka's setup and teardown of a test that begins with an open store: *state is the fixture. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
/* Closes the store if it is open, and opens it; -1 with err. */
int fixture_try_open(struct fixture *fixture, struct err *err) MUST_USE;
void fixture_open(struct fixture *fixture);

/* A cluster of its own on a Unix socket in `dir`; NULL, or why there is none. */
const char *fixture_postgres_start(char dir[64], pid_t *out_pid);
void fixture_postgres_stop(const char *dir, pid_t pid);
/* Makes the config one for that cluster, with a schema that nobody else has. */
void fixture_use_postgres(struct fixture *fixture, const char *dir);

/* "/collection/scope/name" written and read shortly. */
struct store_key fixture_key(const char *collection, const char *scope, const char *name);
/* /users/staff/NAME */
struct store_key fixture_user(const char *name);
void fixture_put(struct fixture *fixture, struct store_key key, const char *value);
/* Users "0", "1", ... with their name as value, flushed. */
void fixture_put_users(struct fixture *fixture, unsigned count);
void fixture_flush(struct fixture *fixture);
/* The value, or NULL when the record is not there. In the fixture's arena. */
const char *fixture_value(struct fixture *fixture, struct store_key key);
/* Whole passes of store_scrub(): 0 or -1. */
int fixture_scrub(struct fixture *fixture, struct err *err) MUST_USE;

#endif
