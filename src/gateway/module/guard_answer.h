/* SPDX-License-Identifier: Apache-2.0 */
/* An answer under way: its texts go through the guard, and out in the form of the client's API. For
 * the files guard_*.c and anthropic_*.c. */
#ifndef DRUN_GATEWAY_GUARD_ANSWER_H
#define DRUN_GATEWAY_GUARD_ANSWER_H

#include "gateway/module/module.h"

#include "openai/answer.h"

enum {
    GW_LANES_MAX = 1024,              /* texts at the same time, of one answer */
    GW_ANSWER_MAX = 64 * 1024 * 1024, /* bytes of an answer that is no stream */
    GW_HOLD_MS = 10000,               /* no text is held back longer */
    GW_HEAD_MAX = 512,
};

/* One text that comes in pieces. */
struct gw_lane {
    uint32_t choice; /* its index */
    uint32_t part;
    uint8_t kind; /* enum openai_piece_kind */
    bool ended;
    struct guard *guard; /* NULL: not looked at */
};

/* What has become of one piece of an event. */
struct gw_new_text {
    size_t from; /* in texts */
    size_t len;
    bool changed;
};

/* The form of an API. `texts` has one entry for each piece of the event; `all` the bytes. */
struct gw_form {
    /* A text ends where another of its choice begins. */
    bool in_order;
    /* An event of the stream, or the whole answer when there is none. */
    void (*event)(struct gw_answer *answer, struct span data);
    /* What was held back of a text, before the event that ends it. */
    void (*rest)(struct gw_answer *answer, const struct gw_lane *lane, struct span text);
    /* The stream ends here because the guard says so. */
    void (*filtered)(struct gw_answer *answer);
    void (*done)(struct gw_answer *answer);
    /* Somebody waits: nothing to say. */
    void (*pause)(struct gw_answer *answer);
    /* The engine refused with the status that stands in the headers. */
    void (*refused)(struct gw_answer *answer, struct span data);
    /* The engine died, or cannot be understood. */
    void (*broken)(struct gw_answer *answer, const char *code, const char *message);
};

extern const struct gw_form gw_form_openai;    /* guard_openai.c */
extern const struct gw_form gw_form_anthropic; /* anthropic_answer.c */

struct gw_answer {
    ngx_http_request_t *r;
    struct gw_call *call;
    const struct gw_form *form;
    bool stream;
    bool error; /* an engine's refusal */
    bool looks; /* the guard has something to do */
    bool over;
    bool failed;
    bool blocked;
    struct openai_events events;
    struct buf whole; /* of an answer that is no stream */
    struct gw_lane *lanes;
    size_t lane_count;
    size_t lane_room;
    const struct gw_lane *looking; /* whose guard tells now */
    /* The event at hand; of one answer at a time, so the worker has one for all. */
    struct openai_answer *read;
    struct gw_new_text *texts;
    struct buf *all;
    bool ends; /* every text ends with this event */
    /* For events that the engine never sent. */
    bool completion;
    char head[GW_HEAD_MAX];               /* "id":...,"created":...,"model":..., */
    uint8_t finished[OPENAI_CHOICES_MAX]; /* by index: 1 seen, 2 finished */
    void *form_state;
    ngx_event_t timer;
};

/* guard_lanes.c. Fills in answer->texts for the event in answer->read. False: a text is blocked. */
bool gw_lanes_feed(struct gw_answer *answer);
/* What is held back goes on: of the texts of a choice that have no piece in the event at hand, or
 * of all. False: one is blocked. */
bool gw_lanes_finish(struct gw_answer *answer, uint32_t choice);
bool gw_lanes_finish_all(struct gw_answer *answer);
/* The same without an end: it took too long. */
void gw_lanes_release(struct gw_answer *answer);
size_t gw_lanes_held(const struct gw_answer *answer);
void gw_lanes_free(struct gw_answer *answer);
struct span gw_new_text(const struct gw_answer *answer, size_t piece);

void gw_answer_put(struct gw_answer *answer, struct span bytes);
void gw_answer_put_text(struct gw_answer *answer, const char *text);

#endif
