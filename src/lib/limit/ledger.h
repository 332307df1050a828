/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who holds which share of each budget, where several gateways share them: kept in one process, in
 * memory alone. A gateway tells what it holds (struct limit_holding, limit/budget.h), and is told
 * what it holds from then on (struct limit_lease). At every instant, and for each budget,
 *
 *     what all gateways hold  <=  limit
 *
 * unless the limit was lowered, or a gateway held more already when it told so; then nothing is
 * given until it holds again. What a gateway holds is its share, or what it uses when that is more.
 * As no gateway lets calls take more, no number of calls at all gateways overshoots. Nobody's share
 * comes back because of time or silence: a gateway that is away still holds what it told last, as
 * its calls may still run. A share is less only when its gateway says so.
 *
 * Who asks for more than is left is served with what others hold and do not use. They are asked for
 * it (limit_ledger_recalls()), take it down and tell what they hold then. Of two who ask for the
 * same rest the first is served first, for a while.
 *
 * With the end of a window the count begins anew, but for what may still run: until a gateway
 * tells of the new window it holds all of its old share that it had not said to be settled.
 *
 * Nothing is given before every gateway has told all that it holds. The gateways are numbered from
 * 0. Milliseconds are those of the monotonic clock.
 */
#ifndef DRUN_LIMIT_LEDGER_H
#define DRUN_LIMIT_LEDGER_H

#include "base/attr.h"
#include "base/err.h"
#include "limit/budget.h"

enum { LIMIT_GATEWAYS_MAX = 4, LIMIT_RECALLS_MAX = 64 };

/* For so long after it asked in vain, what is left or comes back is a gateway's. */
enum { LIMIT_FIRST_MS = 2000 };

struct limit_ledger;

/* 2 <= gateways <= LIMIT_GATEWAYS_MAX. */
struct limit_ledger *limit_ledger_new(unsigned gateways) MUST_USE;
void limit_ledger_free(struct limit_ledger *ledger);

/* The gateway begins to tell all that it holds: what it told before counts no more. */
void limit_ledger_begin(struct limit_ledger *ledger, unsigned gateway);
/* It has told all. */
void limit_ledger_complete(struct limit_ledger *ledger, unsigned gateway);
/* Every gateway has. */
bool limit_ledger_ready(const struct limit_ledger *ledger);
/* The first that has not; for a message. */
unsigned limit_ledger_missing(const struct limit_ledger *ledger);

/* ERR_LIMITED: the gateway tells of more budgets than its file has room for. ERR_INVALID: what it
 * tells cannot be. */
int limit_ledger_tell(struct limit_ledger *ledger, unsigned gateway,
                      const struct limit_holding *told, uint64_t now_ms, struct limit_lease *out,
                      struct err *err) MUST_USE;
/* The budgets of which the gateway is to give something back, at most LIMIT_RECALLS_MAX; what it
 * tells of them is answered with less. Each is named once. */
size_t limit_ledger_recalls(struct limit_ledger *ledger, unsigned gateway,
                            uint64_t keys[LIMIT_RECALLS_MAX]);

#endif
