/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log: an RFC 6962 Merkle tree over sealed records, in a directory that one process
 * writes. Nothing on the disk is plaintext but times, sizes and hashes; whoever has the files and
 * the public key can verify it without any decryption key (verify.h).
 *
 * What audit_log_append() has taken survives a crash. After one, what was never acknowledged is cut
 * off; anything else that is wrong is left as it is, said in the log of the process and recorded as
 * AUDIT_SEGMENT_DAMAGED, and a new segment goes on behind it.
 *
 * Not being able to write is an error of append, and later appends try again: the caller stops
 * doing what it cannot record.
 */
#ifndef DRUN_AUDIT_LOG_H
#define DRUN_AUDIT_LOG_H

#include "audit/audit.h"
#include "audit/note.h"
#include "base/secret.h"

/* Where the keys are: kms, or a test's own. */
struct audit_log_keys {
    void *ctx;
    /* A fresh data key and its wrapped form, at most 1,024 bytes; one a segment. */
    int (*make)(void *ctx, struct secret **out, struct buf *wrapped, struct err *err);
    int (*open)(void *ctx, struct span wrapped, struct secret **out, struct err *err);
    /* An Ed25519 signature by the current key, and its public half: it may change over time. */
    int (*sign)(void *ctx, struct span text, uint8_t public[NOTE_PUBLIC_LEN],
                uint8_t sig[NOTE_SIG_LEN], struct err *err);
};

struct audit_log_config {
    const char *origin;              /* the log's name, for ever: "drun/audit/INSTANCE" */
    const struct note_keys *signers; /* of all generations; copied */
    struct audit_log_keys keys;
    uint64_t segment_records; /* 0: 32,768 */
    uint64_t segment_bytes;   /* 0: 32 MiB */
    uint64_t (*now_ns)(void); /* NULL: the wall clock */
};

struct audit_log;

/* Takes *dir_fd. Recovers, and starts a segment; `config` is copied. ERR_CONFLICT when another
 * process writes this log. */
int audit_log_open(int *dir_fd, const struct audit_log_config *config, struct audit_log **out,
                   struct err *err) MUST_USE;
void audit_log_close(struct audit_log *log);
void audit_log_close_ptr(struct audit_log **log);

/* One write and one fdatasync for all of them; they are durable when it returns. All are in the log
 * or none. Gives the index of the first. */
int audit_log_append(struct audit_log *log, const struct audit_event *events, size_t count,
                     uint64_t *out_first, struct err *err) MUST_USE;

uint64_t audit_log_size(const struct audit_log *log);
/* Signs the tree as it is; nothing when the newest checkpoint is of this size. */
int audit_log_checkpoint(struct audit_log *log, struct err *err) MUST_USE;
/* The newest checkpoint's note; empty when there is none. */
struct span audit_log_newest_note(const struct audit_log *log);
uint64_t audit_log_newest_size(const struct audit_log *log);
/* The newest anchor_revision that this role recorded; 0 when there is none. */
uint64_t audit_log_anchor(const struct audit_log *log, struct span role);

struct audit_query {
    struct span actor; /* name or uid, behind '!' everybody else; empty ones match everything */
    struct span event; /* the name, or its beginning when it ends in '*' */
    struct span namespace;
    struct span role;
    uint64_t since_ns; /* 0: no bound */
    uint64_t until_ns; /* exclusive; 0: no bound */
    int outcome;       /* enum audit_outcome, or -1 */
    bool oldest_first;
    uint64_t start;    /* the first index to look at, AUDIT_FROM_END: the newest (oldest) */
    uint64_t scan_max; /* records to open at most; 0: no bound */
};
#define AUDIT_FROM_END UINT64_MAX

/* One that matches; `json` is its canonical form and `salt` opens its commitment. Both and the
 * texts live until the function returns. Returning 1 ends the query behind this record. */
struct audit_found {
    uint64_t index;
    const struct audit_event *event;
    struct span json;
    struct span salt;
};
typedef int audit_found_fn(void *ctx, const struct audit_found *found, struct err *err);

/* Looks at records until fn returns 1, scan_max is reached or there are no more. Gives where to go
 * on, AUDIT_FROM_END when there is nothing left. Records in dropped and damaged parts are left
 * out; *out_skipped (may be NULL) says how many. */
int audit_log_query(struct audit_log *log, const struct audit_query *query, audit_found_fn *fn,
                    void *ctx, uint64_t *out_next, uint64_t *out_skipped, struct err *err) MUST_USE;
/* ERR_NOT_FOUND, ERR_GONE when it was dropped, ERR_CORRUPT when it is damaged. */
int audit_log_get(struct audit_log *log, uint64_t index, audit_found_fn *fn, void *ctx,
                  struct err *err) MUST_USE;

/* For a tree of `size`; checked before it is given out. `seal` is the other half of the leaf. */
int audit_log_prove(struct audit_log *log, uint64_t index, uint64_t size, struct tree_proof *out,
                    struct tree_hash *out_seal, struct err *err) MUST_USE;
int audit_log_prove_consistency(struct audit_log *log, uint64_t old_size, uint64_t size,
                                struct tree_proof *out, struct err *err) MUST_USE;

/* Drops whole segments whose newest record is older; a signed note with the subtree roots takes
 * the place of each, and an event says so. Returns how many. */
int audit_log_drop_before(struct audit_log *log, uint64_t before_ns, struct err *err) MUST_USE;

/* What is wrong with it since it was opened, for health: 0 when nothing is. */
uint64_t audit_log_damage_count(const struct audit_log *log);

#endif
