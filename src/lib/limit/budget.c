/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/budget_internal.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "limit/limit_internal.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 16, NOWHERE = BUDGET_NOWHERE };

#define MAGIC  BUDGETS_MAGIC
#define FIRST  "drun budgets 1\n" /* the same without labels and leases */
#define SECOND "drun budgets 2\n" /* the same without leases */

/* No sum of settled amounts goes beyond it; far above any limit, far below overflow. */
#define SETTLED_MAX (UINT64_C(1) << 60)

/* In the place of a key while a slot goes over from one to another. */
static const uint64_t moving = 1;

/* ------------------------------------------------------------------ the count of a slot */

typedef unsigned __int128 pair __attribute__((may_alias));

static pair pack(struct budget_count count)
{
    return (pair)count.settled << 64 | count.ends_sec;
}

static struct budget_count load(const struct budget_count *count)
{
    return budget_count_load(count);
}

static bool swap(struct budget_count *count, struct budget_count old, struct budget_count new)
{
    return __sync_bool_compare_and_swap((pair *)count, pack(old), pack(new));
}

void budget_add(struct budget_count *count, int64_t ends_sec, uint64_t amount)
{
    for (;;) {
        struct budget_count old = load(count);
        struct budget_count new = old;
        if (old.ends_sec < (uint64_t)ends_sec)
            new = (struct budget_count){.ends_sec = (uint64_t)ends_sec};
        new.settled = NUM_MIN(new.settled + NUM_MIN(amount, SETTLED_MAX), SETTLED_MAX);
        if (swap(count, old, new))
            return;
    }
}

/* ------------------------------------------------------------------ slots */

/* The number of the slot at a step of the search. */
static size_t at(uint64_t key, size_t probe)
{
    return (limit_home(key) + probe) % LIMIT_BUDGET_SLOTS;
}

size_t budget_find(const struct limit_budgets *budgets, uint64_t key)
{
    for (size_t i = 0; i < LIMIT_BUDGET_PROBE_MAX; i++)
        if (atomic_load(&budgets->file->owners[at(key, i)].key) == key)
            return at(key, i);
    return NOWHERE;
}

static bool is_busy(const struct limit_budgets *budgets, const struct budget_slot *slot,
                    int64_t now_sec)
{
    return budget_sum(budgets->file, slot) != 0 || load(&slot->count).ends_sec > (uint64_t)now_sec;
}

/* Who reserves counts himself and then looks at the key; we change the key and then add up. Of the
 * two one sees the other. */
static bool take_over(const struct limit_budgets *budgets, size_t number, uint64_t key,
                      int64_t now_sec)
{
    struct budget_owner *owner = &budgets->file->owners[number];
    struct budget_slot *slot = &budgets->file->slots[number];
    uint64_t old = atomic_load(&owner->key);

    if (old != 0 && is_busy(budgets, slot, now_sec))
        return false;
    atomic_store(&owner->was, old);
    atomic_store(&owner->key, moving);
    bool idle = !is_busy(budgets, slot, now_sec);
    if (idle) {
        slot->count = (struct budget_count){0};
        budget_forget(budgets->file, number);
    }
    atomic_store(&owner->key, idle ? key : old);
    return idle;
}

/* A process that died in take_over() left a key behind that may still count. */
static void put_right(const struct limit_budgets *budgets, uint64_t key)
{
    for (size_t i = 0; i < LIMIT_BUDGET_PROBE_MAX; i++) {
        struct budget_owner *owner = &budgets->file->owners[at(key, i)];
        if (atomic_load(&owner->key) == moving)
            atomic_store(&owner->key, atomic_load(&owner->was));
    }
}

/* One process at a time, so that a key never gets two slots. */
static size_t make(const struct limit_budgets *budgets, uint64_t key, int64_t now_sec)
{
    if (!limit_making_lock(budgets->fd))
        return NOWHERE;
    put_right(budgets, key);
    size_t number = budget_find(budgets, key);
    for (size_t i = 0; number == NOWHERE && i < LIMIT_BUDGET_PROBE_MAX; i++)
        if (take_over(budgets, at(key, i), key, now_sec))
            number = at(key, i);
    limit_making_unlock(budgets->fd);
    return number;
}

/* ------------------------------------------------------------------ reserving and settling */

enum outcome { RESERVED, TOO_MUCH, MOVED };

/* Who takes a share down lowers it first and adds up then; a call has counted itself before it
 * comes here. So either the call sees the lower share, or it is seen. */
static uint64_t room_of(const struct limit_budgets *budgets, size_t number,
                        const struct limit_budget_ask *ask, uint64_t ends_sec)
{
    if (!budgets->shared)
        return ask->limit;
    return NUM_MIN(ask->limit, budget_share(&budgets->file->leases[number], ends_sec));
}

