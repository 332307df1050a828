/* SPDX-License-Identifier: Apache-2.0 */
#include "openai/meter.h"

#include "base/num.h"

#include <string.h>

enum { LINE_START, LINE_FIELD, LINE_BLANK, LINE_DATA, LINE_DONE, LINE_OTHER };

static const char data_field[] = "data:";
static const char done_text[] = "[DONE]";

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
        openai_peek_feed(&meter->peek, p, stop);
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
        openai_peek_feed(&meter->peek, bytes.p, end);
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
