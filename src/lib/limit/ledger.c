/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/ledger.h"

#include "base/mem.h"
#include "base/num.h"

#include <stdlib.h>
#include <sys/queue.h>

enum {
    BUCKETS = 1 << 12,
    /* Of one gateway: as many as its file has room for, and those whose place went to others since
     * it last told all. */
    PRESENT_MAX = 2 * LIMIT_BUDGET_SLOTS,
    ALERTS_MS = 15000, /* a gateway that is silent for longer raises none */
    NOBODY = -1,
};

#define NO_TARGET UINT64_MAX
/* Sums of so many as there are do not overflow; what is settled is never more (budget.c). */
#define HOLDS_MAX (UINT64_C(1) << 61)

/* What one gateway has told of a budget. */
struct part {
    uint64_t limit;
    uint64_t share;
    uint64_t used;
    uint64_t settled;
    uint64_t target; /* that its share comes down to when it tells again */
    unsigned noted;
    bool present;
};

struct budget {
    uint64_t key;
    int64_t ends_sec;
    uint64_t limit; /* in force, as far as calls have told */
    struct part parts[LIMIT_GATEWAYS_MAX];
    int first; /* the gateway that is served next, or NOBODY */
    uint64_t first_needs;
    uint64_t first_until_ms;
    LIST_ENTRY(budget) entry;
};

struct gateway {
    bool complete;
    uint64_t told_ms;
    size_t present; /* in so many budgets */
    uint64_t recalls[LIMIT_RECALLS_MAX];
    size_t recall_count;
};

struct limit_ledger {
    unsigned count;
    struct gateway gateways[LIMIT_GATEWAYS_MAX];
    LIST_HEAD(, budget) buckets[BUCKETS];
};

struct limit_ledger *limit_ledger_new(unsigned gateways)
{
    struct limit_ledger *ledger = mem_new(sizeof(*ledger));

    INVARIANT(gateways >= 2 && gateways <= LIMIT_GATEWAYS_MAX);
    ledger->count = gateways;
    return ledger;
}

static void forget(struct budget *budget)
{
    LIST_REMOVE(budget, entry);
    free(budget);
}

void limit_ledger_free(struct limit_ledger *ledger)
{
    if (ledger == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (!LIST_EMPTY(&ledger->buckets[i]))
            forget(LIST_FIRST(&ledger->buckets[i]));
    free(ledger);
}

/* ------------------------------------------------------------------ gateways */

static bool is_idle(const struct limit_ledger *ledger, const struct budget *budget)
{
    for (unsigned i = 0; i < ledger->count; i++)
        if (budget->parts[i].present)
            return false;
    return true;
}

void limit_ledger_begin(struct limit_ledger *ledger, unsigned gateway)
{
    struct budget *next;

    ledger->gateways[gateway].complete = false;
    ledger->gateways[gateway].recall_count = 0;
    ledger->gateways[gateway].present = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct budget *at = LIST_FIRST(&ledger->buckets[i]); at != NULL; at = next) {
            struct part *part = &at->parts[gateway];
            next = LIST_NEXT(at, entry);
            *part = (struct part){.limit = part->limit, .target = NO_TARGET};
            if (is_idle(ledger, at))
                forget(at);
        }
}

void limit_ledger_complete(struct limit_ledger *ledger, unsigned gateway)
{
    ledger->gateways[gateway].complete = true;
}

unsigned limit_ledger_missing(const struct limit_ledger *ledger)
{
    unsigned i = 0;

    while (i < ledger->count && ledger->gateways[i].complete)
        i++;
    return i;
}

bool limit_ledger_ready(const struct limit_ledger *ledger)
{
    return limit_ledger_missing(ledger) == ledger->count;
}

/* ------------------------------------------------------------------ budgets */

static struct budget *find(struct limit_ledger *ledger, uint64_t key)
{
    struct budget *budget;

    LIST_FOREACH (budget, &ledger->buckets[key / 4 % BUCKETS], entry)
        if (budget->key == key)
            return budget;
    return NULL;
}

static struct budget *make(struct limit_ledger *ledger, const struct limit_holding *told)
{
    struct budget *budget = mem_new(sizeof(*budget));

    *budget = (struct budget){.key = told->key, .ends_sec = told->ends_sec, .first = NOBODY};
    for (unsigned i = 0; i < ledger->count; i++)
        budget->parts[i].target = NO_TARGET;
    LIST_INSERT_HEAD(&ledger->buckets[told->key / 4 % BUCKETS], budget, entry);
    return budget;
}

