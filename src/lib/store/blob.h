/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large sealed files in one directory: models, images, backups. A blob is cut into chunks, each
 * AES-256-GCM under a key of the blob's own; a chunk that was changed, moved, dropped or appended
 * does not open, and no byte of a chunk is given out before the whole chunk was verified. File
 * names are keyed hashes of ids (docs/PROTOCOL.store).
 *
 * A blob has one of two ids (docs/decisions/0011). BLOB_SHA256: the SHA-256 of the plaintext,
 * computed while it is written; the same bytes have the same id and are kept once. BLOB_ROOT: a
 * hash over the chunks' tags, which costs nothing; each writing makes its own id.
 *
 *     TRY(blob_write_fd(blobs, fd, BLOB_SHA256, NULL, &id, err));
 *     TRY(blob_open(blobs, &id, &blob, err));
 *     TRY(blob_read_fd(blob, out_fd, err));
 */
#ifndef DRUN_STORE_BLOB_H
#define DRUN_STORE_BLOB_H

#include "base/attr.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/span.h"

enum {
    BLOB_DIGEST_LEN = 32,
    BLOB_CHUNK_LEN = 1024 * 1024,
    BLOB_CHUNK_MIN = 4096,
    BLOB_CHUNK_MAX = 16 * 1024 * 1024,
    BLOB_NAME_SIZE = 2 * BLOB_DIGEST_LEN + 1,
};

enum blob_kind { BLOB_ROOT = 1, BLOB_SHA256 = 2 };

struct blob_id {
    enum blob_kind kind;
    uint8_t digest[BLOB_DIGEST_LEN];
};

struct blob_store;

/* Keeps dir_fd and the key (32 bytes, a collection's data key) for its life; both stay the
 * caller's. Removes what an interrupted writing left: one process at a time owns a directory.
 * chunk_len 0: BLOB_CHUNK_LEN; it is for what is written, each file says its own. */
int blob_store_open(int dir_fd, const struct secret *key, uint32_t chunk_len,
                    struct blob_store **out, struct err *err) MUST_USE;
void blob_store_free(struct blob_store *blobs);

/* ------------------------------------------------------------------ writing */

/* Writes all that comes from fd. `expected` may be NULL, or the SHA-256 that the bytes must have
 * (with BLOB_SHA256): ERR_CORRUPT and nothing kept when they have another. Durable when it returns.
 */
int blob_write_fd(struct blob_store *blobs, int fd, enum blob_kind kind,
                  const uint8_t expected[BLOB_DIGEST_LEN], struct blob_id *out,
                  struct err *err) MUST_USE;

struct blob_writer;

/* The same piece by piece. */
int blob_writer_new(struct blob_store *blobs, enum blob_kind kind, struct blob_writer **out,
                    struct err *err) MUST_USE;
int blob_writer_put(struct blob_writer *writer, struct span bytes, struct err *err) MUST_USE;
int blob_writer_put_fd(struct blob_writer *writer, int fd, struct err *err) MUST_USE;
/* Without `durable` the caller sees to that himself. After it, or after an error, only free is
 * left.
 */
int blob_writer_finish(struct blob_writer *writer, const uint8_t expected[BLOB_DIGEST_LEN],
                       bool durable, struct blob_id *out, struct err *err) MUST_USE;
/* What was not finished is gone. */
void blob_writer_free(struct blob_writer *writer);
void blob_writer_free_ptr(struct blob_writer **writer);

/* ------------------------------------------------------------------ reading */

struct blob;

/* ERR_NOT_FOUND; ERR_CORRUPT when its header is damaged or it is another blob under this name. */
int blob_open(struct blob_store *blobs, const struct blob_id *id, struct blob **out,
              struct err *err) MUST_USE;
void blob_free(struct blob *blob);
void blob_free_ptr(struct blob **blob);
uint64_t blob_len(const struct blob *blob);

/* Pieces in order, each verified. The callback may return -1 with err to stop. What was given
 * before a damaged chunk was met is good; the whole is good when 0 is returned. */
typedef int blob_piece_fn(void *ctx, struct span piece, struct err *err);
int blob_read(struct blob *blob, blob_piece_fn *fn, void *ctx, struct err *err) MUST_USE;
int blob_read_fd(struct blob *blob, int fd, struct err *err) MUST_USE;
/* Fills out[len]; ERR_INVALID past the end. The last chunk is kept, so that small reads in order
 * open each chunk once. */
int blob_read_at(struct blob *blob, uint64_t offset, void *out, size_t len,
                 struct err *err) MUST_USE;

/* ------------------------------------------------------------------ keeping */

/* ERR_NOT_FOUND when it is not there. */
int blob_remove(struct blob_store *blobs, const struct blob_id *id, struct err *err) MUST_USE;
/* The name of its file, to tell which files of the directory are still wanted. */
void blob_name(const struct blob_store *blobs, const struct blob_id *id, char out[BLOB_NAME_SIZE]);

#endif
