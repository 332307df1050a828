/* SPDX-License-Identifier: Apache-2.0 */
/* Who a TLS client certificate is for, and whether an authority vouches for it (RFC 8705 section
 * 2.1). Certificates are DER, authorities PEM. */
#ifndef DRUN_CRYPTO_X509_CLIENT_H
#define DRUN_CRYPTO_X509_CLIENT_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* The chain ends at one of the certificates in `authorities_pem` (a root or an intermediate), holds
 * at `now`, and the certificate is one for clients. ERR_UNAUTHENTICATED with why not. */
int x509_client_verify(struct span cert_der, struct span authorities_pem, int64_t now,
                       struct err *err) MUST_USE;

enum x509_client_name {
    X509_CLIENT_SUBJECT, /* the subject's name in the form of RFC 4514 */
    X509_CLIENT_DNS,     /* a subjectAltName of that kind */
    X509_CLIENT_URI,
    X509_CLIENT_EMAIL,
    X509_CLIENT_IP,
};

bool x509_client_is(struct span cert_der, enum x509_client_name kind, const char *value);

#endif
