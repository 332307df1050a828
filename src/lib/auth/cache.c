/* SPDX-License-Identifier: Apache-2.0 */
/* Verified tokens by their SHA-256, four to a set. Nobody can aim at a set: only tokens that idp
 * signed come in. */
#include "auth/auth_internal.h"
#include "base/mem.h"

#include <stddef.h>
#include <stdlib.h>

enum { WAYS = 4 };

struct entry {
    uint8_t key[AUTH_CACHE_KEY_LEN];
    uint64_t used; /* 0: free */
    struct auth_token_times times;
    size_t size;
    void *principal; /* as far as its room is used */
};

struct auth_cache {
    size_t sets; /* a power of two */
    uint64_t clock;
    struct entry entries[];
};

struct auth_cache *auth_cache_new(size_t entries)
{
    size_t sets = 1;

    if (entries == 0)
        return NULL;
    while (sets * WAYS < entries)
        sets *= 2;
    struct auth_cache *cache = mem_new(sizeof(*cache) + sets * WAYS * sizeof(struct entry));
    cache->sets = sets;
    return cache;
}

void auth_cache_clear(struct auth_cache *cache)
{
    for (size_t i = 0; cache != NULL && i < cache->sets * WAYS; i++) {
        free(cache->entries[i].principal);
        cache->entries[i] = (struct entry){0};
    }
}

void auth_cache_free(struct auth_cache *cache)
{
    auth_cache_clear(cache);
    free(cache);
}

static struct entry *set_of(struct auth_cache *cache, const uint8_t key[AUTH_CACHE_KEY_LEN])
{
    size_t at;

    memcpy(&at, key, sizeof(at));
    return &cache->entries[(at & (cache->sets - 1)) * WAYS];
}

bool auth_cache_find(struct auth_cache *cache, const uint8_t key[AUTH_CACHE_KEY_LEN],
                     struct auth_principal *out, struct auth_token_times *times)
{
    if (cache == NULL)
        return false;
    struct entry *set = set_of(cache, key);
    for (int i = 0; i < WAYS; i++) {
        if (set[i].used == 0 || !mem_equal_ct(set[i].key, key, AUTH_CACHE_KEY_LEN))
            continue;
        set[i].used = ++cache->clock;
        memcpy(out, set[i].principal, set[i].size);
        *times = set[i].times;
        return true;
    }
    return false;
}

void auth_cache_put(struct auth_cache *cache, const uint8_t key[AUTH_CACHE_KEY_LEN],
                    const struct auth_principal *principal, const struct auth_token_times *times)
{
    if (cache == NULL)
        return;
    struct entry *set = set_of(cache, key);
    struct entry *oldest = set;
    for (int i = 1; i < WAYS; i++)
        if (set[i].used < oldest->used)
            oldest = &set[i];
    free(oldest->principal);
    *oldest = (struct entry){
        .used = ++cache->clock,
        .times = *times,
        .size = offsetof(struct auth_principal, room) + principal->room_used,
    };
    memcpy(oldest->key, key, AUTH_CACHE_KEY_LEN);
    oldest->principal = mem_new(oldest->size);
    memcpy(oldest->principal, principal, oldest->size);
}
