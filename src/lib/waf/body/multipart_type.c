/* SPDX-License-Identifier: Apache-2.0 */
/* The Content-Type header of a multipart body: strict, because every server reads it differently.
 */
#include "waf/body/multipart_internal.h"

#define MEDIA_TYPE "multipart/form-data"

static bool is_space(uint8_t c)
{
    return multipart_space(c);
}

/* How often "boundary", in any case, is followed by an equals sign somewhere. */
static unsigned count_boundaries(struct span text)
{
    unsigned count = 0;

    for (size_t i = 0; i + 8 <= text.len; i++)
        if (strncasecmp((const char *)text.p + i, "boundary", 8) == 0 &&
            memchr(text.p + i + 8, '=', text.len - i - 8) != NULL)
            count++;
    return count;
}

/* RFC 2046 section 5.1.1; a blank not at the end. */
static bool boundary_chars(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool blank = c == ' ' && i + 1 < text.len;
        if (!plain && !blank && (c == '\0' || strchr("'()+_,-./:=?", c) == NULL))
            return false;
    }
    return true;
}

/* What stands between the media type and "boundary". */
static int check_before(struct waf_multipart *mp, struct span text, struct err *err)
{
    bool semicolon = false;

    for (size_t i = 0; i < text.len; i++) {
        if (is_space(text.p[i]))
            continue;
        if (semicolon || text.p[i] != ';')
            return multipart_error(mp, err,
                                   "something stands before the boundary in the Content-Type");
        semicolon = true;
    }
    mp->flags.missing_semicolon = !semicolon;
    return 0;
}

/* From behind "boundary=". */
static int take_value(struct waf_multipart *mp, struct span text, struct err *err)
{
    bool opens = text.len > 0 && text.p[0] == '"';
    bool closes = text.len > 1 && text.p[text.len - 1] == '"';

    if (text.len > 0 && is_space(text.p[0]))
        mp->flags.boundary_whitespace = 1;
    if (opens && closes) {
        mp->flags.boundary_quoted = 1;
        text = span_of(text.p + 1, text.len - 2);
    } else if (opens || closes) {
        return multipart_error(mp, err, "the boundary in the Content-Type has one quote");
    }
    if (count_boundaries(text) > 0)
        return multipart_error(mp, err, "the boundary in the Content-Type says boundary=");
    const uint8_t *semicolon = text.len == 0 ? NULL : memchr(text.p, ';', text.len);
    if (!boundary_chars(text) && semicolon != NULL)
        text.len = (size_t)(semicolon - text.p); /* a charset behind it is tolerated */
    if (text.len == 0)
        return multipart_error(mp, err, "the boundary in the Content-Type is empty");
    if (!boundary_chars(text))
        return multipart_error(mp, err,
                               "the boundary in the Content-Type has other characters "
                               "than RFC 2046 allows");
    mp->boundary = span_of(arena_copy(mp->arena, text), text.len);
    return arena_check(mp->arena, "the multipart body", err);
}

int multipart_read_type(struct waf_multipart *mp, struct span type, struct err *err)
{
    size_t media = strlen(MEDIA_TYPE);

    if (type.len > MULTIPART_TYPE_MAX)
        return multipart_error(mp, err, "the Content-Type has over %d bytes", MULTIPART_TYPE_MAX);
    if (type.len < media || strncasecmp((const char *)type.p, MEDIA_TYPE, media) != 0)
        return multipart_error(mp, err, "the Content-Type is not " MEDIA_TYPE);
    if (count_boundaries(type) > 1)
        return multipart_error(mp, err, "the Content-Type has several boundaries");
    const uint8_t *word = memmem(type.p, type.len, "boundary", 8);
    if (word == NULL)
        return multipart_error(mp, err, "the Content-Type has no boundary in small letters");
    size_t at = (size_t)(word - type.p);
    TRY(check_before(mp, span_of(type.p + media, at - media), err));
    for (at += 8; at < type.len && type.p[at] != '='; at++) {
        if (!is_space(type.p[at]))
            return multipart_error(mp, err, "the Content-Type has no boundary but a longer word");
        mp->flags.boundary_whitespace = 1;
    }
    if (at == type.len)
        return multipart_error(mp, err, "the boundary in the Content-Type has no value");
    return take_value(mp, span_of(type.p + at + 1, type.len - at - 1), err);
}
