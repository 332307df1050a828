/* SPDX-License-Identifier: Apache-2.0 */
/* The wire form of what gateways and the ledger tell each other of shares; docs/PROTOCOL.leases.
 * All numbers are little-endian, an entry has a fixed length. */
#ifndef DRUN_LIMIT_LEASE_MESSAGE_H
#define DRUN_LIMIT_LEASE_MESSAGE_H

#include "base/buf.h"
#include "limit/budget.h"

enum {
    LIMIT_HOLDING_LEN = 7 * 8 + 1,
    LIMIT_LEASE_LEN = 4 * 8 + 2,
    LIMIT_TOLD_MAX = 2048, /* entries of one message */
    LIMIT_TOLD_LEN = 1 + LIMIT_TOLD_MAX * LIMIT_HOLDING_LEN,
};

/* The first byte of a gateway's message. */
enum limit_telling {
    LIMIT_TELLS_BEGIN = 1, /* what was told before counts no more */
    LIMIT_TELLS_ALL = 2,   /* with this, all has been told */
};

void limit_holding_put(const struct limit_holding *holding, struct buf *out);
/* What is missing makes the cursor fail. */
void limit_holding_get(struct cursor *from, struct limit_holding *out);

void limit_lease_put(const struct limit_lease *lease, struct buf *out);
void limit_lease_get(struct cursor *from, struct limit_lease *out);

#endif
