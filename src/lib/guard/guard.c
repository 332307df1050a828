/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/guard_internal.h"

#include "base/mem.h"
#include "base/num.h"

static void make_room(struct guard *guard, size_t room)
{
    if (room <= guard->room)
        return;
    guard->room = room;
    guard->raw = mem_resize_array(guard->raw, room, 1);
    guard->norm = mem_resize_array(guard->norm, room + 1, 1);
    guard->map = mem_resize_array(guard->map, room + 1, sizeof(*guard->map));
}

struct guard *guard_new(const struct guard_rules *rules)
{
    struct guard *guard = mem_new(sizeof(*guard));

    guard->rules = rules;
    guard->data = pcre2_match_data_create(4, NULL);
    INVARIANT(guard->data != NULL);
    guard->pending_room = 16;
    guard->pending = mem_new_array(guard->pending_room, sizeof(*guard->pending));
    make_room(guard, ROOM_FIRST);
    return guard;
}

void guard_free(struct guard *guard)
{
    if (guard == NULL)
        return;
    pcre2_match_data_free(guard->data);
    mem_wipe(guard->raw, guard->room);
    mem_wipe(guard->norm, guard->room);
    free(guard->raw);
    free(guard->norm);
    free(guard->map);
    free(guard->pending);
    free(guard);
}

void guard_free_ptr(struct guard **guard)
{
    guard_free(*guard);
}

void guard_start(struct guard *guard, const struct guard_policy *policy, guard_finding_fn *fn,
                 void *ctx)
{
    guard->policy = *policy;
    guard->fn = fn;
    guard->ctx = ctx;
    guard->strongest = GUARD_OFF;
    for (size_t i = 0; i < guard_table_len; i++) {
        enum guard_action action = (enum guard_action)policy->action[i];
        guard->enabled[i] = action != GUARD_OFF && guard->rules->code[i] != NULL;
        guard->strongest = NUM_MAX(guard->strongest, action);
    }
    for (size_t i = guard_table_len; i < guard->rules->count; i++)
        guard->enabled[i] = guard->strongest != GUARD_OFF;
    guard->state = (struct text_state){0};
    guard->base = 0;
    guard->raw_len = guard->decoded = guard->norm_len = 0;
    guard->map[0] = 0;
    memset(guard->resume, 0, sizeof(guard->resume));
    for (size_t i = 0; i < RULES_MAX; i++)
        guard->hold[i] = NOT_HELD;
    guard->pending_count = 0;
    guard->tail.kind = TAIL_NONE;
    guard->out_at = guard->masked_until = guard->told_until = 0;
    guard->told_action = GUARD_OFF;
    guard->blocked = false;
}

size_t guard_held(const struct guard *guard)
{
    return (size_t)(guard->base + guard->raw_len - guard->out_at);
}

/* ------------------------------------------------------------------ room */

/* The first byte of norm that some pattern, or the text that has not gone on yet, still needs. What
 * is held too long behind a crowd of invisible characters is given up. */
static size_t first_needed(const struct guard *guard)
{
    size_t keep = guard->norm_len;

    for (size_t i = 0; i < guard->rules->count; i++)
        if (guard->enabled[i])
            keep = NUM_MIN(keep, guard->resume[i]);
    if (guard->tail.kind != TAIL_NONE)
        keep = NUM_MIN(keep, guard->tail.at);
    keep -= NUM_MIN(keep, (size_t)CONTEXT);
    while (keep > 0 && guard_offset(guard, keep) > guard->out_at)
        keep--;
    while (guard->raw_len - guard->map[keep] > ROOM - PIECE_MAX)
        keep++;
    return keep;
}

static void drop_norm(struct guard *guard, size_t count, uint32_t raw)
{
    memmove(guard->norm, guard->norm + count, guard->norm_len - count);
    for (size_t i = count; i <= guard->norm_len; i++)
        guard->map[i - count] = guard->map[i] - raw;
    for (size_t i = 0; i < guard->rules->count; i++) {
        guard->resume[i] -= NUM_MIN(guard->resume[i], count);
        if (guard->hold[i] != NOT_HELD)
            guard->hold[i] -= NUM_MIN(guard->hold[i], count);
    }
    guard->tail.at -= NUM_MIN(guard->tail.at, count);
    guard->norm_len -= count;
}

