/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records with revisions under a barrier: the disk holds only keyed hashes of names and sealed
 * values, and a record that was changed, moved, removed or rolled back behind our back is noticed
 * (docs/PROTOCOL.store). The interface is shaped like etcd's: get, list, compare-and-swap
 * transactions, watch from a revision, compaction.
 *
 * A record lives at (collection, scope, name): ("configmaps", "default", "app"). The scope is ""
 * for what belongs to the whole cluster. The value is opaque.
 *
 * BATCHES. One thread, one store. store_txn_commit() validates and writes into the open batch; what
 * it wrote is seen by every later call in this process. store_flush() makes everything since the
 * last flush durable together, and nothing is promised to anybody before it returned 0. When it
 * fails the whole batch is undone and the store is again what it was after the last good flush.
 * Watchers hear of a change after the flush. A write that the backend refuses undoes the batch at
 * once: reads then see the last durable state, and transactions are refused until store_flush() has
 * reported the failure.
 *
 *     struct store_change put = {.key = {"configmaps", "default", "app"}, .value = bytes};
 *     struct store_check absent = {.key = put.key, .is = STORE_ABSENT};
 *     struct store_txn txn = {.checks = &absent, .check_count = 1, .changes = &put,
 *                             .change_count = 1};
 *     TRY(store_txn_commit(store, &txn, &result, err));      -- ERR_EXISTS when it is there
 *     ...                                                    -- more requests of this wake-up
 *     TRY(store_flush(store, err));                          -- now the answers may go out
 */
#ifndef DRUN_STORE_STORE_H
#define DRUN_STORE_STORE_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/span.h"

enum {
    STORE_VALUE_MAX = 1536 * 1024,
    STORE_COLLECTION_MAX = 63, /* bytes of text; at least 1 */
    STORE_SCOPE_MAX = 253,
    STORE_NAME_MAX = 512, /* at least 1 */
    STORE_TERM_MAX = 512,
    STORE_TERMS_MAX = 4,
    STORE_TXN_MAX = 128, /* checks, and changes, of one transaction */
    STORE_LIST_MAX = 1000,
    STORE_PAGE_BYTES = 4 * 1024 * 1024, /* a page of a list ends when its values reach this */
    STORE_DIGEST_LEN = 32,
};

/* The collection under whose name the store asks for its own key. No record can be put there. */
#define STORE_SELF "store"

/* ------------------------------------------------------------------ opening */

/*
 * Where data keys come from: 32 bytes each, one for every collection and version. `create` makes a
 * new one and gives its wrapped form (at most STORE_WRAPPED_MAX bytes), which the store keeps;
 * `open` unwraps it. The caller of the callback owns *key.
 */
enum { STORE_WRAPPED_MAX = 1024 };

struct store_keys {
    int (*open)(void *ctx, const char *collection, struct span wrapped, struct secret **key,
                struct err *err);
    int (*create)(void *ctx, const char *collection, struct secret **key, struct buf *wrapped,
                  struct err *err);
    void *ctx;
};

/* The state of a store in short. The same revision always has the same digest; the digest covers
 * every current record and its revision. For the audit log: see store_config.least. */
struct store_head {
    int64_t revision;
    uint8_t digest[STORE_DIGEST_LEN];
};

/* Damage that was found: once for each place and process. `collection` is "" when it is not known;
 * `position` is the keyed hash of the record's place, in hex. */
typedef void store_damage_fn(void *ctx, const char *collection, const char *position,
                             const struct err *why);

struct store_config {
    const char *path;     /* SQLite file, made when it is missing; or: */
    const char *conninfo; /* PostgreSQL connection string (libpq's) */
    const char *schema;   /* PostgreSQL: made when missing; [a-z_][a-z0-9_]*, at most 48 */
    struct store_keys keys;
    /* A store whose head is older, or that has another digest at this revision, is refused
     * (ERR_CORRUPT): the whole file was rolled back. Revision 0: no anchor. A digest of
     * zeros: the revision alone counts. */
    struct store_head least;
    /* How long open may take to verify the set of records; 0: STORE_VERIFY_MS. What is left is for
     * store_scrub(). */
    unsigned verify_ms;
    /* Recovery, on an operator's word: what is missing or rolled back is accepted as lost, and the
     * head is made anew over what is there. */
    bool accept_loss;
    store_damage_fn *on_damage; /* may be NULL */
    void *damage_ctx;
};

