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
