/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/x509_client.h"

#include "base/attr.h"
#include "base/mem.h"
#include "crypto/crypto_internal.h"
#include "crypto/x509.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { AUTHORITIES_MAX = 32, NAME_MAX_LEN = 1024 };

static void free_cert(X509 **cert)
{
    X509_free(*cert);
}

static void free_bio(BIO **bio)
{
    BIO_free(*bio);
}

static void free_store(X509_STORE **store)
{
    X509_STORE_free(*store);
}

static void free_context(X509_STORE_CTX **context)
{
    X509_STORE_CTX_free(*context);
}

static void free_names(GENERAL_NAMES **names)
{
    GENERAL_NAMES_free(*names);
}

static X509 *read_cert(struct span der)
{
    const uint8_t *end = der.p;

    return der.len > X509_DER_MAX ? NULL : d2i_X509(NULL, &end, (long)der.len);
}

/* ------------------------------------------------------------------ the chain */

static int add_authorities(X509_STORE *store, struct span pem, struct err *err)
{
    CLEANUP(free_bio) BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
    int count = 0;

    if (bio == NULL)
        return crypto_fail(err, ERR_UNAVAILABLE, "no memory for the authorities");
    for (; count < AUTHORITIES_MAX; count++) {
        CLEANUP(free_cert) X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (cert == NULL)
            break;
        if (X509_STORE_add_cert(store, cert) != 1)
            return crypto_fail(err, ERR_INVALID, "an authority of the client cannot be used");
    }
    ERR_clear_error();
    return count > 0 ? 0 : err_set(err, ERR_INVALID, "the client's authorities are no PEM");
}

int x509_client_verify(struct span cert_der, struct span authorities_pem, int64_t now,
                       struct err *err)
{
    CLEANUP(free_cert) X509 *cert = read_cert(cert_der);
    CLEANUP(free_store) X509_STORE *store = X509_STORE_new();
    CLEANUP(free_context) X509_STORE_CTX *context = X509_STORE_CTX_new();

    if (cert == NULL)
        return crypto_fail(err, ERR_UNAUTHENTICATED, "the client's certificate is none");
    INVARIANT(store != NULL && context != NULL);
    TRY(add_authorities(store, authorities_pem, err));
    INVARIANT(X509_STORE_CTX_init(context, store, cert, NULL) == 1);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(param, (time_t)now);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT);
    if (X509_verify_cert(context) == 1)
        return 0;
    ERR_clear_error();
    return err_set(err, ERR_UNAUTHENTICATED, "the client's certificate is refused: %s",
                   X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
}

/* ------------------------------------------------------------------ names */

static bool subject_is(const X509 *cert, const char *value)
{
    CLEANUP(free_bio) BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;

    INVARIANT(bio != NULL);
    if (X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) < 0)
        return false;
    long len = BIO_get_mem_data(bio, &text);
    return len > 0 && len <= NAME_MAX_LEN && span_eq_str(span_of(text, (size_t)len), value);
}

static bool is_text(const ASN1_STRING *name, const char *value, bool any_case)
{
    size_t len = (size_t)ASN1_STRING_length(name);
    const char *text = (const char *)ASN1_STRING_get0_data(name);

    if (len != strlen(value))
        return false;
    return any_case ? strncasecmp(text, value, len) == 0 : memcmp(text, value, len) == 0;
}

static bool is_address(const ASN1_OCTET_STRING *name, const char *value)
{
    uint8_t address[16];
    int family = strchr(value, ':') == NULL ? AF_INET : AF_INET6;
    size_t len = family == AF_INET ? 4 : 16;

    return inet_pton(family, value, address) == 1 && (size_t)ASN1_STRING_length(name) == len &&
           memcmp(ASN1_STRING_get0_data(name), address, len) == 0;
}

static bool name_is(const GENERAL_NAME *name, enum x509_client_name kind, const char *value)
{
    switch (kind) {
    case X509_CLIENT_DNS: return name->type == GEN_DNS && is_text(name->d.dNSName, value, true);
    case X509_CLIENT_URI:
        return name->type == GEN_URI && is_text(name->d.uniformResourceIdentifier, value, false);
    case X509_CLIENT_EMAIL:
        return name->type == GEN_EMAIL && is_text(name->d.rfc822Name, value, false);
    case X509_CLIENT_IP: return name->type == GEN_IPADD && is_address(name->d.iPAddress, value);
    case X509_CLIENT_SUBJECT: break;
    }
    return false;
}

bool x509_client_is(struct span cert_der, enum x509_client_name kind, const char *value)
{
    CLEANUP(free_cert) X509 *cert = read_cert(cert_der);

    if (cert == NULL || value[0] == '\0')
        return false;
    if (kind == X509_CLIENT_SUBJECT)
        return subject_is(cert, value);
    CLEANUP(free_names)
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        if (name_is(sk_GENERAL_NAME_value(names, i), kind, value))
            return true;
    return false;
}
