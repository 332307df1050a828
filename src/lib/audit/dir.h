/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log's directory, read only: which segments there are, and the hash of any subtree. Used by the
 * log itself and by who verifies a copy. Files:
 *
 *     00000000000000000000.seg       a segment, named by its first record
 *     00000000000000000000.ckpt      the checkpoints that were made while it was the newest
 *     00000000000000000000.dropped   signed note in its place once retention has dropped it
 *     00000000000000000000.damaged   what could not be read any more and was put aside
 *     tree                           the compact range at the newest checkpoint
 */
#ifndef DRUN_AUDIT_DIR_H
#define DRUN_AUDIT_DIR_H

#include "audit/segment_file.h"

enum { DIR_CKPT_MAX = 256 * 1024 * 1024 };

struct dir_segment {
    uint64_t first;
    uint64_t end; /* where the next one begins; of the last one 0 until it is known */
    bool dropped;
    bool peeked; /* the next four are known */
    uint64_t min_ns;
    uint64_t max_ns;
    size_t node_count; /* compact range [first, end) */
    struct tree_hash *nodes;
};

enum { DIR_CACHE = 2 };

struct audit_dir {
    int fd;
    const struct note_keys *keys; /* for the notes of dropped segments */
    const char *origin;
    struct dir_segment *segment;
    size_t count;
    struct segment_file *live; /* the segment that is being written; not owned */
    struct segment_file *cache[DIR_CACHE];
    unsigned cache_next;
};

/* Lists the directory. dir_fd, keys and origin stay the caller's and must outlive *out. */
int audit_dir_open(int dir_fd, const struct note_keys *keys, const char *origin,
                   struct audit_dir *out, struct err *err) MUST_USE;
void audit_dir_close(struct audit_dir *dir);
void audit_dir_add(struct audit_dir *dir, uint64_t first);
void audit_dir_forget(struct audit_dir *dir, uint64_t first); /* from the cache */
struct dir_segment *audit_dir_find(struct audit_dir *dir, uint64_t index);

/* With places and leaf hashes; belongs to the directory, until two more were loaded. */
int audit_dir_load(struct audit_dir *dir, struct dir_segment *segment, struct segment_file **out,
                   struct err *err) MUST_USE;
/* Its compact range and its times. */
int audit_dir_peek(struct audit_dir *dir, struct dir_segment *segment, struct err *err) MUST_USE;
/* A tree_node_fn; ctx is the directory. */
int audit_dir_node(void *ctx, unsigned level, uint64_t start, struct tree_hash *out,
                   struct err *err);

/* Calls fn for every note of a checkpoint file, oldest first. Returns how many bytes at its end are
 * no whole note. */
typedef int dir_note_fn(void *ctx, struct span note, struct err *err);
int64_t audit_dir_notes(int dir_fd, uint64_t first, dir_note_fn *fn, void *ctx,
                        struct err *err) MUST_USE;
/* The newest checkpoint with a good signature, its note in `note`; 0 when there is none at all. */
int audit_dir_newest(struct audit_dir *dir, struct checkpoint *out, struct buf *note,
                     struct err *err) MUST_USE;

/* The file `tree`. */
int audit_dir_put_tree(int dir_fd, const struct tree_range *range, struct err *err) MUST_USE;
int audit_dir_get_tree(int dir_fd, struct tree_range *out, struct err *err) MUST_USE;

/* The text of a dropped segment's note. */
struct dir_dropped {
    uint64_t first;
    uint64_t end;
    int64_t dropped_sec;
    struct tree_range range;
};
void audit_dir_put_dropped(const char *origin, const struct dir_dropped *dropped, struct buf *out);
int audit_dir_get_dropped(struct audit_dir *dir, uint64_t first, struct dir_dropped *out,
                          struct err *err) MUST_USE;

#endif
