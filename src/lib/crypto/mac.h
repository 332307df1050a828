/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC-SHA-256 under one key many times: the key is prepared once, which makes it some five times
 * as fast as crypto_hmac_sha256() on short data. One belongs to one thread. */
#ifndef DRUN_CRYPTO_MAC_H
#define DRUN_CRYPTO_MAC_H

#include "crypto/crypto.h"

struct crypto_mac;

/* Copies the key. */
struct crypto_mac *crypto_mac_new(struct span key) MUST_USE;
void crypto_mac_free(struct crypto_mac *mac);
void crypto_mac_free_ptr(struct crypto_mac **mac);
void crypto_mac_sha256(struct crypto_mac *mac, struct span data, uint8_t out[CRYPTO_HASH_LEN]);

#endif
