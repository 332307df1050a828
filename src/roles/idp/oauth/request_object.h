/* SPDX-License-Identifier: Apache-2.0 */
/* An authorization request that the client has signed (RFC 9101). Nothing here knows about the
 * store. */
#ifndef DRUN_IDP_REQUEST_OBJECT_H
#define DRUN_IDP_REQUEST_OBJECT_H

#include "base/arena.h"
#include "idp/oauth/protocol.h"
#include "jose/jose.h"

struct request_object_expect {
    const struct jose_keys *keys; /* the client's; NULL for none */
    const char *client_id;
    const char *issuer; /* what aud must be, or hold */
    int64_t now;
};

/* The parameters in it become the form: all that there is, whatever came beside it. Texts are in
 * the arena. ERR_INVALID with what is wrong. */
int request_object_read(const struct request_object_expect *expect, const char *text,
                        struct arena *arena, struct form *out, struct err *err) MUST_USE;

#endif
