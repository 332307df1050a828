/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte chooses the parser. What is read is written again the same. */
#include "store/row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_row(struct span bytes)
{
    CLEANUP(buf_free) struct buf again = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    struct row row;

    if (row_decode(INT64_MAX, bytes, &row, &err) < 0)
        return;
    row_encode(&row, &again);
    INVARIANT(span_eq(bytes, buf_span(&again)));
}

static void fuzz_body(struct span bytes)
{
    CLEANUP(buf_free) struct buf again = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    struct row_body body;

    if (row_body_decode(bytes, &body, &err) < 0)
        return;
    row_body_encode(&body, &again);
    INVARIANT(span_eq(bytes, buf_span(&again)));
}

static void fuzz_current(struct span bytes)
{
    CLEANUP(buf_free) struct buf again = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    struct row_current current;

    if (row_current_decode(bytes, &current, &err) < 0)
        return;
    row_current_encode(&current, &again);
    INVARIANT(span_eq(bytes, buf_span(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const parsers[])(struct span) = {fuzz_row, fuzz_body, fuzz_current};

    if (size > 0)
        parsers[data[0] % ARRAY_LEN(parsers)](span_of(data + 1, size - 1));
    return 0;
}
