/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of an answer lies within it, in order; and events do not depend on how their stream
 * was cut. The first byte says how. */
#include "base/mem.h"
#include "openai/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool put(void *ctx, struct span data)
{
    buf_put_block(ctx, data);
    return true;
}

static void feed(struct span stream, size_t step, struct buf *out)
{
    struct openai_events events = {0};

    for (size_t at = 0; at < stream.len; at += step) {
        size_t len = stream.len - at < step ? stream.len - at : step;
        INVARIANT(openai_events_feed(&events, span_of(stream.p + at, len), put, out));
    }
    openai_events_free(&events);
}

static void count(void *ctx, struct span stretch)
{
    *(size_t *)ctx += stretch.len;
}

/* All but the texts and the probabilities of their tokens is left. */
static void without_texts(struct span json, const struct openai_answer *answer)
{
    size_t left = 0;
    size_t said = 0;

    openai_answer_cut(json, answer, count, &left);
    for (size_t i = 0; i < answer->pieces; i++)
        said += answer->piece[i].raw.len;
    for (size_t i = 0; i < answer->choices; i++)
        said += answer->choice[i].logprobs.len;
    INVARIANT(left + said == json.len);
}

static void pieces(struct span json)
{
    static struct openai_answer answer;
    const uint8_t *from = json.p;
    struct err err = ERR_INIT;

    if (openai_answer_scan(json, &answer, &err) < 0)
        return;
    INVARIANT(openai_json_check(json, &err) == 0);
    for (size_t i = 0; i < answer.pieces; i++) {
        const struct openai_piece *piece = &answer.piece[i];
        INVARIANT(piece->raw.p > from && piece->raw.p + piece->raw.len < json.p + json.len);
        INVARIANT(piece->raw.p[-1] == '"' && piece->raw.p[piece->raw.len] == '"');
        INVARIANT(piece->choice < answer.choices);
        from = piece->raw.p + piece->raw.len;
    }
    without_texts(json, &answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_free) struct buf whole = BUF_INIT(1 << 24);
    CLEANUP(buf_free) struct buf cut = BUF_INIT(1 << 24);

    if (size < 2 || size > 1 << 16)
        return 0;
    struct span rest = span_of(data + 1, size - 1);
    pieces(rest);
    feed(rest, rest.len, &whole);
    feed(rest, 1 + data[0] % 31U, &cut);
    INVARIANT(span_eq(buf_span(&whole), buf_span(&cut)));
    return 0;
}
