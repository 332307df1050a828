/* SPDX-License-Identifier: Apache-2.0 */
/* Comments of SQL, C, shell and HTML. */
#include "waf/transform/transform_internal.h"

static bool starts(const uint8_t *p, const uint8_t *end, const char *text)
{
    size_t len = strlen(text);

    return (size_t)(end - p) >= len && memcmp(p, text, len) == 0;
}

TRANSFORM_SCAN_PAIRS(first_comment, ((c == '/') & (n == '*')) | ((c == '*') & (n == '/')) |
                                        ((c == '<') & (n == '!')) | ((c == '-') & (n == '-')) |
                                        (c == '#'))
TRANSFORM_SCAN_PAIRS(first_c_comment, (c == '/') & (n == '*'))

/* ------------------------------------------------------------------ removeComments */

/* Behind a comment the next byte is copied unseen, as ModSecurity does; at the end of the value
 * that is a NUL. */
static const uint8_t *behind_comment(const uint8_t *p, const uint8_t *end, uint8_t **d)
{
    *(*d)++ = p < end ? *p : '\0';
    return p + 1;
}

/* Whole comments go; "--" and "#" end the value; an open comment is a blank. */
bool transform_remove_comments(struct transform *t)
{
    size_t same = first_comment(t->in.p, t->in.len);
    const uint8_t *p = t->in.p + same;
    const uint8_t *end = t->in.p + t->in.len;
    bool inside = false;

    if (same == t->in.len)
        return false;
    uint8_t *d = transform_begin(t, same, t->in.len + 1);
    if (d == NULL)
        return false;
    while (p < end) {
        if (inside) {
            size_t close = starts(p, end, "*/") ? 2 : starts(p, end, "-->") ? 3 : 0;
            inside = close == 0;
            p = inside ? p + 1 : behind_comment(p + close, end, &d);
        } else if (starts(p, end, "--") || *p == '#') {
            break;
        } else {
            size_t open = starts(p, end, "/*") ? 2 : starts(p, end, "<!--") ? 4 : 0;
            inside = open > 0;
            p += open;
            if (!inside)
                *d++ = *p++;
        }
    }
    if (inside)
        *d++ = ' ';
    return transform_end(t, d);
}

/* ------------------------------------------------------------------ removeCommentsChar */

static size_t comment_sign(const uint8_t *p, const uint8_t *end)
{
    static const char *const signs[] = {"/*", "*/", "<!--", "-->", "--", "#"};

    for (size_t i = 0; i < ARRAY_LEN(signs); i++)
        if (starts(p, end, signs[i]))
            return strlen(signs[i]);
    return 0;
}

bool transform_remove_comments_char(struct transform *t)
{
    size_t same = first_comment(t->in.p, t->in.len);
    const uint8_t *end = t->in.p + t->in.len;

    if (same == t->in.len)
        return false;
    uint8_t *d = transform_begin(t, same, t->in.len);
    if (d == NULL)
        return false;
    for (const uint8_t *p = t->in.p + same; p < end;) {
        size_t sign = comment_sign(p, end);
        if (sign == 0)
            *d++ = *p++;
        p += sign;
    }
    return transform_end(t, d);
}

/* ------------------------------------------------------------------ replaceComments */

/* Each C comment is one blank, an open one too. */
bool transform_replace_comments(struct transform *t)
{
    size_t same = first_c_comment(t->in.p, t->in.len);
    const uint8_t *end = t->in.p + t->in.len;

    if (same == t->in.len)
        return false;
    uint8_t *d = transform_begin(t, same, t->in.len);
    if (d == NULL)
        return false;
    for (const uint8_t *p = t->in.p + same; p < end;) {
        const uint8_t *open = memmem(p, (size_t)(end - p), "/*", 2);
        size_t outside = (size_t)((open == NULL ? end : open) - p);
        memcpy(d, p, outside);
        d += outside;
        p += outside;
        if (p == end)
            break;
        const uint8_t *close = memmem(p + 2, (size_t)(end - p) - 2, "*/", 2);
        *d++ = ' ';
        p = close == NULL ? end : close + 2;
    }
    return transform_end(t, d);
}
