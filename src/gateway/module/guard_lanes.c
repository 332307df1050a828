/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of an answer, each with a guard of its own, piece by piece. */
#include "gateway/module/guard_answer.h"

#include "base/mem.h"
#include "base/num.h"

#include <stdlib.h>

enum { LANES_FIRST = 4, PLAIN_MAX = GW_ANSWER_MAX };

static struct buf plain = BUF_INIT(PLAIN_MAX); /* one piece at a time */

static void on_finding(void *ctx, const struct guard_finding *finding)
{
    struct gw_answer *answer = ctx;

    gw_note(&answer->call->found, finding, OPENAI_NO_ROLE, answer->looking->choice);
}

static struct gw_lane *lane_new(struct gw_answer *answer, struct gw_lane lane)
{
    if (answer->lane_count == GW_LANES_MAX)
        return NULL;
    if (answer->lane_count == answer->lane_room) {
        answer->lane_room = NUM_MAX(2 * answer->lane_room, (size_t)LANES_FIRST);
        answer->lanes = mem_resize_array(answer->lanes, answer->lane_room, sizeof(*answer->lanes));
    }
    if (answer->looks) {
        lane.guard = gw_guard_take();
        guard_start(lane.guard, &answer->call->answer_policy, on_finding, answer);
    }
    answer->lanes[answer->lane_count] = lane;
    return &answer->lanes[answer->lane_count++];
}

static struct gw_lane *lane_of(struct gw_answer *answer, const struct openai_piece *piece)
{
    uint32_t choice = answer->read->choice[piece->choice].index;

    for (size_t i = 0; i < answer->lane_count; i++) {
        struct gw_lane *lane = &answer->lanes[i];
        if (lane->choice == choice && lane->kind == piece->kind && lane->part == piece->part &&
            !lane->ended)
            return lane;
    }
    return lane_new(answer,
                    (struct gw_lane){.choice = choice, .kind = piece->kind, .part = piece->part});
}

struct span gw_new_text(const struct gw_answer *answer, size_t piece)
{
    const struct gw_new_text *text = &answer->texts[piece];

    return text->len == 0 ? span_of("", 0) : span_of(answer->all->data + text->from, text->len);
}

static void end_lane(struct gw_lane *lane)
{
    lane->ended = true;
    if (lane->guard != NULL)
        gw_guard_give(lane->guard);
    lane->guard = NULL;
}

/* One piece through the guard of its text, behind the others in `all`. */
static bool feed(struct gw_answer *answer, struct gw_lane *lane, struct span text, bool last,
                 struct gw_new_text *out)
{
    out->from = answer->all->len;
    bool good = true;

    if (lane->guard == NULL) {
        buf_put_span(answer->all, text);
    } else {
        answer->looking = lane;
        good = guard_feed(lane->guard, text, last, answer->all) == GUARD_PASS;
    }
    out->len = answer->all->len - out->from;
    out->changed = out->len != text.len ||
                   (text.len > 0 && memcmp(answer->all->data + out->from, text.p, text.len) != 0);
    if (last || !good)
        end_lane(lane);
    return good;
}

static bool later_piece(const struct gw_answer *answer, size_t at)
{
    const struct openai_piece *piece = &answer->read->piece[at];

    for (size_t i = at + 1; i < answer->read->pieces; i++) {
        const struct openai_piece *other = &answer->read->piece[i];
        if (other->choice == piece->choice && other->kind == piece->kind &&
            other->part == piece->part)
            return true;
    }
    return false;
}

static bool finish(struct gw_answer *answer, struct gw_lane *lane)
{
    CLEANUP(buf_free) struct buf rest = BUF_INIT(PLAIN_MAX);

    if (lane->guard == NULL)
        return true;
    answer->looking = lane;
    bool good = guard_feed(lane->guard, span_of("", 0), true, &rest) == GUARD_PASS;
    if (rest.len > 0)
        answer->form->rest(answer, lane, buf_span(&rest));
    end_lane(lane);
    return good;
}

/* Another text of the choice begins: what is held back of those before comes first. */
static bool finish_before(struct gw_answer *answer, const struct gw_lane *at)
{
    bool good = true;

    for (size_t i = 0; i < answer->lane_count && good; i++) {
        struct gw_lane *lane = &answer->lanes[i];
        if (lane != at && lane->choice == at->choice && !lane->ended)
            good = finish(answer, lane);
    }
    return good;
}

bool gw_lanes_feed(struct gw_answer *answer)
{
    struct openai_answer *read = answer->read;
    bool good = true;

    buf_reset(answer->all);
    for (size_t i = 0; i < read->pieces; i++) {
        const struct openai_piece *piece = &read->piece[i];
        struct gw_lane *lane = good ? lane_of(answer, piece) : NULL;
        answer->texts[i] = (struct gw_new_text){.changed = true};
        /* Behind what is blocked nothing goes on. */
        if (lane == NULL) {
            good = false;
            continue;
        }
        bool begins = piece->raw.len > 0 || piece->kind == OPENAI_ARGUMENTS;
        if (answer->form->in_order && answer->stream && begins)
            good = finish_before(answer, lane);
        struct span text = piece->raw;
        if (piece->escaped) {
            buf_reset(&plain);
            openai_text_decode(piece->raw, &plain);
            text = buf_span(&plain);
        }
        bool ends = answer->ends || read->choice[piece->choice].finish.len > 0;
        good = good && feed(answer, lane, text, ends && !later_piece(answer, i), &answer->texts[i]);
    }
    if (plain.cap > OPENAI_EVENT_MAX)
        buf_free(&plain);
    return good;
}

static bool has_piece(const struct gw_answer *answer, const struct gw_lane *lane)
{
    for (size_t i = 0; i < answer->read->pieces; i++) {
        const struct openai_piece *piece = &answer->read->piece[i];
        if (answer->read->choice[piece->choice].index == lane->choice &&
            piece->kind == lane->kind && piece->part == lane->part)
            return true;
    }
    return false;
}

bool gw_lanes_finish(struct gw_answer *answer, uint32_t choice)
{
    bool good = true;

    for (size_t i = 0; i < answer->lane_count && good; i++)
        if (answer->lanes[i].choice == choice && !has_piece(answer, &answer->lanes[i]))
            good = finish(answer, &answer->lanes[i]);
    return good;
}

bool gw_lanes_finish_all(struct gw_answer *answer)
{
    bool good = true;

    for (size_t i = 0; i < answer->lane_count && good; i++)
        good = finish(answer, &answer->lanes[i]);
    return good;
}

void gw_lanes_release(struct gw_answer *answer)
{
    CLEANUP(buf_free) struct buf rest = BUF_INIT(PLAIN_MAX);

    for (size_t i = 0; i < answer->lane_count; i++) {
        const struct gw_lane *lane = &answer->lanes[i];
        if (lane->guard == NULL)
            continue;
        buf_reset(&rest);
        guard_release(lane->guard, &rest);
        if (rest.len > 0)
            answer->form->rest(answer, lane, buf_span(&rest));
    }
}

size_t gw_lanes_held(const struct gw_answer *answer)
{
    size_t held = 0;

    for (size_t i = 0; i < answer->lane_count; i++)
        if (answer->lanes[i].guard != NULL)
            held += guard_held(answer->lanes[i].guard);
    return held;
}

void gw_lanes_free(struct gw_answer *answer)
{
    for (size_t i = 0; i < answer->lane_count; i++)
        if (answer->lanes[i].guard != NULL)
            gw_guard_give(answer->lanes[i].guard);
    free(answer->lanes);
}
