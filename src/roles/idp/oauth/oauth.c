/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/oauth/oauth.h"

#include "base/enc.h"
#include "base/mem.h"
#include "crypto/crypto.h"

/* ------------------------------------------------------------------ scopes */

static bool is_scope_char(uint8_t c)
{
    return c > 0x20 && c < 0x7f && c != '"' && c != '\\';
}

bool oauth_scope_is_valid(struct span scope)
{
    bool blank = true;

    if (scope.len > OAUTH_SCOPE_MAX)
        return false;
    for (size_t i = 0; i < scope.len; i++) {
        if (scope.p[i] != ' ' && !is_scope_char(scope.p[i]))
            return false;
        if (scope.p[i] == ' ' && blank)
            return false;
        blank = scope.p[i] == ' ';
    }
    return scope.len == 0 || !blank;
}

bool oauth_scope_next(struct span *rest, struct span *token)
{
    size_t len = 0;

    if (rest->len == 0)
        return false;
    while (len < rest->len && rest->p[len] != ' ')
        len++;
    *token = span_of(rest->p, len);
    len += len < rest->len;
    *rest = span_of(rest->p + len, rest->len - len);
    return true;
}

bool oauth_scope_has(struct span scope, const char *token)
{
    struct span one;

    while (oauth_scope_next(&scope, &one))
        if (span_eq_str(one, token))
            return true;
    return false;
}

/* ------------------------------------------------------------------ PKCE */

static bool is_alnum(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_unreserved(uint8_t c)
{
    return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

bool oauth_challenge_is_valid(struct span challenge)
{
    for (size_t i = 0; i < challenge.len; i++)
        if (!is_alnum(challenge.p[i]) && challenge.p[i] != '-' && challenge.p[i] != '_')
            return false;
    return challenge.len == OAUTH_CHALLENGE_LEN;
}

bool oauth_verifier_fits(struct span verifier, struct span challenge)
{
    CLEANUP(buf_free) struct buf made = BUF_INIT(OAUTH_CHALLENGE_LEN);
    uint8_t hash[CRYPTO_HASH_LEN];

    if (verifier.len < OAUTH_VERIFIER_MIN || verifier.len > OAUTH_VERIFIER_MAX)
        return false;
    for (size_t i = 0; i < verifier.len; i++)
        if (!is_unreserved(verifier.p[i]))
            return false;
    crypto_sha256(verifier, hash);
    enc_base64_put(ENC_BASE64URL, span_of(hash, sizeof(hash)), &made);
    return made.len == challenge.len && mem_equal_ct(made.data, challenge.p, challenge.len);
}

/* ------------------------------------------------------------------ URIs */

/* The length of "http://127.0.0.1" and its like at the start of a URI, 0 when it is none. */
static size_t loopback_len(const char *uri)
{
    static const char *const hosts[] = {"http://127.0.0.1", "http://[::1]", "http://localhost"};

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        size_t len = strlen(hosts[i]);
        if (strncmp(uri, hosts[i], len) == 0 && strchr(":/?", uri[len]) != NULL)
            return len;
    }
    return 0;
}

static const char *skip_port(const char *at)
{
    size_t digits;

    if (*at != ':')
        return at;
    digits = strspn(at + 1, "0123456789");
    return digits > 0 && digits <= 5 ? at + 1 + digits : at;
}

bool oauth_redirect_matches(const char *registered, const char *given)
{
    size_t len = loopback_len(registered);

    if (strcmp(registered, given) == 0)
        return true;
    if (len == 0 || loopback_len(given) != len || strncmp(registered, given, len) != 0)
        return false;
    return strcmp(skip_port(registered + len), skip_port(given + len)) == 0;
}

void oauth_put_encoded(struct buf *out, const char *text)
{
    enc_percent_put(text, out);
}

void oauth_put_query(struct buf *uri, const char *name, const char *value)
{
    buf_put_u8(uri, strchr(buf_text(uri), '?') == NULL ? '?' : '&');
    buf_put_str(uri, name);
    buf_put_u8(uri, '=');
    oauth_put_encoded(uri, value);
}

size_t oauth_origin_len(const char *url)
{
    const char *host = strstr(url, "://");

    return host == NULL ? 0 : (size_t)(host + 3 - url) + strcspn(host + 3, "/?#");
}

/* ------------------------------------------------------------------ headers */

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; -1 for a malformed one and for NUL. */
static int form_decode(char *text)
{
    char *to = text;

    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '%') {
            *to++ = *at == '+' ? ' ' : *at;
            continue;
        }
        int high = hex_of(at[1]);
        int low = high < 0 ? -1 : hex_of(at[2]);
        if (low < 0 || (high == 0 && low == 0))
            return -1;
        *to++ = (char)(high << 4 | low);
        at += 2;
    }
    *to = '\0';
    return 0;
}

int oauth_basic_parse(struct span header, struct arena *arena, const char **id, const char **secret,
                      struct err *err)
{
    static const char scheme[] = "Basic ";
    size_t skip = sizeof(scheme) - 1;
    CLEANUP(buf_free_wiped) struct buf plain = BUF_INIT(2048);

    if (header.len <= skip || strncasecmp((const char *)header.p, scheme, skip) != 0)
        return err_set(err, ERR_UNAUTHENTICATED, "the Authorization header is not Basic");
    if (enc_unbase64(ENC_BASE64, span_of(header.p + skip, header.len - skip), &plain, err) < 0)
        return err_wrap(err, "the Authorization header");
    char *text = arena_copy(arena, buf_span(&plain));
    TRY(arena_check(arena, "the request", err));
    char *colon = strchr(text, ':');
    if (colon == NULL || strlen(text) != plain.len)
        return err_set(err, ERR_INVALID, "the Basic credentials have no colon");
    *colon = '\0';
    if (form_decode(text) < 0 || form_decode(colon + 1) < 0)
        return err_set(err, ERR_INVALID, "the Basic credentials are not form-encoded");
    *id = text;
    *secret = colon + 1;
    return 0;
}

static struct span trim(struct span text)
{
    while (text.len > 0 && (text.p[0] == ' ' || text.p[0] == '\t'))
        text = span_of(text.p + 1, text.len - 1);
    while (text.len > 0 && (text.p[text.len - 1] == ' ' || text.p[text.len - 1] == '\t'))
        text.len--;
    return text;
}

struct span oauth_cookie_find(struct span header, const char *name)
{
    struct span found = {0};
    size_t name_len = strlen(name);
    size_t at = 0;

    while (at < header.len) {
        const uint8_t *end = memchr(header.p + at, ';', header.len - at);
        size_t len = end == NULL ? header.len - at : (size_t)(end - header.p) - at;
        struct span pair = trim(span_of(header.p + at, len));
        at += len + 1;
        if (pair.len <= name_len || !span_has_prefix(pair, name) || pair.p[name_len] != '=')
            continue;
        if (found.p != NULL)
            return (struct span){0};
        found = span_of(pair.p + name_len + 1, pair.len - name_len - 1);
    }
    return found;
}

/* ------------------------------------------------------------------ JSON */

void oauth_put_json(struct buf *out, struct span text)
{
    size_t plain = 0;

    buf_put_u8(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.p[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        buf_put(out, text.p + plain, i - plain);
        buf_printf(out, "\\u%04x", c);
        plain = i + 1;
    }
    buf_put(out, text.p + plain, text.len - plain);
    buf_put_u8(out, '"');
}
