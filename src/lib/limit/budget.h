/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Budgets: so much in a minute, hour, day or month of the calendar (UTC), over all processes that
 * share one mapped file, without a lock on the way. What is counted is the caller's: requests,
 * tokens, or anything else in whole units.
 *
 * A call reserves the most that it can cost and settles what it did cost. At every instant, and for
 * each budget,
 *
 *     settled in this window + reserved by calls that run  <=  limit
 *
 * as long as no call settles more than it reserved; so any number of calls at once overshoot by
 * nothing. What a call settles beyond its reservation is counted all the same. A call counts in the
 * window in which it ends.
 *
 * Each process holds a seat (limit/seats.h), and reserves in a counter that only it changes. So
 * what a dead process had reserved is known: the next one to open the file gives it back. To
 * reserve, a process counts itself first and adds up then; two at once may both see too much, give
 * way and try again, but never both pass.
 *
 * The file outlives processes and boots. Windows are by the wall clock: one that is set back does
 * not empty a budget; the later window goes on until the clock has come to its end. A slot goes
 * over to another key only when its window is over and nothing is reserved in it, so that no flood
 * of keys can empty a budget: while all LIMIT_BUDGET_PROBE_MAX slots of a new key are in use, that
 * key is refused (LIMIT_FULL). After a failure of the machine's power the counters are those that
 * the kernel had written, which is within half a minute by default.
 *
 * Gateways that share budgets have a file each. limit_budgets_share() makes a budget a share of it,
 * which the gateway's keeper gets from who gives them out (limit/ledger.h): a call is granted when
 *
 *     settled in this window + reserved by calls that run  <=  share of this window
 *
 * in this file. The shares of all gateways together are never more than the limit, so the line
 * above holds for the sum of the gateways.
 */
#ifndef DRUN_LIMIT_BUDGET_H
#define DRUN_LIMIT_BUDGET_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "limit/limit.h"

#include <stdint.h>

enum { LIMIT_BUDGET_SLOTS = 1 << 14, LIMIT_BUDGET_PROBE_MAX = 32 };

enum { LIMIT_LABEL_PARTS = 8, LIMIT_LABEL_MAX = 496, LIMIT_ALERTS = 4 };

/* The largest limit: every JSON reader can tell such numbers apart. */
#define LIMIT_BUDGET_MAX ((UINT64_C(1) << 53) - 1)

enum limit_window { LIMIT_MINUTE, LIMIT_HOUR, LIMIT_DAY, LIMIT_MONTH };

/* When the window that holds now_sec ends, seconds since 1970. */
int64_t limit_window_end(enum limit_window window, int64_t now_sec);

struct limit_budgets;

/* Maps the file, 25 MiB, of which only what is used takes room, 1.5 KiB a budget; makes it when it
 * is not there. Who `reserves` takes a seat; who only looks does not. ERR_CORRUPT: it is no file of
 * budgets, or of another format; ERR_LIMITED: every seat is taken. */
int limit_budgets_open(int dir_fd, const char *name, bool reserves, struct limit_budgets **out,
                       struct err *err) MUST_USE;
/* Gives back the seat and whatever is still reserved. */
void limit_budgets_close(struct limit_budgets *budgets);
void limit_budgets_close_ptr(struct limit_budgets **budgets);

struct limit_budget_ask {
    uint64_t key;   /* limit_key() */
    uint64_t cost;  /* at least 1 */
    uint64_t limit; /* at most LIMIT_BUDGET_MAX */
    enum limit_window window;
    uint32_t alerts; /* LIMIT_ALERTS percentages, a byte each; 0: none */
    /* What people call it, kept beside the count; of all calls of a key the same. */
    struct span label[LIMIT_LABEL_PARTS];
};

/* What was reserved; zeroed when nothing is held. */
struct limit_charge {
    uint32_t slot; /* its number from 1 */
    enum limit_window window;
    uint64_t cost;
};

