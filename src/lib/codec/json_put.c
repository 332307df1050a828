/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/num.h"
#include "codec/codec_internal.h"

#include <math.h>

enum style { STYLE_COMPACT, STYLE_PRETTY, STYLE_CANONICAL };

struct writer {
    struct buf *out;
    enum style style;
};

struct member {
    const char *name;
    size_t name_len;
    json_t *value;
};

/* Doubles hold every integer up to here. */
static const json_int_t exact_max = 1LL << 53;

static void put_value(const struct writer *writer, json_t *value, unsigned depth);

static void put_escape(struct buf *out, uint8_t c)
{
    switch (c) {
    case '"': buf_put_str(out, "\\\""); break;
    case '\\': buf_put_str(out, "\\\\"); break;
    case '\b': buf_put_str(out, "\\b"); break;
    case '\f': buf_put_str(out, "\\f"); break;
    case '\n': buf_put_str(out, "\\n"); break;
    case '\r': buf_put_str(out, "\\r"); break;
    case '\t': buf_put_str(out, "\\t"); break;
    default: buf_printf(out, "\\u%04x", c); break;
    }
}

static void put_string(struct buf *out, const char *text, size_t len)
{
    size_t from = 0;

    buf_put_u8(out, '"');
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];
        if (c >= ' ' && c != '"' && c != '\\')
            continue;
        buf_put(out, text + from, i - from);
        put_escape(out, c);
        from = i + 1;
    }
    buf_put(out, text + from, len - from);
    buf_put_u8(out, '"');
}

static void put_integer(const struct writer *writer, json_int_t integer)
{
    if (writer->style == STYLE_CANONICAL && (integer > exact_max || integer < -exact_max))
        codec_number_put((double)integer, writer->out);
    else
        buf_printf(writer->out, "%" JSON_INTEGER_FORMAT, integer);
}

static void put_real(const struct writer *writer, double real)
{
    if (writer->style == STYLE_CANONICAL)
        codec_number_put(real, writer->out);
    else
        codec_real_put(real, writer->out);
}

static void put_break(const struct writer *writer, unsigned depth)
{
    if (writer->style != STYLE_PRETTY)
        return;
    buf_put_u8(writer->out, '\n');
    for (unsigned i = 0; i < depth; i++)
        buf_put_str(writer->out, "  ");
}

static void put_array(const struct writer *writer, json_t *array, unsigned depth)
{
    size_t count = json_array_size(array);

    buf_put_u8(writer->out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_put_u8(writer->out, ',');
        put_break(writer, depth + 1);
        put_value(writer, json_array_get(array, i), depth + 1);
    }
    if (count > 0)
        put_break(writer, depth);
    buf_put_u8(writer->out, ']');
}

/* UTF-8 sorts by code point. UTF-16 sorts the same but for what it writes as surrogates (lead bytes
 * F0 and up), which come before U+E000 to U+FFFF (lead bytes EE and EF). */
static int compare_utf16(const void *a, const void *b)
{
    const struct member *left = a;
    const struct member *right = b;
    size_t len = NUM_MIN(left->name_len, right->name_len);

    for (size_t i = 0; i < len; i++) {
        uint8_t l = (uint8_t)left->name[i];
        uint8_t r = (uint8_t)right->name[i];
        if (l == r)
            continue;
        if (l >= 0xee && r >= 0xee && (l >= 0xf0) != (r >= 0xf0))
            return l >= 0xf0 ? -1 : 1;
        return l < r ? -1 : 1;
    }
    return (left->name_len > right->name_len) - (left->name_len < right->name_len);
}

static struct member *members_of(json_t *object, size_t count, bool sorted)
{
    struct member *members = mem_new_array(NUM_MAX(count, 1U), sizeof(*members));
    size_t at = 0;

    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it))
        members[at++] = (struct member){.name = json_object_iter_key(it),
                                        .name_len = json_object_iter_key_len(it),
                                        .value = json_object_iter_value(it)};
    if (sorted && count > 1)
        qsort(members, count, sizeof(*members), compare_utf16);
    return members;
}

static void put_object(const struct writer *writer, json_t *object, unsigned depth)
{
    size_t count = json_object_size(object);
    CLEANUP_FREE struct member *members =
        members_of(object, count, writer->style == STYLE_CANONICAL);

    buf_put_u8(writer->out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_put_u8(writer->out, ',');
        put_break(writer, depth + 1);
        put_string(writer->out, members[i].name, members[i].name_len);
        buf_put_str(writer->out, writer->style == STYLE_PRETTY ? ": " : ":");
        put_value(writer, members[i].value, depth + 1);
    }
    if (count > 0)
        put_break(writer, depth);
    buf_put_u8(writer->out, '}');
}

static void put_value(const struct writer *writer, json_t *value, unsigned depth)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: put_object(writer, value, depth); break;
    case JSON_ARRAY: put_array(writer, value, depth); break;
    case JSON_STRING:
        put_string(writer->out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER: put_integer(writer, json_integer_value(value)); break;
    case JSON_REAL: put_real(writer, json_real_value(value)); break;
    case JSON_TRUE: buf_put_str(writer->out, "true"); break;
    case JSON_FALSE: buf_put_str(writer->out, "false"); break;
    case JSON_NULL: buf_put_str(writer->out, "null"); break;
    }
}

/* Jansson's readers take no const. */
static void put(const json_t *value, enum style style, struct buf *out)
{
    struct writer writer = {.out = out, .style = style};

    put_value(&writer, (json_t *)(uintptr_t)value, 0);
}

void codec_json_put(const json_t *value, struct buf *out)
{
    put(value, STYLE_COMPACT, out);
}

void codec_json_put_pretty(const json_t *value, struct buf *out)
{
    put(value, STYLE_PRETTY, out);
    buf_put_u8(out, '\n');
}

void codec_json_put_canonical(const json_t *value, struct buf *out)
{
    put(value, STYLE_CANONICAL, out);
}

static int check_integer(json_int_t integer, const char *what, struct err *err)
{
    if (integer >= -exact_max && integer <= exact_max)
        return 0;
    return err_set(err, ERR_INVALID,
                   "%s holds %" JSON_INTEGER_FORMAT
                   ", which canonical JSON cannot; write it as a string",
                   what, integer);
}

/* From here up to 1e21 ECMAScript writes a double as an integer that 64 bits do not hold. */
static int check_real(double real, const char *what, struct err *err)
{
    if (fabs(real) < 0x1p63 || fabs(real) >= 1e21)
        return 0;
    return err_set(err, ERR_INVALID,
                   "%s holds %.17g, which canonical JSON writes as an integer that does not fit; "
                   "write it as a string",
                   what, real);
}

int codec_json_check_canonical(const json_t *value, const char *what, struct err *err)
{
    json_t *own = (json_t *)(uintptr_t)value;

    if (json_is_integer(value))
        return check_integer(json_integer_value(value), what, err);
    if (json_is_real(value))
        return check_real(json_real_value(value), what, err);
    for (size_t i = 0; i < json_array_size(value); i++)
        TRY(codec_json_check_canonical(json_array_get(value, i), what, err));
    for (void *it = json_object_iter(own); it != NULL; it = json_object_iter_next(own, it))
        TRY(codec_json_check_canonical(json_object_iter_value(it), what, err));
    return 0;
}
