/* SPDX-License-Identifier: Apache-2.0 */
/* The file of budget.h. For this folder and its tests. */
#ifndef DRUN_LIMIT_BUDGET_INTERNAL_H
#define DRUN_LIMIT_BUDGET_INTERNAL_H

#include "limit/budget.h"
#include "limit/seats.h"

#include <stdatomic.h>

#define BUDGETS_MAGIC "drun budgets 2\n"

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

/* The owners lie together, apart from the slots of the same numbers: a slot that nobody ever used
 * takes no memory. */
struct budget_file {
    struct budget_header header;
    struct budget_owner owners[LIMIT_BUDGET_SLOTS];
    struct budget_slot slots[LIMIT_BUDGET_SLOTS];
    struct budget_label labels[LIMIT_BUDGET_SLOTS];
};

struct limit_budgets {
    int fd;
    unsigned seat; /* LIMIT_SEATS: none */
    struct budget_file *file;
};

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
