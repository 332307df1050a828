/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"
#include "codec/codec_internal.h"

#include <math.h>

static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
static const char *const trues[] = {"true", "True", "TRUE", NULL};
static const char *const falses[] = {"false", "False", "FALSE", NULL};
/* Truth values of YAML 1.1, text in YAML 1.2. */
static const char *const disputed[] = {"y",  "Y",  "yes", "Yes", "YES", "n",   "N",   "no", "No",
                                       "NO", "on", "On",  "ON",  "off", "Off", "OFF", NULL};
static const char *const not_finite[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf",
                                         "+.INF", "-.inf", "-.Inf", "-.INF", ".nan",
                                         ".NaN",  ".NAN",  NULL};

static const char *const why_disputed =
    "YAML readers differ on what this means; write true, false or a plain number, or quote it";
static const char *const why_large = "the number does not fit";

static bool is_one_of(const char *text, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcmp(text, *list) == 0)
            return true;
    return false;
}

static bool all_in(const char *text, const char *set)
{
    return *text != '\0' && text[strspn(text, set)] == '\0';
}

static const char *integer(const char *digits, unsigned base, bool negative, json_t **out)
{
    uint64_t value = 0;

    for (; *digits != '\0'; digits++) {
        unsigned char c = (unsigned char)*digits;
        unsigned digit = c <= '9' ? c - 48U : (c | 0x20U) - 'a' + 10;
        if (!num_mul(value, base, &value) || !num_add(value, digit, &value))
            return why_large;
    }
    if (value > (uint64_t)INT64_MAX + negative)
        return why_large;
    *out = json_integer(negative ? (json_int_t)(0 - value) : (json_int_t)value);
    return NULL;
}

static size_t count_digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_real(const char *text)
{
    size_t whole = count_digits(text);
    size_t part = 0;

    text += whole;
    if (*text == '.') {
        part = count_digits(text + 1);
        text += 1 + part;
    }
    if (whole + part == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '-' || *text == '+';
        size_t exponent = count_digits(text);
        if (exponent == 0)
            return false;
        text += exponent;
    }
    return *text == '\0';
}

static const char *real(const char *text, json_t **out)
{
    double value = strtod(text, NULL);

    if (!isfinite(value))
        return why_large;
    *out = json_real(value);
    return NULL;
}

static bool is_prefixed(const char *text)
{
    return (strncmp(text, "0x", 2) == 0 && all_in(text + 2, "0123456789abcdefABCDEF")) ||
           (strncmp(text, "0o", 2) == 0 && all_in(text + 2, "01234567"));
}

/* Numbers of YAML 1.1 that are text in YAML 1.2. */
static bool is_disputed_number(const char *text, bool is_signed)
{
    if (is_signed && is_prefixed(text))
        return true;
    if (text[0] == '0' && (text[1] == 'b' || text[1] == 'B'))
        return all_in(text + 2, "01_");
    return text[0] >= '0' && text[0] <= '9' && strchr(text, '_') != NULL &&
           (all_in(text, "0123456789_.eE+-") ||
            (text[0] == '0' && (text[1] | 0x20) == 'x' &&
             all_in(text + 2, "0123456789abcdefABCDEF_")) ||
            (text[0] == '0' && (text[1] | 0x20) == 'o' && all_in(text + 2, "01234567_")));
}

static const char *number(const char *text, json_t **out)
{
    bool is_signed = *text == '-' || *text == '+';
    const char *rest = text + is_signed;

    if (all_in(rest, "0123456789")) {
        bool octal = rest[0] == '0' && all_in(rest, "01234567");
        return integer(rest, octal ? 8 : 10, *text == '-', out);
    }
    if (is_real(rest))
        return real(text, out);
    if (is_disputed_number(rest, is_signed))
        return why_disputed;
    if (is_prefixed(rest))
        return integer(rest + 2, rest[1] == 'x' ? 16 : 8, false, out);
    return NULL;
}

const char *codec_yaml_resolve(const char *text, json_t **out)
{
    *out = NULL;
    if (is_one_of(text, disputed))
        return why_disputed;
    if (is_one_of(text, not_finite))
        return "JSON has no such number; quote it if it is text";
    if (is_one_of(text, nulls))
        *out = json_null();
    else if (is_one_of(text, trues))
        *out = json_true();
    else if (is_one_of(text, falses))
        *out = json_false();
    const char *why = *out == NULL ? number(text, out) : NULL;
    if (why == NULL && *out == NULL)
        *out = json_string(text);
    return why;
}
