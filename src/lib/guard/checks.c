/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/detectors.h"

#include <strings.h>

/* The digits alone; 0 when there are more than `size`. */
static size_t digits_of(struct span text, uint8_t *out, size_t size)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            continue;
        if (count == size)
            return 0;
        out[count++] = text.p[i] - '0';
    }
    return count;
}

bool guard_check_luhn(struct span text)
{
    uint8_t digits[19];
    size_t count = digits_of(text, digits, sizeof(digits));
    unsigned sum = 0;
    bool all_same = true;

    if (count < 13)
        return false;
    for (size_t i = 0; i < count; i++) {
        unsigned value = digits[count - 1 - i] * (i % 2 == 0 ? 1U : 2U);
        sum += value > 9 ? value - 9 : value;
        all_same &= digits[i] == digits[0];
    }
    return sum % 10 == 0 && !all_same;
}

static bool is_date(const uint8_t *p)
{
    static const uint8_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned month = (p[4] - '0') * 10U + (p[5] - '0');
    unsigned day = (p[6] - '0') * 10U + (p[7] - '0');

    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1];
}

bool guard_check_cn_id(struct span text)
{
    static const uint8_t weights[17] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
    static const char ends[] = "10X98765432";
    unsigned sum = 0;

    if (text.len != 18 || !is_date(text.p + 6))
        return false;
    for (size_t i = 0; i < 17; i++)
        sum += (text.p[i] - '0') * (unsigned)weights[i];
    char last = text.p[17] == 'x' ? 'X' : (char)text.p[17];
    return last == ends[sum % 11];
}

bool guard_check_iban(struct span text)
{
    char flat[40];
    size_t len = 0;
    unsigned rest = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == ' ')
            continue;
        if (len == 34)
            return false;
        flat[len++] = (char)text.p[i];
    }
    if (len < 15)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = flat[(i + 4) % len];
        rest = c >= 'A' ? (rest * 100 + (unsigned)(c - 'A') + 10) % 97
                        : (rest * 10 + (unsigned)(c - '0')) % 97;
    }
    return rest == 1;
}

/* scheme://user:password@host, as a person would write it and not an example. */
bool guard_check_password(struct span text)
{
    static const char *const examples[] = {"password", "pass",    "passwd", "pwd",  "secret",
                                           "xxx",      "example", "your",   "user", "changeme"};
    const uint8_t *at = memrchr(text.p, '@', text.len);
    const uint8_t *colon = at == NULL ? NULL : memrchr(text.p, ':', (size_t)(at - text.p));

    if (colon == NULL)
        return false;
    struct span password = span_of(colon + 1, (size_t)(at - colon - 1));
    if (password.len < 3 || strchr("$<{[*%", password.p[0]) != NULL)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        size_t len = strlen(examples[i]);
        if (password.len >= len && strncasecmp((const char *)password.p, examples[i], len) == 0)
            return false;
    }
    return true;
}
