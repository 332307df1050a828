/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/x509.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "crypto/crypto.h"
#include "crypto/crypto_internal.h"
#include "crypto/x509_internal.h"

#include <openssl/err.h>
#include <openssl/pem.h>

enum { BACKDATE_SEC = 60, SERIAL_LEN = 16, COMMON_NAME_MAX = 64 };

static void free_cert(X509 **cert)
{
    X509_free(*cert);
}

static void free_csr(X509_REQ **csr)
{
    X509_REQ_free(*csr);
}

static void free_bio(BIO **bio)
{
    BIO_free(*bio);
}

#define CLEANUP_CERT CLEANUP(free_cert)

static int read_cert(struct span der, X509 **out, struct err *err)
{
    const uint8_t *end = der.p;
    CLEANUP_CERT X509 *cert = der.len > X509_DER_MAX ? NULL : d2i_X509(NULL, &end, (long)der.len);

    if (cert == NULL || end != der.p + der.len)
        return crypto_fail(err, ERR_INVALID, "the bytes are no certificate");
    *out = cert;
    cert = NULL;
    return 0;
}

static int write_cert(X509 *cert, struct buf *der, struct err *err)
{
    int len = i2d_X509(cert, NULL);
    uint8_t *at = len <= 0 ? NULL : buf_reserve(der, (size_t)len);

    if (at == NULL)
        return err_set(err, ERR_TOO_LARGE, "a certificate of %d bytes does not fit", len);
    INVARIANT(i2d_X509(cert, &at) == len);
    buf_commit(der, (size_t)len);
    return 0;
}

/* Ed25519 hashes on its own. */
static const EVP_MD *hash_for(const struct sign_key *key)
{
    return key->alg == SIGN_EDDSA ? NULL : EVP_sha256();
}

static void set_common_name(X509_NAME *name, const char *text)
{
    INVARIANT(strlen(text) <= COMMON_NAME_MAX);
    INVARIANT(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const uint8_t *)text,
                                         -1, -1, 0) == 1);
}

/* 127 random bits: unpredictable, positive, and never the same twice. */
static int set_serial(X509 *cert, struct err *err)
{
    uint8_t bytes[SERIAL_LEN];

    TRY(crypto_random(bytes, sizeof(bytes), err));
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    INVARIANT(number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL);
    BN_free(number);
    return 0;
}

static int new_cert(EVP_PKEY *pkey, const char *common_name, int64_t until_sec, X509 **out,
                    struct err *err)
{
    CLEANUP_CERT X509 *cert = X509_new();

    INVARIANT(cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1);
    TRY(set_serial(cert, err));
    set_common_name(X509_get_subject_name(cert), common_name);
    INVARIANT(X509_set_pubkey(cert, pkey) == 1);
    INVARIANT(ASN1_TIME_set(X509_getm_notBefore(cert), clock_wall_sec() - BACKDATE_SEC) != NULL);
    INVARIANT(ASN1_TIME_set(X509_getm_notAfter(cert), until_sec) != NULL);
    *out = cert;
    cert = NULL;
    return 0;
}

static int64_t time_of(const ASN1_TIME *time)
{
    struct tm parts;

    return ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : -1;
}

int x509_csr_new(const struct sign_key *key, const char *common_name, struct buf *der,
                 struct err *err)
{
    CLEANUP(free_csr) X509_REQ *csr = X509_REQ_new();

    if (!key->private || strlen(common_name) > COMMON_NAME_MAX)
        return err_set(err, ERR_INVALID,
                       "a certification request takes a private key and a name of at most %d "
                       "characters",
                       COMMON_NAME_MAX);
    INVARIANT(csr != NULL && X509_REQ_set_version(csr, X509_REQ_VERSION_1) == 1);
    set_common_name(X509_REQ_get_subject_name(csr), common_name);
    INVARIANT(X509_REQ_set_pubkey(csr, key->pkey) == 1);
    if (X509_REQ_sign(csr, key->pkey, hash_for(key)) <= 0)
        return crypto_fail(err, ERR_INTERNAL, "cannot sign a certification request");
    int len = i2d_X509_REQ(csr, NULL);
    uint8_t *at = buf_reserve(der, (size_t)len);
    if (at == NULL)
        return buf_check(der, "a certification request", err);
    INVARIANT(i2d_X509_REQ(csr, &at) == len);
    buf_commit(der, (size_t)len);
    return 0;
}

int x509_ca_new(const struct sign_key *key, const char *common_name, uint32_t ttl_sec,
                struct buf *der, struct err *err)
{
    CLEANUP_CERT X509 *cert = NULL;

