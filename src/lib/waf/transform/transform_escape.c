/* SPDX-License-Identifier: Apache-2.0 */
/* The escapes of JavaScript, C and CSS. All output is at most as long as the input. */
#include "waf/transform/transform_internal.h"

/* What the letter behind a backslash means in C and JavaScript; -1: nothing special. */
static int control(uint8_t c)
{
    switch (c) {
    case 'a': return '\a';
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'v': return '\v';
    default: return -1;
    }
}

/* Up to three octal digits at p; returns how many, *value is theirs. */
static size_t octal(const uint8_t *p, const uint8_t *end, unsigned *value)
{
    size_t len = 0;

    *value = 0;
    while (len < 3 && p + len < end && IS_OCTAL(p[len])) {
        *value = *value * 8 + (unsigned)(p[len] - '0');
        len++;
    }
    return len;
}

static bool unescape(struct transform *t,
                     const uint8_t *(*one)(const uint8_t *p, const uint8_t *end, uint8_t **d))
{
    const uint8_t *end = t->in.p + t->in.len;
    size_t same = transform_find(t->in, '\\');

    if (same == t->in.len)
        return false;
    uint8_t *d = transform_begin(t, same, t->in.len);
    if (d == NULL)
        return false;
    for (const uint8_t *p = t->in.p + same; p < end;) {
        size_t plain = transform_find(span_of(p, (size_t)(end - p)), '\\');
        memcpy(d, p, plain);
        d += plain;
        p += plain;
        if (p < end)
            p = one(p, end, &d);
    }
    return transform_end(t, d);
}

/* ------------------------------------------------------------------ jsDecode */

static const uint8_t *js_one(const uint8_t *p, const uint8_t *end, uint8_t **d)
{
    unsigned value;

    if (end - p == 1) {
        *(*d)++ = *p;
        return end;
    }
    if (end - p > 5 && p[1] == 'u' && transform_four_digits(p + 2)) {
        *(*d)++ = transform_wide(p + 2);
        return p + 6;
    }
    if (end - p > 3 && p[1] == 'x' && IS_XDIGIT(p[2]) && IS_XDIGIT(p[3])) {
        *(*d)++ = transform_byte(p + 2);
        return p + 4;
    }
    size_t len = octal(p + 1, end, &value);
    if (value > 0xFF) { /* a third digit would make more than a byte */
        value /= 8;
        len--;
    }
    if (len > 0) {
        *(*d)++ = (uint8_t)value;
        return p + 1 + len;
    }
    int c = control(p[1]);
    *(*d)++ = c < 0 ? p[1] : (uint8_t)c;
    return p + 2;
}

bool transform_js_decode(struct transform *t)
{
    return unescape(t, js_one);
}

/* ------------------------------------------------------------------ escapeSeqDecode */

static const uint8_t *c_one(const uint8_t *p, const uint8_t *end, uint8_t **d)
{
    unsigned value;

    if (end - p == 1) {
        *(*d)++ = *p;
        return end;
    }
    if (end - p > 3 && (p[1] | 0x20) == 'x' && IS_XDIGIT(p[2]) && IS_XDIGIT(p[3])) {
        *(*d)++ = transform_byte(p + 2);
        return p + 4;
    }
    size_t len = octal(p + 1, end, &value);
    if (len > 0) {
        *(*d)++ = (uint8_t)value;
        return p + 1 + len;
    }
    int c = control(p[1]);
    *(*d)++ = c < 0 ? p[1] : (uint8_t)c;
    return p + 2;
}

bool transform_escape_seq_decode(struct transform *t)
{
    return unescape(t, c_one);
}

/* ------------------------------------------------------------------ cssDecode */

/* A code point of `len` digits as one byte: the low one, and full-width forms as their ASCII. */
static uint8_t css_byte(const uint8_t *digits, size_t len)
{
    if (len == 1)
        return (uint8_t)transform_digit(digits[0]);
    bool high_is_zero = len == 4 || (len == 5 && digits[0] == '0') ||
                        (len == 6 && digits[0] == '0' && digits[1] == '0');
    return high_is_zero ? transform_wide(digits + len - 4) : transform_byte(digits + len - 2);
}

static const uint8_t *css_one(const uint8_t *p, const uint8_t *end, uint8_t **d)
{
    size_t len = 0;

    p++; /* the backslash; alone at the end it continues to nothing */
    if (p == end)
        return p;
    while (len < 6 && p + len < end && IS_XDIGIT(p[len]))
        len++;
    if (len > 0) {
        *(*d)++ = css_byte(p, len);
        p += len;
        return p < end && IS_SPACE(*p) ? p + 1 : p;
    }
    if (*p != '\n')
        *(*d)++ = *p;
    return p + 1;
}

bool transform_css_decode(struct transform *t)
{
    return unescape(t, css_one);
}
