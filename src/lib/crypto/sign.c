/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sign.h"

#include "base/mem.h"
#include "crypto/crypto.h"
#include "crypto/crypto_internal.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

enum { P256_LEN = 32, ED25519_SIG_LEN = 64, ECDSA_DER_MAX = 80, RSA_MIN_BITS = 2048 };

static const char *const alg_names[SIGN_ALG_COUNT] = {"none", "ES256", "EdDSA", "RS256"};

const char *sign_alg_name(enum sign_alg alg)
{
    INVARIANT(alg < SIGN_ALG_COUNT);
    return alg_names[alg];
}

enum sign_alg sign_alg_by_name(struct span name)
{
    for (int alg = SIGN_NONE + 1; alg < SIGN_ALG_COUNT; alg++)
        if (span_eq_str(name, alg_names[alg]))
            return (enum sign_alg)alg;
    return SIGN_NONE;
}

int crypto_fail(struct err *err, enum err_code code, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    ERR_clear_error();
    return err_set(err, code, "%s%s%s", what, reason != NULL ? ": " : "",
                   reason != NULL ? reason : "");
}

void crypto_free_pkey(EVP_PKEY **pkey)
{
    EVP_PKEY_free(*pkey);
}

static void free_sig(ECDSA_SIG **sig)
{
    ECDSA_SIG_free(*sig);
}

static void free_md(EVP_MD_CTX **md)
{
    EVP_MD_CTX_free(*md);
}

static bool is_p256(const EVP_PKEY *pkey)
{
    char group[32];
    size_t len;

    return EVP_PKEY_is_a(pkey, "EC") &&
           EVP_PKEY_get_group_name(pkey, group, sizeof(group), &len) == 1 &&
           span_eq_str(span_of(group, len), "prime256v1");
}

static bool is_good_rsa(const EVP_PKEY *pkey)
{
    BIGNUM *e = NULL;
    int bits = EVP_PKEY_get_bits(pkey);

    if (!EVP_PKEY_is_a(pkey, "RSA") || bits < RSA_MIN_BITS || bits > 8 * SIGN_SIG_MAX)
        return false;
    bool good =
        EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_is_word(e, RSA_F4) == 1;
    BN_free(e);
    return good;
}

static enum sign_alg alg_of(const EVP_PKEY *pkey)
{
    if (is_p256(pkey))
        return SIGN_ES256;
    if (EVP_PKEY_is_a(pkey, "ED25519"))
        return SIGN_EDDSA;
    return is_good_rsa(pkey) ? SIGN_RS256 : SIGN_NONE;
}

/* A context that signs or verifies SHA-256 hashes with this key, any number of times. */
static EVP_PKEY_CTX *hash_context(EVP_PKEY *pkey, enum sign_alg alg, bool signs)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);

    INVARIANT(ctx != NULL);
    INVARIANT((signs ? EVP_PKEY_sign_init(ctx) : EVP_PKEY_verify_init(ctx)) == 1);
    if (alg == SIGN_RS256)
        INVARIANT(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1);
    INVARIANT(EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1);
    return ctx;
}

int sign_key_take(EVP_PKEY **pkey, bool private, struct sign_key **out, struct err *err)
{
    enum sign_alg alg = alg_of(*pkey);

    if (alg == SIGN_NONE)
        return crypto_fail(err, ERR_UNSUPPORTED,
                           "the key is not P-256, Ed25519 or RSA of 2,048 to 4,096 bits with the "
                           "exponent 65,537");
    struct sign_key *key = mem_new(sizeof(*key));
    *key = (struct sign_key){.alg = alg, .private = private, .pkey = *pkey};
    *pkey = NULL;
    if (alg != SIGN_EDDSA) {
        key->verifier = hash_context(key->pkey, alg, false);
        if (private)
            key->signer = hash_context(key->pkey, alg, true);
    }
    *out = key;
    return 0;
}

int sign_key_generate(enum sign_alg alg, struct sign_key **out, struct err *err)
{
    CLEANUP_PKEY EVP_PKEY *pkey = NULL;

    if (alg == SIGN_ES256)
        pkey = EVP_EC_gen("P-256");
    else if (alg == SIGN_EDDSA)
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else if (alg == SIGN_RS256)
        pkey = EVP_RSA_gen(RSA_MIN_BITS);
    if (pkey == NULL)
        return crypto_fail(err, ERR_INTERNAL, "cannot make a signing key");
    return sign_key_take(&pkey, true, out, err);
}

void sign_key_free(struct sign_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_CTX_free(key->signer);
    EVP_PKEY_CTX_free(key->verifier);
    EVP_PKEY_free(key->pkey);
    free(key);
}

void sign_key_free_ptr(struct sign_key **key)
{
    sign_key_free(*key);
}

enum sign_alg sign_key_alg(const struct sign_key *key)
{
    return key->alg;
}

size_t sign_key_sig_len(const struct sign_key *key)
{
    if (key->alg == SIGN_RS256)
        return (size_t)EVP_PKEY_get_size(key->pkey);
    return key->alg == SIGN_ES256 ? 2 * P256_LEN : ED25519_SIG_LEN;
}

