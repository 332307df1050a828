/* SPDX-License-Identifier: Apache-2.0 */
#include "openai/openai.h"

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* Behind the string whose quote is at p. */
static const uint8_t *skip_string(const uint8_t *p, const uint8_t *end)
{
    for (p++; p < end && *p != '"'; p++)
        if (*p == '\\' && p + 1 < end)
            p++;
    return p < end ? p + 1 : end;
}

static const uint8_t *skip_blanks(const uint8_t *p, const uint8_t *end)
{
    while (p < end && is_blank(*p))
        p++;
    return p;
}

void openai_request_compact(const struct openai_request *request, openai_cut_fn *put, void *ctx)
{
    const uint8_t *end = request->body.p + request->body.len;
    const uint8_t *from = skip_blanks(request->body.p, end);
    const uint8_t *p = from;

    while (p < end) {
        if (!is_blank(*p)) {
            p = *p == '"' ? skip_string(p, end) : p + 1;
            continue;
        }
        put(ctx, span_of(from, (size_t)(p - from)));
        from = p = skip_blanks(p, end);
    }
    if (p > from)
        put(ctx, span_of(from, (size_t)(p - from)));
}
