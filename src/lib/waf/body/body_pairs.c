/* SPDX-License-Identifier: Apache-2.0 */
/* name=value between separators: forms, query strings, cookies. */
#include "waf/body/body.h"
#include "waf/transform/url.h"

/* The value without its encoding; itself when there is none. p == NULL: the arena is full. */
static struct span decoded(struct span text, struct arena *arena, bool *invalid)
{
    if (text.len == 0 || url_is_plain(text))
        return text;
    uint8_t *out = arena_alloc(arena, text.len);
    return span_of(out, out == NULL ? 0 : url_decode(text, out, invalid));
}

/* The bytes before the first `end`, all when there is none. */
static struct span before(struct span text, uint8_t end)
{
    const uint8_t *at = text.len == 0 ? NULL : memchr(text.p, end, text.len);

    return span_of(text.p, at == NULL ? text.len : (size_t)(at - text.p));
}

static struct span behind(struct span text, struct span head)
{
    return head.len == text.len ? span_of(text.p + text.len, 0)
                                : span_of(text.p + head.len + 1, text.len - head.len - 1);
}

int waf_urlencoded_parse(struct span text, char separator, const struct waf_pair_sink *sink,
                         struct arena *arena, struct waf_urlencoded *out, struct err *err)
{
    const uint8_t *start = text.p;

    out->invalid_encoding = false;
    /* A separator at the very end begins no further argument; one at the front or twice in a row
     * makes an argument without name and value, as in ModSecurity. */
    while (text.len > 0) {
        struct span pair_text = before(text, (uint8_t)separator);
        struct span name = before(pair_text, '=');
        struct waf_pair pair = {.name = decoded(name, arena, &out->invalid_encoding),
                                .value =
                                    decoded(behind(pair_text, name), arena, &out->invalid_encoding),
                                .at = (size_t)(text.p - start)};
        TRY(arena_check(arena, "the form", err));
        if (!sink->pair(sink->ctx, &pair))
            return 0;
        text = behind(text, pair_text);
    }
    return 0;
}

/* ------------------------------------------------------------------ cookies */

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void waf_cookies_parse(struct span header, const struct waf_pair_sink *sink)
{
    const uint8_t *start = header.p;

    if (header.len > 0 && header.p[header.len - 1] == ';')
        header.len--;
    while (header.len > 0 && is_space(header.p[header.len - 1]))
        header.len--;
    while (header.len > 0) {
        struct span text = before(header, ';');
        header = behind(header, text);
        struct span name = before(text, '=');
        struct waf_pair pair = {.value = behind(text, name)};
        while (name.len > 0 && is_space(*name.p)) {
            name.p++;
            name.len--;
        }
        pair.name = name;
        pair.at = (size_t)(name.p - start);
        if (name.len > 0 && !sink->pair(sink->ctx, &pair))
            return;
    }
}
