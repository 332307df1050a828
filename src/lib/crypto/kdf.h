/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Argon2id (RFC 9106, by libargon2), for keys and for password hashes. Lanes are computed one after
 * the other: no thread is started. Every parameter is explicit and within the bounds below, also
 * those that come from a stored hash, so that nobody can order terabytes of work.
 *
 * A password hash is kept as a PHC string:
 *     $argon2id$v=19$m=19456,t=2,p=1$<salt, base64 without padding>$<hash, the same>
 */
#ifndef DRUN_CRYPTO_KDF_H
#define DRUN_CRYPTO_KDF_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct kdf_params {
    uint32_t memory_kib;
    uint32_t passes;
    uint32_t lanes;
};

enum {
    KDF_MEMORY_MIN_KIB = 8,
    KDF_MEMORY_MAX_KIB = 1024 * 1024,
    KDF_PASSES_MAX = 64,
    KDF_LANES_MAX = 16,
    KDF_SALT_MIN = 8,
    KDF_SALT_MAX = 48,
    KDF_HASH_MIN = 16,
    KDF_HASH_MAX = 64,
    KDF_SALT_LEN = 16, /* of the hashes made here */
    KDF_HASH_LEN = 32,
    KDF_PHC_MAX = 256,
};

extern const struct kdf_params kdf_password_params; /* a sign-in: 19 MiB, 2 passes, 1 lane */
extern const struct kdf_params kdf_unseal_params;   /* the root key: 64 MiB, 3 passes, 4 lanes */

/* ERR_INVALID when a parameter is out of bounds (memory is at least 8 KiB a lane). */
int kdf_params_check(const struct kdf_params *params, struct err *err) MUST_USE;

/* `len` bytes of key out of a password; salt of KDF_SALT_MIN to KDF_SALT_MAX bytes. */
int kdf_argon2id(const struct kdf_params *params, struct span password, struct span salt,
                 size_t len, struct secret **out, struct err *err) MUST_USE;

/* Appends the PHC string of a password, with a random salt. */
int kdf_password_hash(const struct kdf_params *params, struct span password, struct buf *phc,
                      struct err *err) MUST_USE;
/* ERR_UNAUTHENTICATED when it is another password; ERR_INVALID when `phc` is no PHC string of
 * Argon2id version 19. The comparison takes constant time. */
int kdf_password_verify(struct span phc, struct span password, struct err *err) MUST_USE;
/* True when the hash was made with other parameters, or is not readable: hash the password anew
 * after the next successful sign-in. */
bool kdf_password_stale(struct span phc, const struct kdf_params *params);

#endif
