/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a store, for this folder and its tests. */
#ifndef DRUN_STORE_STORE_INTERNAL_H
#define DRUN_STORE_STORE_INTERNAL_H

#include "store/accum.h"
#include "store/backend.h"
#include "store/row.h"
#include "store/store.h"

#include <sys/queue.h>

/* ------------------------------------------------------------------ keys: keyring.c */

enum {
    KEY_SLOTS = 4,
    /* A data key seals nothing itself: each 2^20 revisions have a key derived from it. A revision
     * has fewer than 2^8 changes, so that one key seals fewer than 2^28 messages, and the same
     * again when old records are sealed anew: far below the 2^32 of SP 800-38D. */
    KEY_EPOCH_REVISIONS = 1 << 20,
    KEY_VERSIONS_MAX = 10000,
};

struct key_slot {
    int64_t epoch;
    struct secret *key;
};

struct key_version {
    struct buf wrapped; /* empty: its record is damaged */
    struct secret *data;
    struct key_slot slots[KEY_SLOTS];
    int64_t id; /* of its record; 0 for versions of STORE_SELF */
};

struct coll {
    char name[STORE_COLLECTION_MAX + 1];
    uint8_t hash[ROW_HASH_LEN];
    struct secret *names;         /* from the first data key, for ever */
    struct key_version *versions; /* version n is at n - 1 */
    size_t count;
    LIST_ENTRY(coll) entry;
};

/* ------------------------------------------------------------------ the store */

/* What the head says. */
struct store_state {
    int64_t revision;
    int64_t compacted;
    int64_t records;
    struct accum sum;
};

/* Where the pass of store_scrub() is: behind this key of this map. `set` covers what is passed. */
enum scrub_phase { SCRUB_SET, SCRUB_RECORDS, SCRUB_HISTORY };

struct scrub {
    enum scrub_phase phase;
    enum backend_table table; /* in SCRUB_SET: BACKEND_CURRENT, then BACKEND_TERM */
    uint8_t key[ROW_TERM_KEY_LEN];
    size_t key_len; /* 0: at the beginning of the map */
    struct accum set;
    int64_t records;
    int64_t id; /* the largest that was met; in SCRUB_HISTORY the next one */
};

struct damage {
    uint8_t pos[ROW_POS_LEN];
    LIST_ENTRY(damage) entry;
};

struct store {
    struct backend *backend;
    struct store_keys keys;
    store_damage_fn *on_damage;
    void *damage_ctx;
    uint8_t id[ROW_STORE_ID_LEN];

    LIST_HEAD(, coll) colls; /* STORE_SELF among them */
    struct coll *self;
    size_t durable_self_count;
    struct secret *set_key;

    struct store_state now;
    struct store_state durable;
    struct buf head; /* the stored bytes of the durable head */
    bool open;       /* a backend transaction is open */
    bool dirty;      /* and something was written */
    bool broken;     /* a write failed; store_flush() has not said so yet */
    struct err broken_why;

    struct scrub scrub;
    bool verified;
    int64_t rewrap_id;
    char rewrap_name[STORE_COLLECTION_MAX + 1];
    LIST_HEAD(, damage) damages;
    uint64_t damaged;

    TAILQ_HEAD(, store_watcher) watchers;
    size_t watcher_count;
    bool dispatching;

    uint64_t flushes;
    uint64_t failed_flushes;

    /* Room for one stored row, its body, and what is being written. */
    struct buf raw;
    struct buf plain;
    struct buf out;
    struct buf body;
};

/* ---- keyring.c ---- */

/* Reads the store's own key and those of the collections; makes the former in a new store, inside a
 * batch. */
int store_keyring_create_self(struct store *store, struct err *err) MUST_USE;
int store_keyring_load_self(struct store *store, struct err *err) MUST_USE;
int store_keyring_load(struct store *store, struct err *err) MUST_USE;
void store_keyring_free(struct store *store);
/* Forgets the versions that an undone batch made. */
void store_keyring_rollback(struct store *store);
/* 0 and NULL when no record was ever put there; ERR_CORRUPT when its first key is damaged. */
int store_keyring_find(struct store *store, const char *name, struct coll **out,
                       struct err *err) MUST_USE;
struct coll *store_keyring_by_hash(struct store *store, const uint8_t hash[ROW_HASH_LEN]);
/* A new version, the first one too; inside a batch. */
int store_keyring_add_version(struct store *store, const char *name, struct coll **out,
                              struct err *err) MUST_USE;
