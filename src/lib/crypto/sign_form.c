/* SPDX-License-Identifier: Apache-2.0 */
/* The forms of a key outside this process: PKCS#8, SubjectPublicKeyInfo, JWK. */
#include "base/enc.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "crypto/crypto_internal.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

enum {
    COORD_LEN = 32,   /* of a P-256 point, of an Ed25519 key */
    EC_SPKI_LEN = 91, /* the one form with a named curve and an uncompressed point */
    ED_SPKI_LEN = 44,
    POINT_LEN = 1 + 2 * COORD_LEN,
};

static void free_p8(PKCS8_PRIV_KEY_INFO **p8)
{
    PKCS8_PRIV_KEY_INFO_free(*p8);
}

static void free_bn(BIGNUM **bn)
{
    BN_free(*bn);
}

static void free_build(OSSL_PARAM_BLD **build)
{
    OSSL_PARAM_BLD_free(*build);
}

static void free_params(OSSL_PARAM **params)
{
    OSSL_PARAM_free(*params);
}

static void free_ctx(EVP_PKEY_CTX **ctx)
{
    EVP_PKEY_CTX_free(*ctx);
}

int sign_key_to_pkcs8(const struct sign_key *key, struct secret **out, struct err *err)
{
    if (!key->private)
        return err_set(err, ERR_INVALID, "a public key has no private half to store");
    CLEANUP(free_p8) PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(key->pkey);
    int len = p8 == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(p8, NULL);
    if (len <= 0)
        return crypto_fail(err, ERR_INTERNAL, "cannot encode a private key");
    struct secret *der = secret_new((size_t)len);
    uint8_t *end = secret_data(der);
    INVARIANT(i2d_PKCS8_PRIV_KEY_INFO(p8, &end) == len);
    *out = der;
    return 0;
}

int sign_key_from_pkcs8(struct span der, struct sign_key **out, struct err *err)
{
    const uint8_t *end = der.p;
    CLEANUP(free_p8) PKCS8_PRIV_KEY_INFO *p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &end, (long)der.len);
    CLEANUP_PKEY EVP_PKEY *pkey = p8 == NULL ? NULL : EVP_PKCS82PKEY(p8);

    if (pkey == NULL || end != der.p + der.len)
        return crypto_fail(err, ERR_INVALID, "the bytes are no PKCS#8 private key");
    return sign_key_take(&pkey, true, out, err);
}

int sign_key_to_spki(const struct sign_key *key, struct buf *out, struct err *err)
{
    int len = i2d_PUBKEY(key->pkey, NULL);

    if (len <= 0)
        return crypto_fail(err, ERR_INTERNAL, "cannot encode a public key");
    uint8_t *at = buf_reserve(out, (size_t)len);
    if (at == NULL)
        return buf_check(out, "a public key", err);
    INVARIANT(i2d_PUBKEY(key->pkey, &at) == len);
    buf_commit(out, (size_t)len);
    return 0;
}

int sign_key_from_spki(struct span der, struct sign_key **out, struct err *err)
{
    const uint8_t *end = der.p;
    CLEANUP_PKEY EVP_PKEY *pkey =
        der.len > SIGN_SPKI_MAX ? NULL : d2i_PUBKEY(NULL, &end, (long)der.len);
    CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;

    if (pkey == NULL || end != der.p + der.len)
        return crypto_fail(err, ERR_INVALID, "the bytes are no public key");
    TRY(sign_key_take(&pkey, false, &key, err));
    if ((key->alg == SIGN_ES256 && der.len != EC_SPKI_LEN) ||
        (key->alg == SIGN_EDDSA && der.len != ED_SPKI_LEN))
        return err_set(err, ERR_INVALID, "the public key is in an unusual form");
    *out = key;
    key = NULL;
    return 0;
}

/* ------------------------------------------------------------------ JWK */

static void put_text(struct span bytes, char *out, size_t size)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(size - 1);

    enc_base64_put(ENC_BASE64URL, bytes, &text);
    INVARIANT(!text.overflowed);
    memcpy(out, buf_text(&text), text.len + 1);
}

