/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine's answer, or one event of its stream, as the OpenAI API has it: where its texts stand.
 * Strict about JSON as a request is, and about nothing else: what is not known passes. Nothing is
 * allocated; every span points into the caller's bytes.
 */
#ifndef DRUN_OPENAI_ANSWER_H
#define DRUN_OPENAI_ANSWER_H

#include "openai/openai.h"

enum {
    OPENAI_CHOICES_MAX = 128,
    OPENAI_PIECES_MAX = 1024, /* texts of one answer or event */
    OPENAI_CALLS_MAX = 256,   /* calls of tools in it */
};

/* Texts of one kind, choice and part follow one another: together they are one text. */
enum openai_piece_kind {
    OPENAI_CONTENT,
    OPENAI_REASONING, /* reasoning_content, reasoning */
    OPENAI_REFUSAL,
    OPENAI_ARGUMENTS, /* of the call `part` */
    OPENAI_COMPLETION /* "text" of /v1/completions */
};

struct openai_piece {
    struct span raw; /* between the quotes */
    bool escaped;
    uint8_t kind;
    uint32_t choice; /* its place in `choice` */
    uint32_t part;
};

struct openai_call {
    uint32_t choice; /* its place in `choice` */
    uint32_t part;
    struct span id; /* between the quotes; len 0: not told in this event */
    struct span name;
};

struct openai_choice {
    uint32_t index;
    struct span finish;   /* the value of finish_reason, with its quotes; len 0: none, or null */
    struct span logprobs; /* the value; len 0: none, or null */
};

struct openai_answer {
    struct span id; /* values, with quotes; len 0: not there */
    struct span created;
    struct span model;
    bool error; /* "error" is there and not null */
    size_t choices;
    size_t pieces;
    size_t calls;
    struct openai_choice choice[OPENAI_CHOICES_MAX];
    struct openai_piece piece[OPENAI_PIECES_MAX];
    struct openai_call call[OPENAI_CALLS_MAX];
};

/* -1 with ERR_INVALID for what is no JSON object, or has more in it than there is room for. */
int openai_answer_scan(struct span json, struct openai_answer *out, struct err *err) MUST_USE;

/* The answer for rules about leaks, in stretches of it: what a model says is empty in it. */
void openai_answer_cut(struct span json, const struct openai_answer *answer, openai_cut_fn *put,
                       void *ctx);

/* ------------------------------------------------------------------ events of a stream */

enum { OPENAI_EVENT_MAX = 1 << 20 };

/* The data of one event, its lines joined; empty for a mere comment. False stops. */
typedef bool openai_event_fn(void *ctx, struct span data);

/* Zeroed at the start of a stream. */
struct openai_events {
    uint8_t *held; /* the beginning of an event */
    size_t len;
    size_t line; /* where its last line begins */
    size_t room;
};
void openai_events_free(struct openai_events *events);
/* Server-sent events (WHATWG HTML section 9.2) from bytes that are cut anywhere. False when fn
 * said so, or when an event is larger than OPENAI_EVENT_MAX. */
bool openai_events_feed(struct openai_events *events, struct span bytes, openai_event_fn *fn,
                        void *ctx) MUST_USE;

#endif
