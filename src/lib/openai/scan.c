/* SPDX-License-Identifier: Apache-2.0 */
#include "openai/scan.h"
#include "openai/skip.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool scan_end(struct scan *scan)
{
    scan_space(scan);
    return scan->p == scan->end ? true : scan_fail(scan, "something follows the value");
}

/* ------------------------------------------------------------------ strings */

static bool continues(const uint8_t *p, size_t count)
{
    for (size_t i = 1; i <= count; i++)
        if ((p[i] & 0xC0) != 0x80)
            return false;
    return true;
}

size_t scan_utf8(const uint8_t *p, const uint8_t *end)
{
    size_t left = (size_t)(end - p);

    if (p[0] >= 0xC2 && p[0] <= 0xDF)
        return left >= 2 && continues(p, 1) ? 2 : 0;
    if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        if (left < 3 || !continues(p, 2))
            return 0;
        bool overlong = p[0] == 0xE0 && p[1] < 0xA0;
        bool surrogate = p[0] == 0xED && p[1] >= 0xA0;
        return overlong || surrogate ? 0 : 3;
    }
    if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        if (left < 4 || !continues(p, 3))
            return 0;
        bool overlong = p[0] == 0xF0 && p[1] < 0x90;
        bool beyond = p[0] == 0xF4 && p[1] >= 0x90;
        return overlong || beyond ? 0 : 4;
    }
    return 0;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits behind "\u" at p; -1 when they are not there. */
