/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `drun audit verify` and `drun audit prove` do, offline, in lines for people; and proofs as
 * text in the form of C2SP tlog-proof. `extra` of a proof is the leaf: commitment, then seal.
 */
#ifndef DRUN_AUDIT_REPORT_H
#define DRUN_AUDIT_REPORT_H

#include "audit/log.h"
#include "audit/note.h"
#include "audit/tree.h"

enum { AUDIT_PROOF_MAX = NOTE_MAX + 8192 };

struct audit_proof {
    uint64_t index;
    struct tree_hash commitment;
    struct tree_hash seal;
    struct tree_proof path;
    struct span note; /* the checkpoint */
};

void audit_proof_put(const struct audit_proof *proof, struct buf *out);
/* out->note points into `text`. */
int audit_proof_parse(struct span text, struct audit_proof *out, struct err *err) MUST_USE;
/* That the leaf is in the log which one of the keys signed. */
int audit_proof_verify(const struct audit_proof *proof, const struct note_keys *keys,
                       const char *origin, struct err *err) MUST_USE;
/* That this is the record behind the proof; json in canonical form. */
int audit_proof_opens(const struct audit_proof *proof, struct span salt, struct span json,
                      struct err *err) MUST_USE;

/* The name of the log whose directory this is. */
int audit_find_origin(int dir_fd, char out[NOTE_NAME_SIZE], struct err *err) MUST_USE;

struct audit_report_options {
    const char *dir;
    const char *public_key_file; /* verifier keys, one a line, or a PEM public key */
    struct span public_key;      /* the same in memory, when there is no file */
    const char *origin;          /* NULL: what the log says of itself */
    const char *checkpoint_file; /* one that was kept elsewhere; may be NULL */
    bool live;
};

/* Verifies and writes what it found. Returns 1 when all is good, 0 when it is not. */
int audit_report_verify(const struct audit_report_options *options, struct buf *out,
                        struct err *err) MUST_USE;
/* Writes the proof of one record in the tree of the newest checkpoint. */
int audit_report_prove(const struct audit_report_options *options, uint64_t index, struct buf *out,
                       struct err *err) MUST_USE;
/* Verifies a proof's text against the keys. */
int audit_report_check_proof(const struct audit_report_options *options, struct span proof,
                             struct buf *out, struct err *err) MUST_USE;

#endif
