/* SPDX-License-Identifier: Apache-2.0 */
/* AES-256-GCM over a message that is fed in pieces and changed in place. */
#ifndef DRUN_STORE_GCM_H
#define DRUN_STORE_GCM_H

#include "base/attr.h"
#include "base/secret.h"
#include "base/span.h"
#include "crypto/crypto.h"

struct gcm;

/* The key is scheduled once. The caller never uses a nonce twice with one key. */
struct gcm *gcm_new(const struct secret *key, bool seal) MUST_USE;
void gcm_free(struct gcm *gcm);

void gcm_begin(struct gcm *gcm, const uint8_t nonce[CRYPTO_NONCE_LEN], struct span aad);
void gcm_update(struct gcm *gcm, uint8_t *data, size_t len);
void gcm_seal_end(struct gcm *gcm, uint8_t tag[CRYPTO_TAG_LEN]);
/* False: what was opened must not be used. */
bool gcm_open_end(struct gcm *gcm, const uint8_t tag[CRYPTO_TAG_LEN]) MUST_USE;

#endif
