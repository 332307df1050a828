/* SPDX-License-Identifier: Apache-2.0 */
/* A captured worker: head, tail and counter from the first 24 bytes, the records from the rest. The
 * consumer must come back, and hear an honest producer afterwards. */
#include "audit/ring_internal.h"

#include "base/fd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int see(void *ctx UNUSED, const struct audit_event *event, struct err *err UNUSED)
{
    INVARIANT(event->event.len > 0);
    return 0;
}

static void honest(int fd, struct audit_ring_reader *reader)
{
    struct audit_event event = {.time_ns = 1, .event = span_str("drun.test")};
    struct audit_ring_writer writer;
    struct err err = ERR_INIT;

    INVARIANT(audit_ring_writer_open(&writer, fd, -1, &err) == 0);
    INVARIANT(audit_ring_put(&writer, &event));
    INVARIANT(audit_ring_read(reader, 10, see, NULL, &err) == 1);
    audit_ring_writer_close(&writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = ERR_INIT;
    CLEANUP_FD int fd = audit_ring_create(AUDIT_RING_SIZE_MIN, &err);
    struct audit_ring_shared *shared;
    struct audit_ring_reader *reader;
    size_t room;
    uint64_t words[3] = {0};

    INVARIANT(fd >= 0 && ring_map(fd, &shared, &room, &err) == 0);
    memcpy(words, data, size < sizeof(words) ? size : sizeof(words));
    atomic_store(&shared->tail, words[1]);
    INVARIANT(audit_ring_reader_open(fd, &reader, &err) == 0);
    atomic_store(&shared->head, words[0]);
    atomic_store(&shared->dropped, words[2]);
    for (size_t i = sizeof(words); i < size && i - sizeof(words) < room; i++)
        shared->data[i - sizeof(words)] = data[i];
    for (int turn = 0; turn < 3; turn++) {
        INVARIANT(audit_ring_read(reader, 100000, see, NULL, &err) >= 0);
        audit_ring_release(reader);
        (void)audit_ring_take_lost(reader);
    }
    honest(fd, reader);
    audit_ring_reader_free(reader);
    ring_unmap(shared, room);
    return 0;
}
