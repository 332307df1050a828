/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a file: header, then one entry for each section. docs/PROTOCOL.snapshot. */
#ifndef DRUN_SNAPSHOT_FORMAT_H
#define DRUN_SNAPSHOT_FORMAT_H

#include "crypto/crypto.h"
#include "snapshot/view.h"

#define FORMAT_MAGIC 0x50414e534e555244ULL /* "DRUNSNAP" */
enum { FORMAT_VERSION = 1, FORMAT_ALIGN = 8 };

struct format_header {
    uint64_t magic;
    uint32_t version; /* of header and sections */
    uint32_t type;
    uint32_t type_format; /* of the records */
    uint32_t section_count;
    uint64_t generation;
    uint64_t length; /* of the whole file */
    struct hash_key key;
    uint8_t digest[CRYPTO_HASH_LEN]; /* SHA-256 of all the other bytes */
};

struct format_section {
    uint64_t offset;
    uint32_t count;
    uint32_t size;
};

/* Where the next section begins: sections lie one behind the other, 8-byte aligned. */
static inline uint64_t format_align(uint64_t offset)
{
    return (offset + FORMAT_ALIGN - 1) / FORMAT_ALIGN * FORMAT_ALIGN;
}

void format_digest(const void *file, size_t len, uint8_t out[CRYPTO_HASH_LEN]);

#endif
