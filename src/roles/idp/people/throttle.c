/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/people/throttle.h"

#include "base/mem.h"
#include "base/num.h"
#include "crypto/crypto.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SETS = 2048,
    WAYS = 4,
    KEY_LEN = 16,
    FORGET_SEC = 3600, /* a place that was quiet so long starts anew */
};

enum place { PLACE_BOTH, PLACE_NETWORK, PLACE_ACCOUNT, PLACE_DEVICE, PLACE_COUNT };

static const struct rule {
    uint32_t free;    /* tries without a wait */
    uint32_t max_sec; /* the longest wait */
} rules[THROTTLE_KIND_COUNT][PLACE_COUNT] = {
    [THROTTLE_PASSWORD] =
        {
            [PLACE_BOTH] = {5, 900},
            [PLACE_NETWORK] = {50, 60},
            [PLACE_ACCOUNT] = {30, 10},
            [PLACE_DEVICE] = {10, 900},
        },
    [THROTTLE_FACTOR] =
        {
            [PLACE_BOTH] = {5, 900},
            [PLACE_NETWORK] = {50, 60},
            [PLACE_ACCOUNT] = {10, 900},
            [PLACE_DEVICE] = {10, 900},
        },
};

struct slot {
    uint8_t key[KEY_LEN];
    uint32_t failures; /* 0: empty */
    uint64_t last;
};

struct throttle {
    uint8_t secret[CRYPTO_KEY_LEN]; /* so that nobody can make places collide */
    struct slot slots[SETS][WAYS];
};

struct throttle *throttle_new(void)
{
    struct throttle *throttle = mem_new(sizeof(*throttle));
    struct err err = ERR_INIT;

    INVARIANT(crypto_random(throttle->secret, sizeof(throttle->secret), &err) == 0);
    return throttle;
}

void throttle_free(struct throttle *throttle)
{
    free(throttle);
}

static size_t put_network(const char *address, uint8_t out[16])
{
    uint8_t bytes[16];

    if (inet_pton(AF_INET, address, bytes) == 1) {
        memcpy(out, bytes, 3);
        return 3;
    }
    if (inet_pton(AF_INET6, address, bytes) == 1) {
        memcpy(out, bytes, 8);
        return 8;
    }
    return 0;
}

static void key_of(const struct throttle *throttle, enum place place,
                   const struct throttle_try *what, uint8_t out[CRYPTO_HASH_LEN])
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(4096);
    uint8_t network[16];
    bool by_network = place == PLACE_BOTH || place == PLACE_NETWORK;
    size_t len = by_network ? put_network(what->address, network) : 0;

    buf_put_u8(&text, (uint8_t)what->kind);
    buf_put_u8(&text, (uint8_t)place);
    buf_put_block(&text, span_of(network, len));
    if (place != PLACE_NETWORK)
        buf_put_block(&text, span_str(what->account));
    if (place == PLACE_DEVICE)
        buf_put_block(&text, span_str(what->device));
    crypto_hmac_sha256(span_of(throttle->secret, sizeof(throttle->secret)), buf_span(&text), out);
}

/* A known device has its own place, whoever is not known has the others. */
static bool counts(enum place place, const struct throttle_try *what)
{
    return (place == PLACE_DEVICE) == (what->device != NULL);
}

static size_t set_of(const uint8_t key[CRYPTO_HASH_LEN])
{
    return (size_t)(key[KEY_LEN] | key[KEY_LEN + 1] << 8) % SETS;
}

static struct slot *find(const struct throttle *throttle, const uint8_t key[CRYPTO_HASH_LEN])
{
    const struct slot *set = throttle->slots[set_of(key)];

    for (size_t i = 0; i < WAYS; i++)
        if (set[i].failures > 0 && memcmp(set[i].key, key, KEY_LEN) == 0)
            return (struct slot *)(uintptr_t)&set[i];
    return NULL;
}

static uint32_t wait_of(const struct slot *slot, const struct rule *rule, uint64_t now)
{
    if (slot == NULL || slot->failures < rule->free || now >= slot->last + FORGET_SEC)
        return 0;
    uint32_t doublings = NUM_MIN(slot->failures - rule->free, 16U);
    uint64_t ready = slot->last + NUM_MIN(1U << doublings, rule->max_sec);
    return ready > now ? (uint32_t)(ready - now) : 0;
}

uint32_t throttle_wait(const struct throttle *throttle, const struct throttle_try *what,
                       uint64_t now)
{
    uint32_t longest = 0;

    for (enum place place = 0; place < PLACE_COUNT; place++) {
        uint8_t key[CRYPTO_HASH_LEN];
        if (!counts(place, what))
            continue;
        key_of(throttle, place, what, key);
        uint32_t wait = wait_of(find(throttle, key), &rules[what->kind][place], now);
        longest = NUM_MAX(longest, wait);
    }
    return longest;
}

static struct slot *make(struct throttle *throttle, const uint8_t key[CRYPTO_HASH_LEN])
{
    struct slot *set = throttle->slots[set_of(key)];
    struct slot *oldest = &set[0];

    for (size_t i = 1; i < WAYS; i++)
        if (set[i].failures == 0 || (oldest->failures > 0 && set[i].last < oldest->last))
            oldest = &set[i];
    *oldest = (struct slot){0};
    memcpy(oldest->key, key, KEY_LEN);
    return oldest;
}

void throttle_begin(struct throttle *throttle, const struct throttle_try *what, uint64_t now)
{
    for (enum place place = 0; place < PLACE_COUNT; place++) {
        uint8_t key[CRYPTO_HASH_LEN];
        if (!counts(place, what))
            continue;
        key_of(throttle, place, what, key);
        struct slot *slot = find(throttle, key);
        if (slot == NULL)
            slot = make(throttle, key);
        if (now >= slot->last + FORGET_SEC)
            slot->failures = 0;
        slot->failures++;
        slot->last = now;
    }
}

/* The owner was here: this network, or this device, is trusted again for the account. For the other
 * two places the one try is taken back and no more, or an attacker with an account of his own could
 * reset them. */
void throttle_passed(struct throttle *throttle, const struct throttle_try *what)
{
    for (enum place place = 0; place < PLACE_COUNT; place++) {
        uint8_t key[CRYPTO_HASH_LEN];
        if (!counts(place, what))
            continue;
        key_of(throttle, place, what, key);
        struct slot *slot = find(throttle, key);
        if (slot != NULL)
            slot->failures = place == PLACE_BOTH || place == PLACE_DEVICE ? 0 : slot->failures - 1;
    }
}
