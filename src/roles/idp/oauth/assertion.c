/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/oauth/assertion.h"

#include "codec/json.h"

static int refuse(struct err *err, const char *why)
{
    return err_set(err, ERR_UNAUTHENTICATED, "the client_assertion is refused: %s", why);
}

void assertion_client(const char *text, char *out, size_t size)
{
    CLEANUP_JSON json_t *claims = NULL;
    struct err err = ERR_INIT;

    out[0] = '\0';
    if (jose_jwt_peek(span_str(text), &claims, &err) < 0)
        return;
    const char *subject = codec_json_text(claims, "sub", "");
    if (strlen(subject) < size)
        snprintf(out, size, "%s", subject);
}

static bool is_ours(const struct assertion_expect *expect, const json_t *audience)
{
    const char *text = json_string_value(audience);

    for (size_t i = 0; text != NULL && expect->audiences[i] != NULL; i++)
        if (strcmp(expect->audiences[i], text) == 0)
            return true;
    return false;
}

static bool audience_fits(const struct assertion_expect *expect, const json_t *claims)
{
    const json_t *audience = json_object_get(claims, "aud");
    const json_t *item;
    size_t i;

    if (!json_is_array(audience))
        return is_ours(expect, audience);
    json_array_foreach (audience, i, item)
        if (!is_ours(expect, item))
            return false;
    return json_array_size(audience) > 0;
}

/* A NumericDate, or -1. */
static int64_t time_of(const json_t *claims, const char *name)
{
    const json_t *value = json_object_get(claims, name);
    double seconds = json_number_value(value);

    return json_is_number(value) && seconds >= 0 && seconds < 1e15 ? (int64_t)seconds : -1;
}

static int check_times(const struct assertion_expect *expect, const json_t *claims, int64_t *until,
                       struct err *err)
{
    int64_t ends = time_of(claims, "exp");

    if (ends < 0)
        return refuse(err, "it has no good exp");
    if (ends + ASSERTION_SKEW_SEC <= expect->now)
        return refuse(err, "it has expired");
    if (ends > expect->now + ASSERTION_TTL_MAX_SEC + ASSERTION_SKEW_SEC)
        return refuse(err, "it holds for more than an hour");
    if (json_object_get(claims, "iat") != NULL &&
        (time_of(claims, "iat") < 0 || time_of(claims, "iat") > expect->now + ASSERTION_SKEW_SEC))
        return refuse(err, "its iat is no good");
    if (json_object_get(claims, "nbf") != NULL &&
        (time_of(claims, "nbf") < 0 || time_of(claims, "nbf") > expect->now + ASSERTION_SKEW_SEC))
        return refuse(err, "it is not valid yet");
    *until = ends + ASSERTION_SKEW_SEC;
    return 0;
}

int assertion_check(const struct assertion_expect *expect, const char *text, struct assertion *out,
                    struct err *err)
{
    CLEANUP(buf_free) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
    CLEANUP_JSON json_t *claims = NULL;

    if (expect->keys == NULL)
        return refuse(err, "the client has no keys");
    TRY(jose_jws_verify(expect->keys, span_str(text), NULL, &payload, err));
    if (codec_json_parse(buf_span(&payload), "claims", &claims, err) < 0)
        return refuse(err, "its claims are no JSON");
    if (strcmp(codec_json_text(claims, "iss", ""), expect->client_id) != 0 ||
        strcmp(codec_json_text(claims, "sub", ""), expect->client_id) != 0)
        return refuse(err, "its iss and sub must be the client_id");
    if (!audience_fits(expect, claims))
        return refuse(err, "its aud must be this issuer");
    TRY(check_times(expect, claims, &out->until, err));
    const char *jti = codec_json_text(claims, "jti", "");
    if (jti[0] == '\0' || strlen(jti) > ASSERTION_JTI_MAX)
        return refuse(err, "it needs a jti of at most 256 characters");
    snprintf(out->jti, sizeof(out->jti), "%s", jti);
    return 0;
}