/* NULL: the gateway tells of more than its file has room for. */
static struct budget *enter(struct limit_ledger *ledger, unsigned gateway,
                            const struct limit_holding *told)
{
    struct budget *budget = find(ledger, told->key);
    size_t *present = &ledger->gateways[gateway].present;

    if (budget != NULL && budget->parts[gateway].present)
        return budget;
    if (*present == PRESENT_MAX)
        return NULL;
    if (budget == NULL)
        budget = make(ledger, told);
    budget->parts[gateway].present = true;
    ++*present;
    return budget;
}

/* No call takes more: those that run may have begun before the share was taken down, and those that
 * are about to give way are told as used, too. */
static uint64_t held_by(const struct part *part)
{
    return NUM_MAX(part->share, part->used);
}

static uint64_t unspent(const struct part *part)
{
    return held_by(part) - part->used;
}

static uint64_t held(const struct limit_ledger *ledger, const struct budget *budget)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < ledger->count; i++)
        total += NUM_MIN(held_by(&budget->parts[i]), LIMIT_BUDGET_MAX);
    return total;
}

static void take_off(struct part *part, uint64_t settled)
{
    part->share -= NUM_MIN(part->share, settled);
    part->used -= settled;
    part->settled -= settled;
}

/* A new window. What a gateway had not said to be settled may still run, and counts in this one. */
static void turn(const struct limit_ledger *ledger, struct budget *budget, int64_t ends_sec)
{
    budget->ends_sec = ends_sec;
    budget->first = NOBODY;
    for (unsigned i = 0; i < ledger->count; i++) {
        struct part *part = &budget->parts[i];
        take_off(part, part->settled);
        part->noted = 0;
        part->target = NO_TARGET;
    }
}

/* ------------------------------------------------------------------ what is told */

/* The limit that calls go by is told by the one whose policy has changed, or who asks. */
static void take_limit(struct budget *budget, struct part *part, const struct limit_holding *told)
{
    if (told->limit == 0) /* nothing is there any more */
        return;
    if (told->limit != part->limit || told->wants > 0)
        budget->limit = told->limit;
    part->limit = told->limit;
}

static void take(struct budget *budget, unsigned gateway, const struct limit_holding *told)
{
    struct part *part = &budget->parts[gateway];
    bool is_old = told->ends_sec < budget->ends_sec;

    take_limit(budget, part, told);
    part->share = told->share;
    part->used = told->used;
    part->settled = told->settled;
    part->noted = is_old ? 0 : told->noted;
    if (is_old)
        take_off(part, part->settled);
}

/* ------------------------------------------------------------------ giving */

static void add_recall(struct gateway *gateway, uint64_t key)
{
    for (size_t i = 0; i < gateway->recall_count; i++)
        if (gateway->recalls[i] == key)
            return;
    if (gateway->recall_count < LIMIT_RECALLS_MAX) /* else he who wants it asks again */
        gateway->recalls[gateway->recall_count++] = key;
}

static uint64_t unspent_of_others(const struct limit_ledger *ledger, const struct budget *budget,
                                  unsigned gateway)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < ledger->count; i++)
        total += i == gateway ? 0 : unspent(&budget->parts[i]);
    return total;
}

/* Half of what they have, or more when that is not enough: the last of a budget does not come back
 * unit by unit. */
static void recall(struct limit_ledger *ledger, struct budget *budget, unsigned gateway,
                   uint64_t lacks)
{
    for (unsigned i = 0; i < ledger->count; i++) {
        struct part *part = &budget->parts[i];
        uint64_t rest = unspent(part);
        uint64_t back = NUM_MIN(rest, NUM_MAX(lacks, rest / 2));
        if (i == gateway || back == 0)
            continue;
        part->target = held_by(part) - back;
        add_recall(&ledger->gateways[i], budget->key);
        lacks -= NUM_MIN(lacks, back);
    }
}

/* A limit that was lowered below what is held: nobody keeps what he does not use. */
static void recall_excess(struct limit_ledger *ledger, struct budget *budget)
{
    uint64_t total = held(ledger, budget);

    if (total > budget->limit)
        recall(ledger, budget, ledger->count, total - budget->limit);
}

static bool is_others_turn(const struct budget *budget, unsigned gateway, uint64_t now_ms)
{
    return budget->first != NOBODY && budget->first != (int)gateway &&
           now_ms < budget->first_until_ms;
}

