/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/oauth/request_object.h"

#include "codec/json.h"

enum { TTL_MAX_SEC = 3600, SKEW_SEC = 60, VALUE_MAX = 8192 };

static int refuse(struct err *err, const char *why)
{
    return err_set(err, ERR_INVALID, "the request object is refused: %s", why);
}

static bool is_text(const json_t *value, const char *wanted)
{
    return json_is_string(value) && strcmp(json_string_value(value), wanted) == 0;
}

static bool audience_fits(const json_t *audience, const char *issuer)
{
    const json_t *item;
    size_t i;

    if (is_text(audience, issuer))
        return true;
    json_array_foreach (audience, i, item)
        if (is_text(item, issuer))
            return true;
    return false;
}

static int check_time(const json_t *claims, const char *name, double from, double to,
                      struct err *err)
{
    const json_t *value = json_object_get(claims, name);

    if (!json_is_number(value) || json_number_value(value) < from || json_number_value(value) > to)
        return err_set(err, ERR_INVALID, "the request object is refused: its %s is no good", name);
    return 0;
}

static int check_claims(const struct request_object_expect *expect, const json_t *claims,
                        struct err *err)
{
    double now = (double)expect->now;

    if (!json_is_object(claims))
        return refuse(err, "it is no object");
    if (!is_text(json_object_get(claims, "client_id"), expect->client_id) ||
        !is_text(json_object_get(claims, "iss"), expect->client_id))
        return refuse(err, "its iss and client_id must be the client's");
    /* An assertion of who the client is must not pass for a request (RFC 9101 section 10.8). */
    if (json_object_get(claims, "sub") != NULL)
        return refuse(err, "it has a sub");
    if (!audience_fits(json_object_get(claims, "aud"), expect->issuer))
        return refuse(err, "its aud must be this issuer");
    TRY(check_time(claims, "exp", now - SKEW_SEC, now + TTL_MAX_SEC + SKEW_SEC, err));
    if (json_object_get(claims, "nbf") != NULL)
        TRY(check_time(claims, "nbf", 0, now + SKEW_SEC, err));
    if (json_object_get(claims, "iat") != NULL)
        TRY(check_time(claims, "iat", 0, now + SKEW_SEC, err));
    if (json_object_get(claims, "request") != NULL ||
        json_object_get(claims, "request_uri") != NULL)
        return refuse(err, "it holds another request");
    return 0;
}

/* ------------------------------------------------------------------ claims as parameters */

static const char *text_of(const json_t *value, struct arena *arena)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(VALUE_MAX);

    if (json_is_string(value))
        return arena_strdup(arena, json_string_value(value));
    if (json_is_integer(value))
        return arena_printf(arena, "%lld", (long long)json_integer_value(value));
    if (!json_is_object(value))
        return NULL;
    codec_json_put(value, &text);
    return text.overflowed ? NULL : arena_copy(arena, buf_span(&text));
}

static int put_list(const char *name, const json_t *list, struct arena *arena, struct form *out,
                    struct err *err)
{
    const json_t *item;
    size_t i;

    json_array_foreach (list, i, item) {
        const char *text = json_is_string(item) ? text_of(item, arena) : NULL;
        if (text == NULL)
            return err_set(err, ERR_INVALID, "the request object's %s is no list of texts", name);
        form_put(out, name, text);
    }
    return 0;
}

/* What describes the object itself is no parameter. */
static bool is_parameter(const char *name)
{
    static const char *const others[] = {"iss", "aud", "exp", "nbf", "iat", "jti"};

    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (strcmp(name, others[i]) == 0)
            return false;
    return true;
}

int request_object_read(const struct request_object_expect *expect, const char *text,
                        struct arena *arena, struct form *out, struct err *err)
{
    CLEANUP(buf_free) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
    CLEANUP_JSON json_t *claims = NULL;
    const char *name;
    json_t *value;

    *out = (struct form){0};
    if (expect->keys == NULL)
        return refuse(err, "the client has no keys");
    if (jose_jws_verify(expect->keys, span_str(text), NULL, &payload, err) < 0) {
        err->code = ERR_INVALID;
        return err_wrap(err, "the request object");
    }
    TRY(codec_json_parse(buf_span(&payload), "the request object", &claims, err));
    TRY(check_claims(expect, claims, err));
    json_object_foreach (claims, name, value) {
        const char *kept = is_parameter(name) ? text_of(value, arena) : NULL;
        if (json_is_array(value) && is_parameter(name))
            TRY(put_list(name, value, arena, out, err));
        else if (kept != NULL)
            form_put(out, arena_strdup(arena, name), kept);
        else if (is_parameter(name) && !json_is_null(value))
            return err_set(err, ERR_INVALID, "the request object's %.64s is no text", name);
    }
    if (out->too_many || out->twice != NULL)
        return refuse(err, "a parameter is there too often");
    return arena_check(arena, "the request object", err);
}
