/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include "base/mem.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

static void free_kdf(EVP_KDF_CTX **kdf)
{
    EVP_KDF_CTX_free(*kdf);
}

/* One context and one fetched algorithm a process: looking the algorithm up by name takes longer
 * than hashing a small message. */
static EVP_MD_CTX *digest_context(void)
{
    static EVP_MD_CTX *md;
    static EVP_MD *sha256;

    if (md == NULL) {
        md = EVP_MD_CTX_new();
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        INVARIANT(md != NULL && sha256 != NULL);
    }
    INVARIANT(EVP_DigestInit_ex2(md, sha256, NULL) == 1);
    return md;
}

void crypto_sha256(struct span data, uint8_t out[CRYPTO_HASH_LEN])
{
    crypto_sha256_parts(&data, 1, out);
}

void crypto_sha256_parts(const struct span *parts, size_t count, uint8_t out[CRYPTO_HASH_LEN])
{
    EVP_MD_CTX *md = digest_context();

    for (size_t i = 0; i < count; i++)
        INVARIANT(EVP_DigestUpdate(md, parts[i].p, parts[i].len) == 1);
    INVARIANT(EVP_DigestFinal_ex(md, out, NULL) == 1);
}

void crypto_sha1(struct span data, uint8_t out[CRYPTO_SHA1_LEN])
{
    INVARIANT(EVP_Digest(data.p, data.len, out, NULL, EVP_sha1(), NULL) == 1);
}

void crypto_hmac_sha256(struct span key, struct span data, uint8_t out[CRYPTO_HASH_LEN])
{
    INVARIANT(HMAC(EVP_sha256(), key.p, (int)key.len, data.p, data.len, out, NULL) != NULL);
}

int crypto_random(void *out, size_t len, struct err *err)
{
    if (RAND_bytes(out, (int)len) != 1)
        return err_set(err, ERR_INTERNAL, "the system gives no random bytes");
    return 0;
}

int crypto_derive(const struct secret *key, const char *label, size_t len, struct secret **out,
                  struct err *err)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    CLEANUP(free_kdf) EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    struct span ikm = secret_span(key);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)ikm.p, ikm.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)label,
                                          strlen(label)),
        OSSL_PARAM_construct_end(),
    };

    EVP_KDF_free(kdf);
    CLEANUP(secret_free_ptr) struct secret *derived = secret_new(len);
    if (ctx == NULL || EVP_KDF_derive(ctx, secret_data(derived), len, params) != 1)
        return err_set(err, ERR_INTERNAL, "cannot derive a key for %s", label);
    *out = derived;
    derived = NULL;
    return 0;
}

/* One context a process, keyed anew for each message: setting one up costs more than a small
 * message. */
static EVP_CIPHER_CTX *cipher_context(void)
{
    static EVP_CIPHER_CTX *cipher;

    if (cipher == NULL) {
        cipher = EVP_CIPHER_CTX_new();
        INVARIANT(cipher != NULL);
        INVARIANT(EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), NULL, NULL, NULL, 1) == 1);
    }
    return cipher;
}

static bool run_gcm(const struct secret *key, const uint8_t *nonce, struct span aad,
                    struct span input, uint8_t *output, uint8_t *tag, int encrypt)
{
    EVP_CIPHER_CTX *cipher = cipher_context();
    int len = 0;

    return secret_len(key) == CRYPTO_KEY_LEN && input.len <= INT32_MAX && aad.len <= INT32_MAX &&
           EVP_CipherInit_ex(cipher, NULL, NULL, secret_span(key).p, nonce, encrypt) == 1 &&
           EVP_CipherUpdate(cipher, NULL, &len, aad.p, (int)aad.len) == 1 &&
           EVP_CipherUpdate(cipher, output, &len, input.p, (int)input.len) == 1 &&
           (encrypt || EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, CRYPTO_TAG_LEN, tag)) &&
           EVP_CipherFinal_ex(cipher, output + len, &len) == 1 &&
           (!encrypt || EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, CRYPTO_TAG_LEN, tag));
}

int crypto_seal(const struct secret *key, struct span aad, struct span plain, struct buf *out,
                struct err *err)
{
    uint8_t *at = buf_reserve(out, plain.len + CRYPTO_SEAL_OVERHEAD);

    if (at == NULL)
        return buf_check(out, "sealed data", err);
    TRY(crypto_random(at, CRYPTO_NONCE_LEN, err));
    if (!run_gcm(key, at, aad, plain, at + CRYPTO_NONCE_LEN, at + CRYPTO_NONCE_LEN + plain.len, 1))
        return err_set(err, ERR_INTERNAL, "AES-256-GCM refused to seal %zu bytes", plain.len);
    buf_commit(out, plain.len + CRYPTO_SEAL_OVERHEAD);
    return 0;
}

/* Opens sealed bytes of a checked length into as many less CRYPTO_SEAL_OVERHEAD. */
static int open_into(const struct secret *key, struct span aad, struct span sealed, uint8_t *out,
                     struct err *err)
{
    size_t len = sealed.len - CRYPTO_SEAL_OVERHEAD;
    uint8_t tag[CRYPTO_TAG_LEN];

    memcpy(tag, sealed.p + CRYPTO_NONCE_LEN + len, sizeof(tag));
    if (run_gcm(key, sealed.p, aad, span_of(sealed.p + CRYPTO_NONCE_LEN, len), out, tag, 0))
        return 0;
    mem_wipe(out, len);
    return err_set(err, ERR_CORRUPT, "sealed data is damaged, or belongs to another key or place");
}

static int check_sealed(struct span sealed, struct err *err)
{
    if (sealed.len < CRYPTO_SEAL_OVERHEAD)
        return err_set(err, ERR_CORRUPT, "sealed data of %zu bytes is too short", sealed.len);
    return 0;
}

int crypto_open(const struct secret *key, struct span aad, struct span sealed, struct buf *out,
                struct err *err)
{
    TRY(check_sealed(sealed, err));
    size_t len = sealed.len - CRYPTO_SEAL_OVERHEAD;
    uint8_t *at = buf_reserve(out, len);
    if (at == NULL)
        return buf_check(out, "opened data", err);
    TRY(open_into(key, aad, sealed, at, err));
    buf_commit(out, len);
    return 0;
}

int crypto_open_secret(const struct secret *key, struct span aad, struct span sealed,
                       struct secret **out, struct err *err)
{
    TRY(check_sealed(sealed, err));
    if (sealed.len > SECRET_MAX + CRYPTO_SEAL_OVERHEAD)
        return err_set(err, ERR_CORRUPT, "a sealed key of %zu bytes is too long", sealed.len);
    CLEANUP(secret_free_ptr) struct secret *plain = secret_new(sealed.len - CRYPTO_SEAL_OVERHEAD);
    TRY(open_into(key, aad, sealed, secret_data(plain), err));
    *out = plain;
    plain = NULL;
    return 0;
}
