/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enc.h"
#include "codec/json.h"
#include "jose/jose_internal.h"

enum { SIGNATURE_MAX = SIGN_SIG_MAX, DOTS = 2 };

void jose_token_free(struct jose_token *token)
{
    json_decref(token->header);
}

static int refuse(struct err *err, const char *why)
{
    return err_set(err, ERR_UNAUTHENTICATED, "the token is refused: %s", why);
}

/* What went wrong inside becomes the reason why the token is none. */
static int refuse_as(struct err *err, const char *what)
{
    err->code = ERR_UNAUTHENTICATED;
    return err_wrap(err, "the token is refused: its %s", what);
}

static int split(struct span text, struct span parts[DOTS + 1], struct err *err)
{
    for (int i = 0; i < DOTS; i++) {
        const uint8_t *dot = text.len > 0 ? memchr(text.p, '.', text.len) : NULL;
        if (dot == NULL)
            return refuse(err, "it has not three parts");
        parts[i] = span_of(text.p, (size_t)(dot - text.p));
        text = span_of(dot + 1, text.len - parts[i].len - 1);
    }
    parts[DOTS] = text;
    for (int i = 0; i <= DOTS; i++)
        if (parts[i].len == 0)
            return refuse(err, "one of its parts is empty");
    if (memchr(text.p, '.', text.len) != NULL)
        return refuse(err, "it has more than three parts");
    return 0;
}

/* What would make the token bring its own key, or change what is signed. */
static int check_members(const json_t *header, bool own_key, struct err *err)
{
    static const char *const refused[] = {"crit", "jku", "x5c", "x5u", "b64", "enc", "zip", "jwk"};
    static const char *const texts[] = {"alg", "kid", "typ", "cty"};

    if (!json_is_object(header))
        return refuse(err, "its header is no object");
    /* The last one is what a proof of possession brings along (RFC 9449). */
    for (size_t i = 0; i < ARRAY_LEN(refused) - own_key; i++)
        if (json_object_get(header, refused[i]) != NULL)
            return err_set(err, ERR_UNAUTHENTICATED,
                           "the token is refused: its header has the member \"%s\"", refused[i]);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const json_t *member = json_object_get(header, texts[i]);
        if (member != NULL && !json_is_string(member))
            return refuse(err, "a member of its header is no text");
    }
    return json_object_get(header, "alg") != NULL ? 0 : refuse(err, "its header has no alg");
}

static int read_token(struct span text, bool own_key, struct jose_token *out, struct err *err)
{
    CLEANUP(buf_free) struct buf header = BUF_INIT(JOSE_HEADER_MAX);
    struct span parts[DOTS + 1];

    *out = (struct jose_token){0};
    if (text.len > JOSE_TOKEN_MAX)
        return refuse(err, "it is too long");
    TRY(split(text, parts, err));
    if (parts[0].len > JOSE_HEADER_MAX)
        return refuse(err, "its header is too long");
    if (enc_unbase64(ENC_BASE64URL, parts[0], &header, err) < 0)
        return refuse_as(err, "header");
    if (codec_json_parse(buf_span(&header), "header", &out->header, err) < 0)
        return refuse_as(err, "header");
    out->signed_part = span_of(text.p, parts[0].len + 1 + parts[1].len);
    out->payload = parts[1];
    out->signature = parts[2];
    return check_members(out->header, own_key, err);
}

int jose_token_read(struct span text, struct jose_token *out, struct err *err)
{
    return read_token(text, false, out, err);
}

bool jose_jwt_kid(struct span text, char out[JOSE_KID_MAX + 1])
{
    CLEANUP(jose_token_free) struct jose_token token = {0};
    struct err err = ERR_INIT;

    if (jose_token_read(text, &token, &err) < 0)
        return false;
    const char *kid = codec_json_text(token.header, "kid", NULL);
    if (kid == NULL || strlen(kid) > JOSE_KID_MAX)
        return false;
    snprintf(out, JOSE_KID_MAX + 1, "%s", kid);
    return true;
}

static const struct jose_key *find_key(const struct jose_keys *keys, const json_t *header)
{
    const char *kid = codec_json_text(header, "kid", NULL);

    return kid != NULL ? jose_keys_find(keys, kid) : jose_keys_only(keys);
}

/* "application/at+jwt" is "at+jwt" (RFC 7515 section 4.1.9). */
static bool typ_is(const json_t *header, const char *wanted)
{
    static const char prefix[] = "application/";
    const char *typ = codec_json_text(header, "typ", "");

    if (strncasecmp(typ, prefix, sizeof(prefix) - 1) == 0)
        typ += sizeof(prefix) - 1;
    return strcasecmp(typ, wanted) == 0;
}

static int verify_with(const struct jose_key *key, const struct jose_token *token, const char *typ,
                       struct buf *payload, struct err *err)
{
    CLEANUP(buf_free) struct buf signature = BUF_INIT(SIGNATURE_MAX);

    if (jose_alg_by_name(codec_json_text(token->header, "alg", "")) != jose_key_alg(key))
        return refuse(err, "its alg is not that of its key");
    if (typ != NULL && !typ_is(token->header, typ))
        return err_set(err, ERR_UNAUTHENTICATED, "the token is refused: its typ is not %s", typ);
    if (enc_unbase64(ENC_BASE64URL, token->signature, &signature, err) < 0)
        return refuse_as(err, "signature");
    if (jose_key_verify(key, token->signed_part, buf_span(&signature), err) < 0)
        return refuse(err, "its signature is not that of its key");
    if (enc_unbase64(ENC_BASE64URL, token->payload, payload, err) < 0)
        return refuse_as(err, "payload");
    return 0;
}

int jose_jws_verify_own(struct span text, const char *typ, struct jose_key **out,
                        struct buf *payload, struct err *err)
{
    CLEANUP(jose_token_free) struct jose_token token = {0};
    CLEANUP(jose_key_free_ptr) struct jose_key *key = NULL;

    TRY(read_token(text, true, &token, err));
    if (jose_key_from_jwk(json_object_get(token.header, "jwk"), &key, err) < 0)
        return refuse_as(err, "jwk");
    TRY(verify_with(key, &token, typ, payload, err));
    *out = key;
    key = NULL;
    return 0;
}

int jose_jws_verify(const struct jose_keys *keys, struct span text, const char *typ,
                    struct buf *payload, struct err *err)
{
    CLEANUP(jose_token_free) struct jose_token token = {0};

    TRY(jose_token_read(text, &token, err));
    const struct jose_key *key = find_key(keys, token.header);
    if (key == NULL)
        return refuse(err, "it names no key that is known here");
    return verify_with(key, &token, typ, payload, err);
}
