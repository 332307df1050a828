/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds a snapshot in memory. Tables grow along with their records, so what was added can be found
 * by the same functions that read a finished snapshot.
 *
 * Texts that are equal are stored once. A writer that grew past SNAPSHOT_FILE_MAX does nothing more
 * and says so in snapshot_writer_finish().
 */
#ifndef DRUN_SNAPSHOT_WRITER_H
#define DRUN_SNAPSHOT_WRITER_H

#include "base/buf.h"
#include "snapshot/view.h"

struct snapshot_writer;

struct snapshot_writer *snapshot_writer_new(const struct snapshot_type *type) MUST_USE;
void snapshot_writer_free(struct snapshot_writer *writer);
void snapshot_writer_free_ptr(struct snapshot_writer **writer);

/* What is there so far. Pointers into it die with the next addition. */
const struct snapshot *snapshot_writer_view(const struct snapshot_writer *writer);
/* Copies a record to the end of the section, and into the section's tables; its index. */
uint32_t snapshot_writer_add(struct snapshot_writer *writer, unsigned section, const void *record);
/* A record that was added, to change anything but its key. */
void *snapshot_writer_at(struct snapshot_writer *writer, unsigned section, uint32_t index);
/* ERR_INVALID when it is longer than SNAPSHOT_TEXT_MAX or holds a NUL; `what` names it. */
int snapshot_writer_text(struct snapshot_writer *writer, struct span text, const char *what,
                         struct snapshot_ref *out, struct err *err) MUST_USE;
/* Bytes that are no text, into a section of single bytes. */
struct snapshot_ref snapshot_writer_bytes(struct snapshot_writer *writer, unsigned section,
                                          struct span bytes);
/* Appends the file, with generation 0 until it is published. */
int snapshot_writer_finish(const struct snapshot_writer *writer, struct buf *out,
                           struct err *err) MUST_USE;

#endif