/* A number of the key as base64url, `len` bytes wide (0: as many as it needs). */
static bool put_number(const EVP_PKEY *pkey, const char *param, size_t len, char *out, size_t size)
{
    CLEANUP(free_bn) BIGNUM *number = NULL;
    uint8_t bytes[SIGN_SIG_MAX];

    if (EVP_PKEY_get_bn_param(pkey, param, &number) != 1)
        return false;
    if (len == 0)
        len = (size_t)BN_num_bytes(number);
    if (len > sizeof(bytes) || BN_bn2binpad(number, bytes, (int)len) < 0)
        return false;
    put_text(span_of(bytes, len), out, size);
    return true;
}

static bool put_ec(const EVP_PKEY *pkey, struct sign_jwk *out)
{
    *out = (struct sign_jwk){.kty = "EC", .crv = "P-256"};
    return put_number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, COORD_LEN, out->x, sizeof(out->x)) &&
           put_number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, COORD_LEN, out->y, sizeof(out->y));
}

static bool put_ed(const EVP_PKEY *pkey, struct sign_jwk *out)
{
    uint8_t raw[COORD_LEN];
    size_t len = sizeof(raw);

    *out = (struct sign_jwk){.kty = "OKP", .crv = "Ed25519"};
    if (EVP_PKEY_get_raw_public_key(pkey, raw, &len) != 1 || len != sizeof(raw))
        return false;
    put_text(span_of(raw, len), out->x, sizeof(out->x));
    return true;
}

static bool put_rsa(const EVP_PKEY *pkey, struct sign_jwk *out)
{
    *out = (struct sign_jwk){.kty = "RSA"};
    return put_number(pkey, OSSL_PKEY_PARAM_RSA_N, 0, out->n, sizeof(out->n)) &&
           put_number(pkey, OSSL_PKEY_PARAM_RSA_E, 0, out->e, sizeof(out->e));
}

int sign_key_to_jwk(const struct sign_key *key, struct sign_jwk *out, struct err *err)
{
    bool made = key->alg == SIGN_ES256   ? put_ec(key->pkey, out)
                : key->alg == SIGN_EDDSA ? put_ed(key->pkey, out)
                                         : put_rsa(key->pkey, out);

    return made ? 0 : crypto_fail(err, ERR_INTERNAL, "cannot write a key as a JWK");
}

void sign_key_kid(const struct sign_key *key, char out[SIGN_KID_SIZE])
{
    CLEANUP(buf_free) struct buf json = BUF_INIT(1024);
    struct sign_jwk jwk;
    struct err err = ERR_INIT;
    uint8_t hash[CRYPTO_HASH_LEN];

    INVARIANT(sign_key_to_jwk(key, &jwk, &err) == 0);
    if (key->alg == SIGN_RS256)
        buf_printf(&json, "{\"e\":\"%s\",\"kty\":\"RSA\",\"n\":\"%s\"}", jwk.e, jwk.n);
    else if (key->alg == SIGN_EDDSA)
        buf_printf(&json, "{\"crv\":\"%s\",\"kty\":\"OKP\",\"x\":\"%s\"}", jwk.crv, jwk.x);
    else
        buf_printf(&json, "{\"crv\":\"%s\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", jwk.crv,
                   jwk.x, jwk.y);
    INVARIANT(!json.overflowed);
    crypto_sha256(buf_span(&json), hash);
    put_text(span_of(hash, sizeof(hash)), out, SIGN_KID_SIZE);
}

/* Appends what a member says; `len` bytes of it (0: at least one, and no zero in front). */
static int take_member(const char *name, const char *text, size_t len, struct buf *out,
                       struct err *err)
{
    size_t before = out->len;

    if (enc_unbase64(ENC_BASE64URL, span_str(text), out, err) < 0)
        return err_wrap(err, "member \"%s\" of a JWK", name);
    size_t got = out->len - before;
    if (len > 0 && got != len)
        return err_set(err, ERR_INVALID, "member \"%s\" of a JWK has %zu bytes, not %zu", name, got,
                       len);
    if (len == 0 && (got == 0 || out->data[before] == 0))
        return err_set(err, ERR_INVALID, "member \"%s\" of a JWK is empty or starts with a zero",
                       name);
    return 0;
}