static void forget(struct guard *guard)
{
    size_t count = first_needed(guard);
    uint32_t raw = (uint32_t)NUM_MIN((uint64_t)guard->map[count], guard->out_at - guard->base);

    if (raw == 0)
        return;
    memmove(guard->raw, guard->raw + raw, guard->raw_len - raw);
    drop_norm(guard, count, raw);
    guard->raw_len -= raw;
    guard->decoded -= raw;
    guard->base += raw;
}

/* ------------------------------------------------------------------ the text */

static void hidden(struct guard *guard, size_t detector, size_t len)
{
    struct pending found = {.start = guard->base + guard->decoded,
                            .end = guard->base + guard->decoded + len,
                            .detector = detector,
                            .action = (enum guard_action)guard->policy.action[detector]};

    if (found.action != GUARD_OFF)
        guard_found(guard, &found);
}

/* A run of ASCII stands for itself. */
static void copy_plain(struct guard *guard)
{
    const uint8_t *p = guard->raw + guard->decoded;
    size_t left = guard->raw_len - guard->decoded;
    uint32_t *map = guard->map + guard->norm_len;
    size_t len = 0;

    while (len < left && p[len] < 0x80)
        len++;
    if (len == 0)
        return;
    memcpy(guard->norm + guard->norm_len, p, len);
    for (size_t i = 0; i <= len; i++)
        map[i] = (uint32_t)(guard->decoded + i);
    text_saw_plain(&guard->state, p[len - 1]);
    guard->norm_len += len;
    guard->decoded += len;
}

static void normalise(struct guard *guard, bool last)
{
    uint32_t point;
    uint8_t bytes[4];
    enum text_hidden kind;

    for (copy_plain(guard); guard->decoded < guard->raw_len; copy_plain(guard)) {
        const uint8_t *p = guard->raw + guard->decoded;
        size_t len = text_decode(p, guard->raw_len - guard->decoded, &point);
        if (len == 0 && !last)
            break;
        len = NUM_MAX(len, 1U);
        size_t count = text_normalise(&guard->state, point, bytes, &kind);
        if (point == 0xFFFD && len == 1) {
            bytes[0] = *p;
            count = 1;
        }
        if (kind != TEXT_SEEN)
            hidden(guard, kind == TEXT_BIDI ? guard_number_bidi() : guard_number_invisible(), len);
        for (size_t i = 0; i < count; i++) {
            guard->map[guard->norm_len] = (uint32_t)guard->decoded;
            guard->norm[guard->norm_len++] = bytes[i];
        }
        guard->decoded += len;
        guard->map[guard->norm_len] = (uint32_t)guard->decoded;
    }
}

static void feed_piece(struct guard *guard, struct span piece, bool last, struct buf *out)
{
    forget(guard);
    INVARIANT(guard->raw_len + piece.len <= ROOM);
    make_room(guard, guard->raw_len + piece.len);
    memcpy(guard->raw + guard->raw_len, piece.p, piece.len);
    guard->raw_len += piece.len;
    normalise(guard, last);
    guard_scan(guard, last);
    guard_emit(guard, last, out);
    guard_tell(guard, last);
}

enum guard_verdict guard_feed(struct guard *guard, struct span chunk, bool last, struct buf *out)
{
    do {
        size_t len = NUM_MIN(chunk.len, (size_t)PIECE_MAX);
        if (guard->blocked)
            return GUARD_BLOCKED;
        feed_piece(guard, span_of(chunk.p, len), last && len == chunk.len, out);
        chunk = span_of(chunk.p + len, chunk.len - len);
    } while (chunk.len > 0);
    return guard->blocked ? GUARD_BLOCKED : GUARD_PASS;
}

void guard_release(struct guard *guard, struct buf *out)
{
    if (!guard->blocked)
        guard_emit(guard, true, out);
}
