/* SPDX-License-Identifier: Apache-2.0 */
/* The format of a blob file, for its writer, its reader and their tests (docs/PROTOCOL.store). */
#ifndef DRUN_STORE_BLOB_INTERNAL_H
#define DRUN_STORE_BLOB_INTERNAL_H

#include "store/blob.h"
#include "store/gcm.h"

#include "crypto/crypto.h"

enum {
    BLOB_FORMAT = 1,
    BLOB_SALT_LEN = 32,
    BLOB_PREFIX_LEN = 8 + 4 + 4 + BLOB_SALT_LEN, /* magic, format, chunk length, salt */
    BLOB_INFO_LEN = 8 + 1 + BLOB_DIGEST_LEN,     /* length, kind, digest */
    BLOB_HEADER_LEN = BLOB_PREFIX_LEN + BLOB_INFO_LEN + CRYPTO_SEAL_OVERHEAD,
    BLOB_AAD_LEN = 8 + 1, /* number of the chunk, last */
    /* Read, and hashed, while it is in the first caches. */
    BLOB_STEP_LEN = 128 * 1024,
};

#define BLOB_MAGIC "drunblob"

struct blob_store {
    int dir_fd;
    const struct secret *key;
    struct secret *names;
    uint32_t chunk_len;
};

struct blob_header {
    uint32_t chunk_len;
    uint8_t salt[BLOB_SALT_LEN];
    uint64_t len;
    struct blob_id id;
};

/* `use` is "header" or "chunks". */
int blob_derive(const struct blob_store *blobs, const uint8_t salt[BLOB_SALT_LEN], const char *use,
                struct secret **out, struct err *err) MUST_USE;
int blob_header_seal(const struct blob_store *blobs, const struct blob_header *header,
                     struct buf *out, struct err *err) MUST_USE;
int blob_header_open(const struct blob_store *blobs, struct span bytes, struct blob_header *out,
                     struct err *err) MUST_USE;

/* Begins the chunk: a full one is never the last, so that a blob always ends in one that is shorter
 * than the others, perhaps empty. */
void blob_chunk_begin(struct gcm *gcm, uint64_t number, bool last);

#endif
