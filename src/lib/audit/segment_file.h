/* SPDX-License-Identifier: Apache-2.0 */
/* One segment's file: where its records are, what its leaf hashes are, and what is wrong with it.
 */
#ifndef DRUN_AUDIT_SEGMENT_FILE_H
#define DRUN_AUDIT_SEGMENT_FILE_H

#include "audit/segment.h"

struct segment_file {
    int fd;
    struct segment_header header;
    size_t header_len;
    bool sealed;     /* a trailer was loaded */
    uint64_t min_ns; /* of the records; 0 and 0 when not known */
    uint64_t max_ns;
    struct tree_range range;
    uint64_t count; /* records whose place and leaf hash are known */
    uint64_t end;   /* in the file: behind the last batch of them */
    uint32_t *offsets;
    struct tree_hash *leaves;
    size_t room;
    struct secret *key; /* NULL until somebody needs it */
};

/* Opens the file and reads its header. */
int segment_file_open(int dir_fd, uint64_t first, int flags, struct segment_file **out,
                      struct err *err) MUST_USE;
void segment_file_free(struct segment_file *file);
void segment_file_free_ptr(struct segment_file **file);
void segment_file_add(struct segment_file *file, uint32_t offset, const struct tree_hash *leaf);

/* Loads the trailer: 1 when there is a good one, 0 when there is none, -1 when it is damaged. */
int segment_file_load_trailer(struct segment_file *file, struct err *err) MUST_USE;
/* Only its times and the compact range, unchecked; 0 when there is no trailer. */
int segment_file_peek_trailer(int fd, uint64_t first, struct segment_trailer *out,
                              struct err *err) MUST_USE;

/* What was found in a file that was read from its header to its end. */
struct segment_scan {
    bool damaged;       /* it holds less than was once durable there */
    bool torn;          /* bytes behind `end` of the file are no batch and no trailer */
    bool trailer;       /* a trailer begins at `end` */
    uint64_t bad_index; /* the first bad record, and what is wrong with it */
    char what[120];
    uint64_t bad_count;
};

/* For each record, good or not; `body` is whether its bytes are what its leaf hash says. */
typedef int segment_scan_fn(void *ctx, const struct segment_record *record, bool body,
                            struct err *err);
/* Fills in places and leaf hashes as far as they can be trusted. Damage is no error. fn may be
 * NULL. */
int segment_file_scan(struct segment_file *file, segment_scan_fn *fn, void *ctx,
                      struct segment_scan *out, struct err *err) MUST_USE;

/* The record at `index`; its bytes are in `room`. */
int segment_file_read(struct segment_file *file, uint64_t index, struct buf *room,
                      struct segment_record *out, struct err *err) MUST_USE;

/* Reads up to `len` bytes at an offset; fewer at the end of the file. */
int segment_pread(int fd, uint64_t offset, size_t len, struct buf *out, struct err *err) MUST_USE;

#endif
