/* SPDX-License-Identifier: Apache-2.0 */
/* TX: names that rules are written with have a slot, others are looked for. */
#include "waf/run/run.h"

static uint32_t slot_of(const struct waf_tx *tx, struct span name)
{
    const struct image_slot *slots = snapshot_records(tx->engine->image, IMAGE_SLOTS);

    for (uint32_t i = 0; i < tx->engine->slot_count; i++)
        if (span_eq_nocase(image_bytes(tx->engine->image, slots[i].name), name))
            return i + 1;
    return 0;
}

struct span extras_get(const struct extras *extras, struct span name)
{
    for (size_t i = 0; i < extras->count; i++)
        if (span_eq_nocase(extras->items[i].name, name))
            return extras->items[i].text;
    return (struct span){0};
}

void extras_set(struct waf_tx *tx, struct extras *extras, struct span name, struct span text)
{
    for (size_t i = 0; i < extras->count; i++)
        if (span_eq_nocase(extras->items[i].name, name)) {
            extras->items[i].text = text;
            return;
        }
    if (text.p == NULL ||
        !tx_grow(tx, &extras->items, extras->count, &extras->cap, sizeof(*extras->items)))
        return;
    extras->items[extras->count++] = (struct extra){.name = tx_copy(tx, name), .text = text};
}

void tx_var_set(struct waf_tx *tx, struct span name, uint32_t slot, struct span text)
{
    if (slot == 0)
        slot = slot_of(tx, name);
    if (slot != 0)
        tx->slots[slot - 1] = text;
    else
        extras_set(tx, &tx->tx_extra, name, text);
}

struct span tx_var_get(const struct waf_tx *tx, struct span name, uint32_t slot)
{
    if (slot == 0)
        slot = slot_of(tx, name);
    return slot != 0 ? tx->slots[slot - 1] : extras_get(&tx->tx_extra, name);
}

struct span waf_tx_variable(struct waf_tx *tx, const char *name)
{
    return tx_var_get(tx, span_str(name), 0);
}

void waf_tx_set_variable(struct waf_tx *tx, const char *name, struct span text)
{
    tx_var_set(tx, span_str(name), 0, tx_copy(tx, text));
}