/* Of `settled` and `used`, which are this file's, to those of all gateways. */
static void tell_rest(const struct limit_budgets *budgets, size_t number,
                      const struct limit_budget_ask *ask, uint64_t reserved,
                      struct limit_budget_answer *answer)
{
    answer->settled += budget_elsewhere(budgets, number, (uint64_t)answer->ends_sec);
    uint64_t used = answer->settled + reserved;
    answer->left = used < ask->limit ? ask->limit - used : 0;
}

static enum outcome try_reserve(struct limit_budgets *budgets, size_t number, uint64_t key,
                                const struct limit_budget_ask *ask,
                                struct limit_budget_answer *answer)
{
    struct budget_slot *slot = &budgets->file->slots[number];
    _Atomic uint64_t *own = &slot->reserved[budgets->seat];

    atomic_fetch_add(own, ask->cost);
    bool same = atomic_load(&budgets->file->owners[number].key) == key;
    if (same) {
        if (load(&slot->count).ends_sec < (uint64_t)answer->ends_sec)
            budget_add(&slot->count, answer->ends_sec, 0);
        /* Who settles adds to the count before he takes from what is reserved: seen in this order,
         * an amount may be seen twice, but never not at all. */
        uint64_t reserved = budget_sum(budgets->file, slot);
        struct budget_count count = load(&slot->count);
        answer->settled = count.settled;
        answer->ends_sec = (int64_t)count.ends_sec;
        if (reserved + count.settled <= room_of(budgets, number, ask, count.ends_sec)) {
            tell_rest(budgets, number, ask, reserved, answer);
            return RESERVED;
        }
        if (budgets->shared) /* who gives out shares wants to know whose it is */
            budget_describe(budgets->file, number, ask);
    }
    atomic_fetch_sub(own, ask->cost);
    return same ? TOO_MUCH : MOVED;
}

/* LIMIT_GRANTED: it is not too much for certain, but others were about to give way like us. */
static enum limit_verdict judge(const struct limit_budgets *budgets, size_t number,
                                const struct limit_budget_ask *ask,
                                struct limit_budget_answer *answer)
{
    uint64_t reserved = budget_sum(budgets->file, &budgets->file->slots[number]);
    uint64_t used = reserved + answer->settled + ask->cost;
    bool fits = used <= room_of(budgets, number, ask, (uint64_t)answer->ends_sec);

    tell_rest(budgets, number, ask, reserved, answer);
    answer->by_others = answer->settled + ask->cost <= ask->limit;
    if (fits)
        return LIMIT_GRANTED;
    return budgets->shared && ask->cost <= answer->left ? LIMIT_WAIT : LIMIT_REFUSED;
}

/* What there is, for who asks for more than there can be. */
static void show(const struct limit_budgets *budgets, uint64_t key,
                 const struct limit_budget_ask *ask, struct limit_budget_answer *answer)
{
    size_t number = budget_find(budgets, key);

    answer->left = ask->limit;
    if (number == NOWHERE)
        return;
    const struct budget_slot *slot = &budgets->file->slots[number];
    struct budget_count count = load(&slot->count);
    answer->settled = count.ends_sec < (uint64_t)answer->ends_sec ? 0 : count.settled;
    tell_rest(budgets, number, ask, budget_sum(budgets->file, slot), answer);
}

enum limit_verdict limit_budget_reserve(struct limit_budgets *budgets,
                                        const struct limit_budget_ask *ask, int64_t now_sec,
                                        struct limit_charge *out,
                                        struct limit_budget_answer *answer)
{
    uint64_t key = ask->key | 2; /* neither 0 nor `moving` */

    INVARIANT(ask->cost > 0 && ask->limit <= LIMIT_BUDGET_MAX);
    *out = (struct limit_charge){0};
    *answer = (struct limit_budget_answer){.ends_sec = limit_window_end(ask->window, now_sec)};
    if (ask->cost > ask->limit) {
        show(budgets, key, ask, answer);
        return LIMIT_NEVER;
    }
    for (int i = 0; i < TRIES; i++) {
        size_t number = budget_find(budgets, key);
        if (number == NOWHERE)
            number = make(budgets, key, now_sec);
        if (number == NOWHERE)
            return LIMIT_FULL;
        enum outcome outcome = try_reserve(budgets, number, key, ask, answer);
        if (outcome == RESERVED) {
            budget_describe(budgets->file, number, ask);
            out->slot = (uint32_t)number + 1;
            out->window = ask->window;
            out->cost = ask->cost;
            return LIMIT_GRANTED;
        }
        enum limit_verdict verdict =
            outcome == TOO_MUCH ? judge(budgets, number, ask, answer) : LIMIT_GRANTED;
        if (verdict == LIMIT_GRANTED || i == 0)
            continue;
        if (verdict == LIMIT_WAIT)
            budget_want(budgets, number, ask->cost);
        return verdict;
    }
    return LIMIT_REFUSED;
}