enum { STORE_VERIFY_MS = 500 };

struct store;

/* What a process must keep for a PostgreSQL store when it gives up everything else: a network or
 * Unix sockets, and the paths that libpq reads. */
enum { STORE_NEEDS_PATHS_MAX = 16 };

struct store_needs {
    bool network;
    char *paths[STORE_NEEDS_PATHS_MAX]; /* any of them may be missing */
    size_t path_count;
};

/* Reads them out of the connection string, and loads libpq, which a process that is locked down
 * cannot any more. ERR_INVALID: the string is none; ERR_UNSUPPORTED: libpq is not installed. */
int store_needs_of(const char *conninfo, struct store_needs *out, struct err *err) MUST_USE;
void store_needs_free(struct store_needs *needs);

/* ERR_UNAVAILABLE: another process has it open, or PostgreSQL is away. ERR_CORRUPT: damaged or
 * tampered with; the message says what to do. ERR_UNSUPPORTED: made by a newer version, or libpq is
 * not installed. The strings of the config are copied. */
int store_open(const struct store_config *config, struct store **out, struct err *err) MUST_USE;
/* What was not flushed is undone. */
void store_close(struct store *store);
void store_close_ptr(struct store **store);

/* ------------------------------------------------------------------ reading */

struct store_key {
    const char *collection;
    const char *scope; /* "" for cluster-wide */
    const char *name;
};

struct store_record {
    struct store_key key;
    struct span value;
    int64_t create_revision; /* since it last came into being */
    int64_t mod_revision;
    int64_t version; /* 1 when created, one more with each put */
    const char *terms[STORE_TERMS_MAX];
    size_t term_count;
};

/* The record and all it points to live in the arena. ERR_NOT_FOUND; ERR_CORRUPT when it is damaged,
 * naming collection and position: it is quarantined, everything else goes on. */
int store_get(struct store *store, struct store_key key, struct arena *arena,
              struct store_record *out, struct err *err) MUST_USE;

struct store_list {
    const char *collection;
    const char *scope; /* NULL: every scope */
    const char *term;  /* NULL, or: only records that were put with this index term */
    const char *from;  /* NULL, or the `next` of the page before */
    size_t limit;      /* 0: STORE_LIST_MAX */
};

struct store_page {
    struct store_record *records; /* in the arena */
    size_t count;
    const char *next; /* opaque text [A-Za-z0-9_-]; NULL on the last page */
    /* A watch from this revision + 1 misses nothing that this page does not show. Of a list in
     * several pages take that of the first. */
    int64_t revision;
    size_t damaged; /* records left out because they are damaged */
};

/* The order is that of keyed hashes: stable, without meaning. A record put or deleted between two
 * pages may be in or out; every other one comes exactly once. A bad `from` is ERR_INVALID. */
