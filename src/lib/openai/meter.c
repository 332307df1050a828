/* SPDX-License-Identifier: Apache-2.0 */
#include "openai/meter.h"

#include "base/num.h"
#include "openai/skip.h"

#include <string.h>

enum { TOP_OTHER, TOP_CHOICES, TOP_USAGE, TOP_ERROR };
enum { NUMBER_NONE, NUMBER_PROMPT, NUMBER_COMPLETION, NUMBER_CACHED };
enum { LINE_START, LINE_FIELD, LINE_BLANK, LINE_DATA, LINE_DONE, LINE_OTHER };

static const char data_field[] = "data:";
static const char done_text[] = "[DONE]";

/* ------------------------------------------------------------------ the two outer levels of JSON
 */

static bool name_is(const struct openai_peek *peek, const char *name)
{
    return peek->name_len == strlen(name) && memcmp(peek->name, name, peek->name_len) == 0;
}

static bool in_details(const struct openai_peek *peek)
{
    return peek->depth == 3 && peek->details;
}

static void name_ends(struct openai_peek *peek)
{
    if (peek->depth == 1)
        peek->top = name_is(peek, "choices") ? TOP_CHOICES
                    : name_is(peek, "usage") ? TOP_USAGE
                    : name_is(peek, "error") ? TOP_ERROR
                                             : TOP_OTHER;
    peek->number = NUMBER_NONE;
    if (in_details(peek)) {
        if (name_is(peek, "cached_tokens")) {
            peek->number = NUMBER_CACHED;
            peek->cached_tokens = 0;
        }
        return;
    }
    peek->details =
        peek->depth == 2 && peek->top == TOP_USAGE && name_is(peek, "prompt_tokens_details");
    if (peek->depth != 2 || peek->top != TOP_USAGE)
        return;
    if (name_is(peek, "prompt_tokens")) {
        peek->number = NUMBER_PROMPT;
        peek->prompt_tokens = 0;
    } else if (name_is(peek, "completion_tokens")) {
        peek->number = NUMBER_COMPLETION;
        peek->completion_tokens = 0;
    }
}

static void digit(struct openai_peek *peek, uint8_t c)
{
    uint64_t *sum = peek->number == NUMBER_PROMPT   ? &peek->prompt_tokens
                    : peek->number == NUMBER_CACHED ? &peek->cached_tokens
                                                    : &peek->completion_tokens;

    if (c < '0' || c > '9')
        peek->number = NUMBER_NONE;
    else if (*sum < UINT32_MAX)
        *sum = *sum * 10 + (c - '0');
}

/* A value begins or goes on: what does it say about the member at hand? */
static void value_begins(struct openai_peek *peek, uint8_t c)
{
    if (peek->top == TOP_OTHER || peek->depth > 2)
        return;
    if (peek->depth == 2 && peek->top == TOP_CHOICES)
        peek->choices = true;
    if (peek->depth == 1 && peek->top == TOP_USAGE && c == '{')
        peek->usage = true;
    if (peek->depth == 1 && peek->top == TOP_ERROR && c != 'n')
        peek->error = true;
}

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
        name_ends(peek);
    peek->in_name = false;
    return stop + 1;
}

static void string_begins(struct openai_peek *peek)
{
    peek->in_string = true;
    peek->in_name = peek->want_name && (peek->depth <= 2 || in_details(peek));
    if (peek->in_name)
        peek->name_len = 0;
    else
        value_begins(peek, '"');
    peek->want_name = false;
}

static void container_ends(struct openai_peek *peek)
{
    peek->number = NUMBER_NONE;
    peek->want_name = false;
    if (peek->depth > 0)
        peek->depth--;
}

/* Deeper than those only the nesting counts, and that every string is skipped. Names
 * there are read as values, which does no harm. */
static void structure(struct openai_peek *peek, uint8_t c)
{
    switch (c) {
    case '"': string_begins(peek); break;
    case '{':
    case '[':
        value_begins(peek, c);
        peek->depth++;
        peek->number = NUMBER_NONE;
        peek->want_name = c == '{' && (peek->depth == 1 || peek->top == TOP_USAGE);
        break;
    case '}':
    case ']': container_ends(peek); break;
    case ',':
        peek->number = NUMBER_NONE;
        peek->want_name =
            peek->depth == 1 || (peek->depth == 2 && peek->top == TOP_USAGE) || in_details(peek);
        break;
    case ' ':
    case ':':
    case '\t':
    case '\r':
    case '\n': break;
    default:
        if (peek->number != NUMBER_NONE)
            digit(peek, c);
        value_begins(peek, c);
    }
}

