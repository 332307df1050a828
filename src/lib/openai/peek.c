/* SPDX-License-Identifier: Apache-2.0 */
#include "openai/peek.h"

#include "base/num.h"
#include "openai/skip.h"

#include <string.h>

enum { TOP_OTHER, TOP_CHOICES, TOP_USAGE, TOP_ERROR };
enum { NUMBER_NONE, NUMBER_PROMPT, NUMBER_COMPLETION, NUMBER_CACHED };

/* ------------------------------------------------------------------ names and values */

static inline bool is(struct span name, const char *text)
{
    return name.len == strlen(text) && memcmp(name.p, text, strlen(text)) == 0;
}

static bool in_details(const struct openai_peek *peek)
{
    return peek->depth == 3 && peek->details;
}

static void name_of_usage(struct openai_peek *peek, struct span name)
{
    peek->details = is(name, "prompt_tokens_details");
    if (is(name, "prompt_tokens")) {
        peek->number = NUMBER_PROMPT;
        peek->prompt_tokens = 0;
    } else if (is(name, "completion_tokens")) {
        peek->number = NUMBER_COMPLETION;
        peek->completion_tokens = 0;
    }
}

static void name_ends(struct openai_peek *peek, struct span name)
{
    peek->number = NUMBER_NONE;
    if (peek->depth == 1) {
        peek->details = false;
        peek->top = is(name, "choices") ? TOP_CHOICES
                    : is(name, "usage") ? TOP_USAGE
                    : is(name, "error") ? TOP_ERROR
                                        : TOP_OTHER;
    } else if (peek->depth == 2 && peek->top == TOP_USAGE) {
        name_of_usage(peek, name);
    } else if (in_details(peek) && is(name, "cached_tokens")) {
        peek->number = NUMBER_CACHED;
        peek->cached_tokens = 0;
    }
}

/* What does the first byte of a value say about the member at hand? */
static void value_begins(struct openai_peek *peek, uint8_t c)
{
    if (peek->began)
        return;
    peek->began = true;
    if (peek->depth == 2 && peek->top == TOP_CHOICES)
        peek->choices = true;
    if (peek->depth == 1 && peek->top == TOP_USAGE && c == '{')
        peek->usage = true;
    if (peek->depth == 1 && peek->top == TOP_ERROR && c != 'n')
        peek->error = true;
}

/* Where names are wanted behind a comma or a brace. */
static bool has_names(const struct openai_peek *peek)
{
    return peek->depth == 1 || (peek->depth == 2 && peek->top == TOP_USAGE) || in_details(peek);
}

/* ------------------------------------------------------------------ strings */

/* In a name that was cut. */
static void add_to_name(struct openai_peek *peek, const uint8_t *p, size_t len)
{
    size_t room = OPENAI_NAME_MAX - NUM_MIN(peek->name_len, (size_t)OPENAI_NAME_MAX);

    memcpy(peek->name + OPENAI_NAME_MAX - room, p, NUM_MIN(len, room));
    peek->name_len = (uint8_t)NUM_MIN(peek->name_len + len, (size_t)OPENAI_NAME_MAX + 1);
}

static const uint8_t *in_string(struct openai_peek *peek, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *stop = peek->escaped ? p : skip_text(p, end);

    if (peek->in_name && stop > p)
        add_to_name(peek, p, (size_t)(stop - p));
    if (stop == end)
        return end;
    if (peek->escaped || *stop == '\\') {
        /* A name with an escape in it is none of ours: none is written that way. */
        if (peek->in_name)
            peek->name_len = OPENAI_NAME_MAX + 1;
        peek->escaped = !peek->escaped;
        return stop + 1;
    }
    peek->in_string = false;
    if (peek->in_name)
        name_ends(peek, span_of(peek->name, peek->name_len));
    peek->in_name = false;
    return stop + 1;
}

/* Behind the string that begins before p. */
static const uint8_t *over_string(struct openai_peek *peek, const uint8_t *p, const uint8_t *end)
{
    for (p = skip_text(p, end); p < end && *p == '\\'; p = skip_text(p, end)) {
        if (end - p == 1) {
            peek->escaped = true;
            p = end;
            break;
        }
        p += 2;
    }
    peek->in_string = p == end;
    return peek->in_string ? end : p + 1;
}

