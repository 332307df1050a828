/* SPDX-License-Identifier: Apache-2.0 */
/* The input as what two gateways tell a ledger, one entry behind another; the low bit of a byte
 * before each says which gateway, the next ones that it begins anew, and that it has told all.
 * Whatever they say, no answer gives more than was held while others hold the limit already. */
#include "limit/lease_message.h"
#include "limit/ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct limit_ledger *ledger = limit_ledger_new(2);
    struct cursor cursor = cursor_of(span_of(data, size));
    uint64_t keys[LIMIT_RECALLS_MAX];

    for (uint64_t now_ms = 0; cursor.left > 0; now_ms += 100) {
        uint8_t how = cursor_u8(&cursor);
        unsigned gateway = how & 1;
        struct limit_holding told;
        struct limit_lease given;
        struct err err = ERR_INIT;

        limit_holding_get(&cursor, &told);
        if (cursor.failed)
            break;
        if ((how & 2) != 0)
            limit_ledger_begin(ledger, gateway);
        if (limit_ledger_tell(ledger, gateway, &told, now_ms, &given, &err) == 0) {
            INVARIANT(given.key == told.key && given.ends_sec >= told.ends_sec);
            INVARIANT(given.share <= told.share || limit_ledger_ready(ledger));
            INVARIANT(given.share <= told.share || given.share <= told.limit);
        }
        if ((how & 4) != 0)
            limit_ledger_complete(ledger, gateway);
        INVARIANT(limit_ledger_recalls(ledger, gateway, keys) <= LIMIT_RECALLS_MAX);
    }
    limit_ledger_free(ledger);
    return 0;
}
