/* SPDX-License-Identifier: Apache-2.0 */
/* The producer's side: runs in nginx workers. */
#include "audit/ring_internal.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char ring_magic[] = "drunrng1";

int audit_ring_create(size_t size, struct err *err)
{
    struct audit_ring_shared head = {.size = size};

    if (size < AUDIT_RING_SIZE_MIN || size > AUDIT_RING_SIZE_MAX || (size & (size - 1)) != 0)
        return err_set(err, ERR_INVALID, "a ring has %d to %d bytes, a power of two",
                       AUDIT_RING_SIZE_MIN, AUDIT_RING_SIZE_MAX);
    memcpy(head.magic, ring_magic, sizeof(head.magic));
    CLEANUP_FD int fd = memfd_create("drun-audit-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, (off_t)(RING_DATA + size)) < 0 ||
        pwrite(fd, &head, offsetof(struct audit_ring_shared, head), 0) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return err_sys(err, "cannot make a ring");
    return fd_take(&fd);
}

int ring_map(int fd, struct audit_ring_shared **out, size_t *out_size, struct err *err)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
        return err_set(err, ERR_INVALID, "a ring must be a memfd that is sealed against shrinking");
    if (fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at a ring");
    size_t size = st.st_size > RING_DATA ? (size_t)st.st_size - RING_DATA : 0;
    if (size < AUDIT_RING_SIZE_MIN || size > AUDIT_RING_SIZE_MAX || (size & (size - 1)) != 0)
        return err_set(err, ERR_INVALID, "a ring has the wrong size");
    void *memory = mmap(NULL, RING_DATA + size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return err_sys(err, "cannot map a ring");
    *out = memory;
    *out_size = size;
    if (memcmp((*out)->magic, ring_magic, sizeof((*out)->magic)) != 0 || (*out)->size != size) {
        ring_unmap(*out, size);
        return err_set(err, ERR_INVALID, "a ring's header is none");
    }
    return 0;
}

void ring_unmap(struct audit_ring_shared *shared, size_t size)
{
    if (shared != NULL)
        munmap(shared, RING_DATA + size);
}

int audit_ring_writer_open(struct audit_ring_writer *writer, int ring_fd, int bell_fd,
                           struct err *err)
{
    *writer = (struct audit_ring_writer){.bell_fd = bell_fd};
    TRY(ring_map(ring_fd, &writer->shared, &writer->size, err));
    writer->head = atomic_load_explicit(&writer->shared->head, memory_order_relaxed);
    writer->head &= ~(uint64_t)(RING_ALIGN - 1);
    return 0;
}

void audit_ring_writer_close(struct audit_ring_writer *writer)
{
    ring_unmap(writer->shared, writer->size);
    *writer = (struct audit_ring_writer){.bell_fd = -1};
}

uint64_t audit_ring_dropped(const struct audit_ring_writer *writer)
{
    return atomic_load_explicit(&writer->shared->dropped, memory_order_relaxed);
}

/* Bytes in use. When the reader is ahead of us somebody else has written here, a worker that drains
 * after a reload: we go on behind it, or nothing would ever fit again. */
static uint64_t used(struct audit_ring_writer *writer)
{
    uint64_t tail = atomic_load_explicit(&writer->shared->tail, memory_order_acquire);

    if (writer->head - tail > writer->size) {
        uint64_t head = atomic_load_explicit(&writer->shared->head, memory_order_relaxed);
        writer->head = head & ~(uint64_t)(RING_ALIGN - 1);
    }
    return writer->head - tail;
}

/* A record does not wrap: where the memory ends, at most one record's room is lost. */
size_t audit_ring_left(struct audit_ring_writer *writer)
{
    uint64_t in_use = used(writer);
    uint64_t lost = ring_room(AUDIT_EVENT_MAX);

    return in_use > writer->size || writer->size - in_use < lost ? 0 : writer->size - in_use - lost;
}

size_t audit_ring_room(size_t len)
{
    return ring_room(len);
}

void audit_ring_drop(struct audit_ring_writer *writer)
{
    atomic_fetch_add_explicit(&writer->shared->dropped, 1, memory_order_relaxed);
}

void audit_ring_bell(const struct audit_ring_writer *writer)
{
    static const uint64_t one = 1;

    /* Either the consumer sees the new head before it sleeps, or this sees that it sleeps. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&writer->shared->sleeping, memory_order_relaxed) == 0)
        return;
    if (atomic_exchange_explicit(&writer->shared->sleeping, 0, memory_order_relaxed) != 0)
        while (write(writer->bell_fd, &one, sizeof(one)) < 0 && errno == EINTR)
            ;
}

/* Written in its place: the consumer does not look beyond the head. A record does not wrap: where
 * the longest would not fit the rest is marked empty. */
static bool put(struct audit_ring_writer *writer, const struct audit_event *event)
{
    struct audit_ring_shared *shared = writer->shared;
    uint64_t in_use = used(writer);
    uint64_t end = writer->head & (writer->size - 1);
    uint64_t pad = end + ring_room(AUDIT_EVENT_MAX) > writer->size ? writer->size - end : 0;
    uint8_t *at = shared->data + (pad > 0 ? 0 : end);
    static const uint32_t pad_mark = RING_PAD;

    if (in_use > writer->size || pad + RING_LEN >= writer->size - in_use)
        return false;
    size_t room = NUM_MIN(writer->size - in_use - pad - RING_LEN, (size_t)AUDIT_EVENT_MAX + 1);
    struct buf out = {.data = at + RING_LEN, .cap = room, .max = room - 1};
    audit_event_put(event, &out);
    if (out.overflowed)
        return false;
    uint32_t len = (uint32_t)out.len;
    memcpy(at, &len, RING_LEN);
    if (pad > 0)
        memcpy(shared->data + end, &pad_mark, RING_LEN);
    writer->head += pad + ring_room(len);
    atomic_store_explicit(&shared->head, writer->head, memory_order_release);
    return true;
}

bool audit_ring_put(struct audit_ring_writer *writer, const struct audit_event *event)
{
    struct audit_event timed = *event;

    if (timed.time_ns == 0)
        timed.time_ns = clock_wall_ns();
    if (put(writer, &timed))
        return true;
    audit_ring_drop(writer);
    return false;
}
