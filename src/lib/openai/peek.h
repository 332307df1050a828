/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at a JSON object that streams past, in pieces cut anywhere (RFC 8259): whether it has
 * choices, an error, a usage, and the numbers of that. Only the names of its two outer levels and
 * of usage.prompt_tokens_details are read. What is no JSON is not noticed; the numbers are then
 * any. The state is bounded and holds no pointer into the bytes.
 */
#ifndef DRUN_OPENAI_PEEK_H
#define DRUN_OPENAI_PEEK_H

#include "base/span.h"

enum { OPENAI_NAME_MAX = 24 };

/* All zero: before the first byte. */
struct openai_peek {
    uint32_t depth;
    bool in_string;
    bool escaped;
    bool want_name; /* the next string is a name */
    bool in_name;
    bool began;       /* the value at hand */
    uint8_t name_len; /* of a name that was cut; over OPENAI_NAME_MAX: none of ours */
    char name[OPENAI_NAME_MAX];
    uint8_t top;    /* the member at hand of the top */
    uint8_t number; /* what digits at hand count */
    bool choices;   /* "choices" has an element */
    bool usage;     /* "usage" is an object */
    bool details;   /* in usage.prompt_tokens_details */
    bool error;     /* "error" is there and not null */
    uint64_t prompt_tokens;
    uint64_t completion_tokens;
    uint64_t cached_tokens;
};

void openai_peek_feed(struct openai_peek *peek, const uint8_t *p, const uint8_t *end);

#endif
