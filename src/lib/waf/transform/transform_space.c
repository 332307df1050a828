/* SPDX-License-Identifier: Apache-2.0 */
/* Letters' case, white space, NULs, and cmdLine, which is a bit of all. */
#include "waf/transform/transform_internal.h"

/* ------------------------------------------------------------------ case */

TRANSFORM_SCAN(first_upper, IS_UPPER(c))
TRANSFORM_SCAN(first_lower, IS_LOWER(c))

bool transform_lowercase(struct transform *t)
{
    size_t same = first_upper(t->in.p, t->in.len);

    if (same == t->in.len)
        return false;
    const uint8_t *p = t->in.p + same;
    size_t left = t->in.len - same;
    uint8_t *restrict d = transform_begin(t, same, t->in.len);
    if (d == NULL)
        return false;
    for (size_t i = 0; i < left; i++)
        d[i] = p[i] | (uint8_t)(IS_UPPER(p[i]) << 5);
    return transform_end(t, d + left);
}

bool transform_uppercase(struct transform *t)
{
    size_t same = first_lower(t->in.p, t->in.len);

    if (same == t->in.len)
        return false;
    const uint8_t *p = t->in.p + same;
    size_t left = t->in.len - same;
    uint8_t *restrict d = transform_begin(t, same, t->in.len);
    if (d == NULL)
        return false;
    for (size_t i = 0; i < left; i++)
        d[i] = p[i] & (uint8_t) ~(IS_LOWER(p[i]) << 5);
    return transform_end(t, d + left);
}

/* ------------------------------------------------------------------ white space */

TRANSFORM_SCAN_PAIRS(first_uncompressed, (IS_SPACE(c) & IS_SPACE(n)) | (IS_SPACE(c) & (c != ' ')))

bool transform_compress_whitespace(struct transform *t)
{
    size_t same = first_uncompressed(t->in.p, t->in.len);
    bool in_space = false;

    if (same == t->in.len)
        return false;
    struct span in = t->in;
    uint8_t *d = transform_begin(t, same, t->in.len);
    if (d == NULL)
        return false;
    for (size_t i = same; i < in.len; i++) {
        bool space = IS_SPACE(in.p[i]);
        *d = space ? ' ' : in.p[i];
        d += !(space && in_space);
        in_space = space;
    }
    return transform_end(t, d);
}

/* 0xA0 is the no-break space of Latin-1; with 0xC2 before it, that of UTF-8. ModSecurity removes
 * each of the two bytes wherever it stands. */
#define IS_REMOVED(c) (IS_SPACE(c) | ((c) == 0xA0) | ((c) == 0xC2))
TRANSFORM_SCAN(first_removed, IS_REMOVED(c))

bool transform_remove_whitespace(struct transform *t)
{
    size_t same = first_removed(t->in.p, t->in.len);

    if (same == t->in.len)
        return false;
    struct span in = t->in;
    uint8_t *d = transform_begin(t, same, t->in.len);
    if (d == NULL)
        return false;
    for (size_t i = same; i < in.len; i++) {
        *d = in.p[i];
        d += !IS_REMOVED(in.p[i]);
    }
    return transform_end(t, d);
}

/* The new value is a part of the old one. */
static bool cut(struct transform *t, bool left, bool right)
{
    t->out = t->in;
    while (left && t->out.len > 0 && IS_SPACE(t->out.p[0])) {
        t->out.p++;
        t->out.len--;
    }
    while (right && t->out.len > 0 && IS_SPACE(t->out.p[t->out.len - 1]))
        t->out.len--;
    return t->out.len != t->in.len;
}

bool transform_trim(struct transform *t)
{
    return cut(t, true, true);
}

bool transform_trim_left(struct transform *t)
{
    return cut(t, true, false);
}

bool transform_trim_right(struct transform *t)
{
    return cut(t, false, true);
}

/* ------------------------------------------------------------------ NULs */

bool transform_remove_nulls(struct transform *t)
{
    size_t same = transform_find(t->in, '\0');

    if (same == t->in.len)
        return false;
    struct span in = t->in;
    uint8_t *d = transform_begin(t, same, t->in.len);
    if (d == NULL)
        return false;
    for (size_t i = same; i < in.len; i++) {
        *d = in.p[i];
        d += in.p[i] != '\0';
    }
    return transform_end(t, d);
}

bool transform_replace_nulls(struct transform *t)
{
    size_t same = transform_find(t->in, '\0');

    if (same == t->in.len || transform_begin(t, same, t->in.len) == NULL)
        return false;
    for (size_t i = same; i < t->in.len; i++)
        t->room[i] = t->in.p[i] == '\0' ? ' ' : t->in.p[i];
    return transform_end(t, t->room + t->in.len);
}

/* ------------------------------------------------------------------ cmdLine */

#define CMD_DROPPED(c) (((c) == '"') | ((c) == '\'') | ((c) == '\\') | ((c) == '^'))
#define CMD_SPACE(c)                                                                               \
    (((c) == ' ') | ((c) == ',') | ((c) == ';') | ((c) == '\t') | ((c) == '\r') | ((c) == '\n'))
#define CMD_EATS_SPACE(c) (((c) == '/') | ((c) == '('))

TRANSFORM_SCAN_PAIRS(first_command,
                     CMD_DROPPED(c) | (CMD_SPACE(c) & (c != ' ')) | IS_UPPER(c) |
                         ((c == ' ') & (CMD_SPACE(n) | CMD_EATS_SPACE(n) | CMD_DROPPED(n))))

/* Without quotes, carets and backslashes; separators as one blank, none before / and (; lower
 * case. */
bool transform_cmd_line(struct transform *t)
{
    size_t same = first_command(t->in.p, t->in.len);
    bool in_space = false;

    if (same == t->in.len)
        return false;
    struct span in = t->in;
    uint8_t *d = transform_begin(t, same, t->in.len);
    if (d == NULL)
        return false;
    for (size_t i = same; i < in.len; i++) {
        uint8_t c = in.p[i];
        if (CMD_DROPPED(c))
            continue;
        bool space = CMD_SPACE(c);
        if (space && in_space)
            continue;
        if (in_space && CMD_EATS_SPACE(c))
            d--;
        *d++ = space ? ' ' : (uint8_t)(c | (IS_UPPER(c) << 5));
        in_space = space;
    }
    return transform_end(t, d);
}
