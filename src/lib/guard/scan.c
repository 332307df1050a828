/* SPDX-License-Identifier: Apache-2.0 */
/* Each pattern goes on where it stopped: behind its last match, or where one may have begun. */
#include "guard/guard_internal.h"

#include "base/mem.h"
#include "base/num.h"

void guard_found(struct guard *guard, const struct pending *found)
{
    if (guard->pending_count == guard->pending_room) {
        guard->pending_room *= 2;
        guard->pending =
            mem_resize_array(guard->pending, guard->pending_room, sizeof(*guard->pending));
    }
    guard->pending[guard->pending_count++] = *found;
}

/* ------------------------------------------------------------------ tails */

static bool in_token(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

/* Base64 in lines, however the lines are written. */
static bool in_pem(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("+/=\\ \r\n\t", c) != NULL;
}

/* The end of the tail in norm; true when it is known. */
static bool token_end(const struct guard *guard, size_t *at)
{
    while (*at < guard->norm_len && in_token(guard->norm[*at]))
        (*at)++;
    return *at < guard->norm_len;
}

static bool pem_end(const struct guard *guard, size_t *at)
{
    static const char end[] = "-----END ";

    while (*at < guard->norm_len && guard->norm[*at] != '\0' && in_pem(guard->norm[*at]))
        (*at)++;
    size_t left = guard->norm_len - *at;
    size_t same = NUM_MIN(left, sizeof(end) - 1);
    if (memcmp(guard->norm + *at, end, same) != 0)
        return true;
    if (same < sizeof(end) - 1)
        return false;
    const uint8_t *from = guard->norm + *at + same;
    const uint8_t *stop = memmem(from, NUM_MIN(left - same, (size_t)80), "-----", 5);
    if (stop == NULL)
        return left - same >= 80;
    *at = (size_t)(stop + 5 - guard->norm);
    return true;
}

static void close_tail(struct guard *guard)
{
    struct open_tail *tail = &guard->tail;
    struct pending found = {.start = tail->start,
                            .end = guard_offset(guard, tail->at),
                            .detector = tail->number,
                            .action = (enum guard_action)guard->policy.action[tail->number]};

    guard_found(guard, &found);
    guard->resume[tail->number] = NUM_MAX(guard->resume[tail->number], tail->at);
    tail->kind = TAIL_NONE;
}

static void go_on_with_tail(struct guard *guard, bool last)
{
    struct open_tail *tail = &guard->tail;

    if (tail->kind == TAIL_NONE)
        return;
    bool known = tail->kind == TAIL_TOKEN ? token_end(guard, &tail->at) : pem_end(guard, &tail->at);
    if (known || last || guard_offset(guard, tail->at) >= tail->max)
        close_tail(guard);
}

/* ------------------------------------------------------------------ one pattern */

static void detected(struct guard *guard, size_t number, size_t start, size_t end)
{
    struct pending found = {.start = guard_offset(guard, start),
                            .end = guard_offset(guard, end),
                            .detector = number,
                            .action = (enum guard_action)guard->policy.action[number]};

    if (guard_table[number].tail == TAIL_NONE || guard->tail.kind != TAIL_NONE) {
        guard_found(guard, &found);
        return;
    }
    guard->tail = (struct open_tail){.kind = guard_table[number].tail,
                                     .number = number,
                                     .start = found.start,
                                     .at = end,
                                     .max = found.start + PEM_MAX};
}

static void decoded(struct guard *guard, size_t number, size_t start, size_t end)
{
    struct pending place = {.start = guard_offset(guard, start), .end = guard_offset(guard, end)};

    (void)guard_look_inside(guard, (enum guard_encoding)(number - guard_table_len),
                            span_of(guard->norm + start, end - start), &place, 1);
}

/* Returns where to look on. */
static size_t matched(struct guard *guard, size_t number, size_t start, size_t end, bool last)
{
    guard_check_fn *check = number < guard_table_len ? guard_table[number].check : NULL;

    if (number >= guard_table_len) {
        decoded(guard, number, start, end);
        return end;
    }
    if (check != NULL && !check(span_of(guard->norm + start, end - start)))
        return start + 1;
    detected(guard, number, start, end);
    go_on_with_tail(guard, last);
    return NUM_MAX(end, guard->resume[number]);
}

static void look_for(struct guard *guard, size_t number, bool last)
{
    struct look look = {.text = guard->norm, .len = guard->norm_len, .last = last};
    size_t start = 0;
    size_t end = 0;
    enum found found = FOUND_MATCH;

    guard->hold[number] = NOT_HELD;
    while (found == FOUND_MATCH) {
        look.from = guard->resume[number];
        found = rules_look(guard->rules, guard->data, number, &look, &start, &end);
        if (found == FOUND_MATCH)
            guard->resume[number] = matched(guard, number, start, end, last);
    }
    guard->resume[number] = found == FOUND_PARTIAL ? start : guard->norm_len;
    bool run = number >= guard_table_len;
    if (found == FOUND_PARTIAL && !(run && guard->norm_len - start < ENCODED_HELD))
        guard->hold[number] = start;
}

/* Nothing of it matches in full; only what begins near the end may still come. True when that is
 * looked for. */
static bool skip_to_end(struct guard *guard, size_t number, bool last)
{
    size_t near = guard->norm_len - NUM_MIN(guard->norm_len, (size_t)GUARD_WINDOW);

    guard->resume[number] = NUM_MAX(guard->resume[number], last ? guard->norm_len : near);
    guard->hold[number] = NOT_HELD;
    return !last;
}

void guard_scan(struct guard *guard, bool last)
{
    bool candidates[RULES_MAX];
    bool told = (last || guard->norm_len > 4 * CONTEXT) &&
                rules_candidates(guard->rules, span_of(guard->norm, guard->norm_len), candidates);

    go_on_with_tail(guard, last);
    for (size_t i = 0; i < guard->rules->count; i++) {
        if (!guard->enabled[i])
            continue;
        if (told && !candidates[i] && !skip_to_end(guard, i, last))
            continue;
        look_for(guard, i, last);
    }
}
