/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures over OpenSSL's EVP: ES256 (ECDSA on P-256 with SHA-256), EdDSA (Ed25519) and RS256
 * (RSA PKCS#1 v1.5 with SHA-256), by the names and in the forms of JOSE (RFC 7518, RFC 8037). A
 * signature of one key always has the same length: 64 bytes (r || s, or Ed25519's own form), or
 * the length of the RSA modulus.
 *
 * A key is one object whether or not it has its private half; signing with a public key fails with
 * ERR_INVALID. Private halves live in OpenSSL's secure heap (base/secret.h).
 */
#ifndef DRUN_CRYPTO_SIGN_H
#define DRUN_CRYPTO_SIGN_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/span.h"

enum sign_alg { SIGN_NONE, SIGN_ES256, SIGN_EDDSA, SIGN_RS256, SIGN_ALG_COUNT };

enum {
    SIGN_SIG_MAX = 512,  /* RSA-4096 */
    SIGN_SPKI_MAX = 600, /* the same */
    SIGN_KID_SIZE = 44,  /* 43 characters and a NUL */
};

/* "ES256", "EdDSA", "RS256"; the reverse gives SIGN_NONE for anything else. */
const char *sign_alg_name(enum sign_alg alg);
enum sign_alg sign_alg_by_name(struct span name);

struct sign_key;

/* P-256, Ed25519 or RSA-2048. */
int sign_key_generate(enum sign_alg alg, struct sign_key **out, struct err *err) MUST_USE;
void sign_key_free(struct sign_key *key);
void sign_key_free_ptr(struct sign_key **key);

enum sign_alg sign_key_alg(const struct sign_key *key);
size_t sign_key_sig_len(const struct sign_key *key);
/* The key's name: its JWK thumbprint (RFC 7638, SHA-256, base64url). */
void sign_key_kid(const struct sign_key *key, char out[SIGN_KID_SIZE]);

/* Both halves as PKCS#8 PrivateKeyInfo (RFC 5958), DER. */
int sign_key_to_pkcs8(const struct sign_key *key, struct secret **out, struct err *err) MUST_USE;
int sign_key_from_pkcs8(struct span der, struct sign_key **out, struct err *err) MUST_USE;
/* The public half as SubjectPublicKeyInfo (RFC 5280), DER. What comes in must be P-256, Ed25519,
 * or RSA of 2,048 to 4,096 bits with the exponent 65,537; a byte left over is an error. */
int sign_key_to_spki(const struct sign_key *key, struct buf *out, struct err *err) MUST_USE;
int sign_key_from_spki(struct span der, struct sign_key **out, struct err *err) MUST_USE;

/* The members of a public JWK, base64url; those that a kty has not are "". */
struct sign_jwk {
    char kty[4]; /* "EC", "OKP", "RSA" */
    char crv[8]; /* "P-256", "Ed25519" */
    char x[44];
    char y[44];
    char n[684];
    char e[8];
};

int sign_key_to_jwk(const struct sign_key *key, struct sign_jwk *out, struct err *err) MUST_USE;
/* Refuses what sign_key_from_spki() refuses, and points that are not on the curve. */
int sign_key_from_jwk(const struct sign_jwk *jwk, struct sign_key **out, struct err *err) MUST_USE;

/* Appends the signature to `sig`. */
int sign_data(const struct sign_key *key, struct span data, struct buf *sig,
              struct err *err) MUST_USE;
/* ERR_UNAUTHENTICATED when the signature is not this key's over this data. */
int sign_verify(const struct sign_key *key, struct span data, struct span sig,
                struct err *err) MUST_USE;
/* The same for signatures as X.509 and WebAuthn have them: that of ES256 is ASN.1 (RFC 3279 section
 * 2.2.3), the others are alike. */
int sign_verify_asn1(const struct sign_key *key, struct span data, struct span sig,
                     struct err *err) MUST_USE;

#endif
