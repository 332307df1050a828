/* SPDX-License-Identifier: Apache-2.0 */
/* The shared memory of a ring. Producer and consumer write on different cache lines. */
#ifndef DRUN_AUDIT_RING_INTERNAL_H
#define DRUN_AUDIT_RING_INTERNAL_H

#include "audit/ring.h"

#include <stdatomic.h>

enum { RING_DATA = 4096, RING_ALIGN = 8, RING_LEN = 4 };

/* In the place of a length: the rest up to the end of the memory is empty. */
#define RING_PAD UINT32_MAX

struct audit_ring_shared {
    _Alignas(64) char magic[8];
    uint64_t size;
    _Alignas(64) _Atomic uint64_t head; /* bytes ever written */
    _Atomic uint64_t dropped;
    _Alignas(64) _Atomic uint64_t tail; /* bytes ever taken */
    _Atomic uint32_t sleeping;
    _Alignas(RING_DATA) uint8_t data[];
};

_Static_assert(offsetof(struct audit_ring_shared, data) == RING_DATA, "records begin on page 1");

/* The room of a record of len bytes. */
static inline uint64_t ring_room(uint64_t len)
{
    return (RING_LEN + len + RING_ALIGN - 1) & ~(uint64_t)(RING_ALIGN - 1);
}

/* Maps it after checking that it is a ring; what the header says of its size must be true. */
int ring_map(int fd, struct audit_ring_shared **out, size_t *out_size, struct err *err) MUST_USE;
void ring_unmap(struct audit_ring_shared *shared, size_t size);

#endif
