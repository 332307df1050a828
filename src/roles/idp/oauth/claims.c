/* SPDX-License-Identifier: Apache-2.0 */
/* What tokens say: access tokens by RFC 9068, ID tokens by OpenID Connect Core. */
#include "idp/idp_internal.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/num.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "idp/oauth/oauth.h"
#include "jose/jose.h"

enum { PAYLOAD_MAX = JOSE_TOKEN_MAX };

/* Of names that are ours: nothing in them is escaped. */
static void put_name(struct buf *out, const char *name)
{
    buf_put_str(out, ",\"");
    buf_put_str(out, name);
    buf_put_str(out, "\":");
}

static void put_text(struct buf *out, const char *name, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    put_name(out, name);
    oauth_put_json(out, span_str(text));
}

static void put_texts(struct buf *out, const char *name, const json_t *list)
{
    const json_t *item;
    size_t i;

    if (json_array_size(list) == 0)
        return;
    put_name(out, name);
    buf_put_u8(out, '[');
    json_array_foreach (list, i, item) {
        /* More than lib/auth takes would make the token void as a whole. */
        if (i == IDENTITY_LIST_MAX)
            break;
        if (i > 0)
            buf_put_u8(out, ',');
        oauth_put_json(out, span_of(json_string_value(item), json_string_length(item)));
    }
    buf_put_u8(out, ']');
}

static void put_json(struct buf *out, const char *name, const json_t *value)
{
    if (value == NULL)
        return;
    put_name(out, name);
    codec_json_put(value, out);
}

/* One audience is a text of its own, as most readers expect it. */
static void put_audiences(struct buf *out, const json_t *list)
{
    if (json_array_size(list) == 1)
        put_text(out, "aud", json_string_value(json_array_get(list, 0)));
    else
        put_texts(out, "aud", list);
}

/* "a b" as ["a","b"] */
static void put_words(struct buf *out, const char *name, const char *words)
{
    struct span rest = span_str(words == NULL ? "" : words);
    struct span word;
    const char *before = "";

    if (rest.len == 0)
        return;
    put_name(out, name);
    buf_put_u8(out, '[');
    while (oauth_scope_next(&rest, &word)) {
        buf_put_str(out, before);
        oauth_put_json(out, word);
        before = ",";
    }
    buf_put_u8(out, ']');
}

static void put_who(struct idp *idp, const struct claims *claims, struct buf *out)
{
    /* A token may not be older than the moment at which all of its user's were made void. */
    const char *name = claims->name == NULL ? claims->subject : claims->name;
    int64_t now = NUM_MAX(clock_wall_sec(), publish_void_before(idp->publish, name));

    buf_printf(out, "\"iat\":%lld,\"exp\":%lld", (long long)now,
               (long long)(now + claims->ttl_sec));
    put_text(out, "iss", idp->url);
    put_text(out, "sub", claims->subject);
    put_text(out, "sid", claims->sid);
    if (claims->auth_time > 0)
        buf_printf(out, ",\"auth_time\":%lld", (long long)claims->auth_time);
    /* In access tokens, too: RFC 9470 section 6.1. */
    put_text(out, "acr", auth_level_acr(auth_level_of_amr(claims->amr)));
    put_words(out, "amr", claims->amr);
}

/* Many are drawn at a time: one draw takes as long as all the claims of a token. */
int claims_id(char out[CLAIMS_ID_SIZE], struct err *err)
{
    static uint8_t drawn[32][16];
    static size_t left;
    struct buf text = {.data = (uint8_t *)out, .cap = CLAIMS_ID_SIZE, .max = CLAIMS_ID_SIZE - 1};

    if (left == 0) {
        TRY(crypto_random(drawn, sizeof(drawn), err));
        left = ARRAY_LEN(drawn);
    }
    enc_base64_put(ENC_BASE64URL, span_of(drawn[--left], sizeof(*drawn)), &text);
    return buf_check(&text, "an id", err);
}