int store_list(struct store *store, const struct store_list *query, struct arena *arena,
               struct store_page *out, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ writing */

enum store_is { STORE_ABSENT, STORE_EXISTS, STORE_AT_REVISION };

struct store_check {
    struct store_key key;
    enum store_is is;
    int64_t mod_revision; /* for STORE_AT_REVISION */
};

struct store_change {
    struct store_key key;
    bool remove; /* of a record that is not there: no change */
    struct span value;
    const char *terms[STORE_TERMS_MAX]; /* "user=alice"; may be listed by */
    size_t term_count;
};

/* Each record comes at most once among the changes. Checks are made before any change. */
struct store_txn {
    const struct store_check *checks;
    size_t check_count;
    const struct store_change *changes;
    size_t change_count;
};

struct store_result {
    int64_t revision; /* of the changes; the current one when nothing changed */
    size_t changed;
    size_t failed_check; /* which one, when a check failed; else check_count */
};

/* All or nothing, under one new revision. A failed check: ERR_EXISTS (wanted absent), ERR_NOT_FOUND
 * (wanted present), ERR_CONFLICT (another revision). `result` may be NULL. */
int store_txn_commit(struct store *store, const struct store_txn *txn, struct store_result *result,
                     struct err *err) MUST_USE;
/* One put or delete without a check. */
int store_put(struct store *store, struct store_key key, struct span value,
              struct err *err) MUST_USE;
int store_delete(struct store *store, struct store_key key, struct err *err) MUST_USE;

bool store_needs_flush(const struct store *store);
int store_flush(struct store *store, struct err *err) MUST_USE;
/* Undoes what was not flushed. */
void store_discard(struct store *store);

/* The revision of the last change, flushed or not; 0 in an empty store. */
int64_t store_revision(const struct store *store);
/* The durable one. */
void store_head(const struct store *store, struct store_head *out);

/* ------------------------------------------------------------------ watching */

struct store_event {
    bool removed;
    int64_t revision;
    /* What is there now; of a deletion the key and mod_revision alone. */
    const struct store_record *record;
    const struct store_record *previous; /* NULL when it came into being */
};

/* Events come in the order of revisions, each once. What they point to lives until the callback
 * returns. The callback may use the store but must not close it or flush. */
typedef void store_event_fn(void *ctx, const struct store_event *event);
/* The watch is over and freed, perhaps before store_watch_add() returned: ERR_GONE, compacted past
 * it; ERR_CORRUPT, the history is damaged. List again and watch from there. */
typedef void store_lost_fn(void *ctx, const struct err *why);

struct store_watch {
    const char *collection;
    const char *scope;     /* NULL: every scope */
    int64_t from_revision; /* first one wanted; 0: what happens from now on */
    store_event_fn *on_event;
    store_lost_fn *on_lost;
    void *ctx;
};

struct store_watcher;

/* ERR_GONE when from_revision was compacted. Events that happened already are delivered before this
 * returns, the others by store_flush() and store_poll(). Strings are copied. */
int store_watch_add(struct store *store, const struct store_watch *watch,
                    struct store_watcher **out, struct err *err) MUST_USE;
/* Not from its own on_lost. From its own on_event it is fine. */
void store_watch_remove(struct store_watcher *watcher);

/* Other processes may write to a PostgreSQL store: this descriptor becomes readable when they did;
 * -1 with SQLite. Ask anew after each store_poll(). */
int store_fd(const struct store *store);
/* Takes the news of other processes and delivers events. ERR_UNAVAILABLE while the server is away:
 * store_fd() may be -1 then; call it again after a while, no event is lost. */
int store_poll(struct store *store, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ keeping */

/* The calls with a slice do a bounded piece of work: 1, there is more to do; 0, done. All but
 * store_scrub() write into the open batch and want a flush. */

/* Forgets the history up to and with this revision; current records stay. */
int store_compact_slice(struct store *store, int64_t revision, size_t max_changes,
                        struct err *err) MUST_USE;
/* Verifies records, the set of them, their index terms and the history, going on where the last
 * slice ended; 0 when a whole pass ended and all is well. ERR_CORRUPT when the set is not the one
 * that was written. Single damaged records are reported and do not stop it. */
int store_scrub(struct store *store, size_t max_records, struct err *err) MUST_USE;
/* A new version of the collection's data key: it seals what is put from now on. */
int store_rekey(struct store *store, const char *collection, struct err *err) MUST_USE;
/* Seals what is under older versions anew, revisions and history unchanged. */
int store_rewrap_slice(struct store *store, const char *collection, size_t max_records,
                       struct err *err) MUST_USE;

struct store_stats {
    int64_t revision;
    int64_t durable_revision;
    int64_t compacted_revision;
    int64_t records;  /* current ones in all collections */
    uint64_t damaged; /* places found damaged since it was opened */
    bool verified;    /* a whole pass over the set has succeeded since it was opened */
    uint64_t flushes;
    uint64_t failed_flushes;
    size_t watchers;
    const char *backend; /* "sqlite", "postgresql" */
};

void store_stats(const struct store *store, struct store_stats *out);

#endif