/* JOSE wants r || s in fixed width (RFC 7518 section 3.4), OpenSSL speaks DER. */
static bool ecdsa_to_raw(const uint8_t *der, size_t der_len, uint8_t *raw)
{
    CLEANUP(free_sig) ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)der_len);

    return sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, P256_LEN) == P256_LEN &&
           BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + P256_LEN, P256_LEN) == P256_LEN;
}

static size_t ecdsa_to_der(struct span raw, uint8_t der[ECDSA_DER_MAX])
{
    CLEANUP(free_sig) ECDSA_SIG *sig = ECDSA_SIG_new();
    uint8_t *end = der;

    INVARIANT(sig != NULL && ECDSA_SIG_set0(sig, BN_bin2bn(raw.p, P256_LEN, NULL),
                                            BN_bin2bn(raw.p + P256_LEN, P256_LEN, NULL)) == 1);
    int len = i2d_ECDSA_SIG(sig, &end);
    INVARIANT(len > 0 && len <= ECDSA_DER_MAX);
    return (size_t)len;
}

static bool sign_hash(const struct sign_key *key, struct span data, uint8_t *sig, size_t sig_len)
{
    uint8_t hash[CRYPTO_HASH_LEN];
    uint8_t der[ECDSA_DER_MAX];
    size_t der_len = sizeof(der);

    crypto_sha256(data, hash);
    if (key->alg == SIGN_RS256)
        return EVP_PKEY_sign(key->signer, sig, &sig_len, hash, sizeof(hash)) == 1;
    return EVP_PKEY_sign(key->signer, der, &der_len, hash, sizeof(hash)) == 1 &&
           ecdsa_to_raw(der, der_len, sig);
}

static bool sign_eddsa(const struct sign_key *key, struct span data, uint8_t *sig, size_t sig_len)
{
    CLEANUP(free_md) EVP_MD_CTX *md = EVP_MD_CTX_new();

    return md != NULL && EVP_DigestSignInit(md, NULL, NULL, NULL, key->pkey) == 1 &&
           EVP_DigestSign(md, sig, &sig_len, data.p, data.len) == 1;
}

int sign_data(const struct sign_key *key, struct span data, struct buf *sig, struct err *err)
{
    size_t len = sign_key_sig_len(key);
    uint8_t *at = buf_reserve(sig, len);

    if (!key->private)
        return err_set(err, ERR_INVALID, "a public key cannot sign");
    if (at == NULL)
        return buf_check(sig, "a signature", err);
    bool made =
        key->alg == SIGN_EDDSA ? sign_eddsa(key, data, at, len) : sign_hash(key, data, at, len);
    if (!made)
        return crypto_fail(err, ERR_INTERNAL, "cannot sign");
    buf_commit(sig, len);
    return 0;
}

static bool verify_hash(const struct sign_key *key, struct span data, struct span sig)
{
    uint8_t hash[CRYPTO_HASH_LEN];
    uint8_t der[ECDSA_DER_MAX];

    crypto_sha256(data, hash);
    if (key->alg == SIGN_ES256)
        sig = span_of(der, ecdsa_to_der(sig, der));
    return EVP_PKEY_verify(key->verifier, sig.p, sig.len, hash, sizeof(hash)) == 1;
}

static bool verify_eddsa(const struct sign_key *key, struct span data, struct span sig)
{
    CLEANUP(free_md) EVP_MD_CTX *md = EVP_MD_CTX_new();

    return md != NULL && EVP_DigestVerifyInit(md, NULL, NULL, NULL, key->pkey) == 1 &&
           EVP_DigestVerify(md, sig.p, sig.len, data.p, data.len) == 1;
}

int sign_verify(const struct sign_key *key, struct span data, struct span sig, struct err *err)
{
    bool good =
        sig.len == sign_key_sig_len(key) &&
        (key->alg == SIGN_EDDSA ? verify_eddsa(key, data, sig) : verify_hash(key, data, sig));

    ERR_clear_error();
    if (!good)
        return err_set(err, ERR_UNAUTHENTICATED, "the signature is not of this %s key",
                       sign_alg_name(key->alg));
    return 0;
}

int sign_verify_asn1(const struct sign_key *key, struct span data, struct span sig, struct err *err)
{
    uint8_t raw[2 * P256_LEN];

    if (key->alg != SIGN_ES256)
        return sign_verify(key, data, sig, err);
    /* A second encoding of a signature, or bytes behind it, is none. */
    if (sig.len == 0 || sig.len > ECDSA_DER_MAX || !ecdsa_to_raw(sig.p, sig.len, raw) ||
        ecdsa_to_der(span_of(raw, sizeof(raw)), (uint8_t[ECDSA_DER_MAX]){0}) != sig.len) {
        ERR_clear_error();
        return err_set(err, ERR_UNAUTHENTICATED, "the bytes are no ES256 signature");
    }
    return sign_verify(key, data, span_of(raw, sizeof(raw)), err);
}
