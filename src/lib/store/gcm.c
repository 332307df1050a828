/* SPDX-License-Identifier: Apache-2.0 */
#include "store/gcm.h"

#include "base/mem.h"

#include <openssl/evp.h>

struct gcm {
    EVP_CIPHER_CTX *cipher;
};

struct gcm *gcm_new(const struct secret *key, bool seal)
{
    struct gcm *gcm = mem_new(sizeof(*gcm));

    INVARIANT(secret_len(key) == CRYPTO_KEY_LEN);
    gcm->cipher = EVP_CIPHER_CTX_new();
    INVARIANT(gcm->cipher != NULL);
    INVARIANT(EVP_CipherInit_ex(gcm->cipher, EVP_aes_256_gcm(), NULL, secret_span(key).p, NULL,
                                seal) == 1);
    return gcm;
}

void gcm_free(struct gcm *gcm)
{
    if (gcm == NULL)
        return;
    EVP_CIPHER_CTX_free(gcm->cipher);
    free(gcm);
}

void gcm_begin(struct gcm *gcm, const uint8_t nonce[CRYPTO_NONCE_LEN], struct span aad)
{
    int len;

    INVARIANT(EVP_CipherInit_ex(gcm->cipher, NULL, NULL, NULL, nonce, -1) == 1);
    INVARIANT(EVP_CipherUpdate(gcm->cipher, NULL, &len, aad.p, (int)aad.len) == 1);
}

void gcm_update(struct gcm *gcm, uint8_t *data, size_t len)
{
    int done;

    INVARIANT(len <= INT32_MAX);
    INVARIANT(EVP_CipherUpdate(gcm->cipher, data, &done, data, (int)len) == 1);
}

void gcm_seal_end(struct gcm *gcm, uint8_t tag[CRYPTO_TAG_LEN])
{
    uint8_t none[CRYPTO_TAG_LEN];
    int len;

    INVARIANT(EVP_CipherFinal_ex(gcm->cipher, none, &len) == 1);
    INVARIANT(EVP_CIPHER_CTX_ctrl(gcm->cipher, EVP_CTRL_GCM_GET_TAG, CRYPTO_TAG_LEN, tag) == 1);
}

bool gcm_open_end(struct gcm *gcm, const uint8_t tag[CRYPTO_TAG_LEN])
{
    uint8_t copy[CRYPTO_TAG_LEN];
    uint8_t none[CRYPTO_TAG_LEN];
    int len;

    memcpy(copy, tag, sizeof(copy));
    INVARIANT(EVP_CIPHER_CTX_ctrl(gcm->cipher, EVP_CTRL_GCM_SET_TAG, CRYPTO_TAG_LEN, copy) == 1);
    return EVP_CipherFinal_ex(gcm->cipher, none, &len) == 1;
}
