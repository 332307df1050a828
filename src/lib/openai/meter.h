/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts what an engine's answer used, while it streams past. The answer is one JSON object or a
 * stream of server-sent events (WHATWG HTML section 9.2) whose data are JSON objects; it may arrive
 * in pieces cut anywhere. The state is bounded and holds no pointer into the bytes.
 *
 * Of a stream a client gets whole events: the beginning of an event whose end has not come yet is
 * kept, up to OPENAI_HOLD_MAX bytes, because no client can read half an event. So the final event
 * that only tells the usage can be left out when the client did not ask for it, and a stream whose
 * engine dies ends between two events. A longer event passes as it comes.
 */
#ifndef DRUN_OPENAI_METER_H
#define DRUN_OPENAI_METER_H

#include "openai/peek.h"

enum { OPENAI_HOLD_MAX = 4096 };

enum openai_meter_kind { OPENAI_METER_JSON, OPENAI_METER_EVENTS };

struct openai_usage {
    bool known; /* the engine told it; else estimated */
    uint64_t prompt_tokens;
    uint64_t completion_tokens;
    uint64_t cached_tokens; /* of the prompt, those that the engine had in its cache */
};

/* A value of the caller's; openai_meter_start() fills it in. */
struct openai_meter {
    enum openai_meter_kind kind;
    bool strip_usage;
    bool done;   /* "data: [DONE]" went past */
    bool failed; /* the engine told an error */
    bool known;  /* a usage was told: the three numbers */
    uint64_t prompt_tokens;
    uint64_t completion_tokens;
    uint64_t cached_tokens;
    uint64_t bytes;   /* of the answer */
    uint64_t chunks;  /* events with choices in them */
    uint64_t dropped; /* events left out */

    struct openai_peek peek;
    uint8_t line;   /* where in a line */
    uint8_t field;  /* how much of "data:" matched */
    uint8_t finish; /* how much of "[DONE]" matched */
    bool after_cr;
    bool has_line; /* the event at hand has a line */
    bool passing;  /* the event at hand is too long to keep: its bytes pass as they come */
    bool swallow;  /* the event before was dropped: if at a CR, drop its LF too */
    size_t held_len;
    uint8_t held[OPENAI_HOLD_MAX];
};

/* Receives what the client shall get, in order. The bytes are either among those fed or the meter's
 * own, and good until emit returns. */
typedef void openai_emit_fn(void *ctx, struct span bytes);

/* With strip_usage, an event that has a usage and no choices is left out. */
void openai_meter_start(struct openai_meter *meter, enum openai_meter_kind kind, bool strip_usage);
void openai_meter_feed(struct openai_meter *meter, struct span bytes, openai_emit_fn *emit,
                       void *ctx);
/* The answer is over: emits what is kept. With `cut` the engine died before its end; a kept
 * beginning of an event is then forgotten, and false says that half an event had passed already. */
bool openai_meter_end(struct openai_meter *meter, bool cut, openai_emit_fn *emit, void *ctx);

/* What the engine told; else an estimate: a token for each four bytes of prompt and a prompt's id,
 * and for the answer one a chunk, or of an answer that is no stream a token for each four bytes. */
struct openai_usage openai_meter_usage(const struct openai_meter *meter, size_t prompt_bytes,
                                       uint64_t prompt_ids);
uint64_t openai_estimate_prompt(size_t prompt_bytes, uint64_t prompt_ids);

#endif
