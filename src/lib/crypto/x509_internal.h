/* SPDX-License-Identifier: Apache-2.0 */
/* For this folder: the extensions of a certificate. */
#ifndef DRUN_CRYPTO_X509_INTERNAL_H
#define DRUN_CRYPTO_X509_INTERNAL_H

#include "crypto/x509.h"

#include <openssl/x509v3.h>

void x509_add_constraints(X509 *cert, bool ca);
void x509_add_usage(X509 *cert, int bits); /* KU_* of openssl/x509v3.h */
void x509_add_server_auth(X509 *cert);
void x509_add_key_ids(X509 *cert, X509 *issuer);
void x509_add_sans(X509 *cert, const struct x509_san *sans, size_t count);

#endif
