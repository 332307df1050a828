/* SPDX-License-Identifier: Apache-2.0 */
/* A JWK that is taken comes out as one that is taken again, with the same kid and algorithm. */
#include "codec/json.h"
#include "jose/jose.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const json_t *jwk)
{
    CLEANUP(jose_key_free_ptr) struct jose_key *key = NULL;
    CLEANUP(jose_key_free_ptr) struct jose_key *again = NULL;
    CLEANUP_JSON json_t *out = NULL;
    struct err err = ERR_INIT;

    if (jose_key_from_jwk(jwk, &key, &err) < 0)
        return;
    INVARIANT(jose_key_to_jwk(key, &out, &err) == 0);
    INVARIANT(jose_key_from_jwk(out, &again, &err) == 0);
    INVARIANT(strcmp(jose_key_kid(key), jose_key_kid(again)) == 0);
    INVARIANT(jose_key_alg(key) == jose_key_alg(again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(jose_keys_free_ptr) struct jose_keys *keys = NULL;
    CLEANUP_JSON json_t *json = NULL;
    struct err err = ERR_INIT;

    if (codec_json_parse(span_of(data, size), "jwk", &json, &err) < 0)
        return 0;
    round_trip(json);
    if (jose_keys_from_jwks(json, &keys, &err) == 0)
        INVARIANT(jose_keys_count(keys) <= JOSE_KEYS_MAX);
    return 0;
}
