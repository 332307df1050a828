/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/places.h"

#include "base/fd.h"
#include "base/mem.h"
#include "limit/limit_internal.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROBE_MAX = 32, TRIES = 8, COUNT_MAX = UINT16_MAX };

/* In the place of a key while a slot goes over from one to another. */
static const uint64_t moving = 1;
/* In every key, which so is neither 0 nor `moving`. */
static const uint64_t own_bit = 2;

struct slot {
    _Atomic uint64_t key; /* 0: never used */
    _Atomic uint16_t in_use[LIMIT_SEATS];
};

_Static_assert(sizeof(struct slot) == 256, "slots fill cache lines");

struct file {
    struct slot slots[LIMIT_PLACE_SLOTS];
};

struct limit_places {
    int fd;
    unsigned seat;
    struct file *file;
};

/* ------------------------------------------------------------------ seats */

/* What the seat's last owner left is given back. */
static void clear_seat(void *ctx, unsigned seat)
{
    const struct limit_places *places = ctx;

    for (size_t i = 0; i < LIMIT_PLACE_SLOTS; i++)
        if (atomic_load(&places->file->slots[i].in_use[seat]) != 0)
            atomic_store(&places->file->slots[i].in_use[seat], 0);
}

static int map(struct limit_places *places, int dir_fd, const char *name, struct err *err)
{
    struct stat st;

    places->fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (places->fd < 0)
        return err_sys(err, "cannot open %s", name);
    /* Only ever to the one size: what others have mapped stays. */
    if (fstat(places->fd, &st) < 0 || ftruncate(places->fd, sizeof(struct file)) < 0)
        return err_sys(err, "cannot size %s", name);
    void *memory =
        mmap(NULL, sizeof(struct file), PROT_READ | PROT_WRITE, MAP_SHARED, places->fd, 0);
    if (memory == MAP_FAILED)
        return err_sys(err, "cannot map %s", name);
    places->file = memory;
    return 0;
}

int limit_places_open(int dir_fd, const char *name, struct limit_places **out, struct err *err)
{
    CLEANUP(limit_places_close_ptr) struct limit_places *places = mem_new(sizeof(*places));

    *places = (struct limit_places){.fd = -1, .seat = LIMIT_SEATS};
    TRY(map(places, dir_fd, name, err));
    TRY(limit_seat_take(places->fd, clear_seat, places, &places->seat, err));
    *out = places;
    places = NULL;
    return 0;
}

void limit_places_close(struct limit_places *places)
{
    if (places == NULL)
        return;
    if (places->file != NULL) {
        if (places->seat < LIMIT_SEATS)
            clear_seat(places, places->seat);
        munmap(places->file, sizeof(struct file));
    }
    fd_close(&places->fd);
    free(places);
}

void limit_places_close_ptr(struct limit_places **places)
{
    limit_places_close(*places);
}

/* ------------------------------------------------------------------ slots */

static uint64_t sum(const struct slot *slot)
{
    uint64_t total = 0;

    for (size_t i = 0; i < LIMIT_SEATS; i++)
        total += atomic_load(&slot->in_use[i]);
    return total;
}

static struct slot *at(const struct limit_places *places, uint64_t key, size_t probe)
{
    return &places->file->slots[(limit_home(key) + probe) % LIMIT_PLACE_SLOTS];
}

static struct slot *find(const struct limit_places *places, uint64_t key)
{
    for (size_t i = 0; i < PROBE_MAX; i++)
        if (atomic_load(&at(places, key, i)->key) == key)
            return at(places, key, i);
    return NULL;
}

/* Who enters counts himself and then looks at the key; we change the key and then add up. Of the
 * two one sees the other. `moving` is also what a process leaves that died in here. */
static bool take_over(struct slot *slot, uint64_t key)
{
    uint64_t old = atomic_load(&slot->key);

    if (old != 0 && old != moving && sum(slot) != 0)
        return false;
    if (!atomic_compare_exchange_strong(&slot->key, &old, moving))
        return false;
    bool idle = sum(slot) == 0;
    atomic_store(&slot->key, idle ? key : old);
    return idle;
}

/* One process at a time, so that a key never gets two slots. */
static struct slot *make(const struct limit_places *places, uint64_t key)
{
    if (!limit_making_lock(places->fd))
        return NULL;
    struct slot *slot = find(places, key);
    for (size_t i = 0; slot == NULL && i < PROBE_MAX; i++)
        if (take_over(at(places, key, i), key))
            slot = at(places, key, i);
    limit_making_unlock(places->fd);
    return slot;
}

/* ------------------------------------------------------------------ entering */

enum entering { ENTERED, FULL, MOVED };

static enum entering enter(const struct limit_places *places, struct slot *slot, uint64_t key,
                           uint32_t limit)
{
    _Atomic uint16_t *own = &slot->in_use[places->seat];

    if (atomic_load(own) == COUNT_MAX)
        return FULL;
    atomic_fetch_add(own, 1);
    bool same = atomic_load(&slot->key) == key;
    if (same && sum(slot) <= limit)
        return ENTERED;
    atomic_fetch_sub(own, 1);
    return same ? FULL : MOVED;
}

bool limit_enter(struct limit_places *places, uint64_t key, uint32_t limit, struct limit_place *out)
{
    *out = (struct limit_place){0};
    if (limit == 0)
        return true;
    key |= own_bit;
    for (int i = 0; i < TRIES; i++) {
        struct slot *slot = find(places, key);
        if (slot == NULL)
            slot = make(places, key);
        if (slot == NULL)
            return false;
        enum entering result = enter(places, slot, key, limit);
        if (result == ENTERED) {
            out->slot = (uint32_t)(slot - places->file->slots) + 1;
            return true;
        }
        /* Full for certain, not by others who were about to be refused like us. */
        if (result == FULL && sum(slot) >= limit && i > 0)
            return false;
    }
    return false;
}

uint32_t limit_running(const struct limit_places *places, uint64_t key)
{
    const struct slot *slot = find(places, key | own_bit);

    return slot == NULL ? 0 : (uint32_t)sum(slot);
}

void limit_leave(struct limit_places *places, struct limit_place *place)
{
    if (place->slot == 0)
        return;
    atomic_fetch_sub(&places->file->slots[place->slot - 1].in_use[places->seat], 1);
    place->slot = 0;
}
