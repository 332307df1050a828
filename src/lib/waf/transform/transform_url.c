/* SPDX-License-Identifier: Apache-2.0 */
/* urlDecode, urlDecodeUni, urlEncode. */
#include "waf/transform/transform_internal.h"
#include "waf/transform/url.h"

TRANSFORM_SCAN(first_encoded, (c == '%') | (c == '+'))
TRANSFORM_SCAN(first_to_encode, !(IS_DIGIT(c) | IS_ALPHA(c) | (c == '*')))

size_t url_decode(struct span in, uint8_t *out, bool *invalid)
{
    const uint8_t *p = in.p;
    const uint8_t *end = in.p + in.len;
    uint8_t *d = out;

    while (p < end) {
        size_t plain = first_encoded(p, (size_t)(end - p));
        memcpy(d, p, plain);
        d += plain;
        p += plain;
        if (p == end)
            break;
        if (*p == '+') {
            *d++ = ' ';
            p++;
        } else if (end - p > 2 && IS_XDIGIT(p[1]) && IS_XDIGIT(p[2])) {
            *d++ = transform_byte(p + 1);
            p += 3;
        } else {
            *d++ = *p++;
            *invalid = true;
        }
    }
    return (size_t)(d - out);
}

bool url_is_plain(struct span in)
{
    return first_encoded(in.p, in.len) == in.len;
}

bool transform_url_decode(struct transform *t)
{
    size_t same = first_encoded(t->in.p, t->in.len);
    bool invalid;

    if (same == t->in.len)
        return false;
    uint8_t *d = transform_begin(t, same, t->in.len);
    if (d == NULL)
        return false;
    return transform_end(t, d + url_decode(span_of(t->in.p + same, t->in.len - same), d, &invalid));
}

static uint8_t unicode_byte(const struct waf_unicode_map *map, const uint8_t digits[4])
{
    uint32_t code = (uint32_t)transform_byte(digits) << 8 | transform_byte(digits + 2);
    uint32_t low = 0;
    uint32_t high = map == NULL ? 0 : map->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (map->pairs[middle] >> 8 == code)
            return (uint8_t)map->pairs[middle];
        if (map->pairs[middle] >> 8 < code)
            low = middle + 1;
        else
            high = middle;
    }
    return transform_wide(digits);
}

/* One percent sign and what belongs to it. */
static const uint8_t *decode_percent(const struct transform *t, const uint8_t *p, uint8_t **d)
{
    const uint8_t *end = t->in.p + t->in.len;

    if (end - p > 1 && (p[1] | 0x20) == 'u') {
        if (end - p > 5 && transform_four_digits(p + 2)) {
            *(*d)++ = unicode_byte(t->map, p + 2);
            return p + 6;
        }
        *(*d)++ = p[0];
        *(*d)++ = p[1];
        return p + 2;
    }
    if (end - p > 2 && IS_XDIGIT(p[1]) && IS_XDIGIT(p[2])) {
        *(*d)++ = transform_byte(p + 1);
        return p + 3;
    }
    *(*d)++ = *p;
    return p + 1;
}

bool transform_url_decode_uni(struct transform *t)
{
    size_t same = first_encoded(t->in.p, t->in.len);
    const uint8_t *end = t->in.p + t->in.len;

    if (same == t->in.len)
        return false;
    uint8_t *d = transform_begin(t, same, t->in.len);
    if (d == NULL)
        return false;
    for (const uint8_t *p = t->in.p + same; p < end;) {
        size_t plain = first_encoded(p, (size_t)(end - p));
        memcpy(d, p, plain);
        d += plain;
        p += plain;
        if (p < end && *p == '%') {
            p = decode_percent(t, p, &d);
        } else if (p < end) {
            *d++ = ' ';
            p++;
        }
    }
    return transform_end(t, d);
}

bool transform_url_encode(struct transform *t)
{
    static const char digits[] = "0123456789abcdef";
    size_t same = first_to_encode(t->in.p, t->in.len);

    if (same == t->in.len)
        return false;
    uint8_t *d = transform_begin(t, same, same + 3 * (t->in.len - same));
    if (d == NULL)
        return false;
    for (size_t i = same; i < t->in.len; i++) {
        uint8_t c = t->in.p[i];
        if (c == ' ') {
            *d++ = '+';
        } else if (IS_DIGIT(c) | IS_ALPHA(c) | (c == '*')) {
            *d++ = c;
        } else {
            *d++ = '%';
            *d++ = (uint8_t)digits[c >> 4];
            *d++ = (uint8_t)digits[c & 15];
        }
    }
    return transform_end(t, d);
}
