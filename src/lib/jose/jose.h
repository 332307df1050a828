/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JWS in compact form (RFC 7515), JWK (RFC 7517) and JWT (RFC 7519), strictly: the algorithm comes
 * from the key and the token must agree; there is no "none"; unknown `crit`, embedded keys,
 * duplicate members and anything that is not canonical base64url are refused. Signing goes through
 * a callback, because private keys live in kms. Three algorithms: ES256, EdDSA (Ed25519, RFC 8037),
 * RS256 with 2,048 bits and more.
 */
#ifndef DRUN_JOSE_JOSE_H
#define DRUN_JOSE_JOSE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "crypto/sign.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    JOSE_TOKEN_MAX = 8192,  /* a longer token is refused unread */
    JOSE_HEADER_MAX = 2048, /* characters of its header */
    JOSE_KID_MAX = 128,
    JOSE_KEYS_MAX = 64,  /* in a set */
    JOSE_SKEW_MAX = 300, /* seconds; more is cut to it */
};

/* ---------------------------------------------------------------- keys */

/* A public key with its one algorithm and its name. */
struct jose_key;

/* ERR_UNSUPPORTED for a key type, curve, algorithm or use that is not for verifying with one of the
 * three; private members are refused. The kid may be missing ("" then). */
int jose_key_from_jwk(const json_t *jwk, struct jose_key **out, struct err *err) MUST_USE;
/* From a SubjectPublicKeyInfo in DER, which determines the algorithm. */
int jose_key_from_spki(const char *kid, struct span spki, struct jose_key **out,
                       struct err *err) MUST_USE;
void jose_key_free(struct jose_key *key);
void jose_key_free_ptr(struct jose_key **key);
const char *jose_key_kid(const struct jose_key *key);
enum sign_alg jose_key_alg(const struct jose_key *key);
/* {"kty", ..., "kid", "alg", "use": "sig"}; a new value. */
int jose_key_to_jwk(const struct jose_key *key, json_t **out, struct err *err) MUST_USE;

/* Keys by kid. */
struct jose_keys;

struct jose_keys *jose_keys_new(void) MUST_USE;
/* Takes *key; one of the same kid is replaced. */
void jose_keys_add(struct jose_keys *keys, struct jose_key **key);
/* From {"keys": [...]}; keys of kinds that we do not verify with are left out (RFC 7517 section 5).
 */
int jose_keys_from_jwks(const json_t *jwks, struct jose_keys **out, struct err *err) MUST_USE;
const struct jose_key *jose_keys_find(const struct jose_keys *keys, const char *kid);
size_t jose_keys_count(const struct jose_keys *keys);
void jose_keys_free(struct jose_keys *keys);
void jose_keys_free_ptr(struct jose_keys **keys);

/* ---------------------------------------------------------------- verifying */

/* The payload of a JWS whose signature is that of the key its kid names, appended to `payload`. A
 * token without kid is accepted when there is exactly one key. `typ`: what the header's typ must
 * be, without regard to case and to "application/"; NULL: none is asked for. */
int jose_jws_verify(const struct jose_keys *keys, struct span token, const char *typ,
                    struct buf *payload, struct err *err) MUST_USE;

/* A JWS that brings its own key in its header, as a proof of possession does: the signature shows
 * that the sender has that key, and nothing else. The caller owns *out. */
int jose_jws_verify_own(struct span token, const char *typ, struct jose_key **out,
                        struct buf *payload, struct err *err) MUST_USE;
/* RFC 7638 with SHA-256. */
void jose_key_thumbprint(const struct jose_key *key, char out[SIGN_KID_SIZE]);

struct jose_expect {
    const char *typ;      /* "at+jwt" (RFC 9068), "JWT"; NULL: any, or none */
    const char *issuer;   /* iss must be equal */
    const char *audience; /* aud must be it, or hold it */
    int64_t now;          /* seconds since 1970 */
    uint32_t skew_sec;    /* how far clocks may differ */
};

/* Signature, then iss, aud, exp (demanded), nbf and iat (when there). ERR_UNAUTHENTICATED with what
 * is wrong. */
int jose_jwt_verify(const struct jose_keys *keys, struct span token,
                    const struct jose_expect *expect, json_t **out_claims,
                    struct err *err) MUST_USE;

/* The claims without a look at the signature: for tests and for finding out whose token it might
 * be. Never for a decision. */
int jose_jwt_peek(struct span token, json_t **out_claims, struct err *err) MUST_USE;

/* The kid in its header; false when there is none. */
bool jose_jwt_kid(struct span token, char out[JOSE_KID_MAX + 1]);

/* ---------------------------------------------------------------- signing */

/* Appends the signature of the bytes as JWS has it: 64 bytes r || s for ES256, 64 for EdDSA, the
 * size of the modulus for RS256. */
typedef int jose_sign_fn(void *ctx, struct span data, struct buf *signature, struct err *err);

/* Appends header.payload.signature. `typ` may be NULL. */
int jose_jwt_sign(const json_t *claims, const char *typ, const char *kid, enum sign_alg alg,
                  jose_sign_fn *sign, void *ctx, struct buf *out, struct err *err) MUST_USE;

#endif
