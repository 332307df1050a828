/* SPDX-License-Identifier: Apache-2.0 */
/* A table of fixed size: who floods it with made-up ids, as a captured worker could, hides uses and
 * harms nothing else. */
#include "key_uses.h"

#include "base/mem.h"

#include <stdlib.h>

enum { PROBE_MAX = 16, HEAD_LEN = 2, USE_MAX = 8 + AUDIT_KEY_ID_SIZE + AUDIT_ADDRESS_SIZE + 8 };

struct key_uses {
    size_t count;
    struct audit_key_use slots[AUDIT_KEY_USES_MAX]; /* free: no id */
};

struct key_uses *key_uses_new(void)
{
    return mem_new(sizeof(struct key_uses));
}

void key_uses_free(struct key_uses *uses)
{
    free(uses);
}

/* FNV-1a. */
static size_t home_of(struct span id)
{
    uint32_t hash = 2166136261U;

    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ id.p[i]) * 16777619U;
    return hash % AUDIT_KEY_USES_MAX;
}

/* Its slot, or a free one; NULL when there is no room. */
static struct audit_key_use *find(struct key_uses *uses, struct span id)
{
    struct audit_key_use *vacant = NULL;

    for (size_t i = 0; i < PROBE_MAX; i++) {
        struct audit_key_use *slot = &uses->slots[(home_of(id) + i) % AUDIT_KEY_USES_MAX];
        if (slot->key_id[0] == '\0')
            vacant = vacant == NULL ? slot : vacant;
        else if (span_eq_str(id, slot->key_id))
            return slot;
    }
    return vacant;
}

void key_uses_note(struct key_uses *uses, const struct audit_event *event)
{
    struct span id = event->actor.key_id;

    if (event->actor.source != AUDIT_SOURCE_APIKEY || event->outcome == AUDIT_DENIED ||
        id.len == 0 || id.len >= AUDIT_KEY_ID_SIZE)
        return;
    struct audit_key_use *use = find(uses, id);
    if (use == NULL)
        return;
    if (use->key_id[0] == '\0')
        uses->count++;
    else if (use->time_ns > event->time_ns)
        return;
    snprintf(use->key_id, sizeof(use->key_id), "%.*s", SPAN_ARG(id));
    snprintf(use->address, sizeof(use->address), "%.*s", SPAN_ARG(event->address));
    use->time_ns = event->time_ns;
}

void key_uses_take(struct key_uses *uses, size_t max, struct buf *out)
{
    size_t head = out->len;
    uint16_t count = 0;

    buf_put_u16(out, 0);
    for (size_t i = 0; uses->count > 0 && i < AUDIT_KEY_USES_MAX; i++) {
        struct audit_key_use *use = &uses->slots[i];
        if (out->len - head + USE_MAX > max)
            break;
        if (use->key_id[0] == '\0')
            continue;
        buf_put_block(out, span_str(use->key_id));
        buf_put_block(out, span_str(use->address));
        buf_put_u64(out, use->time_ns);
        *use = (struct audit_key_use){0};
        uses->count--;
        count++;
    }
    if (!out->overflowed)
        memcpy(out->data + head, &count, sizeof(count));
}
