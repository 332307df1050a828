/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a call costs, in whole millionths of a currency: integers alone, so that what is reserved,
 * settled and recorded agrees to the last one.
 */
#ifndef DRUN_LIMIT_PRICE_H
#define DRUN_LIMIT_PRICE_H

#include <stdint.h>

/* Of a million tokens, in millionths of the currency. */
struct limit_rates {
    uint64_t input;
    uint64_t cached_input; /* of a prompt, but known to the engine already; at most `input` */
    uint64_t output;
};

struct limit_tokens {
    uint64_t input;        /* all of the prompt */
    uint64_t cached_input; /* how many of them; no more than `input` count */
    uint64_t output;
};

/* Rounded up; at most LIMIT_BUDGET_MAX. More tokens never cost less, and cached ones never more. */
uint64_t limit_cost(const struct limit_rates *rates, const struct limit_tokens *tokens);

#endif
