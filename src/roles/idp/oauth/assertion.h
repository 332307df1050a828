/* SPDX-License-Identifier: Apache-2.0 */
/* How a client proves itself with a key: the JWT of RFC 7523 section 3. Nothing here knows about
 * the store. */
#ifndef DRUN_IDP_ASSERTION_H
#define DRUN_IDP_ASSERTION_H

#include "jose/jose.h"

enum {
    ASSERTION_TTL_MAX_SEC = 3600, /* what it may hold from now on */
    ASSERTION_SKEW_SEC = 60,
    ASSERTION_JTI_MAX = 256,
};

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

struct assertion_expect {
    const struct jose_keys *keys; /* the client's; NULL for none */
    const char *client_id;
    const char *const *audiences; /* what we are called; ends with NULL */
    int64_t now;
};

struct assertion {
    char jti[ASSERTION_JTI_MAX + 1]; /* good once */
    int64_t until;                   /* after it the assertion is void by itself */
};

/* The client_id that it claims, "" for none; whose keys to verify it with. */
void assertion_client(const char *text, char *out, size_t size);
/* Signature; iss and sub are the client; every aud is one of ours (so that an assertion for another
 * server as well cannot be passed on); exp; jti. ERR_UNAUTHENTICATED with what is wrong. */
int assertion_check(const struct assertion_expect *expect, const char *text, struct assertion *out,
                    struct err *err) MUST_USE;

#endif