static const uint8_t *over_name(struct openai_peek *peek, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *stop = skip_text(p, end);

    if (stop < end && *stop == '"') {
        name_ends(peek, span_of(p, (size_t)(stop - p)));
        return stop + 1;
    }
    peek->in_string = peek->in_name = true;
    peek->name_len = 0;
    return in_string(peek, p, end);
}

/* ------------------------------------------------------------------ the outer levels */

/* NESTING: where only nesting and strings count. ENDS: behind a value that is neither. BLANK:
 * between what counts. */
enum { NESTING = 1, ENDS = 2, BLANK = 4 };
static const uint8_t matters[256] = {
    ['"'] = NESTING | ENDS, ['{'] = NESTING | ENDS, ['}'] = NESTING | ENDS, ['['] = NESTING | ENDS,
    [']'] = NESTING | ENDS, [','] = ENDS,           [' '] = BLANK,          [':'] = BLANK,
    ['\t'] = BLANK,         ['\r'] = BLANK,         ['\n'] = BLANK};

static void container_begins(struct openai_peek *peek, uint8_t c)
{
    value_begins(peek, c);
    peek->depth++;
    peek->began = false;
    peek->number = NUMBER_NONE;
    peek->want_name = c == '{' && has_names(peek);
}

static void container_ends(struct openai_peek *peek)
{
    peek->number = NUMBER_NONE;
    peek->want_name = false;
    if (peek->depth > 0)
        peek->depth--;
}

static const uint8_t *digits(struct openai_peek *peek, const uint8_t *p, const uint8_t *end)
{
    uint64_t *sum = peek->number == NUMBER_PROMPT   ? &peek->prompt_tokens
                    : peek->number == NUMBER_CACHED ? &peek->cached_tokens
                                                    : &peek->completion_tokens;

    for (; p < end && *p >= '0' && *p <= '9'; p++)
        if (*sum < UINT32_MAX)
            *sum = *sum * 10 + (uint64_t)(*p - '0');
    if (p < end)
        peek->number = NUMBER_NONE;
    return p;
}

/* A number, true, false or null; or the rest of one. */
static const uint8_t *scalar(struct openai_peek *peek, const uint8_t *p, const uint8_t *end)
{
    value_begins(peek, *p);
    if (peek->number != NUMBER_NONE)
        p = digits(peek, p, end);
    while (p < end && (matters[*p] & ENDS) == 0)
        p++;
    return p;
}

static const uint8_t *token(struct openai_peek *peek, const uint8_t *p, const uint8_t *end)
{
    while ((matters[*p] & BLANK) != 0)
        if (++p == end)
            return end;
    switch (*p) {
    case '{':
    case '[': container_begins(peek, *p); return p + 1;
    case '}':
    case ']': container_ends(peek); return p + 1;
    case ',':
        peek->number = NUMBER_NONE;
        peek->began = false;
        peek->want_name = has_names(peek);
        return p + 1;
    case '"': break;
    default: return scalar(peek, p, end);
    }
    bool is_name = peek->want_name;
    peek->want_name = false;
    if (is_name)
        return over_name(peek, p + 1, end);
    value_begins(peek, '"');
    return over_string(peek, p + 1, end);
}

/* ------------------------------------------------------------------ the deep */

/* The depth from which on only nesting and strings count. */
static uint32_t deep_from(const struct openai_peek *peek)
{
    if (peek->top == TOP_USAGE)
        return peek->details ? 4 : 3;
    return peek->top == TOP_OTHER || peek->choices ? 2 : 3;
}

/* Most of an answer lies here. */
static const uint8_t *in_the_deep(struct openai_peek *peek, uint32_t from, const uint8_t *p,
                                  const uint8_t *end)
{
    uint32_t depth = peek->depth;

    while (p < end && depth >= from && !peek->in_string) {
        uint8_t c = *p++;
        if ((matters[c] & NESTING) == 0)
            continue;
        if (c == '"')
            p = over_string(peek, p, end);
        else if (c == '{' || c == '[')
            depth++;
        else
            depth--;
    }
    peek->depth = depth;
    peek->number = NUMBER_NONE;
    peek->want_name = false;
    return p;
}

void openai_peek_feed(struct openai_peek *peek, const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        uint32_t from = deep_from(peek);
        if (peek->in_string)
            p = in_string(peek, p, end);
        else if (peek->depth >= from)
            p = in_the_deep(peek, from, p, end);
        else
            p = token(peek, p, end);
    }
}
