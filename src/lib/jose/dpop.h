/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DPoP proofs (RFC 9449): a JWT that the sender of a request signs with a key of its own, for this
 * one request. Here is what can be said about a proof by itself; that it was not seen before, and
 * that its nonce is one of ours, is for the caller.
 */
#ifndef DRUN_JOSE_DPOP_H
#define DRUN_JOSE_DPOP_H

#include "crypto/crypto.h"
#include "jose/jose.h"

enum {
    DPOP_WINDOW_SEC = 60, /* how far iat may be from now, either way */
    DPOP_PROOF_MAX = 4096,
    DPOP_NONCE_MAX = 128,
    DPOP_JTI_MAX = 256,
};

struct dpop_expect {
    const char *method;
    const char *const
        *origins;             /* "https://host:8443": what this server is called; ends with NULL */
    const char *path;         /* decoded, without the query */
    struct span access_token; /* of whose hash ath must be; empty: there is none */
    int64_t now;
};

struct dpop_proof {
    char jkt[SIGN_KID_SIZE];        /* the thumbprint of the sender's key */
    char nonce[DPOP_NONCE_MAX + 1]; /* "" for none */
    uint8_t id[CRYPTO_HASH_LEN];    /* of key and jti: no two proofs may have the same */
};

/* ERR_UNAUTHENTICATED with what is wrong. */
int dpop_verify(const struct dpop_expect *expect, struct span text, struct dpop_proof *out,
                struct err *err) MUST_USE;

/* The base64url of a SHA-256: ath, x5t#S256. */
void dpop_hash_text(struct span data, char out[SIGN_KID_SIZE]);
/* Is the URL, without its query and fragment, that of the path at one of the origins? Percent
 * encoding is undone on both sides (RFC 3986 section 6.2.2), the host compares without case. */
bool dpop_url_fits(const char *url, const char *const *origins, const char *path);

#endif
