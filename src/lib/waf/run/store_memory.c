/* SPDX-License-Identifier: Apache-2.0 */
/* Persistent collections in memory: a hash table with the time at which each value ends. */
#include "waf/waf.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "waf/seclang/variable.h"

enum { LIFETIME_SEC = 3600 };

struct entry {
    struct entry *next;
    uint64_t hash;
    int64_t expires_sec;
    bool has_value;
    struct span parts[4]; /* collection, key, name, value; one piece of memory from parts[0].p on */
};

struct waf_memory_store {
    struct entry **slots;
    size_t slot_count; /* 2^n */
    size_t count;
    size_t max_values;
};

struct waf_memory_store *waf_memory_store_new(size_t max_values)
{
    struct waf_memory_store *store = mem_new(sizeof(*store));

    store->max_values = NUM_MAX(max_values, (size_t)1);
    store->slot_count = 16;
    while (store->slot_count < store->max_values && store->slot_count < (size_t)1 << 24)
        store->slot_count *= 2;
    store->slots = mem_new_array(store->slot_count, sizeof(struct entry *));
    return store;
}

static void free_entry(struct entry *entry)
{
    free((void *)(uintptr_t)entry->parts[0].p);
    free(entry);
}

void waf_memory_store_free(struct waf_memory_store *store)
{
    if (store == NULL)
        return;
    for (size_t i = 0; i < store->slot_count; i++)
        for (struct entry *entry = store->slots[i]; entry != NULL;) {
            struct entry *next = entry->next;
            free_entry(entry);
            entry = next;
        }
    free(store->slots);
    free(store);
}

void waf_memory_store_free_ptr(struct waf_memory_store **store)
{
    waf_memory_store_free(*store);
}

static uint64_t hash_of(struct span collection, struct span key, struct span name)
{
    struct span parts[] = {collection, key, name};
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        for (size_t j = 0; j < parts[i].len; j++) {
            uint8_t c = parts[i].p[j];
            /* Names are found whatever their letters' case; keys are not. */
            if (i != 1 && c >= 'A' && c <= 'Z')
                c |= 0x20;
            hash = (hash ^ c) * UINT64_C(0x100000001b3);
        }
        hash = (hash ^ 0x100) * UINT64_C(0x100000001b3);
    }
    return hash ^ hash >> 32;
}

static bool is_it(const struct entry *entry, struct span collection, struct span key,
                  struct span name)
{
    return span_eq_nocase(entry->parts[0], collection) && span_eq(entry->parts[1], key) &&
           span_eq_nocase(entry->parts[2], name);
}

static void drop(struct waf_memory_store *store, struct entry **at)
{
    struct entry *entry = *at;

    *at = entry->next;
    free_entry(entry);
    store->count--;
}

/* Where it is linked, or NULL. What has expired on the way goes. */
static struct entry **find(struct waf_memory_store *store, struct span collection, struct span key,
                           struct span name)
{
    uint64_t hash = hash_of(collection, key, name);
    struct entry **at = &store->slots[hash & (store->slot_count - 1)];
    int64_t now = clock_wall_sec();

    while (*at != NULL) {
        if ((*at)->expires_sec <= now) {
            drop(store, at);
            continue;
        }
        if ((*at)->hash == hash && is_it(*at, collection, key, name))
            return at;
        at = &(*at)->next;
    }
    return NULL;
}

static bool get(void *ctx, struct span collection, struct span key, struct span name,
                struct span *value)
{
    struct entry **at = find(ctx, collection, key, name);

    if (at == NULL || !(*at)->has_value)
        return false;
    *value = (*at)->parts[3];
    return true;
}

/* Full: whatever has expired goes, else the value that expires first. */
static void make_room(struct waf_memory_store *store)
{
    int64_t now = clock_wall_sec();
    struct entry **first = NULL;

    for (size_t i = 0; i < store->slot_count; i++)
        for (struct entry **at = &store->slots[i]; *at != NULL;) {
            if ((*at)->expires_sec <= now) {
                drop(store, at);
                first = NULL;
                i = 0;
                at = &store->slots[0];
                continue;
            }
            if (first == NULL || (*at)->expires_sec < (*first)->expires_sec)
                first = at;
            at = &(*at)->next;
        }
    if (store->count >= store->max_values && first != NULL)
        drop(store, first);
}

static struct entry *new_entry(struct span collection, struct span key, struct span name,
                               struct span value)
{
    struct entry *entry = mem_new(sizeof(*entry));
    struct span parts[] = {collection, key, name, value};
    uint8_t *room = mem_new(collection.len + key.len + name.len + value.len + 1);

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i].len > 0)
            memcpy(room, parts[i].p, parts[i].len);
        entry->parts[i] = span_of(room, parts[i].len);
        room += parts[i].len;
    }
    entry->hash = hash_of(collection, key, name);
    return entry;
}

static void put(struct waf_memory_store *store, struct entry *entry, struct entry **old)
{
    if (old != NULL)
        drop(store, old);
    if (store->count >= store->max_values)
        make_room(store);
    struct entry **head = &store->slots[entry->hash & (store->slot_count - 1)];
    entry->next = *head;
    *head = entry;
    store->count++;
}

static void set(void *ctx, struct span collection, struct span key, struct span name,
                struct span value)
{
    struct entry **old = find(ctx, collection, key, name);
    struct entry *entry = new_entry(collection, key, name, value);

    entry->has_value = true;
    entry->expires_sec = old != NULL ? (*old)->expires_sec : clock_wall_sec() + LIFETIME_SEC;
    put(ctx, entry, old);
}

static void unset(void *ctx, struct span collection, struct span key, struct span name)
{
    struct entry **old = find(ctx, collection, key, name);

    if (old != NULL)
        drop(ctx, old);
}

/* A variable that has no value yet can have its end already, as in v3. */
static void expire(void *ctx, struct span collection, struct span key, struct span name,
                   int64_t after_sec)
{
    struct entry **old = find(ctx, collection, key, name);
    int64_t end = clock_wall_sec() + NUM_MIN(NUM_MAX(after_sec, 0), INT32_MAX);

    if (old != NULL) {
        (*old)->expires_sec = end;
        return;
    }
    struct entry *entry = new_entry(collection, key, name, span_str(""));
    entry->expires_sec = end;
    put(ctx, entry, NULL);
}

static void walk(void *ctx, struct span collection, struct span key,
                 bool (*each)(void *each_ctx, struct span name, struct span value), void *each_ctx)
{
    struct waf_memory_store *store = ctx;
    int64_t now = clock_wall_sec();

    for (size_t i = 0; i < store->slot_count; i++)
        for (struct entry *entry = store->slots[i]; entry != NULL; entry = entry->next)
            if (entry->has_value && entry->expires_sec > now &&
                span_eq_nocase(entry->parts[0], collection) && span_eq(entry->parts[1], key) &&
                !each(each_ctx, entry->parts[2], entry->parts[3]))
                return;
}

struct waf_store waf_memory_store_interface(struct waf_memory_store *store)
{
    return (struct waf_store){
        .get = get, .set = set, .unset = unset, .expire = expire, .walk = walk, .ctx = store};
}
