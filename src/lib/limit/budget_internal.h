/* SPDX-License-Identifier: Apache-2.0 */
/* The file of budget.h. For this folder and its tests. */
#ifndef DRUN_LIMIT_BUDGET_INTERNAL_H
#define DRUN_LIMIT_BUDGET_INTERNAL_H

#include "limit/budget.h"
#include "limit/seats.h"

#include <stdatomic.h>

#define BUDGETS_MAGIC "drun budgets 3\n"

/* Changed as a whole. */
struct budget_count {
    uint64_t ends_sec; /* the window that it counts for; 0: none yet */
    uint64_t settled;
} __attribute__((aligned(16)));

struct budget_slot {
    struct budget_count count;
    _Atomic uint64_t reserved[LIMIT_SEATS];
    _Atomic uint64_t limit;  /* of the last call; 0: it has no label yet */
    _Atomic uint64_t alerts; /* the same */
};

_Static_assert(sizeof(struct budget_slot) == 1024, "slots fill cache lines");

struct budget_header {
    char magic[16];
    _Atomic uint64_t seats; /* those from here on were never taken */
    char zero[1000];
};

struct budget_owner {
    _Atomic uint64_t key; /* 0: never used */
    _Atomic uint64_t was; /* the key before it moved */
};

/* What people call it: the parts, each with a NUL behind it. */
struct budget_label {
    _Atomic uint32_t len;    /* 0: not written yet */
    uint32_t noted;          /* the alert that was raised ... */
    uint64_t noted_ends_sec; /* ... in this window */
    char text[LIMIT_LABEL_MAX];
};

_Static_assert(sizeof(struct budget_label) == 512, "labels fill cache lines");

/* What this gateway may use of the budget in the slot of the same number; the keeper writes it, and
 * calls read it. The window of a share only grows: who reads it twice around the amount, and finds
 * the same, has an amount of that window. */
struct budget_lease {
    _Atomic uint64_t ends_sec;
    _Atomic uint64_t share;
    _Atomic uint64_t elsewhere; /* settled by other gateways in that window */
    _Atomic uint64_t wanted;    /* by the largest call that waits */
    _Atomic uint64_t raises;    /* the alerts */
    uint64_t zero[3];
};

_Static_assert(sizeof(struct budget_lease) == 64, "a lease is a cache line");

/* The owners lie together, apart from the slots of the same numbers: a slot that nobody ever used
 * takes no memory. */
struct budget_file {
    struct budget_header header;
    struct budget_owner owners[LIMIT_BUDGET_SLOTS];
    struct budget_slot slots[LIMIT_BUDGET_SLOTS];
    struct budget_label labels[LIMIT_BUDGET_SLOTS];
    struct budget_lease leases[LIMIT_BUDGET_SLOTS];
};

struct limit_budgets {
    int fd;
    unsigned seat; /* LIMIT_SEATS: none */
    struct budget_file *file;
    bool shared; /* each budget with other gateways */
    limit_budget_ring_fn *ring;
    void *ring_ctx;
};

enum { BUDGET_NOWHERE = LIMIT_BUDGET_SLOTS };

/* The slot of a key, as it is in the file; BUDGET_NOWHERE: it has none. */
size_t budget_find(const struct limit_budgets *budgets, uint64_t key);
/* Adds to the window that ends then, or to a later one that began already. */
void budget_add(struct budget_count *count, int64_t ends_sec, uint64_t amount);

/* The two halves may belong to different moments, unless a swap with them succeeds. */
static inline struct budget_count budget_count_load(const struct budget_count *count)
{
    return (struct budget_count){.ends_sec = __atomic_load_n(&count->ends_sec, __ATOMIC_SEQ_CST),
                                 .settled = __atomic_load_n(&count->settled, __ATOMIC_SEQ_CST)};
}

/* What is reserved. A seat that was never taken has reserved nothing. */
static inline uint64_t budget_sum(const struct budget_file *file, const struct budget_slot *slot)
{
    uint64_t seats = atomic_load(&file->header.seats);
    uint64_t total = 0;

    for (size_t i = 0; i < seats; i++)
        total += atomic_load(&slot->reserved[i]);
    return total;
}

/* What the share allows in a window; 0 when it is of another one. */
static inline uint64_t budget_share(const struct budget_lease *lease, uint64_t ends_sec)
{
    bool before = atomic_load(&lease->ends_sec) == ends_sec;
    uint64_t share = atomic_load(&lease->share);

    return before && atomic_load(&lease->ends_sec) == ends_sec ? share : 0;
}

/* What other gateways have settled in a window, as far as is known. */
static inline uint64_t budget_elsewhere(const struct limit_budgets *budgets, size_t number,
                                        uint64_t ends_sec)
{
    const struct budget_lease *lease = &budgets->file->leases[number];

    if (!budgets->shared || atomic_load(&lease->ends_sec) != ends_sec)
        return 0;
    return atomic_load(&lease->elsewhere);
}

/* budget_lease.c. A call that would take so much waits: tells the keeper, if he does not know. */
void budget_want(const struct limit_budgets *budgets, size_t number, uint64_t cost);

/* budget_look.c. Before a slot goes over to another key. */
void budget_forget(struct budget_file *file, size_t number);
void budget_write_label(struct budget_file *file, size_t number,
                        const struct limit_budget_ask *ask);

/* Behind a reservation: one cache line is looked at, unless limit or alerts are others. */
static inline void budget_describe(struct budget_file *file, size_t number,
                                   const struct limit_budget_ask *ask)
{
    struct budget_slot *slot = &file->slots[number];

    if (atomic_load_explicit(&slot->limit, memory_order_relaxed) != ask->limit ||
        atomic_load_explicit(&slot->alerts, memory_order_relaxed) != ask->alerts)
        budget_write_label(file, number, ask);
}

#endif
