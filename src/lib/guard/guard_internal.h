/* SPDX-License-Identifier: Apache-2.0 */
/* One text under way. For this folder. */
#ifndef DRUN_GUARD_GUARD_INTERNAL_H
#define DRUN_GUARD_GUARD_INTERNAL_H

#include "guard/rules.h"
#include "guard/text.h"

enum {
    PIECE_MAX = 16 * 1024,       /* bytes that are looked at in one go */
    CONTEXT = 16,                /* kept before the first byte that matters: for lookbehind */
    ROOM = PIECE_MAX + 4 * 1024, /* a piece, and what was kept of those before */
    ROOM_FIRST = 5 * 1024,       /* enough for an answer that comes token by token */
    ENCODED_HELD = 16,           /* so long a run must be before it is held back */
    PEM_MAX = 16 * 1024,
};
#define NOT_HELD SIZE_MAX

/* A finding that was not told yet. Offsets are in the whole text as it came. */
struct pending {
    uint64_t start, end;
    size_t detector;
    enum guard_action action;
    bool encoded;
};

struct guard {
    const struct guard_rules *rules;
    struct guard_policy policy;
    guard_finding_fn *fn;
    void *ctx;
    enum guard_action strongest; /* of the policy */
    bool enabled[RULES_MAX];
    pcre2_match_data *data;

    struct text_state state;
    size_t room;  /* of raw, norm and map */
    uint8_t *raw; /* from `base` on, `raw_len` bytes, the first `decoded` of them in norm */
    uint64_t base;
    size_t raw_len, decoded;
    uint8_t *norm;
    uint32_t *map; /* norm[i] comes from raw[map[i]]; one more for the end */
    size_t norm_len;
    size_t resume[RULES_MAX]; /* in norm: where each pattern is looked for next */
    size_t hold[RULES_MAX];   /* in norm: where a match may have begun; or NOT_HELD */

    struct pending *pending;
    size_t pending_count, pending_room;
    struct open_tail { /* a match whose end has not come yet */
        enum guard_tail kind;
        size_t number;  /* the detector */
        uint64_t start; /* in the text */
        size_t at;      /* in norm: all before belongs to it */
        uint64_t max;   /* in the text: no further than this */
    } tail;

    uint64_t out_at;       /* in the text: all before has gone on, or was masked */
    uint64_t masked_until; /* in the text: a mask stands for all up to here */
    uint64_t told_until;   /* the end of the last finding that was told, and its action */
    enum guard_action told_action;
    bool blocked;
};

/* scan.c: looks at what is new in norm. */
void guard_scan(struct guard *guard, bool last);
/* Where norm[at] is in the text. */
static inline uint64_t guard_offset(const struct guard *guard, size_t at)
{
    return guard->base + guard->map[at];
}
void guard_found(struct guard *guard, const struct pending *found);

/* inner.c: decodes a run and looks into it; the strongest action of what is in there, each of which
 * is noted with the run's place. */
enum guard_action guard_look_inside(struct guard *guard, enum guard_encoding encoding,
                                    struct span run, const struct pending *place, unsigned depth);

/* out.c */
void guard_emit(struct guard *guard, bool last, struct buf *out);
void guard_tell(struct guard *guard, bool last);

#endif
