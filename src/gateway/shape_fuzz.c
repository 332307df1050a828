/* SPDX-License-Identifier: Apache-2.0 */
/* What is given out is the body with stretches of it replaced by empty texts: never more, always in
 * order. And of a hit only printable text comes out. */
#include "gateway/hit_text.h"
#include "gateway/shape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct check {
    struct span body;
    const uint8_t *last; /* end of the last piece */
};

static void on_piece(void *ctx, struct span piece)
{
    struct check *check = ctx;

    if (piece.len == 2 && memcmp(piece.p, "\"\"", 2) == 0 &&
        (piece.p < check->body.p || piece.p >= check->body.p + check->body.len))
        return; /* in the place of a value */
    INVARIANT(piece.len > 0 && piece.p >= check->last);
    check->last = piece.p + piece.len;
    INVARIANT(check->last <= check->body.p + check->body.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(4096);
    struct span body = span_of(data, size);

    for (enum shape shape = SHAPE_WHOLE; shape <= SHAPE_OBJECT; shape++) {
        struct check check = {.body = body, .last = data};
        shape_cut(shape, body, on_piece, &check);
    }
    hit_text_put(span_of(data, size / 2), span_of(data + size / 2, size - size / 2), &out);
    INVARIANT(!out.overflowed);
    for (size_t i = 0; i < out.len; i++)
        INVARIANT(out.data[i] >= ' ' && out.data[i] < 0x7f);
    buf_reset(&out);
    hit_text_put_in_place(span_of(data, 0), body, size / 3, size / 3, &out);
    hit_text_put_word(body, 64, &out);
    INVARIANT(!out.overflowed);
    return 0;
}
