/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"

#include <inttypes.h>

int num_parse_u64(struct span text, uint64_t min, uint64_t max, const char *what, uint64_t *out,
                  struct err *err)
{
    uint64_t value = 0;

    if (text.len == 0 || (text.len > 1 && text.p[0] == '0'))
        return err_set(err, ERR_INVALID, "%s \"%.*s\" is not a whole number", what,
                       (int)NUM_MIN(text.len, 40), (const char *)text.p);
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)text.p[i] - '0';
        if (digit > 9)
            return err_set(err, ERR_INVALID, "%s \"%.*s\" is not a whole number", what,
                           (int)NUM_MIN(text.len, 40), (const char *)text.p);
        if (!num_mul(value, 10, &value) || !num_add(value, digit, &value))
            return err_set(err, ERR_INVALID, "%s is too large", what);
    }
    if (value < min || value > max)
        return err_set(err, ERR_INVALID, "%s %" PRIu64 " is not between %" PRIu64 " and %" PRIu64,
                       what, value, min, max);
    *out = value;
    return 0;
}

static size_t count_digits(uint64_t value)
{
    size_t count = 1;

    for (; value >= 10000; value /= 10000)
        count += 4;
    return count + (value >= 10) + (value >= 100) + (value >= 1000);
}

/* Two digits at a time, from the end. */
uint8_t *num_put_decimal(uint8_t *at, uint64_t value)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    uint8_t *end = at + count_digits(value);

    for (at = end; value >= 100; value /= 100)
        memcpy(at -= 2, pairs + value % 100 * 2, 2);
    if (value >= 10)
        memcpy(at - 2, pairs + value * 2, 2);
    else
        at[-1] = (uint8_t)('0' + value);
    return end;
}