enum { NESTING = 1, OUTER = 2 };

/* The bytes that matter where only nesting and strings count, and those that matter in a member at
 * the top that nobody asks for. */
static const uint8_t matters[256] = {
    ['"'] = NESTING | OUTER, ['{'] = NESTING | OUTER, ['}'] = NESTING | OUTER,
    ['['] = NESTING | OUTER, [']'] = NESTING | OUTER, [','] = OUTER};

/* The depth from which on only nesting and strings count. */
static uint32_t deep_from(const struct openai_peek *peek)
{
    if (peek->top == TOP_USAGE)
        return peek->details ? 4 : 3;
    return peek->top == TOP_OTHER || peek->choices ? 2 : 3;
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

static void peek_at(struct openai_peek *peek, const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        uint32_t from = deep_from(peek);
        if (peek->in_string) {
            p = in_string(peek, p, end);
        } else if (peek->depth >= from) {
            p = in_the_deep(peek, from, p, end);
        } else {
            bool outer = peek->depth == 1 && peek->top == TOP_OTHER;
            while (outer && p < end && (matters[*p] & OUTER) == 0)
                p++;
            if (p < end)
                structure(peek, *p++);
        }
    }
}

/* ------------------------------------------------------------------ lines of an event */

/* Reads on in a line, up to its end at most; returns how many bytes were used. */
static size_t in_line(struct openai_meter *meter, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *stop = p;

    switch (meter->line) {
    case LINE_START:
        meter->has_line = true;
        meter->field = 0;
        meter->line = LINE_FIELD;
        return 0;
    case LINE_FIELD:
        if (*p != (uint8_t)data_field[meter->field])
            meter->line = LINE_OTHER;
        else if (++meter->field == sizeof(data_field) - 1)
            meter->line = LINE_BLANK;
        return 1;
    case LINE_BLANK:
        meter->line = *p == ' ' ? LINE_BLANK : *p == '[' ? LINE_DONE : LINE_DATA;
        meter->finish = 0;
        return *p == ' ' ? 1 : 0;
    case LINE_DONE:
        if (meter->finish == sizeof(done_text) - 1 || *p != (uint8_t)done_text[meter->finish])
            meter->line = LINE_OTHER;
        meter->finish++;
        return 1;
    default: break;
    }
    while (stop < end && *stop != '\n' && *stop != '\r')
        stop++;
    if (meter->line == LINE_DATA)
        peek_at(&meter->peek, p, stop);
    return (size_t)(stop - p);
}

/* True when the line was blank: the end of an event. */
static bool line_ends(struct openai_meter *meter)
{
    bool blank = meter->line == LINE_START;

    if (meter->line == LINE_DONE && meter->finish == sizeof(done_text) - 1)
        meter->done = true;
    meter->line = LINE_START;
    return blank;
}

/* True when the client shall not get the event that has just ended. */
static bool event_ends(struct openai_meter *meter)
{
    struct openai_peek *peek = &meter->peek;
    bool only_usage = peek->usage && !peek->choices && !peek->error;

    if (peek->usage) {
        meter->known = true;
        meter->prompt_tokens = peek->prompt_tokens;
        meter->completion_tokens = peek->completion_tokens;
        meter->cached_tokens = peek->cached_tokens;
    }
    meter->chunks += peek->choices;
    meter->failed |= peek->error;
    memset(peek, 0, sizeof(*peek));
    meter->has_line = false;
    return only_usage && meter->strip_usage;
}

/* ------------------------------------------------------------------ what the client gets */

/* One feed: what of it has been passed on, and where the event at hand begins in it. */
struct feed {
    struct openai_meter *meter;
    openai_emit_fn *emit;
    void *ctx;
    const uint8_t *passed;
    const uint8_t *event;
};

static void pass_to(struct feed *feed, const uint8_t *to)
{
    if (to > feed->passed)
        feed->emit(feed->ctx, span_of(feed->passed, (size_t)(to - feed->passed)));
    feed->passed = to;
}