    if (!key->private || strlen(common_name) > COMMON_NAME_MAX)
        return err_set(err, ERR_INVALID,
                       "a CA takes a private key and a name of at most %d "
                       "characters",
                       COMMON_NAME_MAX);
    TRY(new_cert(key->pkey, common_name, clock_wall_sec() + ttl_sec, &cert, err));
    INVARIANT(X509_set_issuer_name(cert, X509_get_subject_name(cert)) == 1);
    x509_add_constraints(cert, true);
    x509_add_usage(cert, KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    x509_add_key_ids(cert, cert);
    if (X509_sign(cert, key->pkey, hash_for(key)) <= 0)
        return crypto_fail(err, ERR_INTERNAL, "cannot sign a CA's certificate");
    return write_cert(cert, der, err);
}

/* The key that asks, if it proves to have its private half. */
static int read_csr(struct span der, struct sign_key **out, struct err *err)
{
    const uint8_t *end = der.p;
    CLEANUP(free_csr)
    X509_REQ *csr = der.len > X509_DER_MAX ? NULL : d2i_X509_REQ(NULL, &end, (long)der.len);
    CLEANUP_PKEY EVP_PKEY *pkey = csr == NULL ? NULL : X509_REQ_get_pubkey(csr);
    CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;

    if (pkey == NULL || end != der.p + der.len)
        return crypto_fail(err, ERR_INVALID, "the bytes are no certification request");
    TRY(sign_key_take(&pkey, false, &key, err));
    if (X509_REQ_verify(csr, key->pkey) != 1)
        return crypto_fail(err, ERR_INVALID, "the certification request is not signed by its key");
    *out = key;
    key = NULL;
    return 0;
}

static int check_order(const struct x509_order *order, struct err *err)
{
    if (order->san_count == 0 || order->ttl_sec == 0)
        return err_set(err, ERR_INVALID, "a certificate needs a name and a lifetime");
    for (size_t i = 0; i < order->san_count; i++)
        TRY(x509_san_check(&order->sans[i], err));
    return 0;
}

int x509_issue(const struct sign_key *ca_key, struct span ca_der, const struct x509_order *order,
               struct buf *der, struct err *err)
{
    CLEANUP_CERT X509 *ca = NULL;
    CLEANUP_CERT X509 *cert = NULL;
    CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;

    TRY(check_order(order, err));
    TRY(read_cert(ca_der, &ca, err));
    TRY(read_csr(order->csr_der, &key, err));
    int64_t ca_until_sec = time_of(X509_get0_notAfter(ca));
    int64_t until_sec = NUM_MIN(clock_wall_sec() + order->ttl_sec, ca_until_sec);
    if (until_sec <= clock_wall_sec())
        return err_set(err, ERR_GONE, "the CA's certificate has expired; rotate the CA");
    const char *name = order->sans[0].value;
    TRY(new_cert(key->pkey, strlen(name) <= COMMON_NAME_MAX ? name : "server", until_sec, &cert,
                 err));
    INVARIANT(X509_set_issuer_name(cert, X509_get_subject_name(ca)) == 1);
    x509_add_constraints(cert, false);
    x509_add_usage(cert, KU_DIGITAL_SIGNATURE);
    x509_add_server_auth(cert);
    x509_add_key_ids(cert, ca);
    x509_add_sans(cert, order->sans, order->san_count);
    if (X509_sign(cert, ca_key->pkey, hash_for(ca_key)) <= 0)
        return crypto_fail(err, ERR_INTERNAL, "cannot sign a certificate");
    return write_cert(cert, der, err);
}

int x509_to_pem(struct span cert_der, struct buf *pem, struct err *err)
{
    CLEANUP_CERT X509 *cert = NULL;
    CLEANUP(free_bio) BIO *bio = BIO_new(BIO_s_mem());
    char *text;

    TRY(read_cert(cert_der, &cert, err));
    INVARIANT(bio != NULL && PEM_write_bio_X509(bio, cert) == 1);
    long len = BIO_get_mem_data(bio, &text);
    buf_put(pem, text, (size_t)len);
    return buf_check(pem, "a certificate's PEM text", err);
}

int x509_from_pem(struct span pem, struct buf *der, struct err *err)
{
    CLEANUP(free_bio)
    BIO *bio = pem.len == 0 || pem.len > INT32_MAX ? NULL : BIO_new_mem_buf(pem.p, (int)pem.len);
    CLEANUP_CERT X509 *cert = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);

    if (cert == NULL)
        return crypto_fail(err, ERR_INVALID, "the text has no PEM certificate");
    return write_cert(cert, der, err);
}

int x509_not_after(struct span cert_der, int64_t *out_sec, struct err *err)
{
    CLEANUP_CERT X509 *cert = NULL;

    TRY(read_cert(cert_der, &cert, err));
    *out_sec = time_of(X509_get0_notAfter(cert));
    if (*out_sec < 0)
        return err_set(err, ERR_INVALID, "the certificate's end is no valid time");
    return 0;
}

int x509_public_key(struct span cert_der, struct sign_key **out, struct err *err)
{
    CLEANUP_CERT X509 *cert = NULL;

    TRY(read_cert(cert_der, &cert, err));
    CLEANUP_PKEY EVP_PKEY *pkey = X509_get_pubkey(cert);
    if (pkey == NULL)
        return crypto_fail(err, ERR_INVALID, "the certificate's key cannot be used");
    return sign_key_take(&pkey, false, out, err);
}
