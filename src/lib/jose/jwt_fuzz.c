/* SPDX-License-Identifier: Apache-2.0 */
/* No input is a token of a key that nobody has; and what splits into three parts can be looked at.
 */
#include "base/err.h"
#include "codec/json.h"
#include "jose/jose.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct jose_keys *known_keys(void)
{
    static struct jose_keys *keys; /* kept from input to input */
    CLEANUP(sign_key_free_ptr) struct sign_key *pair = NULL;
    CLEANUP(buf_free) struct buf spki = BUF_INIT(SIGN_SPKI_MAX);
    struct jose_key *key = NULL;
    struct err err = ERR_INIT;

    if (keys != NULL)
        return keys;
    INVARIANT(secret_heap_init(&err) == 0);
    INVARIANT(sign_key_generate(SIGN_ES256, &pair, &err) == 0);
    INVARIANT(sign_key_to_spki(pair, &spki, &err) == 0);
    INVARIANT(jose_key_from_spki("k", buf_span(&spki), &key, &err) == 0);
    keys = jose_keys_new();
    jose_keys_add(keys, &key);
    return keys;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jose_expect expect = {.typ = "at+jwt", .issuer = "i", .audience = "a", .skew_sec = 30};
    CLEANUP_JSON json_t *claims = NULL;
    CLEANUP_JSON json_t *seen = NULL;
    struct err err = ERR_INIT;
    struct err again = ERR_INIT;

    INVARIANT(jose_jwt_verify(known_keys(), span_of(data, size), &expect, &claims, &err) < 0);
    INVARIANT(err.code == ERR_UNAUTHENTICATED);
    if (jose_jwt_peek(span_of(data, size), &seen, &again) == 0)
        INVARIANT(json_is_object(seen));
    return 0;
}
