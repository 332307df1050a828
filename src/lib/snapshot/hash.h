/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-1-3 (Aumasson and Bernstein, 2012; the variant for hash tables) for the tables of a
 * snapshot. The key is random in each file, so nobody who chooses names can make them collide. It
 * protects no secret: docs/decisions/0008 says why it is here although OpenSSL has a SipHash.
 */
#ifndef DRUN_SNAPSHOT_HASH_H
#define DRUN_SNAPSHOT_HASH_H

#include "base/span.h"

#include <endian.h>

struct hash_key {
    uint64_t k0;
    uint64_t k1;
};

static inline uint64_t hash_rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static inline void hash_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = hash_rotate(v[1], 13) ^ v[0];
    v[3] = hash_rotate(v[3], 16) ^ v[2];
    v[0] = hash_rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = hash_rotate(v[1], 17) ^ v[2];
    v[3] = hash_rotate(v[3], 21) ^ v[0];
    v[2] = hash_rotate(v[2], 32);
}

static inline void hash_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    hash_round(v);
    v[0] ^= word;
}

static inline uint64_t hash_load(const uint8_t *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return le64toh(word);
}

/* The last 0 to 7 bytes as a number, by loads that overlap: `total` says whether bytes before them
 * may be read. */
static inline uint64_t hash_tail(const uint8_t *p, size_t left, size_t total)
{
    uint32_t low;
    uint32_t high;

    if (left == 0)
        return 0;
    if (total >= 8)
        return hash_load(p + left - 8) >> 8 * (8 - left);
    if (left < 4)
        return p[0] | (uint64_t)p[left / 2] << 8 * (left / 2) |
               (uint64_t)p[left - 1] << 8 * (left - 1);
    memcpy(&low, p, sizeof(low));
    memcpy(&high, p + left - 4, sizeof(high));
    return le32toh(low) | (uint64_t)le32toh(high) << 8 * (left - 4);
}

static inline uint64_t hash_bytes(const struct hash_key *key, struct span bytes)
{
    uint64_t v[4] = {key->k0 ^ 0x736f6d6570736575, key->k1 ^ 0x646f72616e646f6d,
                     key->k0 ^ 0x6c7967656e657261, key->k1 ^ 0x7465646279746573};
    const uint8_t *p = bytes.p;
    size_t left = bytes.len;

    for (; left >= sizeof(uint64_t); left -= sizeof(uint64_t), p += sizeof(uint64_t))
        hash_word(v, hash_load(p));
    hash_word(v, hash_tail(p, left, bytes.len) | (uint64_t)bytes.len << 56);
    v[2] ^= 0xff;
    hash_round(v);
    hash_round(v);
    hash_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* A key of two parts: the second under a key that the first one chose. */
static inline uint64_t hash_pair(const struct hash_key *key, uint64_t first, struct span second)
{
    struct hash_key mixed = {.k0 = key->k0 ^ first, .k1 = key->k1};

    return hash_bytes(&mixed, second);
}

#endif
