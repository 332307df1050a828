/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that compare text and numbers. */
#include "waf/operator/operator_internal.h"

static bool starts_at(struct span value, size_t at, struct span part)
{
    return value.len - at >= part.len &&
           (part.len == 0 || memcmp(value.p + at, part.p, part.len) == 0);
}

/* Where `part` is in `value` from `from` on; SIZE_MAX: nowhere. */
static size_t find(struct span value, size_t from, struct span part)
{
    if (from > value.len)
        return SIZE_MAX;
    if (part.len == 0)
        return from;
    const uint8_t *at = memmem(value.p + from, value.len - from, part.p, part.len);
    return at == NULL ? SIZE_MAX : (size_t)(at - value.p);
}

bool op_begins_with(const struct op_call *call, struct waf_op_found *found)
{
    return starts_at(call->value, 0, call->argument) && op_found_at(found, 0, call->argument.len);
}

bool op_ends_with(const struct op_call *call, struct waf_op_found *found)
{
    if (call->value.len < call->argument.len)
        return false;
    size_t at = call->value.len - call->argument.len;
    return starts_at(call->value, at, call->argument) && op_found_at(found, at, call->argument.len);
}

bool op_contains(const struct op_call *call, struct waf_op_found *found)
{
    size_t at = find(call->value, 0, call->argument);

    return at != SIZE_MAX && op_found_at(found, at, call->argument.len);
}

bool op_streq(const struct op_call *call, struct waf_op_found *found)
{
    (void)found;
    return span_eq(call->value, call->argument);
}

/* The value stands somewhere in the argument. */
bool op_within(const struct op_call *call, struct waf_op_found *found)
{
    (void)found;
    return find(call->argument, 0, call->value) != SIZE_MAX;
}

/* ------------------------------------------------------------------ containsWord */

static bool is_letter(uint8_t c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26;
}

/* No letter before and behind; digits are no letters here. */
bool op_contains_word(const struct op_call *call, struct waf_op_found *found)
{
    struct span value = call->value;
    size_t len = call->argument.len;

    if (len == 0)
        return true;
    for (size_t at = find(value, 0, call->argument); at != SIZE_MAX;
         at = find(value, at + 1, call->argument)) {
        bool before = at == 0 || !is_letter(value.p[at - 1]);
        bool behind = at + len == value.len || !is_letter(value.p[at + len]);
        if (before && behind)
            return op_found_at(found, at, len);
    }
    return false;
}

/* ------------------------------------------------------------------ numbers */

int64_t waf_op_number(struct span text)
{
    size_t i = 0;
    int64_t value = 0;
    bool minus = false;

    while (i < text.len && (text.p[i] == ' ' || (text.p[i] >= '\t' && text.p[i] <= '\r')))
        i++;
    if (i < text.len && (text.p[i] == '-' || text.p[i] == '+'))
        minus = text.p[i++] == '-';
    for (; i < text.len && text.p[i] >= '0' && text.p[i] <= '9'; i++) {
        int digit = text.p[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, minus ? -digit : digit, &value))
            return minus ? INT64_MIN : INT64_MAX;
    }
    return value;
}

bool op_eq(const struct op_call *call, struct waf_op_found *found)
{
    (void)found;
    return waf_op_number(call->value) == waf_op_number(call->argument);
}

bool op_ge(const struct op_call *call, struct waf_op_found *found)
{
    (void)found;
    return waf_op_number(call->value) >= waf_op_number(call->argument);
}

bool op_gt(const struct op_call *call, struct waf_op_found *found)
{
    (void)found;
    return waf_op_number(call->value) > waf_op_number(call->argument);
}

bool op_le(const struct op_call *call, struct waf_op_found *found)
{
    (void)found;
    return waf_op_number(call->value) <= waf_op_number(call->argument);
}

bool op_lt(const struct op_call *call, struct waf_op_found *found)
{
    (void)found;
    return waf_op_number(call->value) < waf_op_number(call->argument);
}