void limit_budget_settle(struct limit_budgets *budgets, struct limit_charge *charge,
                         uint64_t actual, int64_t now_sec)
{
    if (charge->slot == 0)
        return;
    struct budget_slot *slot = &budgets->file->slots[charge->slot - 1];
    if (actual > 0)
        budget_add(&slot->count, limit_window_end(charge->window, now_sec), actual);
    atomic_fetch_sub(&slot->reserved[budgets->seat], charge->cost);
    charge->slot = 0;
}

/* ------------------------------------------------------------------ the file */

/* What the seat's last owner left is given back. */
static void clear_seat(void *ctx, unsigned seat)
{
    const struct limit_budgets *budgets = ctx;

    if (seat >= atomic_load(&budgets->file->header.seats))
        return;
    for (size_t i = 0; i < LIMIT_BUDGET_SLOTS; i++)
        if (atomic_load(&budgets->file->owners[i].key) != 0)
            atomic_store(&budgets->file->slots[i].reserved[seat], 0);
}

static int check_magic(struct budget_file *file, const char *name, struct err *err)
{
    static const char none[sizeof(file->header.magic)];

    if (memcmp(file->header.magic, none, sizeof(none)) == 0 ||
        memcmp(file->header.magic, FIRST, sizeof(FIRST)) == 0 ||
        memcmp(file->header.magic, SECOND, sizeof(SECOND)) == 0)
        memcpy(file->header.magic, MAGIC, sizeof(MAGIC));
    if (memcmp(file->header.magic, MAGIC, sizeof(MAGIC)) == 0 &&
        atomic_load(&file->header.seats) <= LIMIT_SEATS)
        return 0;
    return err_set(
        err, ERR_CORRUPT,
        "%s is no file of budgets that this version reads; move it away, and all budgets "
        "begin anew",
        name);
}

static int map(struct limit_budgets *budgets, int dir_fd, const char *name, struct err *err)
{
    struct stat st;

    budgets->fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (budgets->fd < 0)
        return err_sys(err, "cannot open %s", name);
    if (fstat(budgets->fd, &st) < 0)
        return err_sys(err, "cannot look at %s", name);
    if (st.st_size != 0 && st.st_size != (off_t)sizeof(struct budget_file) &&
        st.st_size != (off_t)offsetof(struct budget_file, labels) &&
        st.st_size != (off_t)offsetof(struct budget_file, leases))
        return err_set(err, ERR_CORRUPT, "%s has not the size of a file of budgets; move it away",
                       name);
    if (ftruncate(budgets->fd, sizeof(struct budget_file)) < 0)
        return err_sys(err, "cannot size %s", name);
    void *memory =
        mmap(NULL, sizeof(struct budget_file), PROT_READ | PROT_WRITE, MAP_SHARED, budgets->fd, 0);
    if (memory == MAP_FAILED)
        return err_sys(err, "cannot map %s", name);
    budgets->file = memory;
    return 0;
}

/* Nobody adds up without us from here on. */
static void show_seat(const struct limit_budgets *budgets)
{
    _Atomic uint64_t *seats = &budgets->file->header.seats;
    uint64_t seen = atomic_load(seats);

    while (seen <= budgets->seat &&
           !atomic_compare_exchange_weak(seats, &seen, (uint64_t)budgets->seat + 1))
        ;
}

static int open_locked(struct limit_budgets *budgets, const char *name, bool takes_seat,
                       struct err *err)
{
    TRY(check_magic(budgets->file, name, err));
    if (!takes_seat)
        return 0;
    TRY(limit_seat_take(budgets->fd, clear_seat, budgets, &budgets->seat, err));
    show_seat(budgets);
    return 0;
}

int limit_budgets_open(int dir_fd, const char *name, bool reserves, struct limit_budgets **out,
                       struct err *err)
{
    CLEANUP(limit_budgets_close_ptr) struct limit_budgets *budgets = mem_new(sizeof(*budgets));

    *budgets = (struct limit_budgets){.fd = -1, .seat = LIMIT_SEATS};
    TRY(map(budgets, dir_fd, name, err));
    if (!limit_making_lock(budgets->fd))
        return err_sys(err, "cannot lock %s", name);
    int result = open_locked(budgets, name, reserves, err);
    limit_making_unlock(budgets->fd);
    TRY(result);
    *out = budgets;
    budgets = NULL;
    return 0;
}

void limit_budgets_close(struct limit_budgets *budgets)
{
    if (budgets == NULL)
        return;
    if (budgets->file != NULL) {
        if (budgets->seat < LIMIT_SEATS)
            clear_seat(budgets, budgets->seat);
        munmap(budgets->file, sizeof(struct budget_file));
    }
    fd_close(&budgets->fd);
    free(budgets);
}

void limit_budgets_close_ptr(struct limit_budgets **budgets)
{
    limit_budgets_close(*budgets);
}
