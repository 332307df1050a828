/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "crypto/crypto.h"
#include "keys/wire.h"

#include <stdlib.h>

struct events {
    uint64_t boot;
    uint64_t first_seq; /* of list[first] */
    uint64_t sent_seq;  /* up to here somebody may have seen them: they change no more */
    size_t first;
    size_t count;
    uint64_t lost;
    struct keys_event list[EVENTS_MAX];
};

int events_new(struct events **out, struct err *err)
{
    struct events *events = mem_new(sizeof(*events));

    events->first_seq = 1;
    if (crypto_random(&events->boot, sizeof(events->boot), err) < 0) {
        free(events);
        return -1;
    }
    *out = events;
    return 0;
}

void events_free(struct events *events)
{
    free(events);
}

static struct keys_event *at(struct events *events, uint64_t seq)
{
    return &events->list[(events->first + (seq - events->first_seq)) % EVENTS_MAX];
}

static struct keys_event *find_equal(struct events *events, const struct keys_event *event)
{
    uint64_t end = events->first_seq + events->count;

    for (uint64_t seq = NUM_MAX(events->sent_seq + 1, events->first_seq); seq < end; seq++) {
        struct keys_event *old = at(events, seq);
        if (old->kind == event->kind && old->peer == event->peer &&
            strcmp(old->subject, event->subject) == 0)
            return old;
    }
    return NULL;
}

void events_add(struct events *events, enum keys_event_kind kind, unsigned peer,
                const char *subject)
{
    uint64_t now_ns = clock_wall_ns();
    struct keys_event event = {
        .kind = kind, .peer = peer, .first_ns = now_ns, .last_ns = now_ns, .times = 1};

    /* It may quote a peer that has gone astray. */
    for (size_t i = 0; i < sizeof(event.subject) - 1 && subject[i] != '\0'; i++)
        event.subject[i] = subject[i] >= ' ' && subject[i] <= '~' ? subject[i] : '?';
    struct keys_event *old = find_equal(events, &event);
    if (old != NULL) {
        old->last_ns = now_ns;
        old->times += old->times < UINT32_MAX;
    } else if (events->count < EVENTS_MAX) {
        events->count++;
        *at(events, events->first_seq + events->count - 1) = event;
    } else {
        events->lost++;
    }
}

static void forget(struct events *events, uint64_t seq)
{
    while (events->count > 0 && events->first_seq <= seq) {
        events->first = (events->first + 1) % EVENTS_MAX;
        events->first_seq++;
        events->count--;
    }
}

void events_fetch(struct events *events, struct keys_mark mark, struct buf *out)
{
    if (mark.boot == events->boot && mark.seq <= events->sent_seq)
        forget(events, mark.seq);
    size_t count = NUM_MIN(events->count, (size_t)KEYS_EVENTS_MAX);
    uint64_t last_seq = events->first_seq + count - 1;
    buf_put_u64(out, events->boot);
    buf_put_u64(out, last_seq);
    buf_put_u16(out, (uint16_t)count);
    for (size_t i = 0; i < count; i++)
        keys_put_event(out, at(events, events->first_seq + i));
    events->sent_seq = NUM_MAX(events->sent_seq, last_seq);
}

uint64_t events_lost(const struct events *events)
{
    return events->lost;
}
