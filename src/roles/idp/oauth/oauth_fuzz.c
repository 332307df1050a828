/* SPDX-License-Identifier: Apache-2.0 */
/* The grammars of oauth.h: a cookie lies within its header, Basic credentials have no NUL, a scope
 * falls into tokens that join to it again, encoded text has no character that would end it. */
#include "idp/oauth/oauth.h"

#include "base/mem.h"
#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_cookie(struct span header)
{
    struct span found = oauth_cookie_find(header, "__Host-drun-session");

    if (found.p == NULL)
        return;
    INVARIANT(found.p >= header.p && found.p + found.len <= header.p + header.len);
    INVARIANT(found.len == 0 || memchr(found.p, ';', found.len) == NULL);
}

static void check_basic(struct span header)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(64 * 1024);
    const char *id = NULL;
    const char *secret = NULL;
    struct err err = ERR_INIT;

    if (oauth_basic_parse(header, arena, &id, &secret, &err) == 0)
        INVARIANT(strlen(id) + strlen(secret) < header.len);
}

static void check_scope(struct span scope)
{
    CLEANUP(buf_free) struct buf joined = BUF_INIT(2 * OAUTH_SCOPE_MAX);
    struct span rest = scope;
    struct span one;

    if (!oauth_scope_is_valid(scope))
        return;
    while (oauth_scope_next(&rest, &one)) {
        INVARIANT(one.len > 0);
        if (joined.len > 0)
            buf_put_u8(&joined, ' ');
        buf_put_span(&joined, one);
    }
    INVARIANT(span_eq(buf_span(&joined), scope));
}

static void check_text(const char *text)
{
    CLEANUP(buf_free) struct buf uri = BUF_INIT(1 << 20);
    CLEANUP(buf_free) struct buf json = BUF_INIT(1 << 20);
    CLEANUP_JSON json_t *value = NULL;
    struct err err = ERR_INIT;

    oauth_put_encoded(&uri, text);
    INVARIANT(strpbrk(buf_text(&uri), "&=#?+ \r\n\"<>") == NULL);
    oauth_put_json(&json, span_str(text));
    if (codec_json_parse(buf_span(&json), "text", &value, &err) == 0)
        INVARIANT(strcmp(json_string_value(value), text) == 0);
    (void)oauth_origin_len(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = span_of(data, size);
    CLEANUP_FREE char *text = mem_strndup((const char *)data, size);

    check_cookie(bytes);
    check_basic(bytes);
    check_scope(bytes);
    check_text(text);
    INVARIANT(!oauth_challenge_is_valid(bytes) || size == OAUTH_CHALLENGE_LEN);
    return 0;
}
