/* SPDX-License-Identifier: Apache-2.0 */
/* Budgets that gateways share: the keeper's side of a gateway's file. */
#include "base/num.h"
#include "limit/budget_internal.h"

enum { LOOKS = 8 };

void limit_budgets_share(struct limit_budgets *budgets, limit_budget_ring_fn *ring, void *ctx)
{
    budgets->shared = true;
    budgets->ring = ring;
    budgets->ring_ctx = ctx;
}

void budget_want(const struct limit_budgets *budgets, size_t number, uint64_t cost)
{
    _Atomic uint64_t *wanted = &budgets->file->leases[number].wanted;
    uint64_t seen = atomic_load(wanted);

    while (seen < cost && !atomic_compare_exchange_weak(wanted, &seen, cost))
        ;
    if (seen == 0 && budgets->ring != NULL)
        budgets->ring(budgets->ring_ctx);
}

/* ------------------------------------------------------------------ what is held */

/* Of a share whose window is over nothing more is to be taken, also not by a worker whose clock is
 * a little behind. */
static void end_share(struct budget_lease *lease, int64_t now_sec)
{
    if (atomic_load(&lease->share) > 0 && atomic_load(&lease->ends_sec) <= (uint64_t)now_sec)
        atomic_store(&lease->share, 0);
}

static unsigned noted_in(const struct budget_label *label, int64_t ends_sec)
{
    return label->noted_ends_sec == (uint64_t)ends_sec ? label->noted : 0;
}

/* The least of some looks, as calls that are about to give way are in the sum, too. Any one of them
 * will do: behind it no call goes beyond the share, or else beyond what was seen. What is reserved
 * is read before what is settled, as in try_reserve(): seen twice, at worst. */
static struct budget_count look(const struct limit_budgets *budgets, size_t number, int64_t now_sec,
                                uint64_t *out_used)
{
    const struct budget_slot *slot = &budgets->file->slots[number];
    const struct budget_lease *lease = &budgets->file->leases[number];
    struct budget_count least = {0};

    *out_used = UINT64_MAX;
    for (int i = 0; i < LOOKS; i++) {
        uint64_t reserved = budget_sum(budgets->file, slot);
        struct budget_count count = budget_count_load(&slot->count);
        if (count.ends_sec <= (uint64_t)now_sec)
            count.settled = 0;
        if (count.ends_sec != least.ends_sec || reserved + count.settled < *out_used) {
            least = count;
            *out_used = reserved + count.settled;
        }
        if (*out_used <= budget_share(lease, count.ends_sec))
            break;
    }
    return least;
}

static void tell_slot(struct limit_budgets *budgets, size_t number, uint64_t key, int64_t now_sec,
                      bool asks, struct limit_holding *out)
{
    struct budget_lease *lease = &budgets->file->leases[number];
    uint64_t used;

    end_share(lease, now_sec);
    uint64_t wants = asks ? atomic_exchange(&lease->wanted, 0) : 0;
    struct budget_count count = look(budgets, number, now_sec, &used);
    bool runs = count.ends_sec > (uint64_t)now_sec;

    *out = (struct limit_holding){
        .key = key,
        .ends_sec = (int64_t)count.ends_sec,
        .limit = atomic_load(&budgets->file->slots[number].limit),
        .share = budget_share(lease, count.ends_sec),
        .used = used,
        .settled = count.settled,
        .wants = runs ? wants : 0,
        .noted = noted_in(&budgets->file->labels[number], (int64_t)count.ends_sec),
    };
}

static bool is_told(const struct limit_budgets *budgets, size_t number, int64_t now_sec,
                    bool waiting_only)
{
    const struct budget_slot *slot = &budgets->file->slots[number];
    const struct budget_lease *lease = &budgets->file->leases[number];

    if (waiting_only)
        return atomic_load(&lease->wanted) > 0;
    return budget_count_load(&slot->count).ends_sec > (uint64_t)now_sec ||
           atomic_load(&lease->share) > 0 || budget_sum(budgets->file, slot) > 0;
}

void limit_budgets_tell(struct limit_budgets *budgets, int64_t now_sec, bool waiting_only,
                        limit_holding_fn *tell, void *ctx)
{
    struct limit_holding holding;

    for (size_t i = 0; i < LIMIT_BUDGET_SLOTS; i++) {
        uint64_t key = atomic_load(&budgets->file->owners[i].key);
        if (key <= 1 || !is_told(budgets, i, now_sec, waiting_only))
            continue;
        tell_slot(budgets, i, key, now_sec, waiting_only, &holding);
        /* It went over to another key meanwhile, so nothing of the old one was held. */
        if (atomic_load(&budgets->file->owners[i].key) == key)
            tell(ctx, &holding);
    }
}

void limit_budgets_tell_of(struct limit_budgets *budgets, uint64_t key, int64_t now_sec,
                           struct limit_holding *out)
{
    size_t number = budget_find(budgets, key);

    *out = (struct limit_holding){.key = key};
    if (number == BUDGET_NOWHERE)
        return;
    tell_slot(budgets, number, key, now_sec, true, out);
    if (atomic_load(&budgets->file->owners[number].key) != key)
        *out = (struct limit_holding){.key = key};
}

/* ------------------------------------------------------------------ shares */

/* In an order in which nobody sees the new amount with the old window; see budget_share(). */
static void put(struct budget_lease *lease, const struct limit_lease *from)
{
    uint64_t ends_sec = (uint64_t)from->ends_sec;

    if (atomic_load(&lease->ends_sec) != ends_sec) {
        atomic_store(&lease->share, 0);
        atomic_store(&lease->elsewhere, 0);
        atomic_store(&lease->ends_sec, ends_sec);
    }
    atomic_store(&lease->elsewhere, from->elsewhere);
    atomic_store(&lease->raises, from->raises);
    atomic_store(&lease->share, from->share);
}

static void note(struct budget_label *label, const struct limit_lease *from)
{
    if (from->noted <= noted_in(label, from->ends_sec))
        return;
    label->noted = from->noted;
    label->noted_ends_sec = (uint64_t)from->ends_sec;
}

static void lease_one(struct limit_budgets *budgets, const struct limit_lease *lease)
{
    size_t number = budget_find(budgets, lease->key);

    if (number == BUDGET_NOWHERE ||
        atomic_load(&budgets->file->leases[number].ends_sec) > (uint64_t)lease->ends_sec)
        return;
    /* Another gateway may have seen the next window first. */
    budget_add(&budgets->file->slots[number].count, lease->ends_sec, 0);
    put(&budgets->file->leases[number], lease);
    note(&budgets->file->labels[number], lease);
}

/* Under the lock, so that no slot goes over to another key with a share of the old one. */
void limit_budgets_lease(struct limit_budgets *budgets, const struct limit_lease *leases,
                         size_t count)
{
    if (!limit_making_lock(budgets->fd))
        return;
    for (size_t i = 0; i < count; i++)
        lease_one(budgets, &leases[i]);
    limit_making_unlock(budgets->fd);
}
