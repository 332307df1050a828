/* SPDX-License-Identifier: Apache-2.0 */
#include "jose/jose_internal.h"

#include "base/mem.h"
#include "codec/json.h"

#include <stdlib.h>

struct jose_key {
    struct sign_key *key;
    char kid[JOSE_KID_MAX + 1];
};

struct jose_keys {
    struct jose_key **items;
    size_t count;
};

void jose_key_free(struct jose_key *key)
{
    if (key == NULL)
        return;
    sign_key_free(key->key);
    free(key);
}

void jose_key_free_ptr(struct jose_key **key)
{
    jose_key_free(*key);
}

const char *jose_key_kid(const struct jose_key *key)
{
    return key->kid;
}

enum sign_alg jose_key_alg(const struct jose_key *key)
{
    return sign_key_alg(key->key);
}

void jose_key_thumbprint(const struct jose_key *key, char out[SIGN_KID_SIZE])
{
    sign_key_kid(key->key, out);
}

int jose_key_verify(const struct jose_key *key, struct span data, struct span signature,
                    struct err *err)
{
    return sign_verify(key->key, data, signature, err);
}

enum sign_alg jose_alg_by_name(const char *name)
{
    return strcmp(name, "Ed25519") == 0 ? SIGN_EDDSA : sign_alg_by_name(span_str(name));
}

static int set_kid(struct jose_key *key, const char *kid, struct err *err)
{
    if (strlen(kid) > JOSE_KID_MAX)
        return err_set(err, ERR_INVALID, "a kid has more than %d characters", JOSE_KID_MAX);
    memcpy(key->kid, kid, strlen(kid) + 1);
    return 0;
}

int jose_key_from_spki(const char *kid, struct span spki, struct jose_key **out, struct err *err)
{
    CLEANUP(jose_key_free_ptr) struct jose_key *key = mem_new(sizeof(*key));

    TRY(set_kid(key, kid, err));
    TRY(sign_key_from_spki(spki, &key->key, err));
    *out = key;
    key = NULL;
    return 0;
}

/* Other kinds are left out of a set; a damaged key of one of ours is an error. */
static int check_kind(const json_t *jwk, struct err *err)
{
    static const char *const kinds[][3] = {
        {"EC", "P-256", "ES256"}, {"OKP", "Ed25519", "EdDSA"}, {"RSA", "", "RS256"}};
    const char *kty = codec_json_text(jwk, "kty", "");

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kty, kinds[i][0]) == 0 &&
            strcmp(codec_json_text(jwk, "crv", ""), kinds[i][1]) == 0 &&
            jose_alg_by_name(codec_json_text(jwk, "alg", kinds[i][2])) ==
                sign_alg_by_name(span_str(kinds[i][2])))
            return 0;
    return err_set(err, ERR_UNSUPPORTED,
                   "a JWK is not of the kinds EC P-256 ES256, OKP Ed25519 EdDSA, RSA RS256");
}

static int check_use(const json_t *jwk, struct err *err)
{
    const json_t *operations = json_object_get(jwk, "key_ops");
    const json_t *operation;
    size_t i;

    if (strcmp(codec_json_text(jwk, "use", "sig"), "sig") != 0)
        return err_set(err, ERR_UNSUPPORTED, "a JWK is not for signatures");
    if (operations == NULL)
        return 0;
    json_array_foreach (operations, i, operation)
        if (json_is_string(operation) && strcmp(json_string_value(operation), "verify") == 0)
            return 0;
    return err_set(err, ERR_UNSUPPORTED, "a JWK is not for verifying");
}

static int check_public(const json_t *jwk, struct err *err)
{
    static const char *const private[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};

    for (size_t i = 0; i < ARRAY_LEN(private); i++)
        if (json_object_get(jwk, private[i]) != NULL)
            return err_set(err, ERR_INVALID,
                           "a JWK has the private member \"%s\"; it should be seen as disclosed",
                           private[i]);
    return 0;
}

static int copy_member(const json_t *jwk, const char *name, char *out, size_t size, struct err *err)
{
    const json_t *value = json_object_get(jwk, name);

    out[0] = '\0';
    if (value == NULL)
        return 0;
    if (!json_is_string(value) || json_string_length(value) >= size)
        return err_set(err, ERR_INVALID, "the member \"%s\" of a JWK is no text or too long", name);
    memcpy(out, json_string_value(value), json_string_length(value) + 1);
    return 0;
}