static void pass_held(struct feed *feed)
{
    if (feed->meter->held_len > 0)
        feed->emit(feed->ctx, span_of(feed->meter->held, feed->meter->held_len));
    feed->meter->held_len = 0;
}

/* The event at hand ends just before p. */
static void settle_event(struct feed *feed, const uint8_t *p)
{
    struct openai_meter *meter = feed->meter;
    bool drop = event_ends(meter) && !meter->passing;

    if (drop) {
        pass_to(feed, feed->event);
        meter->held_len = 0;
        meter->dropped++;
        feed->passed = p;
    } else {
        pass_held(feed);
    }
    meter->swallow = drop;
    meter->passing = false;
    feed->event = p;
}

static void at_newline(struct feed *feed, const uint8_t *p)
{
    struct openai_meter *meter = feed->meter;
    bool second = *p == '\n' && meter->after_cr;

    meter->after_cr = *p == '\r';
    if (!second) {
        if (line_ends(meter))
            settle_event(feed, p + 1);
        return;
    }
    if (meter->has_line)
        return;
    /* The LF of a CR LF belongs to the event that its CR ended. */
    if (meter->swallow)
        feed->passed = p + 1;
    feed->event = p + 1;
}

static void feed_ends(struct feed *feed, const uint8_t *end)
{
    struct openai_meter *meter = feed->meter;
    size_t rest = (size_t)(end - feed->event);

    if (!meter->passing && rest > OPENAI_HOLD_MAX - meter->held_len) {
        meter->passing = true;
        pass_held(feed);
    }
    pass_to(feed, meter->passing ? end : feed->event);
    if (meter->passing || rest == 0)
        return;
    memcpy(meter->held + meter->held_len, feed->event, rest);
    meter->held_len += rest;
}

void openai_meter_start(struct openai_meter *meter, enum openai_meter_kind kind, bool strip_usage)
{
    memset(meter, 0, offsetof(struct openai_meter, held));
    meter->kind = kind;
    meter->strip_usage = strip_usage;
}

void openai_meter_feed(struct openai_meter *meter, struct span bytes, openai_emit_fn *emit,
                       void *ctx)
{
    const uint8_t *end = bytes.p + bytes.len;
    struct feed feed = {
        .meter = meter, .emit = emit, .ctx = ctx, .passed = bytes.p, .event = bytes.p};

    meter->bytes += bytes.len;
    if (meter->kind == OPENAI_METER_JSON) {
        peek_at(&meter->peek, bytes.p, end);
        pass_to(&feed, end);
        return;
    }
    for (const uint8_t *p = bytes.p; p < end;) {
        if (*p != '\n' && *p != '\r') {
            meter->after_cr = false;
            p += in_line(meter, p, end);
            continue;
        }
        at_newline(&feed, p);
        p++;
    }
    feed_ends(&feed, end);
}

bool openai_meter_end(struct openai_meter *meter, bool cut, openai_emit_fn *emit, void *ctx)
{
    struct feed feed = {.meter = meter, .emit = emit, .ctx = ctx};
    bool whole = !meter->passing;

    if (cut && meter->kind == OPENAI_METER_EVENTS) {
        meter->held_len = 0;
        return whole;
    }
    (void)line_ends(meter);
    settle_event(&feed, NULL);
    return true;
}

/* ------------------------------------------------------------------ tokens */

enum { BYTES_PER_TOKEN = 4 };

uint64_t openai_estimate_prompt(size_t prompt_bytes, uint64_t prompt_ids)
{
    return prompt_bytes / BYTES_PER_TOKEN + (prompt_bytes % BYTES_PER_TOKEN > 0) + prompt_ids;
}

struct openai_usage openai_meter_usage(const struct openai_meter *meter, size_t prompt_bytes,
                                       uint64_t prompt_ids)
{
    uint64_t answer =
        meter->kind == OPENAI_METER_EVENTS ? meter->chunks : meter->bytes / BYTES_PER_TOKEN;

    if (meter->known)
        return (struct openai_usage){.known = true,
                                     .prompt_tokens = meter->prompt_tokens,
                                     .completion_tokens = meter->completion_tokens,
                                     .cached_tokens =
                                         NUM_MIN(meter->cached_tokens, meter->prompt_tokens)};
    return (struct openai_usage){.prompt_tokens = openai_estimate_prompt(prompt_bytes, prompt_ids),
                                 .completion_tokens = answer};
}
