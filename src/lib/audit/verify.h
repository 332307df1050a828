/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verification of a log's directory, or of a copy of it, offline: only the files and the public
 * keys. It finds truncation, edits, other orders, a history that was computed anew, missing
 * segments, and any bit that changed. What it cannot find by itself is a directory that was put
 * back as a whole to an earlier state: for that give it a checkpoint that was kept elsewhere.
 */
#ifndef DRUN_AUDIT_VERIFY_H
#define DRUN_AUDIT_VERIFY_H

#include "audit/log.h"
#include "audit/note.h"

struct audit_verify_options {
    const struct note_keys *keys;
    const char *origin;
    struct span kept; /* a note from elsewhere that the log must continue; may be empty */
    bool live;        /* the log is being written: an unfinished write at its end is no fault */
    /* With it every record is opened and checked against its commitment. NULL: not. */
    const struct audit_log_keys *decrypt;
};

struct audit_verdict {
    bool good;
    /* The first bad place. */
    char file[64];
    uint64_t index; /* AUDIT_FROM_END: it concerns no single record */
    char what[200];
    /* What was seen until then. */
    uint64_t segments;
    uint64_t dropped_segments;
    uint64_t records; /* whose bytes were checked */
    uint64_t opened;
    uint64_t checkpoints;
    uint64_t size;        /* of the tree */
    uint64_t signed_size; /* by the newest checkpoint */
    struct tree_hash root;
};

/* -1 only when it could not look; what it finds is in *out. */
int audit_verify(int dir_fd, const struct audit_verify_options *options, struct audit_verdict *out,
                 struct err *err) MUST_USE;

#endif