static int32_t code_unit(const uint8_t *p, const uint8_t *end)
{
    int32_t unit = 0;

    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* The length of the escape at p and its code point; 0 when it is none. */
static size_t escape(const uint8_t *p, const uint8_t *end, uint32_t *out)
{
    static const char plain[] = "\"\\/bfnrt";
    static const char meaning[] = "\"\\/\b\f\n\r\t";
    const char *at = end - p >= 2 && p[1] != '\0' ? strchr(plain, p[1]) : NULL;

    if (at != NULL) {
        *out = (uint8_t)meaning[at - plain];
        return 2;
    }
    int32_t unit = code_unit(p, end);
    if (unit <= 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
        return 0;
    *out = (uint32_t)unit;
    if (unit < 0xD800 || unit > 0xDBFF)
        return 6;
    int32_t low = code_unit(p + 6, end);
    if (low < 0xDC00 || low > 0xDFFF)
        return 0;
    *out = 0x10000 + (((uint32_t)unit - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
    return 12;
}

bool scan_string(struct scan *scan, struct scan_string *out)
{
    uint32_t point;

    out->escaped = false;
    if (!scan_byte(scan, '"', "a string must begin here"))
        return false;
    const uint8_t *from = scan->p;
    for (;;) {
        scan->p = skip_plain(scan->p, scan->end);
        if (scan->p == scan->end)
            return scan_fail(scan, "the string does not end");
        if (*scan->p == '"')
            break;
        if (*scan->p < 0x20)
            return scan_fail(scan, "a control character stands in a string");
        bool is_escape = *scan->p == '\\';
        size_t len = is_escape ? escape(scan->p, scan->end, &point) : scan_utf8(scan->p, scan->end);
        if (len == 0)
            return scan_fail(scan, is_escape ? "this escape is none" : "this is not UTF-8");
        out->escaped |= is_escape;
        scan->p += len;
    }
    out->raw = span_of(from, (size_t)(scan->p - from));
    scan->p++;
    return true;
}

static size_t encode(uint32_t point, uint8_t out[4])
{
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (point & 0x3F));
        point >>= 6;
    }
    out[0] = (uint8_t)(lead[len] | point);
    return len;
}

size_t scan_escape_put(const uint8_t *p, const uint8_t *end, struct buf *out)
{
    uint32_t point = 0;
    uint8_t bytes[4];
    size_t taken = escape(p, end, &point);

    INVARIANT(taken > 0);
    buf_put(out, bytes, encode(point, bytes));
    return taken;
}

bool scan_string_copy(const struct scan_string *string, char *out, size_t size)
{
    const uint8_t *p = string->raw.p;
    const uint8_t *end = p + string->raw.len;
    size_t used = 0;

    while (p < end) {
        uint8_t bytes[4] = {*p};
        uint32_t point = 0;
        size_t taken = *p == '\\' ? escape(p, end, &point) : 1;
        size_t len = *p == '\\' ? encode(point, bytes) : 1;
        if (len >= size - used)
            return false;
        memcpy(out + used, bytes, len);
        used += len;
        p += taken;
    }
    out[used] = '\0';
    return true;
}

/* ------------------------------------------------------------------ numbers and words */

static bool digits(struct scan *scan)
{
    const uint8_t *from = scan->p;

    while (scan->p < scan->end && *scan->p >= '0' && *scan->p <= '9')
        scan->p++;
    return scan->p > from;
}

static bool next_is(const struct scan *scan, char a, char b)
{
    return scan->p < scan->end && (*scan->p == (uint8_t)a || *scan->p == (uint8_t)b);
}

static bool whole_value(struct scan *scan, struct scan_number *out)
{
    bool negative = out->text.p[0] == '-';
    int64_t value = 0;

    for (size_t i = negative; i < out->text.len; i++) {
        int digit = out->text.p[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return scan_fail(scan, "the number is too large");
    }
    out->integer = value;
    out->value = (double)value;
    return true;
}

/* Up to 15 digits over a small power of ten are exact in a double, and so is their quotient's
 * rounding; that is nearly every number in a request, and strtod() is slow. */
static bool short_value(struct span text, double *out)
{
    static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    bool negative = text.p[0] == '-';
    size_t fraction = 0;
    bool behind_point = false;
    int64_t digits = 0;

    if (text.len > 16)
        return false;
    for (size_t i = negative; i < text.len; i++) {
        if (text.p[i] == '.') {
            behind_point = true;
            continue;
        }
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        digits = digits * 10 + (text.p[i] - '0');
        fraction += behind_point;
    }
    *out = (double)(negative ? -digits : digits) / powers[fraction];
    return true;
}

static bool real_value(struct scan *scan, struct scan_number *out)
{
    char text[OPENAI_NUMBER_MAX + 1];

    if (short_value(out->text, &out->value))
        return true;
    memcpy(text, out->text.p, out->text.len);
    text[out->text.len] = '\0';
    out->value = strtod(text, NULL);
    return isfinite(out->value) ? true : scan_fail(scan, "the number is too large");
}

bool scan_number(struct scan *scan, struct scan_number *out)
{
    const uint8_t *from = scan->p;

    if (next_is(scan, '-', '-'))
        scan->p++;
    const uint8_t *first = scan->p;
    if (!digits(scan))
        return scan_fail(scan, "a value must begin here");
    if (*first == '0' && scan->p - first > 1)
        return scan_fail(scan, "a number does not begin with 0");
    out->whole = true;
    if (next_is(scan, '.', '.')) {
        out->whole = false;
        scan->p++;
        if (!digits(scan))
            return scan_fail(scan, "digits must follow the point");
    }
    if (next_is(scan, 'e', 'E')) {
        out->whole = false;
        scan->p++;
        if (next_is(scan, '+', '-'))
            scan->p++;
        if (!digits(scan))
            return scan_fail(scan, "digits must follow the exponent sign");
    }
    out->text = span_of(from, (size_t)(scan->p - from));
    if (out->text.len > OPENAI_NUMBER_MAX)
        return scan_fail(scan, "the number has too many digits");
    return out->whole ? whole_value(scan, out) : real_value(scan, out);
}

bool scan_word(struct scan *scan)
{
    static const char *const words[] = {"true", "false", "null"};
    struct span rest = span_of(scan->p, (size_t)(scan->end - scan->p));

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (span_has_prefix(rest, words[i])) {
            scan->p += strlen(words[i]);
            return true;
        }
    }
    return scan_fail(scan, "a value must begin here");
}

/* ------------------------------------------------------------------ any value */

static bool array(struct scan *scan, unsigned depth)
{
    scan->p++;
    scan_space(scan);
    if (next_is(scan, ']', ']')) {
        scan->p++;
        return true;
    }
    for (;;) {
        if (!scan_value(scan, depth + 1))
            return false;
        scan_space(scan);
        if (next_is(scan, ']', ']')) {
            scan->p++;
            return true;
        }
        if (!scan_byte(scan, ',', "a comma or ] must come here"))
            return false;
    }
}

static bool object(struct scan *scan, unsigned depth)
{
    struct scan_string name;

    scan->p++;
    scan_space(scan);
    if (next_is(scan, '}', '}')) {
        scan->p++;
        return true;
    }
    for (;;) {
        scan_space(scan);
        if (!scan_string(scan, &name))
            return false;
        scan_space(scan);
        if (!scan_byte(scan, ':', "a colon must come here") || !scan_value(scan, depth + 1))
            return false;
        scan_space(scan);
        if (next_is(scan, '}', '}')) {
            scan->p++;
            return true;
        }
        if (!scan_byte(scan, ',', "a comma or } must come here"))
            return false;
    }
}

bool scan_value(struct scan *scan, unsigned depth)
{
    struct scan_string string;
    struct scan_number number;

    scan_space(scan);
    if (scan->p == scan->end)
        return scan_fail(scan, "the text ends too early");
    bool container = *scan->p == '{' || *scan->p == '[';
    if (container && depth >= OPENAI_DEPTH_MAX)
        return scan_fail(scan, "the nesting is too deep");
    switch (*scan->p) {
    case '{': return object(scan, depth);
    case '[': return array(scan, depth);
    case '"': return scan_string(scan, &string);
    case 't':
    case 'f':
    case 'n': return scan_word(scan);
    default: return scan_number(scan, &number);
    }
}

int openai_json_check(struct span text, struct err *err)
{
    struct scan scan = {.start = text.p, .p = text.p, .end = text.p + text.len};

    if (!scan_value(&scan, 0) || !scan_end(&scan))
        return err_set(err, ERR_INVALID, "the text is not JSON: %s (byte %zu)", scan.why,
                       (size_t)(scan.p - scan.start));
    return 0;
}
