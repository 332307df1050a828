/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/body/json_scan.h"
#include "waf/transform/transform_internal.h"
#include "waf/transform/utf8.h"

TRANSFORM_SCAN(plain_len, (c == '"') | (c == '\\') | (c < 0x20) | (c >= 0x80))

enum { REPLACEMENT = 0xFFFD };

/* Over the string up to its quote, checking; *escapes counts what must be unescaped. */
static bool check_string(struct json_scan *scan, size_t *escapes)
{
    for (;;) {
        scan->p += plain_len(scan->p, (size_t)(scan->end - scan->p));
        if (scan->p == scan->end)
            return json_scan_fail(scan, "the string does not end");
        if (*scan->p == '"')
            return true;
        if (*scan->p < 0x20)
            return json_scan_fail(scan, "a control character stands in a string");
        if (*scan->p == '\\') {
            if (scan->end - scan->p < 2)
                return json_scan_fail(scan, "the string does not end");
            (*escapes)++;
            scan->p += 2;
            continue;
        }
        size_t len = utf8_len(scan->p, scan->end);
        if (len == 0)
            return json_scan_fail(scan, "this is not UTF-8");
        scan->p += len;
    }
}

static bool code_unit(const uint8_t *p, const uint8_t *end, uint32_t *out)
{
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u' || !transform_four_digits(p + 2))
        return false;
    *out = (uint32_t)transform_byte(p + 2) << 8 | transform_byte(p + 4);
    return true;
}

/* The escape at p as a code point; returns its length, 0 when it is none. */
static size_t escape(const uint8_t *p, const uint8_t *end, uint32_t *out)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meaning[] = "\"\\/\b\f\n\r\t";
    const char *at = memchr(letters, p[1], sizeof(letters) - 1);
    uint32_t low;

    if (at != NULL) {
        *out = (uint8_t)meaning[at - letters];
        return 2;
    }
    if (!code_unit(p, end, out))
        return 0;
    if (*out < 0xD800 || *out > 0xDFFF)
        return 6;
    if (*out < 0xDC00 && code_unit(p + 6, end, &low) && low >= 0xDC00 && low <= 0xDFFF) {
        *out = 0x10000 + ((*out - 0xD800) << 10) + (low - 0xDC00);
        return 12;
    }
    *out = REPLACEMENT;
    return 6;
}

/* No escape is shorter than what it means. */
static bool unescape(struct json_scan *scan, struct span raw, struct span *out)
{
    uint8_t *room = arena_alloc(scan->arena, raw.len);
    const uint8_t *end = raw.p + raw.len;
    uint8_t *d = room;
    uint32_t code;

    if (room == NULL)
        return false;
    for (const uint8_t *p = raw.p; p < end;) {
        const uint8_t *slash = memchr(p, '\\', (size_t)(end - p));
        size_t same = (size_t)((slash == NULL ? end : slash) - p);
        memcpy(d, p, same);
        d += same;
        p += same;
        if (p == end)
            break;
        size_t len = escape(p, end, &code);
        if (len == 0) {
            scan->p = p;
            return json_scan_fail(scan, "this escape is none");
        }
        d += utf8_put(code, d);
        p += len;
    }
    *out = span_of(room, (size_t)(d - room));
    return true;
}

bool json_scan_string(struct json_scan *scan, struct span *out)
{
    const uint8_t *from = ++scan->p;
    size_t escapes = 0;

    if (!check_string(scan, &escapes))
        return false;
    *out = span_of(from, (size_t)(scan->p - from));
    if (escapes > 0 && !unescape(scan, *out, out))
        return false;
    scan->p++;
    return true;
}

static bool digits(struct json_scan *scan)
{
    const uint8_t *from = scan->p;

    while (scan->p < scan->end && IS_DIGIT(*scan->p))
        scan->p++;
    return scan->p > from;
}

bool json_scan_number(struct json_scan *scan, struct span *out)
{
    const uint8_t *from = scan->p;

    scan->p += json_scan_is(scan, '-');
    bool zero = json_scan_is(scan, '0');
    scan->p += zero;
    if (!zero && !digits(scan))
        return json_scan_fail(scan, "a value must stand here");
    if (json_scan_is(scan, '.')) {
        scan->p++;
        if (!digits(scan))
            return json_scan_fail(scan, "digits must follow the point");
    }
    if (json_scan_is(scan, 'e') || json_scan_is(scan, 'E')) {
        scan->p++;
        scan->p += json_scan_is(scan, '+') || json_scan_is(scan, '-');
        if (!digits(scan))
            return json_scan_fail(scan, "digits must follow the exponent's sign");
    }
    *out = span_of(from, (size_t)(scan->p - from));
    return true;
}

bool json_scan_word(struct json_scan *scan, const char *word, struct span *out)
{
    size_t len = strlen(word);

    if ((size_t)(scan->end - scan->p) < len || memcmp(scan->p, word, len) != 0)
        return json_scan_fail(scan, "a value must stand here");
    *out = span_of(scan->p, len);
    scan->p += len;
    return true;
}
