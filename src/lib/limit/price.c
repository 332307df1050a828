/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/price.h"

#include "base/num.h"
#include "limit/budget.h"

enum { PER_RATE = 1000000 };

/* Clipped, so that the sum of all fits: a product of these already costs more than any budget. */
static unsigned __int128 product(uint64_t tokens, uint64_t rate)
{
    static const uint64_t most = UINT64_C(1) << 60;

    return (unsigned __int128)NUM_MIN(tokens, most) * NUM_MIN(rate, most);
}

uint64_t limit_cost(const struct limit_rates *rates, const struct limit_tokens *tokens)
{
    uint64_t cached = NUM_MIN(tokens->cached_input, tokens->input);
    unsigned __int128 sum = product(tokens->input - cached, rates->input) +
                            product(cached, NUM_MIN(rates->cached_input, rates->input)) +
                            product(tokens->output, rates->output);
    unsigned __int128 cost = (sum + PER_RATE - 1) / PER_RATE;

    return (uint64_t)NUM_MIN(cost, (unsigned __int128)LIMIT_BUDGET_MAX);
}
