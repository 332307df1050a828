/* SPDX-License-Identifier: Apache-2.0 */
/* The members, each ended by a newline. A JWK that is taken is written with the same members. */
#include "crypto/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_line(struct span *rest, char *out, size_t out_size)
{
    const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->p, '\n', rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->p);

    /* Without room for the NUL too: a text that does not end must be noticed. */
    memcpy(out, rest->p, len < out_size ? len : out_size);
    len += end != NULL;
    *rest = span_of(rest->p + len, rest->len - len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;
    struct span rest = span_of(data, size);
    struct sign_jwk jwk = {0};
    struct sign_jwk again;
    struct err err = ERR_INIT;

    take_line(&rest, jwk.kty, sizeof(jwk.kty));
    take_line(&rest, jwk.crv, sizeof(jwk.crv));
    take_line(&rest, jwk.x, sizeof(jwk.x));
    take_line(&rest, jwk.y, sizeof(jwk.y));
    take_line(&rest, jwk.n, sizeof(jwk.n));
    take_line(&rest, jwk.e, sizeof(jwk.e));
    if (sign_key_from_jwk(&jwk, &key, &err) < 0)
        return 0;
    INVARIANT(sign_key_to_jwk(key, &again, &err) == 0);
    INVARIANT(strcmp(jwk.kty, again.kty) == 0 && strcmp(jwk.crv, again.crv) == 0);
    if (sign_key_alg(key) == SIGN_RS256)
        INVARIANT(strcmp(jwk.n, again.n) == 0 && strcmp(jwk.e, again.e) == 0);
    else
        INVARIANT(strcmp(jwk.x, again.x) == 0);
    if (sign_key_alg(key) == SIGN_ES256)
        INVARIANT(strcmp(jwk.y, again.y) == 0);
    return 0;
}