static EVP_PKEY *from_params(const char *kind, OSSL_PARAM_BLD *build)
{
    CLEANUP(free_params) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    CLEANUP(free_ctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    EVP_PKEY *pkey = NULL;

    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        return NULL;
    return pkey;
}

static int take_ec(const struct sign_jwk *jwk, EVP_PKEY **out, struct err *err)
{
    CLEANUP(free_build) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    CLEANUP(buf_free) struct buf point = BUF_INIT(POINT_LEN);

    buf_put_u8(&point, POINT_CONVERSION_UNCOMPRESSED);
    TRY(take_member("x", jwk->x, COORD_LEN, &point, err));
    TRY(take_member("y", jwk->y, COORD_LEN, &point, err));
    INVARIANT(
        build != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.len));
    *out = from_params("EC", build);
    return 0;
}

static int take_ed(const struct sign_jwk *jwk, EVP_PKEY **out, struct err *err)
{
    CLEANUP(buf_free) struct buf raw = BUF_INIT(COORD_LEN);

    TRY(take_member("x", jwk->x, COORD_LEN, &raw, err));
    *out = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw.data, raw.len);
    return 0;
}

static int take_rsa(const struct sign_jwk *jwk, EVP_PKEY **out, struct err *err)
{
    CLEANUP(free_build) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    CLEANUP(buf_free) struct buf n_bytes = BUF_INIT(SIGN_SIG_MAX);
    CLEANUP(buf_free) struct buf e_bytes = BUF_INIT(SIGN_SIG_MAX);

    TRY(take_member("n", jwk->n, 0, &n_bytes, err));
    TRY(take_member("e", jwk->e, 0, &e_bytes, err));
    CLEANUP(free_bn) BIGNUM *n = BN_bin2bn(n_bytes.data, (int)n_bytes.len, NULL);
    CLEANUP(free_bn) BIGNUM *e = BN_bin2bn(e_bytes.data, (int)e_bytes.len, NULL);
    INVARIANT(build != NULL && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
              OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e));
    *out = from_params("RSA", build);
    return 0;
}

/* The texts come from outside: nothing says yet that they end. */
static bool texts_end(const struct sign_jwk *jwk)
{
    return memchr(jwk->kty, 0, sizeof(jwk->kty)) != NULL &&
           memchr(jwk->crv, 0, sizeof(jwk->crv)) != NULL &&
           memchr(jwk->x, 0, sizeof(jwk->x)) != NULL && memchr(jwk->y, 0, sizeof(jwk->y)) != NULL &&
           memchr(jwk->n, 0, sizeof(jwk->n)) != NULL && memchr(jwk->e, 0, sizeof(jwk->e)) != NULL;
}

int sign_key_from_jwk(const struct sign_jwk *jwk, struct sign_key **out, struct err *err)
{
    CLEANUP_PKEY EVP_PKEY *pkey = NULL;

    if (!texts_end(jwk))
        return err_set(err, ERR_INVALID, "a member of a JWK is too long");
    if (strcmp(jwk->kty, "EC") == 0 && strcmp(jwk->crv, "P-256") == 0)
        TRY(take_ec(jwk, &pkey, err));
    else if (strcmp(jwk->kty, "OKP") == 0 && strcmp(jwk->crv, "Ed25519") == 0)
        TRY(take_ed(jwk, &pkey, err));
    else if (strcmp(jwk->kty, "RSA") == 0 && jwk->crv[0] == '\0')
        TRY(take_rsa(jwk, &pkey, err));
    else
        return err_set(err, ERR_UNSUPPORTED,
                       "a JWK with kty \"%s\" and crv \"%s\" is not used here", jwk->kty, jwk->crv);
    if (pkey == NULL)
        return crypto_fail(err, ERR_INVALID, "the JWK is no valid key");
    return sign_key_take(&pkey, false, out, err);
}
