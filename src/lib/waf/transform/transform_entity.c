/* SPDX-License-Identifier: Apache-2.0 */
/* htmlEntityDecode: &#DD; &#xHH; and the names that matter, each as one byte. The semicolon may be
 * missing. */
#include "waf/transform/transform_internal.h"

/* Digits behind "&#" or "&#x" as a byte; as strtol(3) does, a number too large is the largest. */
static const uint8_t *number(const uint8_t *p, const uint8_t *end, unsigned base, uint8_t **d)
{
    uint64_t value = 0;

    for (; p < end && (base == 16 ? IS_XDIGIT(*p) : IS_DIGIT(*p)); p++)
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, transform_digit(*p), &value) || value > INT64_MAX)
            value = INT64_MAX;
    *(*d)++ = (uint8_t)value;
    return p < end && *p == ';' ? p + 1 : p;
}

static int named(const uint8_t *p, size_t len)
{
    static const struct {
        const char *name;
        uint8_t byte;
    } table[] = {{"quot", '"'}, {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"nbsp", 0xA0}};

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (len == strlen(table[i].name) && strncasecmp((const char *)p, table[i].name, len) == 0)
            return table[i].byte;
    return -1;
}

static const uint8_t *copy(const uint8_t *p, size_t len, uint8_t **d)
{
    memcpy(*d, p, len);
    *d += len;
    return p + len;
}

/* One ampersand and what belongs to it. What is no entity is copied up to where it stopped being
 * one. */
static const uint8_t *entity(const uint8_t *p, const uint8_t *end, uint8_t **d)
{
    const uint8_t *name = p + 1;
    size_t len = 0;

    if (end - p > 2 && p[1] == '#') {
        if ((p[2] | 0x20) == 'x') {
            if (end - p > 3 && IS_XDIGIT(p[3]))
                return number(p + 3, end, 16, d);
            return copy(p, 3, d);
        }
        return IS_DIGIT(p[2]) ? number(p + 2, end, 10, d) : copy(p, 2, d);
    }
    while (name + len < end && (IS_ALPHA(name[len]) | IS_DIGIT(name[len])))
        len++;
    int byte = named(name, len);
    if (byte < 0)
        return copy(p, len + 1, d);
    *(*d)++ = (uint8_t)byte;
    p = name + len;
    return p < end && *p == ';' ? p + 1 : p;
}

bool transform_html_entity_decode(struct transform *t)
{
    const uint8_t *end = t->in.p + t->in.len;
    size_t same = transform_find(t->in, '&');

    if (same == t->in.len)
        return false;
    uint8_t *d = transform_begin(t, same, t->in.len);
    if (d == NULL)
        return false;
    for (const uint8_t *p = t->in.p + same; p < end;) {
        size_t plain = transform_find(span_of(p, (size_t)(end - p)), '&');
        memcpy(d, p, plain);
        d += plain;
        p += plain;
        if (p < end)
            p = entity(p, end, &d);
    }
    return transform_end(t, d);
}
