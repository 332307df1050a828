/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/quantity.h"
#include "base/mem.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    CLEANUP_FREE char *text = mem_strndup((const char *)data, len);
    struct err err = ERR_INIT;
    uint64_t milli = 0;

    if (quantity_milli(text, "fuzz", &milli, &err) < 0)
        INVARIANT(err.code == ERR_INVALID);
    return 0;
}