/* The key that seals what has this revision. Belongs to the keyring; good until the next call. */
int store_keyring_seal_key(struct store *store, struct coll *coll, uint32_t version,
                           int64_t revision, const struct secret **out, struct err *err) MUST_USE;

/* ---- seal.c: names and rows of one store ---- */

void hash_coll(const struct store *store, const char *name, uint8_t out[ROW_HASH_LEN]);
void hash_scope(const struct coll *coll, const char *scope, uint8_t out[ROW_HASH_LEN]);
void hash_pos(const struct coll *coll, const char *scope, const char *name,
              uint8_t out[ROW_POS_LEN]);
void hash_term(const struct coll *coll, const char *term, uint8_t out[ROW_TERM_LEN]);
/* What stands for one row of BACKEND_CURRENT or BACKEND_TERM in the sum of the head. */
void hash_element(const struct store *store, enum backend_table table, struct span key,
                  struct span value, struct accum *out);
/* Seals an encoded body under the newest version, which goes into the row, and encodes the row. */
int seal_row(struct store *store, struct coll *coll, struct row *row, struct span plain,
             struct buf *out, struct err *err) MUST_USE;
/* The body points into `plain`. */
int seal_open_row(struct store *store, struct coll *coll, const struct row *row, struct buf *plain,
                  struct row_body *out, struct err *err) MUST_USE;

/* ---- head.c ---- */

int head_write(struct store *store, struct buf *bytes, struct err *err) MUST_USE;
/* Makes what is stored the durable state. 1: it differs from what was known. */
int head_read(struct store *store, struct err *err) MUST_USE;

/* ---- batch.c ---- */

int batch_begin(struct store *store, struct err *err) MUST_USE;
/* After a write that failed: undoes the batch and remembers why. Returns -1. */
int batch_break(struct store *store, struct err *err);
/* Takes the head that another process may have moved; does nothing inside a batch. */
int batch_refresh(struct store *store, struct err *err) MUST_USE;
/* Whether another process compacted this revision meanwhile: what is missing is then no damage. */
bool batch_compacted(struct store *store, int64_t revision);
/* Put and remove in BACKEND_CURRENT and BACKEND_TERM that keep the sum: `old` is what is there now,
 * `new` what is to be there; NULL: nothing. */
int batch_replace(struct store *store, enum backend_table table, struct span key,
                  const struct span *old, const struct span *new, struct err *err) MUST_USE;

/* ---- read.c ---- */

/* 1, or 0 when no record is there. */
int read_current(struct store *store, const uint8_t pos[ROW_POS_LEN], struct row_current *out,
                 struct err *err) MUST_USE;
/* The row of the history, into store->raw. A row that is missing is ERR_CORRUPT. */
int read_row(struct store *store, int64_t id, struct row *out, struct err *err) MUST_USE;
/* The current record at a position, into store->raw and store->plain. Damage is reported.
 * ERR_NOT_FOUND when another process removed it meanwhile. */
int read_record(struct store *store, struct coll *coll, const uint8_t pos[ROW_POS_LEN],
                const struct row_current *current, struct row *row, struct row_body *body,
                struct err *err) MUST_USE;
/* Copies a record into the arena. */
int read_copy(const struct coll *coll, const struct row *row, const struct row_body *body,
              struct arena *arena, struct store_record *out, struct err *err) MUST_USE;
/* Wraps err with the place, reports it once, and returns -1. coll may be NULL. */
int read_damage(struct store *store, const struct coll *coll, const uint8_t pos[ROW_POS_LEN],
                int64_t id, struct err *err);

/* ---- txn.c ---- */

int txn_check_key(struct store_key key, struct err *err) MUST_USE;
int txn_check_text(const char *text, size_t min, size_t max, const char *what,
                   struct err *err) MUST_USE;
/* One put of the store's own, under its own revision; inside a batch. */
int txn_put_self(struct store *store, const char *scope, const char *name, struct span value,
                 int64_t *out_id, struct err *err) MUST_USE;

/* ---- watch.c ---- */

/* Delivers what is durable and not yet delivered. */
void watch_dispatch(struct store *store);
void watch_free_all(struct store *store);

/* ---- scrub.c ---- */

void scrub_restart(struct store *store);
/* The set alone, for at most so long; 1 when time ran out. */
int scrub_verify_set(struct store *store, unsigned ms, struct err *err) MUST_USE;
/* Makes sum and count anew from what is there; inside a batch. */
int scrub_accept(struct store *store, struct err *err) MUST_USE;

#endif
