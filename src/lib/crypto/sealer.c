/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "crypto/crypto.h"

#include <openssl/evp.h>
#include <stdlib.h>

enum { NONCES = 32 };

struct crypto_sealer {
    EVP_CIPHER_CTX *cipher;
    uint8_t nonces[NONCES][CRYPTO_NONCE_LEN]; /* each for one message */
    size_t left;
};

int crypto_sealer_new(const struct secret *key, struct crypto_sealer **out, struct err *err)
{
    CLEANUP(crypto_sealer_free_ptr) struct crypto_sealer *sealer = mem_new(sizeof(*sealer));

    sealer->cipher = EVP_CIPHER_CTX_new();
    if (sealer->cipher == NULL || secret_len(key) != CRYPTO_KEY_LEN ||
        EVP_EncryptInit_ex(sealer->cipher, EVP_aes_256_gcm(), NULL, secret_span(key).p, NULL) != 1)
        return err_set(err, ERR_INTERNAL, "AES-256-GCM refused a key of %zu bytes",
                       secret_len(key));
    *out = sealer;
    sealer = NULL;
    return 0;
}

void crypto_sealer_free(struct crypto_sealer *sealer)
{
    if (sealer == NULL)
        return;
    EVP_CIPHER_CTX_free(sealer->cipher); /* wipes the key */
    free(sealer);
}

void crypto_sealer_free_ptr(struct crypto_sealer **sealer)
{
    crypto_sealer_free(*sealer);
}

static int take_nonce(struct crypto_sealer *sealer, uint8_t out[CRYPTO_NONCE_LEN], struct err *err)
{
    if (sealer->left == 0) {
        TRY(crypto_random(sealer->nonces, sizeof(sealer->nonces), err));
        sealer->left = NONCES;
    }
    memcpy(out, sealer->nonces[--sealer->left], CRYPTO_NONCE_LEN);
    return 0;
}

int crypto_sealer_seal(struct crypto_sealer *sealer, struct span aad, struct span plain,
                       struct buf *out, struct err *err)
{
    uint8_t *nonce = buf_reserve(out, plain.len + CRYPTO_SEAL_OVERHEAD);
    int len = 0;

    if (nonce == NULL)
        return buf_check(out, "sealed data", err);
    TRY(take_nonce(sealer, nonce, err));
    uint8_t *text = nonce + CRYPTO_NONCE_LEN;
    if (plain.len > INT32_MAX || aad.len > INT32_MAX ||
        EVP_EncryptInit_ex(sealer->cipher, NULL, NULL, NULL, nonce) != 1 ||
        EVP_EncryptUpdate(sealer->cipher, NULL, &len, aad.p, (int)aad.len) != 1 ||
        EVP_EncryptUpdate(sealer->cipher, text, &len, plain.p, (int)plain.len) != 1 ||
        EVP_EncryptFinal_ex(sealer->cipher, text + len, &len) != 1 ||
        EVP_CIPHER_CTX_ctrl(sealer->cipher, EVP_CTRL_GCM_GET_TAG, CRYPTO_TAG_LEN,
                            text + plain.len) != 1)
        return err_set(err, ERR_INTERNAL, "AES-256-GCM refused to seal %zu bytes", plain.len);
    buf_commit(out, plain.len + CRYPTO_SEAL_OVERHEAD);
    return 0;
}
