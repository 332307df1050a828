/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/raw.h"

#include "base/num.h"

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

/* Leaves the body in `text`. */
static int read_headers(struct span *text, const char *what, struct span *out, struct err *err)
{
    const uint8_t *start = text->p;
    struct span line;

    for (size_t number = 2; (line = take_line(text)).len > 0; number++)
        if (memchr(line.p, ':', line.len) == NULL)
            return err_set(err, ERR_INVALID, "line %zu of the %s is no header: it has no colon",
                           number, what);
    *out = span_of(start, (size_t)(text->p - start));
    return 0;
}

int waf_raw_read(struct span text, struct waf_raw *out, struct err *err)
{
    struct span first = take_line(&text);

    *out = (struct waf_raw){0};
    out->method = take_until(&first, ' ');
    out->uri = take_until(&first, ' ');
    out->protocol = first.len > 0 ? first : span_str("HTTP/1.1");
    if (out->method.len == 0 || out->uri.len == 0)
        return err_set(err, ERR_INVALID,
                       "line 1 of the request must be such as GET /v1/models HTTP/1.1");
    TRY(read_headers(&text, "request", &out->headers, err));
    out->body = text;
    return 0;
}

int waf_raw_read_answer(struct span text, struct waf_raw_answer *out, struct err *err)
{
    struct span first = take_line(&text);
    struct err ignored = ERR_INIT;
    uint64_t status;

    *out = (struct waf_raw_answer){.protocol = take_until(&first, ' ')};
    if (!span_has_prefix(out->protocol, "HTTP/") ||
        num_parse_u64(take_until(&first, ' '), 100, 999, "the status", &status, &ignored) < 0)
        return err_set(err, ERR_INVALID, "line 1 of the answer must be such as HTTP/1.1 200 OK");
    out->status = (unsigned)status;
    TRY(read_headers(&text, "answer", &out->headers, err));
    out->body = text;
    return 0;
}