/* `lacks` is what others would have to give back. */
static void stand_first(struct limit_ledger *ledger, struct budget *budget, unsigned gateway,
                        uint64_t needs, uint64_t lacks, uint64_t now_ms)
{
    if (budget->first != (int)gateway || now_ms >= budget->first_until_ms)
        budget->first_until_ms = now_ms + LIMIT_FIRST_MS;
    budget->first = (int)gateway;
    budget->first_needs = needs;
    recall(ledger, budget, gateway, lacks);
}

static void give(struct limit_ledger *ledger, struct budget *budget, unsigned gateway,
                 uint64_t wants, uint64_t now_ms)
{
    struct part *part = &budget->parts[gateway];
    uint64_t total = held(ledger, budget);
    uint64_t left = total < budget->limit ? budget->limit - total : 0;
    uint64_t holds = held_by(part);
    uint64_t needs = part->used + wants > holds ? part->used + wants - holds : 0;
    bool waits = is_others_turn(budget, gateway, now_ms);

    if (waits)
        left -= NUM_MIN(left, budget->first_needs);
    if (needs <= left) {
        if (needs > 0)
            part->share = holds + NUM_MIN(left, NUM_MAX(needs, left / (2 * ledger->count)));
        if (budget->first == (int)gateway)
            budget->first = NOBODY;
    } else if (!waits) {
        uint64_t lacks = total + needs - budget->limit;
        if (lacks <= unspent_of_others(ledger, budget, gateway))
            stand_first(ledger, budget, gateway, needs, lacks, now_ms);
        else
            budget->first = NOBODY; /* no share would do; only what runs may end with less */
    }
}

/* ------------------------------------------------------------------ the answer */

static bool raises(const struct limit_ledger *ledger, const struct budget *budget, unsigned gateway,
                   uint64_t now_ms)
{
    for (unsigned i = 0; i < gateway; i++)
        if (budget->parts[i].present && now_ms - ledger->gateways[i].told_ms < ALERTS_MS)
            return false;
    return true;
}

static void answer(const struct limit_ledger *ledger, struct budget *budget, unsigned gateway,
                   uint64_t now_ms, struct limit_lease *out)
{
    struct part *part = &budget->parts[gateway];

    *out = (struct limit_lease){.key = budget->key,
                                .ends_sec = budget->ends_sec,
                                .share = NUM_MIN(part->share, part->target),
                                .raises = raises(ledger, budget, gateway, now_ms)};
    part->target = NO_TARGET;
    for (unsigned i = 0; i < ledger->count; i++) {
        out->elsewhere += i == gateway ? 0 : budget->parts[i].settled;
        out->noted = NUM_MAX(out->noted, budget->parts[i].noted);
    }
}

static int check(const struct limit_holding *told, struct err *err)
{
    if (told->key > 1 && told->settled <= told->used && told->used <= HOLDS_MAX &&
        told->share <= HOLDS_MAX && told->limit <= LIMIT_BUDGET_MAX &&
        told->wants <= LIMIT_BUDGET_MAX && (told->limit > 0 || told->wants == 0) &&
        told->ends_sec >= 0)
        return 0;
    return err_set(err, ERR_INVALID, "a gateway tells of a budget what cannot be");
}

int limit_ledger_tell(struct limit_ledger *ledger, unsigned gateway,
                      const struct limit_holding *told, uint64_t now_ms, struct limit_lease *out,
                      struct err *err)
{
    INVARIANT(gateway < ledger->count);
    TRY(check(told, err));
    struct budget *budget = enter(ledger, gateway, told);
    if (budget == NULL)
        return err_set(err, ERR_LIMITED, "a gateway tells of more budgets than it can have");
    if (told->ends_sec > budget->ends_sec)
        turn(ledger, budget, told->ends_sec);
    take(budget, gateway, told);
    ledger->gateways[gateway].told_ms = now_ms;
    if (limit_ledger_ready(ledger) && told->ends_sec == budget->ends_sec) {
        if (told->wants > 0)
            give(ledger, budget, gateway, told->wants, now_ms);
        else
            recall_excess(ledger, budget);
    }
    answer(ledger, budget, gateway, now_ms, out);
    return 0;
}

size_t limit_ledger_recalls(struct limit_ledger *ledger, unsigned gateway,
                            uint64_t keys[LIMIT_RECALLS_MAX])
{
    struct gateway *from = &ledger->gateways[gateway];
    size_t count = from->recall_count;

    if (count > 0)
        memcpy(keys, from->recalls, count * sizeof(keys[0]));
    from->recall_count = 0;
    return count;
}
