/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of JSON agrees with jansson about what JSON is, and an edited request is still one.
 * The first byte chooses the request. */
#include "base/mem.h"
#include "openai/anthropic.h"
#include "openai/rewrite.h"

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Our own ceilings are lower than jansson's. */
static bool is_our_ceiling(const struct err *err)
{
    return strstr(err->msg, "too deep") != NULL || strstr(err->msg, "too many digits") != NULL;
}

static void agrees(struct span text)
{
    struct err err = ERR_INIT;
    json_error_t why;
    bool ours = openai_json_check(text, &err) == 0;
    json_t *value = json_loadb((const char *)text.p, text.len, JSON_DECODE_ANY, &why);

    /* jansson takes a NUL behind a value for the end of the text. */
    if (memchr(text.p, '\0', text.len) == NULL)
        INVARIANT(ours == (value != NULL) || (!ours && is_our_ceiling(&err)));
    json_decref(value);
}

/* In order, between quotes, and none within another. */
static void are_strings(struct span body, const struct openai_texts *texts)
{
    size_t from = 1;

    for (size_t i = 0; i < texts->count; i++) {
        const struct openai_text *text = &texts->text[i];
        INVARIANT(text->at >= from && text->at + text->len < body.len);
        INVARIANT(body.p[text->at - 1] == '"' && body.p[text->at + text->len] == '"');
        bool escaped = memchr(body.p + text->at, '\\', text->len) != NULL;
        INVARIANT(escaped == text->escaped);
        from = (size_t)text->at + text->len + 1;
    }
}

static void collect(void *ctx, struct span stretch)
{
    buf_put_span(ctx, stretch);
}

/* The next string of a text that is JSON: what is between its quotes. */
static bool next_string(struct span text, size_t *at, struct span *out)
{
    while (*at < text.len && text.p[*at] != '"')
        (*at)++;
    size_t start = *at + 1;
    for (*at = start; *at < text.len && text.p[*at] != '"'; (*at)++)
        *at += text.p[*at] == '\\';
    if (*at >= text.len)
        return false;
    *out = span_of(text.p + start, *at - start);
    (*at)++;
    return true;
}

/* Each string of the body, names too, goes to the rules as it is, or is prose or data and empty
 * there. */
static void goes_to_one(const struct openai_request *request, const struct openai_texts *texts)
{
    CLEANUP(buf_free) struct buf cut = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    struct span whole, left;
    size_t at = 0;
    size_t at_left = 0;
    size_t number = 0;

    openai_request_cut(request, texts, collect, &cut);
    INVARIANT(openai_json_check(buf_span(&cut), &err) == 0);
    while (next_string(request->body, &at, &whole)) {
        bool known =
            number < texts->count && texts->text[number].at == (size_t)(whole.p - request->body.p);
        bool prose = known && texts->text[number].kind != OPENAI_OTHER;
        INVARIANT(next_string(buf_span(&cut), &at_left, &left));
        INVARIANT(prose ? left.len == 0 : span_eq(whole, left));
        number += known;
    }
    INVARIANT(number == texts->count && !next_string(buf_span(&cut), &at_left, &left));
}

/* Without blanks it says the same, and there is nothing more to leave out. */
static void compacted(enum openai_api api, const struct openai_request *request)
{
    CLEANUP(buf_free) struct buf once = BUF_INIT(1 << 20);
    CLEANUP(buf_free) struct buf twice = BUF_INIT(1 << 20);
    struct openai_request again;
    struct openai_fault fault;
    struct err err = ERR_INIT;

    openai_request_compact(request, collect, &once);
    INVARIANT(openai_request_scan(api, buf_span(&once), 0, NULL, &again, &fault, &err) == 0);
    INVARIANT(strcmp(again.model, request->model) == 0 && again.n == request->n &&
              again.deterministic == request->deterministic && again.messages == request->messages);
    openai_request_compact(&again, collect, &twice);
    INVARIANT(span_eq(buf_span(&once), buf_span(&twice)));
}

/* What Anthropic's API takes is a request of ours; but for the number of things. */
static void translated(struct span body)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(ANTHROPIC_BODY_MAX);
    struct openai_request request;
    struct openai_fault fault;
    struct err err = ERR_INIT;

    INVARIANT(anthropic_to_openai(body, span_str("m"), &out, &err) == 0);
    if (openai_request_scan(OPENAI_CHAT, buf_span(&out), 0, NULL, &request, &fault, &err) < 0)
        INVARIANT(strcmp(fault.code, "array_above_max_length") == 0 ||
                  strcmp(fault.code, "invalid_json") == 0);
}

/* A body that was taken stays one whatever is dropped of it, and what is set is there once. */
static void rewritten(enum openai_api api, struct span body, const struct openai_request *request)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(1 << 26);
    struct openai_request again;
    struct openai_fault fault;
    struct err err = ERR_INIT;

    INVARIANT(openai_rewrite(body, span_str("seed user "), span_str("\"seed\":7"), &out, &err) ==
              0);
    if (openai_request_scan(api, buf_span(&out), 0, NULL, &again, &fault, &err) < 0)
        INVARIANT(strcmp(fault.code, "duplicate_parameter") != 0);
    else
        INVARIANT(strcmp(again.model, request->model) == 0 &&
                  again.prompt_bytes == request->prompt_bytes);
}

static void edits(enum openai_api api, struct span text)
{
    struct openai_request request;
    struct openai_request again;
    struct openai_fault fault;
    struct openai_edits edits = {.count = 0};
    struct err err = ERR_INIT;
    static struct openai_texts texts;

    if (openai_request_scan(api, text, 0, &texts, &request, &fault, &err) < 0) {
        INVARIANT(fault.code != NULL && fault.at <= text.len);
        return;
    }
    are_strings(text, &texts);
    goes_to_one(&request, &texts);
    INVARIANT(openai_json_check(text, &err) == 0);
    if (api == OPENAI_MESSAGES)
        translated(text);
    compacted(api, &request);
    rewritten(api, text, &request);
    openai_edits_set_model(&edits, &request, span_str("\"other\""));
    if (request.stream && api < OPENAI_EMBEDDINGS)
        openai_edits_force_usage(&edits, &request);
    size_t len = openai_edits_len(&edits, text.len);
    CLEANUP_FREE uint8_t *out = mem_new(len);
    openai_edits_apply(&edits, text, out);
    INVARIANT(openai_request_scan(api, span_of(out, len), 0, NULL, &again, &fault, &err) == 0);
    INVARIANT(strcmp(again.model, "other") == 0 && again.max_tokens == request.max_tokens);
    INVARIANT(again.prompt_bytes == request.prompt_bytes && again.messages == request.messages);
    INVARIANT(!request.stream || api >= OPENAI_EMBEDDINGS || again.include_usage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    agrees(span_of(data + 1, size - 1));
    edits((enum openai_api)(data[0] % 6), span_of(data + 1, size - 1));
    return 0;
}
