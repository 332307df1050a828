/* SPDX-License-Identifier: Apache-2.0 */
/* For this folder and its tests. */
#ifndef DRUN_CRYPTO_INTERNAL_H
#define DRUN_CRYPTO_INTERNAL_H

#include "crypto/kdf.h"
#include "crypto/sign.h"

#include <openssl/evp.h>

struct sign_key {
    enum sign_alg alg;
    bool private;
    EVP_PKEY *pkey;
    /* Set up once: that costs about as much as a signature. NULL for EdDSA, which has no form over
     * a hash, and the signer also for a public key. */
    EVP_PKEY_CTX *signer;
    EVP_PKEY_CTX *verifier;
};

/* err_set with OpenSSL's own reason behind it; empties OpenSSL's error queue. */
int crypto_fail(struct err *err, enum err_code code, const char *what);

void crypto_free_pkey(EVP_PKEY **pkey);
#define CLEANUP_PKEY CLEANUP(crypto_free_pkey)

/* Takes *pkey, if it is of a kind that we use. */
int sign_key_take(EVP_PKEY **pkey, bool private, struct sign_key **out, struct err *err) MUST_USE;

/* A PHC string in its parts. */
struct kdf_phc {
    struct kdf_params params;
    uint8_t salt[KDF_SALT_MAX];
    size_t salt_len;
    uint8_t hash[KDF_HASH_MAX];
    size_t hash_len;
};

int kdf_phc_parse(struct span text, struct kdf_phc *out, struct err *err) MUST_USE;
void kdf_phc_put(const struct kdf_phc *phc, struct buf *out);

#endif
