/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lines.h"

static int give(struct lines *lines, struct span line, struct err *err)
{
    if (line.len > 0 && line.p[line.len - 1] == '\r')
        line.len--;
    return lines->fn(lines->ctx, line, err);
}

/* The end of a line whose beginning came before. */
static int finish(struct lines *lines, struct span piece, struct err *err)
{
    if (lines->rest.len == 0)
        return give(lines, piece, err);
    buf_put_span(&lines->rest, piece);
    TRY(buf_check(&lines->rest, "a line of the answer", err));
    TRY(give(lines, buf_span(&lines->rest), err));
    buf_reset(&lines->rest);
    return 0;
}

int lines_add(struct lines *lines, struct span bytes, struct err *err)
{
    const uint8_t *end;

    while (bytes.len > 0 && (end = memchr(bytes.p, '\n', bytes.len)) != NULL) {
        size_t len = (size_t)(end - bytes.p);
        TRY(finish(lines, span_of(bytes.p, len), err));
        bytes = span_of(end + 1, bytes.len - len - 1);
    }
    buf_put_span(&lines->rest, bytes);
    return buf_check(&lines->rest, "a line of the answer", err);
}

void lines_free(struct lines *lines)
{
    buf_free_wiped(&lines->rest);
}

bool lines_event_data(struct span line, struct span *out)
{
    static const char field[] = "data:";
    size_t skip = strlen(field);

    if (!span_has_prefix(line, field))
        return false;
    skip += line.len > skip && line.p[skip] == ' ';
    *out = span_of(line.p + skip, line.len - skip);
    return true;
}
