/* SPDX-License-Identifier: Apache-2.0 */
/* utf8toUnicode: sequences of two bytes and more become %uXXXX. */
#include "waf/transform/transform_internal.h"

TRANSFORM_SCAN(first_foreign, (c & 0x80) | (c == 0))

/* How many bytes a sequence with this first byte has; 1: it begins none. */
static size_t sequence_len(uint8_t c)
{
    if ((c & 0xE0) == 0xC0)
        return 2;
    if ((c & 0xF0) == 0xE0)
        return 3;
    return (c & 0xF8) == 0xF0 ? 4 : 1;
}

static bool continues(const uint8_t *p, const uint8_t *end, size_t len)
{
    if ((size_t)(end - p) < len)
        return false;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xC0) != 0x80)
            return false;
    return true;
}

static uint32_t code_point(const uint8_t *p, size_t len)
{
    uint32_t code = p[0] & (0xFFU >> (len + 1));

    for (size_t i = 1; i < len; i++)
        code = code << 6 | (p[i] & 0x3F);
    return code;
}

static uint8_t *put_code(uint8_t *d, uint32_t code)
{
    static const char digits[] = "0123456789abcdef";
    int width = code > 0xFFFFF ? 6 : code > 0xFFFF ? 5 : 4;

    *d++ = '%';
    *d++ = 'u';
    for (int i = width - 1; i >= 0; i--)
        *d++ = (uint8_t)digits[code >> (4 * i) & 15];
    return d;
}

/* One byte that is not ASCII and what belongs to it. As in ModSecurity, overlong and surrogate
 * forms are written with their first byte behind, and the first byte of a broken sequence is lost.
 */
static const uint8_t *foreign(const uint8_t *p, const uint8_t *end, uint8_t **d)
{
    static const uint32_t least[] = {[2] = 0x80, [3] = 0x800, [4] = 0x10000};
    size_t len = sequence_len(*p);

    if (len == 1 || *p >= 0xF5)
        *(*d)++ = *p;
    if (len == 1 || !continues(p, end, len))
        return p + 1;
    uint32_t code = code_point(p, len);
    *d = put_code(*d, code);
    if (code >= 0xD800 && code <= 0xDFFF)
        *(*d)++ = *p;
    if (code < least[len])
        *(*d)++ = *p;
    return p + len;
}

/* NULs are dropped. */
bool transform_utf8_to_unicode(struct transform *t)
{
    size_t same = first_foreign(t->in.p, t->in.len);
    const uint8_t *end = t->in.p + t->in.len;

    if (same == t->in.len)
        return false;
    uint8_t *d = transform_begin(t, same, same + 4 * (t->in.len - same));
    if (d == NULL)
        return false;
    for (const uint8_t *p = t->in.p + same; p < end;) {
        if (*p >= 0x80)
            p = foreign(p, end, &d);
        else if (*p != '\0')
            *d++ = *p++;
        else
            p++;
    }
    return transform_end(t, d);
}
