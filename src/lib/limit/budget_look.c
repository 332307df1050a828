/* SPDX-License-Identifier: Apache-2.0 */
/* What budgets are called, and how much is used of them: for people, beside the way of the calls.
 */
#include "base/num.h"
#include "limit/budget_internal.h"

#include <string.h>

void budget_forget(struct budget_file *file, size_t number)
{
    atomic_store(&file->labels[number].len, 0);
    atomic_store(&file->slots[number].limit, 0);
    file->labels[number].noted = 0;
    memset(&file->leases[number], 0, sizeof(file->leases[number]));
}

/* Of parts that are too long together the last ones lose their ends. */
static uint32_t put_parts(char *out, const struct span *parts)
{
    size_t left = LIMIT_LABEL_MAX - LIMIT_LABEL_PARTS;
    char *at = out;

    for (size_t i = 0; i < LIMIT_LABEL_PARTS; i++) {
        size_t len = NUM_MIN(parts[i].len, left);
        if (len > 0)
            memcpy(at, parts[i].p, len);
        at[len] = '\0';
        at += len + 1;
        left -= len;
    }
    return (uint32_t)(at - out);
}

/* Two that write it at once write the same: the key is a hash of these parts. */
void budget_write_label(struct budget_file *file, size_t number, const struct limit_budget_ask *ask)
{
    struct budget_label *label = &file->labels[number];

    if (atomic_load(&label->len) == 0)
        atomic_store(&label->len, put_parts(label->text, ask->label));
    atomic_store(&file->slots[number].alerts, ask->alerts);
    atomic_store(&file->slots[number].limit, ask->limit);
}

static bool read_label(const struct budget_label *label, char *room, struct limit_budget_use *out)
{
    uint32_t len = atomic_load(&label->len);
    const char *at = room;

    if (len == 0 || len > LIMIT_LABEL_MAX)
        return false;
    memcpy(room, label->text, len);
    for (size_t i = 0; i < LIMIT_LABEL_PARTS; i++) {
        const char *end = memchr(at, '\0', len - (size_t)(at - room));
        if (end == NULL)
            return false;
        out->label[i] = span_of(at, (size_t)(end - at));
        at = end + 1;
    }
    return true;
}

/* The highest of the alerts that is reached and was not raised in this window. */
static unsigned due(const struct budget_label *label, const struct limit_budget_use *use,
                    uint64_t alerts)
{
    unsigned noted = label->noted_ends_sec == (uint64_t)use->ends_sec ? label->noted : 0;
    unsigned found = 0;

    for (; alerts != 0; alerts >>= 8) {
        unsigned percent = alerts & 0xFF;
        bool reached = (unsigned __int128)(use->settled + use->elsewhere) * 100 >=
                       (unsigned __int128)use->limit * percent;
        if (percent > found && percent > noted && reached)
            found = percent;
    }
    return found;
}

static bool look_at(const struct limit_budgets *budgets, size_t number, int64_t now_sec, char *room,
                    struct limit_budget_use *out)
{
    const struct budget_file *file = budgets->file;
    const struct budget_slot *slot = &file->slots[number];
    bool ours = !budgets->shared || atomic_load(&file->leases[number].raises) != 0;
    uint64_t key = atomic_load(&file->owners[number].key);
    struct budget_count count = budget_count_load(&slot->count);
    bool runs = count.ends_sec > (uint64_t)now_sec;

    out->slot = (uint32_t)number;
    out->settled = runs ? count.settled : 0;
    out->reserved = budget_sum(file, slot);
    out->elsewhere = runs ? budget_elsewhere(budgets, number, count.ends_sec) : 0;
    out->ends_sec = (int64_t)count.ends_sec;
    out->limit = atomic_load(&slot->limit);
    if (out->limit == 0 || !(runs || out->reserved > 0) ||
        !read_label(&file->labels[number], room, out))
        return false;
    out->alert = runs && ours ? due(&file->labels[number], out, atomic_load(&slot->alerts)) : 0;
    /* It went over to another key meanwhile. */
    return atomic_load(&file->owners[number].key) == key;
}

void limit_budgets_look(const struct limit_budgets *budgets, int64_t now_sec,
                        limit_budget_see_fn *see, void *ctx)
{
    char room[LIMIT_LABEL_MAX];
    struct limit_budget_use use;

    for (size_t i = 0; i < LIMIT_BUDGET_SLOTS; i++)
        if (atomic_load(&budgets->file->owners[i].key) > 1 &&
            look_at(budgets, i, now_sec, room, &use))
            see(ctx, &use);
}

void limit_budget_noted(struct limit_budgets *budgets, const struct limit_budget_use *use)
{
    struct budget_label *label = &budgets->file->labels[use->slot];

    label->noted = use->alert;
    label->noted_ends_sec = (uint64_t)use->ends_sec;
}
