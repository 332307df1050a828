/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens are signed by kms; here are their keys' public halves. */
#include "idp/idp_internal.h"

#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "jose/jose.h"
#include "keys/keys.h"

#include <stdlib.h>

#define SIGNING_KEY "oidc"

enum { HEADER_MAX = 256, JWKS_MAX = 128 * 1024 };

struct signer {
    struct idp *idp;
    struct keys_public_list keys;
    char kid[SIGN_KID_SIZE];
    struct buf header_access; /* encoded, with the dot behind it */
    struct buf header_id;
    struct buf jwks;
    struct jose_keys *verifiers;
};

static void put_header(struct buf *out, const char *typ, const struct keys_public *key)
{
    CLEANUP(buf_free) struct buf json = BUF_INIT(HEADER_MAX);

    buf_printf(&json, "{\"alg\":\"%s\",\"typ\":\"%s\",\"kid\":\"%s\"}", sign_alg_name(key->alg),
               typ, key->kid);
    buf_reset(out);
    enc_base64_put(ENC_BASE64URL, buf_span(&json), out);
    buf_put_u8(out, '.');
}

/* As a JWKS, and as keys. */
static int put_jwks(const struct keys_public_list *keys, struct buf *out,
                    struct jose_keys *verifiers, struct err *err)
{
    CLEANUP_JSON json_t *list = json_array();

    for (size_t i = 0; i < keys->count; i++) {
        const struct keys_public *public = &keys->items[i];
        CLEANUP(jose_key_free_ptr) struct jose_key *key = NULL;
        json_t *jwk = NULL;
        TRY(jose_key_from_spki(public->kid, span_of(public->spki, public->spki_len), &key, err));
        TRY(jose_key_to_jwk(key, &jwk, err));
        json_array_append_new(list, jwk);
        jose_keys_add(verifiers, &key);
    }
    CLEANUP_JSON json_t *set = json_pack("{s:O}", "keys", list);
    codec_json_put(set, out);
    return buf_check(out, "the JWKS", err);
}

static const struct keys_public *current_of(const struct keys_public_list *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->items[i].name, SIGNING_KEY) == 0 && keys->items[i].state == KEYS_CURRENT)
            return &keys->items[i];
    return NULL;
}

int signer_refresh(struct signer *signer, struct err *err)
{
    CLEANUP(keys_public_list_free) struct keys_public_list keys = {0};
    CLEANUP(buf_free) struct buf jwks = BUF_INIT(JWKS_MAX);
    CLEANUP(jose_keys_free_ptr) struct jose_keys *verifiers = jose_keys_new();

    TRY(keys_list_public(role_peer(signer->idp->role, ROLE_KMS), SIGNING_KEY, &keys, err));
    const struct keys_public *current = current_of(&keys);
    if (current == NULL)
        return err_set(err, ERR_UNAVAILABLE, "kms has no key to sign tokens with");
    TRY(put_jwks(&keys, &jwks, verifiers, err));
    bool changed = !span_eq(buf_span(&jwks), buf_span(&signer->jwks));
    put_header(&signer->header_access, "at+jwt", current);
    put_header(&signer->header_id, "JWT", current);
    snprintf(signer->kid, sizeof(signer->kid), "%s", current->kid);
    buf_reset(&signer->jwks);
    buf_put_span(&signer->jwks, buf_span(&jwks));
    jose_keys_free(signer->verifiers);
    signer->verifiers = verifiers;
    verifiers = NULL;
    keys_public_list_free(&signer->keys);
    signer->keys = keys;
    keys = (struct keys_public_list){0};
    return changed;
}

int signer_new(struct idp *idp, struct signer **out, struct err *err)
{
    struct signer *signer = mem_new(sizeof(*signer));

    *signer = (struct signer){.idp = idp,
                              .header_access = BUF_INIT(2 * HEADER_MAX),
                              .header_id = BUF_INIT(2 * HEADER_MAX),
                              .jwks = BUF_INIT(JWKS_MAX)};
    *out = signer;
    return signer_refresh(signer, err);
}

void signer_free(struct signer *signer)
{
    if (signer == NULL)
        return;
    keys_public_list_free(&signer->keys);
    buf_free(&signer->header_access);
    buf_free(&signer->header_id);
    buf_free(&signer->jwks);
    jose_keys_free(signer->verifiers);
    free(signer);
}

struct span signer_jwks(const struct signer *signer)
{
    return buf_span(&signer->jwks);
}

const struct jose_keys *signer_keys(const struct signer *signer)
{
    return signer->verifiers;
}

int signer_put_keys(const struct signer *signer, struct identity_builder *builder, struct err *err)
{
    for (size_t i = 0; i < signer->keys.count; i++) {
        const struct keys_public *key = &signer->keys.items[i];
        TRY(identity_builder_add_token_key(builder, key->kid, span_of(key->spki, key->spki_len),
                                           err));
    }
    return 0;
}

static int sign_once(struct signer *signer, bool access, struct span payload, struct buf *out,
                     struct err *err)
{
    const struct buf *header = access ? &signer->header_access : &signer->header_id;
    CLEANUP(buf_free_wiped) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    CLEANUP(buf_free) struct buf signature = BUF_INIT(SIGN_SIG_MAX);

    buf_put_span(&token, buf_span(header));
    enc_base64_put(ENC_BASE64URL, payload, &token);
    TRY(buf_check(&token, "a token", err));
    TRY(keys_sign(role_peer(signer->idp->role, ROLE_KMS), SIGNING_KEY, signer->kid,
                  buf_span(&token), &signature, err));
    buf_put_u8(&token, '.');
    enc_base64_put(ENC_BASE64URL, buf_span(&signature), &token);
    TRY(buf_check(&token, "a token", err));
    buf_put_span(out, buf_span(&token));
    return buf_check(out, "a token", err);
}

int signer_sign(struct signer *signer, bool access, struct span payload, struct buf *out,
                struct err *err)
{
    if (sign_once(signer, access, payload, out, err) == 0)
        return 0;
    if (err->code != ERR_GONE)
        return -1;
    /* The key was rotated since we last asked. */
    err_clear(err);
    TRY(signer_refresh(signer, err));
    publish_touch_signers(signer->idp->publish);
    return sign_once(signer, access, payload, out, err);
}
