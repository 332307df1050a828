/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 and hex. */
#include "waf/transform/transform_internal.h"

enum { B64_PAD = 64, B64_BAD = 65 };

static unsigned sextet(uint8_t c)
{
    if (IS_UPPER(c))
        return (unsigned)(c - 'A');
    if (IS_LOWER(c))
        return (unsigned)(c - 'a') + 26;
    if (IS_DIGIT(c))
        return (unsigned)(c - '0') + 52;
    if (c == '+')
        return 62;
    if (c == '/')
        return 63;
    return c == '=' ? B64_PAD : B64_BAD;
}

/* ------------------------------------------------------------------ base64Decode */

/* Blanks at p that a strict text may have: before a line end or the end of the text. Sets *bad when
 * they stand elsewhere. */
static const uint8_t *skip_blanks(const uint8_t *p, const uint8_t *end, bool *bad)
{
    for (;;) {
        const uint8_t *from = p;
        while (p < end && *p == ' ')
            p++;
        if (p == end)
            return p;
        if (*p == '\n')
            p++;
        else if (end - p > 1 && p[0] == '\r' && p[1] == '\n')
            p += 2;
        else {
            *bad |= p > from;
            return p;
        }
    }
}

/* Strict up to the first NUL, whole groups of four only; a text with a foreign byte is nothing. */
bool transform_base64_decode(struct transform *t)
{
    const uint8_t *p = t->in.p;
    const uint8_t *end = p + transform_find(t->in, '\0');
    uint32_t bits = 0;
    unsigned in_group = 0;
    unsigned pads = 0;
    bool bad = false;

    uint8_t *d = t->in.len == 0 ? NULL : transform_begin(t, 0, t->in.len);
    if (d == NULL)
        return false;
    for (p = skip_blanks(p, end, &bad); p < end && !bad; p = skip_blanks(p, end, &bad)) {
        unsigned six = sextet(*p++);
        pads += six == B64_PAD;
        bad = six == B64_BAD || pads > 2 || (six < B64_PAD && pads > 0);
        bits = bits << 6 | (six & 63);
        if (++in_group < 4)
            continue;
        in_group = 0;
        *d++ = (uint8_t)(bits >> 16);
        if (pads < 2)
            *d++ = (uint8_t)(bits >> 8);
        if (pads < 1)
            *d++ = (uint8_t)bits;
    }
    return transform_end(t, bad ? t->room : d);
}

/* ------------------------------------------------------------------ base64DecodeExt */

/* Foreign bytes are skipped, and a last group may be short. A single character in the last group,
 * closed by padding, spoils all. */
bool transform_base64_decode_ext(struct transform *t)
{
    const uint8_t *end = t->in.p + t->in.len;
    uint32_t bits = 0;
    unsigned in_group = 0;
    bool spoilt = false;

    uint8_t *d = t->in.len == 0 ? NULL : transform_begin(t, 0, t->in.len);
    if (d == NULL)
        return false;
    for (const uint8_t *p = t->in.p; p < end && !spoilt; p++) {
        unsigned six = sextet(*p);
        spoilt = six == B64_PAD && in_group == 1 && (end - p == 1 || p[1] != '=');
        if (six >= B64_PAD)
            continue;
        bits = bits << 6 | six;
        in_group = (in_group + 1) & 3;
        if (in_group == 2)
            *d++ = (uint8_t)(bits >> 4);
        else if (in_group == 3)
            *d++ = (uint8_t)(bits >> 2);
        else if (in_group == 0)
            *d++ = (uint8_t)bits;
    }
    return transform_end(t, spoilt ? t->room : d);
}

/* ------------------------------------------------------------------ base64Encode */

bool transform_base64_encode(struct transform *t)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *p = t->in.p;
    size_t left = t->in.len;

    uint8_t *d = left == 0 ? NULL : transform_begin(t, 0, (left + 2) / 3 * 4);
    if (d == NULL)
        return false;
    for (; left > 0; p += 3) {
        uint32_t bits =
            (uint32_t)p[0] << 16 | (left > 1 ? (uint32_t)p[1] << 8 : 0) | (left > 2 ? p[2] : 0);
        *d++ = (uint8_t)alphabet[bits >> 18];
        *d++ = (uint8_t)alphabet[bits >> 12 & 63];
        *d++ = left > 1 ? (uint8_t)alphabet[bits >> 6 & 63] : '=';
        *d++ = left > 2 ? (uint8_t)alphabet[bits & 63] : '=';
        left -= left < 3 ? left : 3;
    }
    return transform_end(t, d);
}

/* ------------------------------------------------------------------ hex */

/* Two bytes are one, digits or not; a last single one is dropped. */
bool transform_hex_decode(struct transform *t)
{
    uint8_t *d = t->in.len == 0 ? NULL : transform_begin(t, 0, t->in.len);

    if (d == NULL)
        return false;
    for (size_t i = 0; i + 1 < t->in.len; i += 2)
        *d++ = transform_byte(t->in.p + i);
    return transform_end(t, d);
}

bool transform_hex_encode(struct transform *t)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *d = t->in.len == 0 ? NULL : transform_begin(t, 0, 2 * t->in.len);

    if (d == NULL)
        return false;
    for (size_t i = 0; i < t->in.len; i++) {
        *d++ = (uint8_t)digits[t->in.p[i] >> 4];
        *d++ = (uint8_t)digits[t->in.p[i] & 15];
    }
    return transform_end(t, d);
}

static bool sql_hex_at(const uint8_t *p, const uint8_t *end)
{
    return end - p > 3 && p[0] == '0' && (p[1] | 0x20) == 'x' && IS_XDIGIT(p[2]) && IS_XDIGIT(p[3]);
}

TRANSFORM_SCAN_PAIRS(first_sql_hex, (c == '0') & ((n | 0x20) == 'x'))

/* 0xHH..., pairs of digits only. */
bool transform_sql_hex_decode(struct transform *t)
{
    const uint8_t *end = t->in.p + t->in.len;
    size_t same = first_sql_hex(t->in.p, t->in.len);

    if (same == t->in.len)
        return false;
    uint8_t *d = transform_begin(t, same, t->in.len);
    if (d == NULL)
        return false;
    for (const uint8_t *p = t->in.p + same; p < end;) {
        if (!sql_hex_at(p, end)) {
            *d++ = *p++;
            continue;
        }
        for (p += 2; end - p > 1 && IS_XDIGIT(p[0]) && IS_XDIGIT(p[1]); p += 2)
            *d++ = transform_byte(p);
    }
    return transform_end(t, d);
}
