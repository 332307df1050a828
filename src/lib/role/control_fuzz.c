/* SPDX-License-Identifier: Apache-2.0 */
/* A hello that is taken is written back to the same bytes. */
#include "role/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_free) struct buf again = BUF_INIT(1 << 20);
    struct control_hello hello;
    struct err err = ERR_INIT;

    if (control_get_hello(span_of(data, size), &hello, &err) < 0)
        return 0;
    control_put_hello(&again, &hello);
    INVARIANT(span_eq(span_of(data, size), buf_span(&again)));
    return 0;
}
