/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of audit events from one nginx worker (the only producer) to the audit role (the only
 * consumer), in shared memory: lock-free, without allocation, without globals.
 *
 * The memory is a memfd sealed against shrinking: a captured worker can write any byte of it, but
 * cannot truncate it under the reader. The reader trusts nothing in it. The layout is in
 * docs/PROTOCOL.audit.
 *
 *     keeper:  fd = audit_ring_create(1 << 20, &err); bell = eventfd(0, EFD_NONBLOCK |
 * EFD_CLOEXEC); audit_give_ring(audit, fd, bell, &err); both inherited by the worker
 *     worker:  audit_ring_writer_open(&writer, fd, bell, &err); audit_ring_put(&writer, &event);
 *              audit_ring_bell(&writer);
 */
#ifndef DRUN_AUDIT_RING_H
#define DRUN_AUDIT_RING_H

#include "audit/audit.h"

enum { AUDIT_RING_SIZE_MIN = 64 * 1024, AUDIT_RING_SIZE_MAX = 64 * 1024 * 1024 };

/* A new empty ring; `size` is a power of two, the bytes for records. */
int audit_ring_create(size_t size, struct err *err) MUST_USE;

struct audit_ring_shared; /* the mapped memory */

/* A value, so that it can lie wherever the producer likes. */
struct audit_ring_writer {
    struct audit_ring_shared *shared;
    size_t size;
    uint64_t head;
    int bell_fd;
};

/* Both descriptors stay the caller's; ring_fd may be closed afterwards, bell_fd must stay open.
 * Goes on where an earlier producer of the same ring stopped. */
int audit_ring_writer_open(struct audit_ring_writer *writer, int ring_fd, int bell_fd,
                           struct err *err) MUST_USE;
void audit_ring_writer_close(struct audit_ring_writer *writer);
/* False when the ring is full: the event is dropped and counted. Never waits. The audit role
 * records how many were dropped. */
bool audit_ring_put(struct audit_ring_writer *writer, const struct audit_event *event) MUST_USE;
/* Wakes the consumer when it sleeps: behind one event, or behind all that came at once. It costs
 * more than an event does, as the memory of both must be settled. */
void audit_ring_bell(const struct audit_ring_writer *writer);
/* Records of together so many bytes fit for certain, one after the other, whatever the reader does;
 * each is reckoned with audit_ring_room() of its encoded length. */
size_t audit_ring_left(struct audit_ring_writer *writer);
size_t audit_ring_room(size_t len);
/* Counts an event that was not even put in. */
void audit_ring_drop(struct audit_ring_writer *writer);
/* Events dropped since the ring was made. */
uint64_t audit_ring_dropped(const struct audit_ring_writer *writer);

struct audit_ring_reader;

/* The descriptor stays the caller's and may be closed. ERR_INVALID when it is no ring, or one that
 * its writer could shrink. */
int audit_ring_reader_open(int ring_fd, struct audit_ring_reader **out, struct err *err) MUST_USE;
void audit_ring_reader_free(struct audit_ring_reader *reader);

/* The texts of the event live until fn returns. A failure ends the reading. */
typedef int audit_ring_fn(void *ctx, const struct audit_event *event, struct err *err);
/* Hands on at most `max` events and returns how many, without freeing their place in the ring:
 * audit_ring_release() does, when they are durable, audit_ring_rewind() forgets that they were
 * read. Garbage is skipped and counted; a ring whose framing is broken is emptied. */
int audit_ring_read(struct audit_ring_reader *reader, size_t max, audit_ring_fn *fn, void *ctx,
                    struct err *err) MUST_USE;
void audit_ring_release(struct audit_ring_reader *reader);
void audit_ring_rewind(struct audit_ring_reader *reader);
/* Before waiting for the doorbell: true when the ring is empty and the producer will ring. */
bool audit_ring_sleep(struct audit_ring_reader *reader) MUST_USE;
/* What the producer dropped and what was garbage since the last call. */
uint64_t audit_ring_take_lost(struct audit_ring_reader *reader);

#endif
