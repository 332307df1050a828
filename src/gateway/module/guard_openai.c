/* SPDX-License-Identifier: Apache-2.0 */
/* Answers in the form of the OpenAI API: the engine's own bytes, but for texts that were changed.
 */
#include "gateway/module/guard_answer.h"

#include "base/num.h"

#include <stdlib.h>

enum { EDITS_MAX = OPENAI_PIECES_MAX + 2 * OPENAI_CHOICES_MAX, NO_TEXT = UINT32_MAX };

/* In place of `old` comes a text, quoted, or the word. */
struct edit {
    struct span old;
    uint32_t text;
    const char *word;
};

static struct edit edits[EDITS_MAX]; /* of one event at a time */
static size_t edit_count;

static int by_place(const void *a, const void *b)
{
    const struct edit *x = a;
    const struct edit *y = b;

    return (x->old.p > y->old.p) - (x->old.p < y->old.p);
}

/* Of a choice whose text differs, the log probabilities would tell the text. */
static void find_edits(const struct gw_answer *answer)
{
    const struct openai_answer *read = answer->read;
    bool changed[OPENAI_CHOICES_MAX] = {false};

    edit_count = 0;
    for (size_t i = 0; i < read->pieces; i++) {
        const struct openai_piece *piece = &read->piece[i];
        if (!answer->texts[i].changed)
            continue;
        changed[piece->choice] = true;
        edits[edit_count++] = (struct edit){.old = span_of(piece->raw.p - 1, piece->raw.len + 2),
                                            .text = (uint32_t)i};
    }
    for (size_t i = 0; i < read->choices; i++) {
        if (changed[i] && read->choice[i].logprobs.len > 0)
            edits[edit_count++] =
                (struct edit){.old = read->choice[i].logprobs, .text = NO_TEXT, .word = "null"};
        if (answer->blocked && read->choice[i].finish.len > 0)
            edits[edit_count++] = (struct edit){
                .old = read->choice[i].finish, .text = NO_TEXT, .word = "\"content_filter\""};
    }
    qsort(edits, edit_count, sizeof(edits[0]), by_place);
}

static void put_edited(const struct gw_answer *answer, struct span data, struct buf *out)
{
    const uint8_t *from = data.p;

    for (size_t i = 0; i < edit_count; i++) {
        const struct edit *edit = &edits[i];
        buf_put(out, from, (size_t)(edit->old.p - from));
        if (edit->text == NO_TEXT)
            buf_put_str(out, edit->word);
        else
            openai_string_put(gw_new_text(answer, edit->text), out);
        from = edit->old.p + edit->old.len;
    }
    buf_put(out, from, (size_t)(data.p + data.len - from));
}

static void put_whole(struct gw_answer *answer, struct span body)
{
    if (gw_out_headers(answer->r, answer->r->headers_out.status, body.len) == NGX_OK)
        gw_answer_put(answer, body);
    else
        answer->failed = true;
}

static void on_event(struct gw_answer *answer, struct span data)
{
    CLEANUP(buf_free) struct buf edited = BUF_INIT(GW_ANSWER_MAX * 2);

    find_edits(answer);
    if (edit_count > 0) {
        put_edited(answer, data, &edited);
        data = buf_span(&edited);
        answer->failed |= edited.overflowed;
    }
    if (!answer->stream) {
        put_whole(answer, data);
        return;
    }
    gw_answer_put_text(answer, "data: ");
    gw_answer_put(answer, data);
    gw_answer_put_text(answer, "\n\n");
}

/* ------------------------------------------------------------------ events that nobody sent */

static void put_head(const struct gw_answer *answer, uint32_t choice, struct buf *out)
{
    buf_printf(out, "data: {%s\"object\":\"%s\",\"choices\":[{\"index\":%u,", answer->head,
               answer->completion ? "text_completion" : "chat.completion.chunk", choice);
}

static void put_delta(const struct gw_lane *lane, struct span text, struct buf *out)
{
    static const char *const names[] = {[OPENAI_CONTENT] = "content",
                                        [OPENAI_REASONING] = "reasoning_content",
                                        [OPENAI_REFUSAL] = "refusal"};

    if (lane->kind == OPENAI_COMPLETION) {
        buf_put_str(out, "\"text\":");
        openai_string_put(text, out);
        return;
    }
    buf_put_str(out, "\"delta\":{");
    if (lane->kind == OPENAI_ARGUMENTS)
        buf_printf(out, "\"tool_calls\":[{\"index\":%u,\"function\":{\"arguments\":", lane->part);
    else
        buf_printf(out, "\"%s\":", names[lane->kind]);
    openai_string_put(text, out);
    buf_put_str(out, lane->kind == OPENAI_ARGUMENTS ? "}}]}" : "}");
}

static void on_rest(struct gw_answer *answer, const struct gw_lane *lane, struct span text)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(GW_ANSWER_MAX);

    put_head(answer, lane->choice, &out);
    put_delta(lane, text, &out);
    buf_put_str(&out, ",\"finish_reason\":null}]}\n\n");
    gw_answer_put(answer, buf_span(&out));
}

static void on_filtered(struct gw_answer *answer)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(GW_ANSWER_MAX);

    for (uint32_t i = 0; i < OPENAI_CHOICES_MAX; i++) {
        if (answer->finished[i] != 1)
            continue;
        put_head(answer, i, &out);
        buf_printf(&out, "%s,\"finish_reason\":\"content_filter\"}]}\n\n",
                   answer->completion ? "\"text\":\"\"" : "\"delta\":{}");
    }
    gw_answer_put(answer, buf_span(&out));
}

static void on_done(struct gw_answer *answer)
{
    gw_answer_put_text(answer, "data: [DONE]\n\n");
}

static void on_pause(struct gw_answer *answer)
{
    gw_answer_put_text(answer, ":\n\n");
}

static void on_broken(struct gw_answer *answer, const char *code, const char *message)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(4096);

    if (answer->stream)
        buf_put_str(&out, "data: ");
    openai_error_put(message, "server_error", NULL, code, &out);
    if (answer->stream) {
        buf_put_str(&out, "\n\n");
        gw_answer_put(answer, buf_span(&out));
        return;
    }
    answer->r->headers_out.status = NGX_HTTP_BAD_GATEWAY;
    put_whole(answer, buf_span(&out));
}

const struct gw_form gw_form_openai = {
    .event = on_event,
    .rest = on_rest,
    .filtered = on_filtered,
    .done = on_done,
    .pause = on_pause,
    .broken = on_broken,
};
