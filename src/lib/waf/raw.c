/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/raw.h"

/* Up to the next `end`, which is passed over. */
static struct span take_until(struct span *left, char end)
{
    const uint8_t *found = left->len > 0 ? memchr(left->p, end, left->len) : NULL;
    size_t len = found == NULL ? left->len : (size_t)(found - left->p);
    struct span taken = span_of(left->p, len);

    *left = span_of(left->p + len + (found != NULL), left->len - len - (found != NULL));
    return taken;
}

static struct span take_line(struct span *left)
{
    struct span line = take_until(left, '\n');

    if (line.len > 0 && line.p[line.len - 1] == '\r')
        line.len--;
    return line;
}

static struct span without_blanks(struct span text)
{
    while (text.len > 0 && (text.p[0] == ' ' || text.p[0] == '\t'))
        text = span_of(text.p + 1, text.len - 1);
    while (text.len > 0 && (text.p[text.len - 1] == ' ' || text.p[text.len - 1] == '\t'))
        text.len--;
    return text;
}

bool waf_raw_header(struct span *left, struct span *name, struct span *value)
{
    struct span line = take_line(left);

    if (line.len == 0)
        return false;
    *name = take_until(&line, ':');
    *value = without_blanks(line);
    return true;
}

int waf_raw_read(struct span text, struct waf_raw *out, struct err *err)
{
    struct span first = take_line(&text);
    const uint8_t *start = text.p;
    struct span line;

    *out = (struct waf_raw){0};
    out->method = take_until(&first, ' ');
    out->uri = take_until(&first, ' ');
    out->protocol = first.len > 0 ? first : span_str("HTTP/1.1");
    if (out->method.len == 0 || out->uri.len == 0)
        return err_set(err, ERR_INVALID,
                       "line 1 of the request must be such as GET /v1/models HTTP/1.1");
    for (size_t number = 2; (line = take_line(&text)).len > 0; number++)
        if (memchr(line.p, ':', line.len) == NULL)
            return err_set(err, ERR_INVALID,
                           "line %zu of the request is no header: it has no colon", number);
    out->headers = span_of(start, (size_t)(text.p - start));
    out->body = text;
    return 0;
}
