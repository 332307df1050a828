/* SPDX-License-Identifier: Apache-2.0 */
#include "store/accum.h"

#include "base/attr.h"

void accum_add(struct accum *sum, const struct accum *element)
{
    unsigned carry = 0;

    for (unsigned i = 0; i < ARRAY_LEN(sum->limb); i++) {
        uint64_t with_carry;
        unsigned first = __builtin_add_overflow(sum->limb[i], carry, &with_carry);
        carry = first | __builtin_add_overflow(with_carry, element->limb[i], &sum->limb[i]);
    }
}

void accum_remove(struct accum *sum, const struct accum *element)
{
    unsigned borrow = 0;

    for (unsigned i = 0; i < ARRAY_LEN(sum->limb); i++) {
        uint64_t with_borrow;
        unsigned first = __builtin_sub_overflow(sum->limb[i], borrow, &with_borrow);
        borrow = first | __builtin_sub_overflow(with_borrow, element->limb[i], &sum->limb[i]);
    }
}
