/* SPDX-License-Identifier: Apache-2.0 */
/* What goes on, and what is told. */
#include "guard/guard_internal.h"

#include "base/num.h"

#include <stdlib.h>

static int by_place(const void *a, const void *b)
{
    const struct pending *x = a;
    const struct pending *y = b;

    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    if (x->action != y->action)
        return x->action > y->action ? -1 : 1;
    if (x->end != y->end)
        return x->end > y->end ? -1 : 1;
    return (x->detector > y->detector) - (x->detector < y->detector);
}

/* ------------------------------------------------------------------ going on */

/* Up to here nothing can be masked any more. */
static uint64_t emit_limit(const struct guard *guard, bool last)
{
    uint64_t end = guard->base + guard->decoded;
    uint64_t limit = end;

    for (size_t i = 0; i < guard->rules->count && !last; i++) {
        bool acts = i >= guard_table_len ? guard->strongest >= GUARD_MASK
                                         : guard->policy.action[i] >= GUARD_MASK;
        if (acts && guard->enabled[i] && guard->hold[i] != NOT_HELD)
            limit = NUM_MIN(limit, guard_offset(guard, guard->hold[i]));
    }
    return end - limit > GUARD_WINDOW ? end - GUARD_WINDOW : limit;
}

static void put_up_to(struct guard *guard, uint64_t to, struct buf *out)
{
    if (to <= guard->out_at)
        return;
    buf_put(out, guard->raw + (guard->out_at - guard->base), (size_t)(to - guard->out_at));
    guard->out_at = to;
}

/* Hidden characters go without a trace: nobody has seen them. */
static void put_mask(struct guard *guard, const struct pending *found, struct buf *out)
{
    const struct guard_detector *about = &guard_table[found->detector].about;

    if (about->group != GUARD_HIDDEN && (found->start >= guard->masked_until))
        buf_printf(out, "[%s]", about->name);
    guard->out_at = NUM_MAX(guard->out_at, found->end);
    if (about->group != GUARD_HIDDEN)
        guard->masked_until = NUM_MAX(guard->masked_until, found->end);
}

static void act(struct guard *guard, const struct pending *found, uint64_t limit, struct buf *out)
{
    if (found->action < GUARD_MASK || found->end <= guard->out_at || found->start >= limit)
        return;
    put_up_to(guard, found->start, out);
    if (found->action == GUARD_BLOCK)
        guard->blocked = true;
    else
        put_mask(guard, found, out);
}

/* The open tail is masked as far as it is known. */
static struct pending open_range(const struct guard *guard)
{
    size_t number = guard->tail.number;

    return (struct pending){.start = guard->tail.start,
                            .end = guard_offset(guard, guard->tail.at),
                            .detector = number,
                            .action = (enum guard_action)guard->policy.action[number]};
}

void guard_emit(struct guard *guard, bool last, struct buf *out)
{
    uint64_t limit = emit_limit(guard, last);

    qsort(guard->pending, guard->pending_count, sizeof(*guard->pending), by_place);
    if (guard->tail.kind != TAIL_NONE)
        limit = NUM_MIN(limit, guard_offset(guard, guard->tail.at));
    for (size_t i = 0; i < guard->pending_count && !guard->blocked; i++) {
        /* What is open begins before what is found behind it. */
        if (guard->tail.kind != TAIL_NONE && guard->pending[i].start > guard->tail.start)
            break;
        act(guard, &guard->pending[i], limit, out);
    }
    if (guard->tail.kind != TAIL_NONE && !guard->blocked) {
        struct pending open = open_range(guard);
        act(guard, &open, limit, out);
    }
    if (!guard->blocked)
        put_up_to(guard, limit, out);
}

/* ------------------------------------------------------------------ telling */

/* Up to here every pattern has looked. */
static uint64_t horizon(const struct guard *guard, bool last)
{
    uint64_t limit = guard->base + guard->decoded;

    for (size_t i = 0; i < guard->rules->count && !last; i++)
        if (guard->enabled[i])
            limit = NUM_MIN(limit, guard_offset(guard, guard->resume[i]));
    return guard->tail.kind != TAIL_NONE ? NUM_MIN(limit, guard->tail.start) : limit;
}

/* A finding within another one that is at least as strong says nothing new. */
static void tell(struct guard *guard, const struct pending *found)
{
    struct guard_finding finding = {.detector = found->detector,
                                    .action = found->action,
                                    .offset = found->start,
                                    .len = (uint32_t)(found->end - found->start),
                                    .encoded = found->encoded};

    if (found->start < guard->told_until && found->action <= guard->told_action)
        return;
    guard->told_until = NUM_MAX(guard->told_until, found->end);
    guard->told_action = found->action;
    if (guard->fn != NULL)
        guard->fn(guard->ctx, &finding);
}

void guard_tell(struct guard *guard, bool last)
{
    uint64_t limit = horizon(guard, last || guard->blocked);
    size_t told = 0;

    while (told < guard->pending_count && (guard->pending[told].start < limit || last)) {
        tell(guard, &guard->pending[told]);
        if (guard->pending[told++].action == GUARD_BLOCK)
            break;
    }
    guard->pending_count -= told;
    memmove(guard->pending, guard->pending + told, guard->pending_count * sizeof(*guard->pending));
}
