/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/quantity.h"

#include "base/num.h"

#include <stdbool.h>
#include <string.h>

static const struct suffix {
    const char *text;
    unsigned base; /* of the power */
    int power;
} suffixes[] = {
    {"Ki", 1024, 1}, {"Mi", 1024, 2}, {"Gi", 1024, 3}, {"Ti", 1024, 4},
    {"Pi", 1024, 5}, {"Ei", 1024, 6}, {"n", 10, -9},   {"u", 10, -6},
    {"m", 10, -3},   {"", 10, 0},     {"k", 10, 3},    {"M", 10, 6},
    {"G", 10, 9},    {"T", 10, 12},   {"P", 10, 15},   {"E", 10, 18},
};

/* Digits with at most one point between them: the number without the point, and how many digits
 * were behind it. */
static bool take_digits(const char **text, uint64_t *number, int *behind)
{
    const char *p = *text;
    bool point = false;
    size_t digits = 0;

    for (; (*p >= '0' && *p <= '9') || (*p == '.' && !point); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        digits++;
        if (!num_mul(*number, 10ULL, number) || !num_add(*number, (uint64_t)(*p - '0'), number))
            return false;
        *behind += point;
    }
    *text = p;
    return digits > 0;
}

static bool take_suffix(const char *text, unsigned *base, int *power)
{
    if ((text[0] == 'e' || text[0] == 'E') && text[1] != '\0' && text[1] != 'i') {
        bool minus = text[1] == '-';
        const char *digits = text + 1 + (minus || text[1] == '+');
        size_t len = strlen(digits);
        if (len == 0 || len > 2 || strspn(digits, "0123456789") != len)
            return false;
        *base = 10;
        *power = len == 1 ? digits[0] - '0' : (digits[0] - '0') * 10 + digits[1] - '0';
        *power = minus ? -*power : *power;
        return true;
    }
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        if (strcmp(suffixes[i].text, text) == 0) {
            *base = suffixes[i].base;
            *power = suffixes[i].power;
            return true;
        }
    return false;
}

static bool raise_to(uint64_t *number, unsigned base, int power)
{
    for (; power > 0; power--)
        if (!num_mul(*number, (uint64_t)base, number))
            return *number == 0;
    return true;
}

static void lower_by(uint64_t *number, int power)
{
    for (; power < 0; power++)
        *number = *number / 10 + (*number % 10 != 0);
}

int quantity_milli(const char *text, const char *what, uint64_t *out, struct err *err)
{
    const char *rest = text;
    unsigned base = 10;
    uint64_t number = 0;
    int behind = 0, power = 0;

    rest += *rest == '+';
    bool good = take_digits(&rest, &number, &behind) && take_suffix(rest, &base, &power);
    /* Powers of ten are all taken together, so that 1.5k loses nothing. */
    int tens = 3 - behind + (base == 10 ? power : 0);
    good = good && raise_to(&number, 1024, base == 1024 ? power : 0) && raise_to(&number, 10, tens);
    if (!good)
        return err_set(err, ERR_INVALID, "%s: \"%.60s\" is no quantity, or too large", what, text);
    lower_by(&number, tens);
    *out = number;
    return 0;
}
