/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/factors/quota.h"

#include "base/mem.h"
#include "base/num.h"
#include "crypto/crypto.h"

#include <stdlib.h>

enum { SETS = 1024, WAYS = 4, KEY_LEN = 16 };

struct slot {
    uint8_t key[KEY_LEN];
    uint32_t used; /* 0: empty */
    uint64_t began;
};

struct quota {
    uint8_t secret[CRYPTO_KEY_LEN]; /* so that nobody can make places collide */
    struct slot slots[SETS][WAYS];
};

struct quota *quota_new(void)
{
    struct quota *quota = mem_new(sizeof(*quota));
    struct err err = ERR_INIT;

    INVARIANT(crypto_random(quota->secret, sizeof(quota->secret), &err) == 0);
    return quota;
}

void quota_free(struct quota *quota)
{
    free(quota);
}

/* The rule's place, begun anew when its window is over. */
static struct slot *place_of(struct quota *quota, const struct quota_rule *rule, uint64_t now)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(4096);
    uint8_t hash[CRYPTO_HASH_LEN];

    buf_put_block(&text, span_str(rule->what));
    buf_put_block(&text, span_str(rule->key));
    crypto_hmac_sha256(span_of(quota->secret, sizeof(quota->secret)), buf_span(&text), hash);
    struct slot *set = quota->slots[(size_t)(hash[KEY_LEN] | hash[KEY_LEN + 1] << 8) % SETS];
    struct slot *oldest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].used > 0 && memcmp(set[i].key, hash, KEY_LEN) == 0) {
            if (now >= set[i].began + rule->window_sec)
                set[i].used = 0;
            oldest = &set[i];
            break;
        }
        if (set[i].used == 0 || (oldest->used > 0 && set[i].began < oldest->began))
            oldest = &set[i];
    }
    if (oldest->used == 0 || memcmp(oldest->key, hash, KEY_LEN) != 0) {
        *oldest = (struct slot){.began = now};
        memcpy(oldest->key, hash, KEY_LEN);
    }
    return oldest;
}

uint32_t quota_take(struct quota *quota, const struct quota_rule *rules, unsigned count,
                    uint64_t now)
{
    uint32_t longest = 0;

    for (unsigned i = 0; i < count; i++) {
        const struct slot *slot = place_of(quota, &rules[i], now);
        if (slot->used >= rules[i].max)
            longest = NUM_MAX(longest, (uint32_t)(slot->began + rules[i].window_sec - now));
    }
    for (unsigned i = 0; longest == 0 && i < count; i++)
        place_of(quota, &rules[i], now)->used++;
    return longest;
}
