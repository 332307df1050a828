/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file of the log: a header, batches of sealed records, and once it is full a trailer with what
 * proofs need. Byte by byte in docs/PROTOCOL.audit.
 *
 * The leaf of a record is commitment (32 bytes) then seal (32 bytes):
 *     commitment = SHA-256(salt || canonical JSON)            opens with the data key, or disclosed
 *     seal       = SHA-256(digest of the header || sealed)    checked by anyone who has the file
 */
#ifndef DRUN_AUDIT_SEGMENT_H
#define DRUN_AUDIT_SEGMENT_H

#include "audit/audit.h"
#include "audit/note.h"
#include "audit/tree.h"
#include "base/secret.h"
#include "crypto/crypto.h"

enum {
    SEGMENT_NAME_SIZE = 40,
    SEGMENT_WRAPPED_MAX = 1024,
    SEGMENT_HEADER_MAX = 8 * 1024,
    SEGMENT_SALT_LEN = 16,
    SEGMENT_SEALED_MAX = SEGMENT_SALT_LEN + AUDIT_JSON_MAX + CRYPTO_SEAL_OVERHEAD,
    SEGMENT_RECORD_HEAD = 4 + 2 * TREE_HASH_LEN,
    SEGMENT_BATCH_HEAD = 8 + 8 + 4 + 4 + TREE_HASH_LEN,
    SEGMENT_BATCH_MAX = 128 * 1024 * 1024,
    SEGMENT_RECORDS_MAX = 1 << 20,
    SEGMENT_FOOTER_LEN = 4 + TREE_HASH_LEN + 8,
};

/* "00000000000000000042.seg", the first record's index. */
void segment_name(uint64_t first, const char *suffix, char out[SEGMENT_NAME_SIZE]);
/* -1 when the name is no segment's with this suffix. */
int segment_parse_name(const char *name, const char *suffix, uint64_t *out_first) MUST_USE;

struct segment_header {
    uint64_t first;
    uint64_t created_ns;
    char origin[NOTE_NAME_SIZE];
    uint8_t wrapped[SEGMENT_WRAPPED_MAX]; /* the data key */
    size_t wrapped_len;
    struct tree_range before; /* of the tree of `first` leaves */
    struct tree_hash digest;  /* of all of the above */
};

/* Computes header->digest and appends the encoded header. */
void segment_put_header(struct segment_header *header, struct buf *out);
/* `bytes` may go on behind the header; *out_len is how much it took. */
int segment_parse_header(struct span bytes, struct segment_header *out, size_t *out_len,
                         struct err *err) MUST_USE;

struct segment_record {
    uint64_t index;
    struct tree_hash leaf; /* as it is written */
    struct tree_hash commitment;
    struct span sealed;
};

struct segment_batch {
    uint64_t first;
    uint32_t count;
    uint32_t len; /* of its records, in bytes */
    struct tree_hash check;
};

void segment_leaf(const struct tree_hash *digest, const struct tree_hash *commitment,
                  struct span sealed, struct tree_hash *out);
/* The same for who was shown commitment and seal only. */
void segment_leaf_of(const struct tree_hash *commitment, const struct tree_hash *seal,
                     struct tree_hash *out);
void segment_seal_hash(const struct tree_hash *digest, struct span sealed, struct tree_hash *out);
void segment_commit(struct span salt, struct span json, struct tree_hash *out);

/* Seals one event at its index and appends the record. */
int segment_put_record(const struct segment_header *header, struct crypto_sealer *sealer,
                       uint64_t index, const uint8_t salt[SEGMENT_SALT_LEN], struct span json,
                       struct buf *out, struct tree_hash *out_leaf, struct err *err) MUST_USE;
/* Opens it and checks the commitment. `plain` gets salt, then JSON. */
int segment_open_record(const struct segment_header *header, const struct secret *key,
                        const struct segment_record *record, struct buf *plain,
                        struct err *err) MUST_USE;

/* Room for the head of a batch, filled in by segment_finish_batch() when its records follow it. */
void segment_start_batch(struct buf *out);
void segment_finish_batch(const struct segment_header *header, uint64_t first, uint32_t count,
                          struct buf *batch);
/* False when there is no batch here. */
bool segment_parse_batch(struct span bytes, struct segment_batch *out);
/* Takes the next record of a batch off `records`. False when the framing is broken. */
bool segment_next_record(struct span *records, uint64_t index, struct segment_record *out);
/* Whether the head and all leaf hashes are what was written. */
bool segment_check_batch(const struct segment_header *header, const struct segment_batch *batch,
                         struct span records);
/* Whether the record's own bytes make its leaf hash. */
bool segment_check_record(const struct segment_header *header, const struct segment_record *record);

struct segment_trailer {
    uint64_t first;
    uint64_t count;
    uint64_t min_ns; /* of the records' times */
    uint64_t max_ns;
    struct tree_range range;
    const uint8_t *offsets; /* u32 each: where record i begins in the file */
    const uint8_t *leaves;  /* TREE_HASH_LEN bytes each */
};

void segment_put_trailer(const struct segment_header *header, const struct segment_trailer *trailer,
                         struct buf *out);
/* How long the trailer is, by the last SEGMENT_FOOTER_LEN bytes of the file; 0: there is none. */
uint32_t segment_trailer_len(struct span footer);
/* offsets and leaves point into `bytes`. */
int segment_parse_trailer(const struct segment_header *header, struct span bytes,
                          struct segment_trailer *out, struct err *err) MUST_USE;

#endif
