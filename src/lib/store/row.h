/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies in the backend's maps, as bytes (docs/PROTOCOL.store). A row of the history has an open
 * part, which is authenticated as associated data, and a sealed body.
 */
#ifndef DRUN_STORE_ROW_H
#define DRUN_STORE_ROW_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/span.h"
#include "store/store.h"

enum {
    ROW_HASH_LEN = 16,
    ROW_POS_LEN = 3 * ROW_HASH_LEN,  /* hashes of collection, scope, name */
    ROW_TERM_LEN = 2 * ROW_HASH_LEN, /* hashes of collection, term */
    ROW_TERM_KEY_LEN = ROW_TERM_LEN + ROW_POS_LEN,
    ROW_SALT_LEN = 8,
    ROW_ID_LEN = 8,
    ROW_CURRENT_LEN = ROW_ID_LEN + ROW_SALT_LEN,
    ROW_STORE_ID_LEN = 16,
    ROW_PER_REVISION = 256, /* id = revision * 256 + number of the change in its transaction */
};

struct row {
    int64_t id;
    int64_t prev;  /* id of the row that this one replaced; 0: the record came into being */
    uint32_t key;  /* version of the data key */
    bool dead;     /* a tombstone */
    uint8_t count; /* changes in the transaction */
    uint8_t salt[ROW_SALT_LEN];
    uint8_t pos[ROW_POS_LEN];
    struct span sealed;
};

/* The sealed part. Texts and value point into the plaintext. */
struct row_body {
    int64_t create_revision;
    int64_t version;
    const char *scope;
    const char *name;
    const char *terms[STORE_TERMS_MAX];
    size_t term_count;
    struct span value;
};

/* What the map of current records says about one. */
struct row_current {
    int64_t id;
    uint8_t salt[ROW_SALT_LEN];
};

static inline int64_t row_revision(int64_t id)
{
    return id / ROW_PER_REVISION;
}

/* Keys of the history order as the ids do. */
void row_id_encode(int64_t id, uint8_t out[ROW_ID_LEN]);
int row_id_decode(struct span key, int64_t *out, struct err *err) MUST_USE;

void row_current_encode(const struct row_current *current, struct buf *out);
int row_current_decode(struct span bytes, struct row_current *out, struct err *err) MUST_USE;

/* row->sealed goes at the end. */
void row_encode(const struct row *row, struct buf *out);
/* The row points into the bytes. */
int row_decode(int64_t id, struct span bytes, struct row *out, struct err *err) MUST_USE;

void row_body_encode(const struct row_body *body, struct buf *out);
int row_body_decode(struct span plain, struct row_body *out, struct err *err) MUST_USE;

/* Binds the body to its store, place, revision, predecessor and key version. */
enum { ROW_AAD_LEN = 1 + 4 + ROW_STORE_ID_LEN + ROW_POS_LEN + 8 + 8 + 1 + 1 + ROW_SALT_LEN };
void row_aad(const struct row *row, const uint8_t store_id[ROW_STORE_ID_LEN],
             uint8_t out[ROW_AAD_LEN]);

#endif
