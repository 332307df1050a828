/* SPDX-License-Identifier: Apache-2.0 */
/* The last bytes that were put in, never more than its size: what an engine says, in memory only.
 */
#ifndef DRUN_OCI_RING_H
#define DRUN_OCI_RING_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"

struct oci_ring;

struct oci_ring *oci_ring_new(size_t size) MUST_USE;
void oci_ring_free(struct oci_ring *ring);
void oci_ring_put(struct oci_ring *ring, struct span bytes);
/* All that is kept, oldest first. */
void oci_ring_get(const struct oci_ring *ring, struct buf *out);
/* How many bytes were ever put in. */
uint64_t oci_ring_total(const struct oci_ring *ring);
/* What was put in after the first `seen` bytes; returns how much of that is no longer kept. */
uint64_t oci_ring_get_after(const struct oci_ring *ring, uint64_t seen, struct buf *out);
/* The last line that is not empty, in printable ASCII, cut to the size. */
void oci_ring_last_line(const struct oci_ring *ring, char *out, size_t size);

#endif
