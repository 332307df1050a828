/* SPDX-License-Identifier: Apache-2.0 */
/* Two sets of ids: the newer one is filled, the older one is still looked at, and every
 * AUTH_REPLAY_SEC the older one is emptied and becomes the newer. */
#include "auth/replay.h"

#include "base/mem.h"

#include <stdlib.h>

enum { FIRST_ROOM = 256, ID_LEN = 16 };

struct set {
    uint8_t (*ids)[ID_LEN]; /* all zero: free */
    size_t room;            /* a power of two; 0 before the first id */
    size_t count;
};

struct auth_replay {
    struct set sets[2];
    unsigned newer;
    int64_t since; /* the newer set is filled */
};

struct auth_replay *auth_replay_new(void)
{
    return mem_new(sizeof(struct auth_replay));
}

void auth_replay_free(struct auth_replay *replay)
{
    if (replay == NULL)
        return;
    free(replay->sets[0].ids);
    free(replay->sets[1].ids);
    free(replay);
}

/* Where it is, or would be. The ids are hashes, so any part of one spreads well. */
static uint8_t *place(const struct set *set, const uint8_t id[ID_LEN], bool *found)
{
    static const uint8_t nobody[ID_LEN];
    uint64_t at;

    memcpy(&at, id, sizeof(at));
    for (at &= set->room - 1;; at = (at + 1) & (set->room - 1)) {
        *found = memcmp(set->ids[at], id, ID_LEN) == 0;
        if (*found || memcmp(set->ids[at], nobody, ID_LEN) == 0)
            return set->ids[at];
    }
}

static bool has(const struct set *set, const uint8_t id[ID_LEN])
{
    bool found = false;

    if (set->room > 0)
        (void)place(set, id, &found);
    return found;
}

static void grow(struct set *set)
{
    struct set larger = {.room = set->room == 0 ? FIRST_ROOM : 2 * set->room, .count = set->count};
    static const uint8_t nobody[ID_LEN];
    bool found;

    larger.ids = mem_new_array(larger.room, ID_LEN);
    for (size_t i = 0; i < set->room; i++)
        if (memcmp(set->ids[i], nobody, ID_LEN) != 0)
            memcpy(place(&larger, set->ids[i], &found), set->ids[i], ID_LEN);
    free(set->ids);
    *set = larger;
}

static void turn(struct auth_replay *replay, int64_t now)
{
    if (now > replay->since - AUTH_REPLAY_SEC && now < replay->since + AUTH_REPLAY_SEC)
        return;
    replay->newer ^= 1;
    replay->since = now;
    struct set *set = &replay->sets[replay->newer];
    free(set->ids);
    *set = (struct set){0};
}

int auth_replay_check(struct auth_replay *replay, const uint8_t id[AUTH_PROOF_ID_LEN], int64_t now,
                      struct err *err)
{
    bool found;

    turn(replay, now);
    struct set *set = &replay->sets[replay->newer];
    if (has(&replay->sets[0], id) || has(&replay->sets[1], id))
        return err_set(err, ERR_UNAUTHENTICATED, "the proof was used before");
    if (set->count >= AUTH_REPLAY_MAX)
        return err_set(err, ERR_LIMITED, "too many proofs come at the moment; try again soon");
    if (2 * set->count >= set->room)
        grow(set);
    memcpy(place(set, id, &found), id, ID_LEN);
    set->count++;
    return 0;
}
