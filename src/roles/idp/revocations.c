/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/revocations.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 64 };

void revocations_free(struct revocations *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].id);
    free(list->items);
    free(list->slots);
    *list = (struct revocations){0};
}

/* Ids are hashes or random, and users' names are given by administrators: nobody chooses them so
 * that they meet. */
static uint32_t hash_of(char what, const char *name)
{
    uint32_t hash = (2166136261U ^ (uint8_t)what) * 16777619U;

    for (const char *at = name; *at != '\0'; at++)
        hash = (hash ^ (uint8_t)*at) * 16777619U;
    return hash;
}

static void put_slot(struct revocations *list, size_t index)
{
    const char *id = list->items[index].id;
    size_t at = hash_of(id[0], id + 1);

    while (list->slots[at & (list->slot_count - 1)] != 0)
        at++;
    list->slots[at & (list->slot_count - 1)] = (uint32_t)index + 1;
}

/* At most half full. */
static void build_slots(struct revocations *list)
{
    size_t wanted = FIRST_SLOTS;

    while (wanted < 2 * (list->count + 1))
        wanted *= 2;
    free(list->slots);
    list->slots = mem_new_array(wanted, sizeof(*list->slots));
    memset(list->slots, 0, wanted * sizeof(*list->slots));
    list->slot_count = wanted;
    for (size_t i = 0; i < list->count; i++)
        put_slot(list, i);
}

static struct revocation *find(const struct revocations *list, char what, const char *name)
{
    size_t at = hash_of(what, name);

    if (list->slot_count == 0)
        return NULL;
    for (uint32_t slot; (slot = list->slots[at & (list->slot_count - 1)]) != 0; at++) {
        struct revocation *one = &list->items[slot - 1];
        if (one->id[0] == what && strcmp(one->id + 1, name) == 0)
            return one;
    }
    return NULL;
}

const struct revocation *revocations_find(const struct revocations *list, char what,
                                          const char *name)
{
    return find(list, what, name);
}

void revocations_put(struct revocations *list, const char *id, int64_t until, int64_t before)
{
    struct revocation *known = find(list, id[0], id + 1);

    if (known != NULL) {
        known->until = until;
        known->before = before;
        return;
    }
    if (list->count == list->room) {
        list->room = list->room == 0 ? 16 : 2 * list->room;
        list->items = mem_resize_array(list->items, list->room, sizeof(*list->items));
    }
    list->items[list->count++] =
        (struct revocation){.id = mem_strdup(id), .until = until, .before = before};
    if (2 * list->count > list->slot_count)
        build_slots(list);
    else
        put_slot(list, list->count - 1);
}

void revocations_take(struct revocations *list, const char *id)
{
    struct revocation *known = find(list, id[0], id + 1);

    if (known == NULL)
        return;
    free(known->id);
    *known = list->items[--list->count];
    build_slots(list);
}

size_t revocations_drop(struct revocations *list, int64_t now, size_t max,
                        void (*fn)(void *ctx, const struct revocation *one), void *ctx)
{
    size_t dropped = 0;

    for (size_t i = list->count; i-- > 0 && dropped < max;) {
        struct revocation *one = &list->items[i];
        if (one->until > now)
            continue;
        fn(ctx, one);
        free(one->id);
        *one = list->items[--list->count];
        dropped++;
    }
    if (dropped > 0)
        build_slots(list);
    return dropped;
}
