/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/breakers.h"

#include "base/fd.h"
#include "base/mem.h"
#include "limit/limit.h"
#include "limit/limit_internal.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEC_NS UINT64_C(1000000000)
enum { TIMES_MAX = 10, STILL_SEC = 3600, OPEN_MAX_SEC = 86400 };

struct slot {
    _Atomic uint64_t key;      /* 0: never used */
    _Atomic uint64_t until_ns; /* 0: closed; else open until then, and on trial behind it */
    _Atomic uint64_t trial_ns; /* when one began; 0: none runs */
    _Atomic uint64_t last_ns;  /* when something was last told of it */
    _Atomic uint32_t failures; /* in a row */
    _Atomic uint32_t times;    /* it has opened without a success between */
    char name[LIMIT_BREAKER_NAME];
    char zero[16];
};

_Static_assert(sizeof(struct slot) == 192, "slots fill cache lines");

struct limit_breakers {
    struct slot *slots;
};

enum { FILE_SIZE = sizeof(struct slot) * LIMIT_BREAKER_SLOTS };

int limit_breakers_open(int dir_fd, const char *name, struct limit_breakers **out, struct err *err)
{
    CLEANUP_FD int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return err_sys(err, "cannot open %s", name);
    /* Only ever to the one size: what others have mapped stays. */
    if (ftruncate(fd, FILE_SIZE) < 0)
        return err_sys(err, "cannot size %s", name);
    void *memory = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return err_sys(err, "cannot map %s", name);
    *out = mem_new(sizeof(**out));
    (*out)->slots = memory;
    return 0;
}

void limit_breakers_close(struct limit_breakers *breakers)
{
    if (breakers == NULL)
        return;
    munmap(breakers->slots, FILE_SIZE);
    free(breakers);
}

void limit_breakers_close_ptr(struct limit_breakers **breakers)
{
    limit_breakers_close(*breakers);
    *breakers = NULL;
}

/* ------------------------------------------------------------------ slots */

static uint64_t key_of(struct span who)
{
    return limit_key(who, span_str("breaker"));
}

static struct slot *at(const struct limit_breakers *breakers, uint64_t key, size_t probe)
{
    return &breakers->slots[(limit_home(key) + probe) % LIMIT_BREAKER_SLOTS];
}

static struct slot *find(const struct limit_breakers *breakers, struct span who)
{
    uint64_t key = key_of(who);

    for (size_t i = 0; i < LIMIT_BREAKER_PROBE_MAX; i++)
        if (atomic_load(&at(breakers, key, i)->key) == key)
            return at(breakers, key, i);
    return NULL;
}

static bool is_still(const struct slot *slot, uint64_t now_ns)
{
    uint64_t last = atomic_load(&slot->last_ns);

    return now_ns > last && now_ns - last > STILL_SEC * SEC_NS;
}

static bool take_over(struct slot *slot, uint64_t key, struct span who, uint64_t now_ns)
{
    uint64_t old = atomic_load(&slot->key);

    if ((old != 0 && !is_still(slot, now_ns)) ||
        !atomic_compare_exchange_strong(&slot->key, &old, key))
        return false;
    atomic_store(&slot->until_ns, 0);
    atomic_store(&slot->trial_ns, 0);
    atomic_store(&slot->failures, 0);
    atomic_store(&slot->times, 0);
    memset(slot->name, 0, sizeof(slot->name));
    memcpy(slot->name, who.p, who.len);
    return true;
}

static struct slot *make(const struct limit_breakers *breakers, struct span who, uint64_t now_ns)
{
    uint64_t key = key_of(who);
    struct slot *slot = find(breakers, who);

    if (who.len >= LIMIT_BREAKER_NAME)
        return NULL;
    for (size_t i = 0; slot == NULL && i < LIMIT_BREAKER_PROBE_MAX; i++)
        if (take_over(at(breakers, key, i), key, who, now_ns))
            slot = at(breakers, key, i);
    if (slot != NULL)
        atomic_store(&slot->last_ns, now_ns);
    return slot;
}

/* ------------------------------------------------------------------ states */

/* A time that is further away than any is of another boot. */
static bool is_closed(uint64_t until_ns, uint64_t now_ns)
{
    return until_ns == 0 || until_ns > now_ns + OPEN_MAX_SEC * SEC_NS;
}

bool limit_breaker_is_open(const struct limit_breakers *breakers, struct span who, uint64_t now_ns)
{
    const struct slot *slot = find(breakers, who);
    uint64_t until = slot == NULL ? 0 : atomic_load(&slot->until_ns);

    if (is_closed(until, now_ns))
        return false;
    if (now_ns < until)
        return true;
    uint64_t trial = atomic_load(&slot->trial_ns);
    return trial != 0 && trial <= now_ns && now_ns - trial < LIMIT_TRIAL_SEC * SEC_NS;
}

bool limit_breaker_try(struct limit_breakers *breakers, struct span who, uint64_t now_ns)
{
    struct slot *slot = find(breakers, who);

    if (slot == NULL || is_closed(atomic_load(&slot->until_ns), now_ns))
        return true;
    uint64_t trial = atomic_load(&slot->trial_ns);
    return !limit_breaker_is_open(breakers, who, now_ns) &&
           atomic_compare_exchange_strong(&slot->trial_ns, &trial, now_ns);
}

static void open_up(struct slot *slot, uint64_t open_ns, uint64_t now_ns)
{
    uint32_t times = atomic_load(&slot->times);

    if (times < TIMES_MAX)
        atomic_store(&slot->times, ++times);
    atomic_store(&slot->until_ns, now_ns + times * open_ns);
    atomic_store(&slot->trial_ns, 0);
    atomic_store(&slot->failures, 0);
}

bool limit_breaker_failed(struct limit_breakers *breakers, struct span who, uint32_t failures,
                          uint64_t open_ns, uint64_t now_ns)
{
    struct slot *slot = make(breakers, who, now_ns);

    if (slot == NULL)
        return false;
    uint64_t until = atomic_load(&slot->until_ns);
    if (is_closed(until, now_ns) ? atomic_fetch_add(&slot->failures, 1) + 1 < failures
                                 : atomic_load(&slot->trial_ns) == 0)
        return false;
    open_up(slot, open_ns, now_ns);
    return true;
}

void limit_breaker_succeeded(struct limit_breakers *breakers, struct span who, uint64_t now_ns)
{
    struct slot *slot = find(breakers, who);

    if (slot == NULL)
        return;
    uint64_t until = atomic_load(&slot->until_ns);
    bool closes = until != 0 && now_ns >= until;
    if (!closes && atomic_load(&slot->failures) == 0)
        return;
    atomic_store(&slot->failures, 0);
    if (!closes)
        return;
    atomic_store(&slot->until_ns, 0);
    atomic_store(&slot->trial_ns, 0);
    atomic_store(&slot->times, 0);
}

void limit_breakers_each(const struct limit_breakers *breakers, uint64_t now_ns,
                         void (*fn)(void *ctx, const char *name), void *ctx)
{
    for (size_t i = 0; i < LIMIT_BREAKER_SLOTS; i++) {
        const struct slot *slot = &breakers->slots[i];
        char name[LIMIT_BREAKER_NAME];
        if (atomic_load(&slot->key) == 0 || is_closed(atomic_load(&slot->until_ns), now_ns))
            continue;
        memcpy(name, slot->name, sizeof(name));
        name[sizeof(name) - 1] = '\0';
        fn(ctx, name);
    }
}
