/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/connections.h"
#include "base/err.h"
#include "base/mem.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    CLEANUP_FREE struct connections_own *own = mem_new(sizeof(*own));

    connections_read(span_of(data, len), "/engine.sock", own);
    INVARIANT(own->count <= CONNECTIONS_OWN_MAX);
    return 0;
}
