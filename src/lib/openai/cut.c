/* SPDX-License-Identifier: Apache-2.0 */
/* What of a body is not prose. The schema says what is, and nothing else does: the guard and the
 * firewall both have it from the same table. */
#include "openai/answer.h"

#include <stdlib.h>

struct cut {
    const uint8_t *kept; /* up to here all was given out */
    const uint8_t *end;
    openai_cut_fn *put;
    void *ctx;
};

static struct cut cut_of(struct span body, openai_cut_fn *put, void *ctx)
{
    return (struct cut){.kept = body.p, .end = body.p + body.len, .put = put, .ctx = ctx};
}

static void give(struct cut *cut, const uint8_t *to)
{
    if (to > cut->kept)
        cut->put(cut->ctx, span_of(cut->kept, (size_t)(to - cut->kept)));
}

/* In their order. */
static void leave_out(struct cut *cut, struct span stretch)
{
    if (stretch.len == 0)
        return;
    give(cut, stretch.p);
    cut->kept = stretch.p + stretch.len;
}

void openai_request_cut(const struct openai_request *request, const struct openai_texts *texts,
                        openai_cut_fn *put, void *ctx)
{
    struct cut cut = cut_of(request->body, put, ctx);
    struct span ids = request->ids_value;

    for (size_t i = 0; i < texts->count; i++) {
        const struct openai_text *text = &texts->text[i];
        struct span raw = span_of(request->body.p + text->at, text->len);
        if (ids.len > 0 && ids.p < raw.p) {
            leave_out(&cut, ids);
            ids.len = 0;
        }
        if (text->kind != OPENAI_OTHER)
            leave_out(&cut, raw);
    }
    leave_out(&cut, ids);
    give(&cut, cut.end);
}

/* ------------------------------------------------------------------ answers */

static int by_place(const void *a, const void *b)
{
    const struct span *x = a;
    const struct span *y = b;

    return (x->p > y->p) - (x->p < y->p);
}

void openai_answer_cut(struct span json, const struct openai_answer *answer, openai_cut_fn *put,
                       void *ctx)
{
    UNINITIALIZED struct span said[OPENAI_PIECES_MAX + OPENAI_CHOICES_MAX];
    struct cut cut = cut_of(json, put, ctx);
    size_t count = 0;

    for (size_t i = 0; i < answer->pieces; i++)
        said[count++] = answer->piece[i].raw;
    for (size_t i = 0; i < answer->choices; i++)
        if (answer->choice[i].logprobs.len > 0)
            said[count++] = answer->choice[i].logprobs;
    qsort(said, count, sizeof(said[0]), by_place);
    for (size_t i = 0; i < count; i++)
        leave_out(&cut, said[i]);
    give(&cut, cut.end);
}