int jose_key_from_jwk(const json_t *jwk, struct jose_key **out, struct err *err)
{
    CLEANUP(jose_key_free_ptr) struct jose_key *key = mem_new(sizeof(*key));
    struct sign_jwk members;

    if (!json_is_object(jwk))
        return err_set(err, ERR_INVALID, "a JWK must be an object");
    TRY(check_public(jwk, err));
    TRY(check_kind(jwk, err));
    TRY(check_use(jwk, err));
    TRY(copy_member(jwk, "kid", key->kid, sizeof(key->kid), err));
    TRY(copy_member(jwk, "kty", members.kty, sizeof(members.kty), err));
    TRY(copy_member(jwk, "crv", members.crv, sizeof(members.crv), err));
    TRY(copy_member(jwk, "x", members.x, sizeof(members.x), err));
    TRY(copy_member(jwk, "y", members.y, sizeof(members.y), err));
    TRY(copy_member(jwk, "n", members.n, sizeof(members.n), err));
    TRY(copy_member(jwk, "e", members.e, sizeof(members.e), err));
    TRY(sign_key_from_jwk(&members, &key->key, err));
    *out = key;
    key = NULL;
    return 0;
}

static void set_member(json_t *jwk, const char *name, const char *value)
{
    if (value[0] != '\0')
        json_object_set_new(jwk, name, json_string(value));
}

int jose_key_to_jwk(const struct jose_key *key, json_t **out, struct err *err)
{
    struct sign_jwk members;

    TRY(sign_key_to_jwk(key->key, &members, err));
    json_t *jwk = json_object();
    set_member(jwk, "kty", members.kty);
    set_member(jwk, "crv", members.crv);
    set_member(jwk, "x", members.x);
    set_member(jwk, "y", members.y);
    set_member(jwk, "n", members.n);
    set_member(jwk, "e", members.e);
    set_member(jwk, "kid", key->kid);
    set_member(jwk, "alg", sign_alg_name(sign_key_alg(key->key)));
    set_member(jwk, "use", "sig");
    *out = jwk;
    return 0;
}

/* ---------------------------------------------------------------- sets */

struct jose_keys *jose_keys_new(void)
{
    return mem_new(sizeof(struct jose_keys));
}

void jose_keys_free(struct jose_keys *keys)
{
    if (keys == NULL)
        return;
    for (size_t i = 0; i < keys->count; i++)
        jose_key_free(keys->items[i]);
    free(keys->items);
    free(keys);
}

void jose_keys_free_ptr(struct jose_keys **keys)
{
    jose_keys_free(*keys);
}

void jose_keys_add(struct jose_keys *keys, struct jose_key **key)
{
    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->items[i]->kid, (*key)->kid) == 0) {
            jose_key_free(keys->items[i]);
            keys->items[i] = *key;
            *key = NULL;
            return;
        }
    keys->items = mem_resize_array(keys->items, keys->count + 1, sizeof(struct jose_key *));
    keys->items[keys->count++] = *key;
    *key = NULL;
}

int jose_keys_from_jwks(const json_t *jwks, struct jose_keys **out, struct err *err)
{
    CLEANUP(jose_keys_free_ptr) struct jose_keys *keys = jose_keys_new();
    const json_t *list = json_object_get(jwks, "keys");
    const json_t *jwk;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) > JOSE_KEYS_MAX)
        return err_set(err, ERR_INVALID, "a JWK set must have a list \"keys\" of at most %d",
                       JOSE_KEYS_MAX);
    json_array_foreach (list, i, jwk) {
        CLEANUP(jose_key_free_ptr) struct jose_key *key = NULL;
        struct err why = ERR_INIT;
        if (jose_key_from_jwk(jwk, &key, &why) == 0) {
            jose_keys_add(keys, &key);
            continue;
        }
        if (why.code == ERR_UNSUPPORTED)
            continue;
        *err = why;
        return err_wrap(err, "keys[%zu]", i);
    }
    *out = keys;
    keys = NULL;
    return 0;
}

const struct jose_key *jose_keys_find(const struct jose_keys *keys, const char *kid)
{
    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->items[i]->kid, kid) == 0)
            return keys->items[i];
    return NULL;
}

const struct jose_key *jose_keys_only(const struct jose_keys *keys)
{
    return keys->count == 1 ? keys->items[0] : NULL;
}

size_t jose_keys_count(const struct jose_keys *keys)
{
    return keys->count;
}
