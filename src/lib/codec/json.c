/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/json.h"

#include "codec/codec_internal.h"

#include <stdarg.h>
#include <sys/random.h>

int codec_refuse(struct err *err, const char *what, size_t line, size_t column, const char *fmt,
                 ...)
{
    char why[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    for (char *p = why; *p != '\0'; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    return err_set(err, ERR_INVALID, "%s:%zu:%zu: %s", what, line, column, why);
}

void codec_seed(void)
{
    static bool seeded;
    size_t seed = 0;

    if (seeded)
        return;
    INVARIANT(getrandom(&seed, sizeof(seed), 0) == sizeof(seed));
    json_object_seed(seed);
    seeded = true;
}

/* Counts brackets outside strings, before anything is built. Jansson's own ceiling is higher. */
static int check_depth(struct span text, const char *what, struct err *err)
{
    size_t depth = 0;
    size_t line = 1;
    size_t column = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.p[i];
        column += (c & 0xc0) != 0x80;
        if (c == '\n') {
            line++;
            column = 0;
        } else if (in_string && c == '\\') {
            i++;
            column++;
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && (c == '[' || c == '{')) {
            if (++depth > CODEC_DEPTH_MAX)
                return codec_refuse(err, what, line, column, "nested deeper than %d levels",
                                    CODEC_DEPTH_MAX);
        } else if (!in_string && (c == ']' || c == '}')) {
            depth -= depth > 0;
        }
    }
    return 0;
}

static const char *reason(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_null_character:
    case json_error_null_byte_in_key: return "a string holds U+0000";
    case json_error_numeric_overflow: return "a number does not fit";
    case json_error_premature_end_of_input: return "the text ends too early";
    case json_error_end_of_input_expected: return "something follows the value";
    default: return error->text;
    }
}

int codec_json_parse(struct span text, const char *what, json_t **out, struct err *err)
{
    json_error_t error;

    codec_seed();
    TRY(check_depth(text, what, err));
    json_t *value = json_loadb(text.len > 0 ? (const char *)text.p : "", text.len,
                               JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value == NULL)
        return codec_refuse(err, what, error.line > 0 ? (size_t)error.line : 1,
                            error.column > 0 ? (size_t)error.column : 1, "%s", reason(&error));
    *out = value;
    return 0;
}

void codec_json_free(json_t **value)
{
    json_decref(*value);
    *value = NULL;
}

json_t *codec_json_at(const json_t *value, ...)
{
    va_list names;
    const char *name;

    va_start(names, value);
    while (value != NULL && (name = va_arg(names, const char *)) != NULL)
        value = json_object_get(value, name);
    va_end(names);
    return (json_t *)(uintptr_t)value;
}

const char *codec_json_text(const json_t *value, const char *name, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(value, name));

    return text == NULL ? otherwise : text;
}
