/* SPDX-License-Identifier: Apache-2.0 */
/* However an answer is cut, the meter says the same. The first byte chooses the kind and the seed
 * of the cuts. */
#include "base/buf.h"
#include "openai/meter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void collect(void *ctx, struct span bytes)
{
    buf_put_span(ctx, bytes);
}

static void run(struct openai_meter *meter, uint8_t kind, uint32_t seed, struct span text,
                struct buf *out)
{
    openai_meter_start(meter, (kind & 1) != 0 ? OPENAI_METER_EVENTS : OPENAI_METER_JSON,
                       (kind & 2) != 0);
    while (text.len > 0) {
        seed = seed * 1664525 + 1013904223;
        size_t step = seed == 0 ? text.len : 1 + (seed >> 16) % 64;
        step = step < text.len ? step : text.len;
        openai_meter_feed(meter, span_of(text.p, step), collect, out);
        text = span_of(text.p + step, text.len - step);
    }
    openai_meter_end(meter, false, collect, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct openai_meter one;
    static struct openai_meter two;
    CLEANUP(buf_free) struct buf first = BUF_INIT(1 << 22);
    CLEANUP(buf_free) struct buf second = BUF_INIT(1 << 22);

    if (size == 0)
        return 0;
    struct span text = span_of(data + 1, size - 1);
    run(&one, data[0], 1, text, &first);
    run(&two, data[0], data[0] * 2654435761U + (uint32_t)size, text, &second);
    INVARIANT(one.known == two.known && one.chunks == two.chunks && one.done == two.done);
    INVARIANT(one.prompt_tokens == two.prompt_tokens && one.failed == two.failed);
    INVARIANT(one.completion_tokens == two.completion_tokens);
    INVARIANT(one.cached_tokens == two.cached_tokens);
    if ((data[0] & 2) == 0)
        INVARIANT(span_eq(buf_span(&first), text) && span_eq(buf_span(&second), text));
    /* Events over the ceiling pass or not by how they are cut. */
    if (text.len <= OPENAI_HOLD_MAX)
        INVARIANT(span_eq(buf_span(&first), buf_span(&second)));
    return 0;
}
