/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/transform/utf8.h"
#include "waf/transform/transform_internal.h"

TRANSFORM_SCAN(first_foreign, c & 0x80)

static bool tail(uint8_t c)
{
    return (c & 0xC0) == 0x80;
}

size_t utf8_len(const uint8_t *p, const uint8_t *end)
{
    size_t left = (size_t)(end - p);
    uint8_t c = p[0];

    if (c < 0x80)
        return 1;
    if (c >= 0xC2 && c <= 0xDF)
        return left > 1 && tail(p[1]) ? 2 : 0;
    if (c >= 0xE0 && c <= 0xEF) {
        if (left < 3 || !tail(p[1]) || !tail(p[2]))
            return 0;
        return (c == 0xE0 && p[1] < 0xA0) || (c == 0xED && p[1] > 0x9F) ? 0 : 3;
    }
    if (c < 0xF0 || c > 0xF4 || left < 4 || !tail(p[1]) || !tail(p[2]) || !tail(p[3]))
        return 0;
    return (c == 0xF0 && p[1] < 0x90) || (c == 0xF4 && p[1] > 0x8F) ? 0 : 4;
}

size_t utf8_valid_len(struct span text)
{
    const uint8_t *p = text.p;
    const uint8_t *end = text.p + text.len;

    for (;;) {
        p += first_foreign(p, (size_t)(end - p));
        if (p == end)
            return text.len;
        size_t len = utf8_len(p, end);
        if (len == 0)
            return (size_t)(p - text.p);
        p += len;
    }
}

size_t utf8_put(uint32_t code, uint8_t *out)
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (uint8_t)((0xF00U >> len & 0xFF) | code);
    return len;
}
