/* SPDX-License-Identifier: Apache-2.0 */
/* For this folder and its tests. */
#ifndef DRUN_JOSE_JOSE_INTERNAL_H
#define DRUN_JOSE_JOSE_INTERNAL_H

#include "jose/jose.h"

/* The three parts of a token, still encoded, and the header. */
struct jose_token {
    struct span signed_part; /* header.payload */
    struct span payload;
    struct span signature;
    json_t *header;
};

void jose_token_free(struct jose_token *token);
/* Splits and reads the header; looks at no signature. */
int jose_token_read(struct span text, struct jose_token *out, struct err *err) MUST_USE;

/* "Ed25519" is EdDSA by the name of RFC 9864. SIGN_NONE for what is not known. */
enum sign_alg jose_alg_by_name(const char *name);
int jose_key_verify(const struct jose_key *key, struct span data, struct span signature,
                    struct err *err) MUST_USE;
/* The one key of a set that has one; otherwise NULL. */
const struct jose_key *jose_keys_only(const struct jose_keys *keys);

#endif
