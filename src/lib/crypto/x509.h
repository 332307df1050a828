/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates (RFC 5280) as far as an internal CA needs them: a self-signed CA, certification
 * requests (RFC 2986), and server certificates. Certificates and requests are DER in spans and
 * bufs; keys are crypto/sign.h's.
 */
#ifndef DRUN_CRYPTO_X509_H
#define DRUN_CRYPTO_X509_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "crypto/sign.h"

enum {
    X509_DER_MAX = 8 * 1024,  /* a certificate or a request */
    X509_PEM_MAX = 12 * 1024, /* the same */
    X509_SAN_SIZE = 254,      /* a DNS name and its NUL */
};

enum x509_san_kind { X509_SAN_DNS = 1, X509_SAN_IP };

/* A name of the certificate's subject. Values, so that they can be kept in arrays. */
struct x509_san {
    enum x509_san_kind kind;
    char value[X509_SAN_SIZE]; /* "gpu1.example.org", "*.example.org", "192.0.2.1", "2001:db8::1" */
};

/* "192.0.2.1" and "2001:db8::1" become IPs, the rest must be a DNS name (letters, digits, '-',
 * '.', a leading "*."). */
int x509_san_parse(const char *text, struct x509_san *out, struct err *err) MUST_USE;
/* As the parser does, for values that came from elsewhere. */
int x509_san_check(const struct x509_san *san, struct err *err) MUST_USE;

/* A request for the key's certificate, signed by the key. */
int x509_csr_new(const struct sign_key *key, const char *common_name, struct buf *der,
                 struct err *err) MUST_USE;

/* A self-signed CA that signs end-entity certificates only (pathlen 0), valid from a minute ago. */
int x509_ca_new(const struct sign_key *key, const char *common_name, uint32_t ttl_sec,
                struct buf *der, struct err *err) MUST_USE;

struct x509_order {
    struct span csr_der;
    const struct x509_san *sans; /* at least one; the first is also the common name */
    size_t san_count;
    uint32_t ttl_sec;
};

/* A TLS server certificate, valid from a minute ago for ttl_sec, but not longer than the CA. The
 * CSR's signature must be its own key's; its names and extensions are not looked at. */
int x509_issue(const struct sign_key *ca_key, struct span ca_der, const struct x509_order *order,
               struct buf *der, struct err *err) MUST_USE;

/* Appends one PEM block. */
int x509_to_pem(struct span cert_der, struct buf *pem, struct err *err) MUST_USE;
/* The first certificate of a PEM text. */
int x509_from_pem(struct span pem, struct buf *der, struct err *err) MUST_USE;
int x509_not_after(struct span cert_der, int64_t *out_sec, struct err *err) MUST_USE;
/* The certificate's key, to compare or verify with. */
int x509_public_key(struct span cert_der, struct sign_key **out, struct err *err) MUST_USE;

#endif
