/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte says how the rest is cut; the lines must come out as if it came in one piece. */
#include "cli/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int join(void *ctx, struct span line, struct err *err UNUSED)
{
    struct span event;

    buf_put_block(ctx, lines_event_data(line, &event) ? event : line);
    return 0;
}

static void split(struct span bytes, size_t piece, struct buf *out)
{
    CLEANUP(lines_free) struct lines lines = LINES_INIT(join, out);
    struct err err = ERR_INIT;

    for (size_t at = 0; at < bytes.len; at += piece) {
        size_t left = bytes.len - at;
        INVARIANT(lines_add(&lines, span_of(bytes.p + at, left < piece ? left : piece), &err) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_free) struct buf whole = BUF_INIT(1 << 24);
    CLEANUP(buf_free) struct buf cut = BUF_INIT(1 << 24);

    if (size < 2 || size > 1 << 20)
        return 0;
    struct span bytes = span_of(data + 1, size - 1);
    split(bytes, bytes.len, &whole);
    split(bytes, 1 + data[0] % 64, &cut);
    INVARIANT(span_eq(buf_span(&whole), buf_span(&cut)));
    return 0;
}
