/* SPDX-License-Identifier: Apache-2.0 */
#include "openai/openai.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define USAGE   "\"include_usage\":true"
#define OPTIONS "\"stream_options\":{" USAGE "}"

static void add(struct openai_edits *edits, const struct openai_request *request, const uint8_t *p,
                size_t len, struct span with)
{
    size_t at = (size_t)(p - request->body.p);
    size_t i = edits->count++;

    INVARIANT(edits->count <= OPENAI_EDITS_MAX);
    for (; i > 0 && edits->edit[i - 1].at > at; i--)
        edits->edit[i] = edits->edit[i - 1];
    edits->edit[i] = (struct openai_edit){.at = at, .len = len, .with = with};
}

void openai_edits_set_model(struct openai_edits *edits, const struct openai_request *request,
                            struct span quoted)
{
    add(edits, request, request->model_value.p, request->model_value.len, quoted);
}

/* An object's first byte that is no blank behind the brace. */
static bool is_empty_object(struct span object)
{
    size_t i = 1;

    while (i < object.len && strchr(" \t\r\n", object.p[i]) != NULL)
        i++;
    return i < object.len && object.p[i] == '}';
}

void openai_edits_force_usage(struct openai_edits *edits, const struct openai_request *request)
{
    struct span options = request->options_value;
    struct span usage = request->usage_value;

    if (request->include_usage)
        return;
    if (usage.len > 0)
        add(edits, request, usage.p, usage.len, span_str("true"));
    else if (options.len == 0)
        /* The top is never empty: a request has a model. */
        add(edits, request, request->body.p + request->top_at, 0, span_str(OPTIONS ","));
    else if (options.p[0] != '{')
        add(edits, request, options.p, options.len, span_str("{" USAGE "}"));
    else
        add(edits, request, options.p + 1, 0,
            is_empty_object(options) ? span_str(USAGE) : span_str(USAGE ","));
}

void openai_edits_set_max_tokens(struct openai_edits *edits, const struct openai_request *request,
                                 uint64_t max_tokens)
{
    bool null = request->tokens_null.len > 0;
    const uint8_t *top = request->body.p + request->top_at;
    int len = snprintf(edits->text, sizeof(edits->text),
                       null ? "%" PRIu64 : "\"max_tokens\":%" PRIu64 ",", max_tokens);

    INVARIANT(!request->max_tokens_given && len > 0 && (size_t)len < sizeof(edits->text));
    if (null)
        add(edits, request, request->tokens_null.p, request->tokens_null.len,
            span_of(edits->text, (size_t)len));
    else
        add(edits, request, top, 0, span_of(edits->text, (size_t)len));
}

size_t openai_edits_len(const struct openai_edits *edits, size_t body_len)
{
    for (size_t i = 0; i < edits->count; i++)
        body_len = body_len - edits->edit[i].len + edits->edit[i].with.len;
    return body_len;
}

size_t openai_edits_parts(const struct openai_edits *edits, struct span body,
                          struct span parts[2 * OPENAI_EDITS_MAX + 1])
{
    size_t from = 0;
    size_t count = 0;

    for (size_t i = 0; i < edits->count; i++) {
        const struct openai_edit *edit = &edits->edit[i];
        INVARIANT(edit->at >= from && edit->at + edit->len <= body.len);
        parts[count++] = span_of(body.p + from, edit->at - from);
        parts[count++] = edit->with;
        from = edit->at + edit->len;
    }
    parts[count++] = span_of(body.p + from, body.len - from);
    return count;
}

void openai_edits_apply(const struct openai_edits *edits, struct span body, uint8_t *out)
{
    struct span parts[2 * OPENAI_EDITS_MAX + 1];
    size_t count = openai_edits_parts(edits, body, parts);

    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0)
            memcpy(out, parts[i].p, parts[i].len);
        out += parts[i].len;
    }
}
