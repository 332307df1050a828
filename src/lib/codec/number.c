/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/codec_internal.h"

#include <math.h>

enum { DIGITS_SAFE = 15, DIGITS_MAX = 17 };

/* 0.DIGITS times ten to the power of `point`; digits without zeros at either end. */
struct decimal {
    char digits[DIGITS_MAX + 1];
    int count;
    int point;
};

static double value_of(const struct decimal *decimal)
{
    char text[DIGITS_MAX + 16];

    snprintf(text, sizeof(text), "0.%se%d", decimal->digits, decimal->point);
    return strtod(text, NULL);
}

static void strip_zeros(struct decimal *decimal)
{
    while (decimal->count > 1 && decimal->digits[decimal->count - 1] == '0')
        decimal->digits[--decimal->count] = '\0';
}

/* The decimal of `count` digits that is nearest to the number. */
static void nearest(double number, int count, struct decimal *decimal)
{
    char text[DIGITS_MAX + 16];

    snprintf(text, sizeof(text), "%.*e", count - 1, number); /* d.ddde+dd */
    decimal->digits[0] = text[0];
    if (count > 1)
        memcpy(decimal->digits + 1, text + 2, (size_t)count - 1);
    decimal->digits[count] = '\0';
    decimal->count = count;
    decimal->point = (int)strtol(strchr(text, 'e') + 1, NULL, 10) + 1;
}

/* The next larger decimal; false when all digits are 9. */
static bool step_up(struct decimal *decimal)
{
    int at = decimal->count - 1;

    while (at >= 0 && decimal->digits[at] == '9')
        decimal->digits[at--] = '0';
    if (at < 0)
        return false;
    decimal->digits[at]++;
    return true;
}

/* Up to 15 digits survive a normal double, so fewer than 15 are found as 15 with zeros behind. At a
 * power of two the doubles below lie closer than those above; then the nearest decimal may miss
 * where the next larger one still hits. */
static void shortest(double number, struct decimal *decimal)
{
    for (int count = isnormal(number) ? DIGITS_SAFE : 1; count <= DIGITS_MAX; count++) {
        nearest(number, count, decimal);
        if (value_of(decimal) == number)
            break;
        if (step_up(decimal) && value_of(decimal) == number)
            break;
    }
    strip_zeros(decimal);
}

static void put_zeros(struct buf *out, int count)
{
    while (count-- > 0)
        buf_put_u8(out, '0');
}

void codec_number_put(double number, struct buf *out)
{
    struct decimal d;

    INVARIANT(isfinite(number));
    if (number == 0) {
        buf_put_u8(out, '0');
        return;
    }
    if (number < 0)
        buf_put_u8(out, '-');
    shortest(fabs(number), &d);
    if (d.point > 21 || d.point <= -6) {
        buf_put_u8(out, (uint8_t)d.digits[0]);
        if (d.count > 1)
            buf_printf(out, ".%s", d.digits + 1);
        buf_printf(out, "e%+d", d.point - 1);
    } else if (d.point <= 0) {
        buf_put_str(out, "0.");
        put_zeros(out, -d.point);
        buf_put_str(out, d.digits);
    } else if (d.count <= d.point) {
        buf_put_str(out, d.digits);
        put_zeros(out, d.point - d.count);
    } else {
        buf_printf(out, "%.*s.%s", d.point, d.digits, d.digits + d.point);
    }
}

void codec_real_put(double number, struct buf *out)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(64);

    codec_number_put(number, &text);
    buf_put_span(out, buf_span(&text));
    if (strpbrk(buf_text(&text), ".e") == NULL)
        buf_put_str(out, ".0");
}
