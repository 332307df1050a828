/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symmetric cryptography, all of it OpenSSL's. Signatures and certificates are in crypto/sign.h and
 * crypto/x509.h.
 */
#ifndef DRUN_CRYPTO_CRYPTO_H
#define DRUN_CRYPTO_CRYPTO_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/span.h"

enum {
    CRYPTO_KEY_LEN = 32, /* AES-256, HMAC-SHA-256 */
    CRYPTO_HASH_LEN = 32,
    CRYPTO_NONCE_LEN = 12,
    CRYPTO_TAG_LEN = 16,
    CRYPTO_SEAL_OVERHEAD = CRYPTO_NONCE_LEN + CRYPTO_TAG_LEN,
};

void crypto_sha256(struct span data, uint8_t out[CRYPTO_HASH_LEN]);
/* Only where a format of others asks for it and a collision does no harm: lists of breached
 * passwords. */
enum { CRYPTO_SHA1_LEN = 20 };
void crypto_sha1(struct span data, uint8_t out[CRYPTO_SHA1_LEN]);
/* Over several parts as if they were one. */
void crypto_sha256_parts(const struct span *parts, size_t count, uint8_t out[CRYPTO_HASH_LEN]);
void crypto_hmac_sha256(struct span key, struct span data, uint8_t out[CRYPTO_HASH_LEN]);
int crypto_random(void *out, size_t len, struct err *err) MUST_USE;
/* HKDF-SHA-256 (RFC 5869) without salt; `label` separates the uses of one key. */
int crypto_derive(const struct secret *key, const char *label, size_t len, struct secret **out,
                  struct err *err) MUST_USE;

/* AES-256-GCM with a random nonce: nonce, ciphertext, tag. One key seals at most 2^32 messages
 * (NIST SP 800-38D section 8.3); who owns the key counts and rotates well below that. */
int crypto_seal(const struct secret *key, struct span aad, struct span plain, struct buf *out,
                struct err *err) MUST_USE;
/* ERR_CORRUPT when the bytes, the key or the associated data are not those of the sealing. */
int crypto_open(const struct secret *key, struct span aad, struct span sealed, struct buf *out,
                struct err *err) MUST_USE;
/* Seals many under one key: the key is prepared once, and nonces are drawn for many at a time. What
 * it seals is opened by crypto_open(). It holds a copy of the key: make one for a batch, not for a
 * life. One belongs to one thread, and does not outlive a fork. */
struct crypto_sealer;
int crypto_sealer_new(const struct secret *key, struct crypto_sealer **out,
                      struct err *err) MUST_USE;
void crypto_sealer_free(struct crypto_sealer *sealer);
void crypto_sealer_free_ptr(struct crypto_sealer **sealer);
int crypto_sealer_seal(struct crypto_sealer *sealer, struct span aad, struct span plain,
                       struct buf *out, struct err *err) MUST_USE;
/* As crypto_open, into locked memory: for keys that are sealed by keys. */
int crypto_open_secret(const struct secret *key, struct span aad, struct span sealed,
                       struct secret **out, struct err *err) MUST_USE;

#endif
