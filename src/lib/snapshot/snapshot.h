/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Immutable files that one process publishes and many read: what the fast path decides by. A file
 * has a header, a table of sections, and sections of fixed-size records that refer to each other by
 * index; everything is checked once when it is loaded, so that a lookup checks nothing and
 * allocates nothing. docs/PROTOCOL.snapshot has the format.
 *
 * The publisher writes NAME.snap beside the old one, renames it over, and then stores its
 * generation into NAME.gen, 8 bytes that every reader has mapped. So a reader's check per request
 * is one load from shared memory. The two contents are in snapshot/identity.h and
 * snapshot/policy.h.
 *
 * Nothing here is global and nothing here starts a thread; one reader belongs to one thread.
 */
#ifndef DRUN_SNAPSHOT_SNAPSHOT_H
#define DRUN_SNAPSHOT_SNAPSHOT_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

#include <stdint.h>

enum {
    SNAPSHOT_TEXT_MAX = 4096,               /* the longest text in a snapshot */
    SNAPSHOT_FILE_MAX = 1024 * 1024 * 1024, /* a larger file is refused */
};

/* What a file holds: &identity_snapshot, &policy_snapshot. */
struct snapshot_type;

/* ---------------------------------------------------------------- reading */

/* One checked file in memory. */
struct snapshot;

/* A number that only grows. */
uint64_t snapshot_generation(const struct snapshot *snapshot);

/* Loads and checks NAME.snap in the directory. ERR_NOT_FOUND when there is none yet, ERR_CORRUPT
 * for a file that is damaged, cut off, or of another type or format. */
int snapshot_load(const struct snapshot_type *type, int dir_fd, struct snapshot **out,
                  struct err *err) MUST_USE;
/* The same from bytes, which are copied. */
int snapshot_from_bytes(const struct snapshot_type *type, struct span bytes, struct snapshot **out,
                        struct err *err) MUST_USE;
/* Gives the memory of `part` back, as far as it fills pages; what it held reads as zeros then. For
 * a part that its reader has made something else of, and that nobody looks at again. */
void snapshot_spend(struct snapshot *snapshot, struct span part);
void snapshot_free(struct snapshot *snapshot);
void snapshot_free_ptr(struct snapshot **snapshot);

/* Follows what is published in a directory. */
struct snapshot_reader;

/* Takes *dir_fd. Nothing need be published yet. */
struct snapshot_reader *snapshot_reader_new(const struct snapshot_type *type, int *dir_fd) MUST_USE;
void snapshot_reader_free(struct snapshot_reader *reader);
void snapshot_reader_free_ptr(struct snapshot_reader **reader);

/* Once per request. 0: what is in force is current, or nothing was published yet. 1: a newer file
 * is in force now; every pointer into the old one is dead. -1: a newer file was refused, the old
 * one stays in force; said once for each file that is refused. */
int snapshot_reader_refresh(struct snapshot_reader *reader, struct err *err) MUST_USE;
/* NULL while nothing was published. Valid until the next refresh. */
const struct snapshot *snapshot_reader_current(const struct snapshot_reader *reader);

/* Gives the one in force away: it outlives the next refresh, and the caller frees it. NULL when it
 * was given away already. */
struct snapshot *snapshot_reader_take(struct snapshot_reader *reader) MUST_USE;

/* ---------------------------------------------------------------- publishing */

/* One a file: two publishers of the same file would overwrite each other. */
struct snapshot_publisher;

/* Takes *dir_fd; the directory is on a tmpfs and writable by the publisher alone. */
int snapshot_publisher_open(const struct snapshot_type *type, int *dir_fd,
                            struct snapshot_publisher **out, struct err *err) MUST_USE;
void snapshot_publisher_free(struct snapshot_publisher *publisher);
void snapshot_publisher_free_ptr(struct snapshot_publisher **publisher);

/* identity_builder_finish() and policy_builder_finish() make the bytes; this gives them the next
 * generation and puts them in force. The bytes are changed in place (generation and checksum). */
struct buf;
int snapshot_publish(struct snapshot_publisher *publisher, struct buf *file, uint64_t *generation,
                     struct err *err) MUST_USE;

#endif
