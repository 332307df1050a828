/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ring.h"

#include "base/mem.h"
#include "base/num.h"

#include <string.h>

struct oci_ring {
    size_t size;
    size_t next; /* where the next byte goes */
    size_t used;
    uint64_t total;
    uint8_t bytes[];
};

struct oci_ring *oci_ring_new(size_t size)
{
    struct oci_ring *ring = mem_new(sizeof(*ring) + size);

    ring->size = size;
    return ring;
}

void oci_ring_free(struct oci_ring *ring)
{
    free(ring);
}

void oci_ring_put(struct oci_ring *ring, struct span bytes)
{
    ring->total += bytes.len;
    if (bytes.len > ring->size)
        bytes = span_of(bytes.p + bytes.len - ring->size, ring->size);
    size_t first = NUM_MIN(bytes.len, ring->size - ring->next);
    memcpy(ring->bytes + ring->next, bytes.p, first);
    memcpy(ring->bytes, bytes.p + first, bytes.len - first);
    ring->next = (ring->next + bytes.len) % ring->size;
    ring->used = NUM_MIN(ring->used + bytes.len, ring->size);
}

void oci_ring_get(const struct oci_ring *ring, struct buf *out)
{
    size_t start = (ring->next + ring->size - ring->used) % ring->size;
    size_t first = NUM_MIN(ring->used, ring->size - start);

    buf_put(out, ring->bytes + start, first);
    buf_put(out, ring->bytes, ring->used - first);
}

uint64_t oci_ring_total(const struct oci_ring *ring)
{
    return ring->total;
}

uint64_t oci_ring_get_after(const struct oci_ring *ring, uint64_t seen, struct buf *out)
{
    CLEANUP(buf_free) struct buf all = BUF_INIT(ring->size);
    uint64_t first = ring->total - ring->used;

    oci_ring_get(ring, &all);
    size_t skip = seen > first ? (size_t)NUM_MIN(seen - first, (uint64_t)all.len) : 0;
    buf_put(out, all.data + skip, all.len - skip);
    return seen < first ? first - seen : 0;
}

void oci_ring_last_line(const struct oci_ring *ring, char *out, size_t size)
{
    CLEANUP(buf_free) struct buf all = BUF_INIT(ring->size);
    size_t end, start, len;

    oci_ring_get(ring, &all);
    for (end = all.len; end > 0 && all.data[end - 1] <= ' '; end--)
        ;
    for (start = end; start > 0 && all.data[start - 1] != '\n'; start--)
        ;
    len = NUM_MIN(end - start, size - 1);
    for (size_t i = 0; i < len; i++) {
        uint8_t c = all.data[start + i];
        out[i] = c >= ' ' && c < 0x7f ? (char)c : '?';
    }
    out[len] = '\0';
}