struct limit_budget_answer {
    uint64_t settled; /* in this window; of other gateways what is known of them */
    uint64_t left;    /* neither settled nor reserved; the same */
    int64_t ends_sec; /* the window */
    bool by_others;   /* refused only because of what calls that run have reserved */
};

/* LIMIT_NEVER: the cost alone is larger than the limit. LIMIT_WAIT: the share does not hold it, but
 * the limit may; who gives out shares is asked, and it is worth trying again within a moment. */
enum limit_verdict limit_budget_reserve(struct limit_budgets *budgets,
                                        const struct limit_budget_ask *ask, int64_t now_sec,
                                        struct limit_charge *out,
                                        struct limit_budget_answer *answer) MUST_USE;
/* Does nothing the second time. 0 gives all of it back. */
void limit_budget_settle(struct limit_budgets *budgets, struct limit_charge *charge,
                         uint64_t actual, int64_t now_sec);

/* ------------------------------------------------------------------ looking (budget_look.c) */

/* A budget as it is now. */
struct limit_budget_use {
    uint32_t slot;
    struct span label[LIMIT_LABEL_PARTS]; /* each followed by a NUL; too long ones are cut */
    uint64_t settled;
    uint64_t reserved;
    uint64_t elsewhere; /* settled by other gateways, as far as is known */
    uint64_t limit;     /* of the last call */
    int64_t ends_sec;
    unsigned alert; /* percent: the highest reached that was not noted in this window; 0: none.
                     * Of budgets that are shared: reached by all gateways, and ours to raise. */
};

/* The texts are good until it returns. */
typedef void limit_budget_see_fn(void *ctx, const struct limit_budget_use *use);
/* Every budget of which something is used or reserved now. */
void limit_budgets_look(const struct limit_budgets *budgets, int64_t now_sec,
                        limit_budget_see_fn *see, void *ctx);
/* The alert was raised; for one process alone, inside `see`. */
void limit_budget_noted(struct limit_budgets *budgets, const struct limit_budget_use *use);

/* ------------------------------------------------------------------ shares (budget_lease.c) */

/* From here on this handle goes by shares. `ring` (or NULL) tells the keeper that a call waits; it
 * is called at most once between two looks of his. */
typedef void limit_budget_ring_fn(void *ctx);
void limit_budgets_share(struct limit_budgets *budgets, limit_budget_ring_fn *ring, void *ctx);

/* What one gateway has of a budget. */
struct limit_holding {
    uint64_t key;
    int64_t ends_sec; /* the window; one that is over: only what is reserved in it still counts */
    uint64_t limit;   /* of the last call */
    uint64_t share;   /* of that window */
    uint64_t used;    /* settled and reserved; no call takes it further than this or the share */
    uint64_t settled;
    uint64_t wants; /* what the largest call takes that waits; 0: none waits */
    unsigned noted; /* percent: the highest alert that was raised in this window */
};

/* What it gets of it. */
struct limit_lease {
    uint64_t key;
    int64_t ends_sec;
    uint64_t share;     /* less than it told: to be told anew, and at once */
    uint64_t elsewhere; /* settled by the other gateways */
    unsigned noted;     /* by any gateway */
    bool raises;        /* the alerts of this budget, for all */
};

/* For the keeper alone. */
typedef void limit_holding_fn(void *ctx, const struct limit_holding *holding);
/* Every budget that has a share or a use; or only those of which a call waits for more, and only
 * then is it told how much. It is told once: the call asks again when it tries again. */
void limit_budgets_tell(struct limit_budgets *budgets, int64_t now_sec, bool waiting_only,
                        limit_holding_fn *tell, void *ctx);
/* This one, with what a call waits for. Of one that is not there any more nothing is held. */
void limit_budgets_tell_of(struct limit_budgets *budgets, uint64_t key, int64_t now_sec,
                           struct limit_holding *out);
/* Puts shares in force; keys that are not there any more are passed over. */
void limit_budgets_lease(struct limit_budgets *budgets, const struct limit_lease *leases,
                         size_t count);

#endif
