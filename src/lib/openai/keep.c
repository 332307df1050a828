/* SPDX-License-Identifier: Apache-2.0 */
#include "openai/walk.h"

#include "base/num.h"

static void keep_whole(struct openai_request *out, enum schema_keep keep, int64_t number)
{
    if (keep == KEEP_MAX_TOKENS) {
        out->max_tokens_given = true;
        out->max_tokens = NUM_MAX(out->max_tokens, (uint64_t)number);
    }
    if (keep == KEEP_N && number > out->n)
        out->n = (uint32_t)number;
}

void walk_keep_number(struct walk *walk, enum schema_keep keep, const struct scan_number *number)
{
    if (keep == KEEP_TEMPERATURE)
        walk->temperature_zero = number->value == 0;
    if (number->whole)
        keep_whole(walk->out, keep, number->integer);
}

void walk_keep_value(struct walk *walk, enum schema_keep keep, const uint8_t *from)
{
    struct span bytes = span_of(from, (size_t)(walk->scan.p - from));
    struct openai_request *out = walk->out;

    switch (keep) {
    case KEEP_MODEL: out->model_value = bytes; break;
    case KEEP_DIRECTION: out->for_answers = walk->word->value != 0; break;
    case KEEP_STREAM: out->stream = *from == 't'; break;
    case KEEP_OPTIONS: out->options_value = bytes; break;
    case KEEP_USAGE:
        out->usage_value = bytes;
        out->include_usage = *from == 't';
        break;
    case KEEP_MAX_TOKENS:
        if (*from == 'n')
            out->tokens_null = bytes;
        break;
    case KEEP_MESSAGES:
        if (*from != '[')
            out->messages = 1;
        break;
    default: break;
    }
}
