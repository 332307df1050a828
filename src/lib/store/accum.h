/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sum that stands for a set: each element is hashed with a secret key to 256 bits and the hashes
 * are added modulo 2^256 (MSet-Add-Hash of Clarke, Devadas, van Dijk, Gassend, Suh: Incremental
 * Multiset Hash Functions and Their Application to Memory Integrity Checking, ASIACRYPT 2003). To
 * add or remove one element costs one HMAC, whatever the size of the set. Sound as long as neither
 * hashes nor sums are ever shown to who could tamper; docs/PROTOCOL.store has the argument.
 */
#ifndef DRUN_STORE_ACCUM_H
#define DRUN_STORE_ACCUM_H

#include <stdint.h>

enum { ACCUM_LEN = 32 };

/* Little-endian limbs. */
struct accum {
    uint64_t limb[ACCUM_LEN / sizeof(uint64_t)];
};

void accum_add(struct accum *sum, const struct accum *element);
void accum_remove(struct accum *sum, const struct accum *element);

#endif