int claims_put_access(struct idp *idp, const struct claims *claims, struct buf *payload,
                      char jti[CLAIMS_ID_SIZE], struct err *err)
{
    TRY(claims_id(jti, err));
    buf_put_u8(payload, '{');
    put_who(idp, claims, payload);
    /* A pairwise subject would be worth nothing beside the name. */
    if (!claims->pairwise) {
        put_text(payload, "preferred_username", claims->name);
        put_text(payload, "name", claims->display);
        put_texts(payload, "groups", claims->groups);
    }
    put_text(payload, "jti", jti);
    put_text(payload, "client_id", claims->client);
    put_text(payload, "scope", claims->scope);
    binding_put(claims->binding, payload);
    put_json(payload, "act", claims->actor);
    put_json(payload, "userinfo", claims->userinfo);
    put_json(payload, "drun_key", claims->key);
    put_json(payload, "kubernetes.io", claims->cluster);
    if (json_array_size(claims->audiences) > 0)
        put_audiences(payload, claims->audiences);
    else
        put_text(payload, "aud", claims->audience == NULL ? IDP_AUDIENCE : claims->audience);
    buf_put_u8(payload, '}');
    return buf_check(payload, "an access token", err);
}

int claims_access_token(struct idp *idp, const struct claims *claims, struct buf *out,
                        char jti[CLAIMS_ID_SIZE], struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf payload = BUF_INIT(PAYLOAD_MAX);

    TRY(publish_note_token(idp->publish, clock_wall_sec() + claims->ttl_sec, err));
    TRY(claims_put_access(idp, claims, &payload, jti, err));
    return signer_sign_access(idp->signer, buf_span(&payload), out, err);
}

/* OpenID Connect Core section 3.1.3.6: half of the hash that the signature uses. */
static void put_at_hash(struct span access_token, struct buf *out)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(64);
    uint8_t hash[CRYPTO_HASH_LEN];

    crypto_sha256(access_token, hash);
    enc_base64_put(ENC_BASE64URL, span_of(hash, sizeof(hash) / 2), &text);
    put_text(out, "at_hash", buf_text(&text));
}

/* What the scope, or the claims parameter, lets the client see. */
static void put_shown(const struct claims *claims, struct buf *out)
{
    if (claims_show(claims->client_of, claims->scope, claims->wanted, "profile",
                    "preferred_username"))
        put_text(out, "preferred_username", claims->name);
    if (claims_show(claims->client_of, claims->scope, claims->wanted, "profile", "name"))
        put_text(out, "name", claims->display);
    if (claims_show(claims->client_of, claims->scope, claims->wanted, "email", "email"))
        put_text(out, "email", claims->email);
    if (claims_show(claims->client_of, claims->scope, claims->wanted, "groups", "groups"))
        put_texts(out, "groups", claims->groups);
}

bool claims_show(const struct client *client, const char *scope, const json_t *wanted,
                 const char *of_scope, const char *claim)
{
    if (oauth_scope_has(span_str(scope), of_scope))
        return true;
    return json_object_get(wanted, claim) != NULL && client_may_scope(client, of_scope);
}

int claims_id_token(struct idp *idp, const struct client *client, const struct claims *claims,
                    struct span access_token, struct buf *out, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf payload = BUF_INIT(PAYLOAD_MAX);

    buf_put_u8(&payload, '{');
    put_who(idp, claims, &payload);
    put_text(&payload, "aud", claims->client);
    put_text(&payload, "azp", claims->client);
    put_text(&payload, "nonce", claims->nonce);
    put_shown(claims, &payload);
    /* EdDSA hashes with SHA-512, and the claim may be left out. */
    if (client->id_alg != SIGN_EDDSA)
        put_at_hash(access_token, &payload);
    buf_put_u8(&payload, '}');
    TRY(buf_check(&payload, "an ID token", err));
    return signer_sign(idp->signer, client->id_alg, "JWT", buf_span(&payload), out, err);
}
