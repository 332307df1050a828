/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enc.h"
#include "base/num.h"
#include "codec/json.h"
#include "jose/jose_internal.h"

static int refuse(struct err *err, const char *why)
{
    return err_set(err, ERR_UNAUTHENTICATED, "the token is refused: %s", why);
}

static int parse_claims(const struct buf *payload, json_t **out, struct err *err)
{
    CLEANUP_JSON json_t *claims = NULL;

    if (codec_json_parse(buf_span(payload), "claims", &claims, err) < 0) {
        err->code = ERR_UNAUTHENTICATED;
        return err_wrap(err, "the token is refused");
    }
    if (!json_is_object(claims))
        return refuse(err, "its claims are no object");
    *out = claims;
    claims = NULL;
    return 0;
}

static bool has_audience(const json_t *claims, const char *wanted)
{
    const json_t *aud = json_object_get(claims, "aud");
    const json_t *item;
    size_t i;

    if (json_is_string(aud))
        return strcmp(json_string_value(aud), wanted) == 0;
    json_array_foreach (aud, i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), wanted) == 0)
            return true;
    return false;
}

/* 1: there; 0: not there. A NumericDate may have a fraction (RFC 7519 section 2). */
static int get_time(const json_t *claims, const char *name, double *out, struct err *err)
{
    const json_t *value = json_object_get(claims, name);

    if (value == NULL)
        return 0;
    if (!json_is_number(value))
        return err_set(err, ERR_UNAUTHENTICATED, "the token is refused: its %s is no number", name);
    *out = json_number_value(value);
    return 1;
}

static int check_times(const json_t *claims, const struct jose_expect *expect, struct err *err)
{
    double skew = NUM_MIN(expect->skew_sec, (uint32_t)JOSE_SKEW_MAX);
    double now = (double)expect->now;
    double time = 0;
    int there = get_time(claims, "exp", &time, err);

    TRY(there);
    if (there == 0)
        return refuse(err, "it has no exp");
    if (now >= time + skew)
        return refuse(err, "it has expired");
    there = get_time(claims, "nbf", &time, err);
    TRY(there);
    if (there > 0 && now + skew < time)
        return refuse(err, "it is not valid yet");
    there = get_time(claims, "iat", &time, err);
    TRY(there);
    if (there > 0 && now + skew < time)
        return refuse(err, "it was issued in the future");
    return 0;
}

int jose_jwt_verify(const struct jose_keys *keys, struct span token,
                    const struct jose_expect *expect, json_t **out_claims, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
    CLEANUP_JSON json_t *claims = NULL;

    TRY(jose_jws_verify(keys, token, expect->typ, &payload, err));
    TRY(parse_claims(&payload, &claims, err));
    if (strcmp(codec_json_text(claims, "iss", ""), expect->issuer) != 0 ||
        expect->issuer[0] == '\0')
        return refuse(err, "its issuer is another one");
    if (expect->audience[0] == '\0' || !has_audience(claims, expect->audience))
        return refuse(err, "it is for another audience");
    TRY(check_times(claims, expect, err));
    *out_claims = claims;
    claims = NULL;
    return 0;
}

int jose_jwt_peek(struct span text, json_t **out_claims, struct err *err)
{
    CLEANUP(jose_token_free) struct jose_token token = {0};
    CLEANUP(buf_free_wiped) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);

    TRY(jose_token_read(text, &token, err));
    TRY(enc_unbase64(ENC_BASE64URL, token.payload, &payload, err));
    return parse_claims(&payload, out_claims, err);
}

static void put_part(const json_t *json, struct buf *out)
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(JOSE_TOKEN_MAX);

    codec_json_put(json, &text);
    out->overflowed |= text.overflowed;
    enc_base64_put(ENC_BASE64URL, buf_span(&text), out);
}

int jose_jwt_sign(const json_t *claims, const char *typ, const char *kid, enum sign_alg alg,
                  jose_sign_fn *sign, void *ctx, struct buf *out, struct err *err)
{
    CLEANUP_JSON json_t *header =
        json_pack("{s:s, s:s*, s:s}", "alg", sign_alg_name(alg), "typ", typ, "kid", kid);
    CLEANUP(buf_free) struct buf signature = BUF_INIT(SIGN_SIG_MAX);
    CLEANUP(buf_free_wiped) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);

    if (header == NULL)
        return err_set(err, ERR_INVALID, "the kid or the typ of a token is no UTF-8");
    put_part(header, &token);
    buf_put_u8(&token, '.');
    put_part(claims, &token);
    TRY(buf_check(&token, "a token", err));
    TRY(sign(ctx, buf_span(&token), &signature, err));
    buf_put_u8(&token, '.');
    enc_base64_put(ENC_BASE64URL, buf_span(&signature), &token);
    TRY(buf_check(&token, "a token", err));
    buf_put_span(out, buf_span(&token));
    return buf_check(out, "a token", err);
}
