/* SPDX-License-Identifier: Apache-2.0 */
#include "openai/answer.h"

#include "openai/scan.h"

#include <string.h>

enum { NAME_ROOM = 32 };

struct reader {
    struct scan scan;
    struct openai_answer *out;
};

static bool too_much(struct reader *reader)
{
    return scan_fail(&reader->scan, "there is more in it than anyone asks for");
}

/* ------------------------------------------------------------------ members and elements */

typedef bool member_fn(struct reader *reader, const char *name, uint32_t context);

static uint8_t next(struct reader *reader)
{
    scan_space(&reader->scan);
    return reader->scan.p < reader->scan.end ? *reader->scan.p : 0;
}

static bool skip(struct reader *reader, unsigned depth)
{
    return scan_value(&reader->scan, depth);
}

static struct span value_from(const struct reader *reader, const uint8_t *from)
{
    return span_of(from, (size_t)(reader->scan.p - from));
}

/* Calls fn at the value of each member; it reads the value. Names that are longer than any of ours
 * are "". */
static bool each_member(struct reader *reader, member_fn *fn, uint32_t context)
{
    struct scan_string string;
    char name[NAME_ROOM];

    reader->scan.p++;
    if (next(reader) == '}') {
        reader->scan.p++;
        return true;
    }
    for (;;) {
        (void)next(reader);
        if (!scan_string(&reader->scan, &string))
            return false;
        if (!scan_string_copy(&string, name, sizeof(name)))
            name[0] = '\0';
        (void)next(reader);
        if (!scan_byte(&reader->scan, ':', "a colon must come here"))
            return false;
        (void)next(reader);
        if (!fn(reader, name, context))
            return false;
        if (next(reader) == '}') {
            reader->scan.p++;
            return true;
        }
        if (!scan_byte(&reader->scan, ',', "a comma or } must come here"))
            return false;
    }
}

typedef bool element_fn(struct reader *reader, uint32_t number, uint32_t context);

static bool each_element(struct reader *reader, element_fn *fn, uint32_t context)
{
    reader->scan.p++;
    if (next(reader) == ']') {
        reader->scan.p++;
        return true;
    }
    for (uint32_t number = 0;; number++) {
        (void)next(reader);
        if (!fn(reader, number, context))
            return false;
        if (next(reader) == ']') {
            reader->scan.p++;
            return true;
        }
        if (!scan_byte(&reader->scan, ',', "a comma or ] must come here"))
            return false;
    }
}

/* ------------------------------------------------------------------ texts */

static bool piece(struct reader *reader, enum openai_piece_kind kind, uint32_t choice,
                  uint32_t part)
{
    struct openai_answer *out = reader->out;
    struct scan_string string;

    if (next(reader) != '"')
        return skip(reader, 8);
    if (!scan_string(&reader->scan, &string))
        return false;
    if (out->pieces == OPENAI_PIECES_MAX)
        return too_much(reader);
    out->piece[out->pieces++] = (struct openai_piece){.raw = string.raw,
                                                      .escaped = string.escaped,
                                                      .kind = (uint8_t)kind,
                                                      .choice = choice,
                                                      .part = part};
    return true;
}

/* Content may be an array of parts. */
static bool on_part_member(struct reader *reader, const char *name, uint32_t choice)
{
    return strcmp(name, "text") == 0 ? piece(reader, OPENAI_CONTENT, choice, 0) : skip(reader, 8);
}

static bool on_part(struct reader *reader, uint32_t number UNUSED, uint32_t choice)
{
    return next(reader) == '{' ? each_member(reader, on_part_member, choice) : skip(reader, 8);
}

static bool plain(struct reader *reader, struct span *out)
{
    struct scan_string string;

    if (next(reader) != '"')
        return skip(reader, 8);
    if (!scan_string(&reader->scan, &string))
        return false;
    *out = string.raw;
    return true;
}

static bool small_number(struct reader *reader, uint32_t *out)
{
    struct scan_number number;

    if (next(reader) == '"' || next(reader) == 'n')
        return skip(reader, 8);
    if (!scan_number(&reader->scan, &number))
        return false;
    if (!number.whole || number.integer < 0 || number.integer > UINT16_MAX)
        return scan_fail(&reader->scan, "this index is none");
    *out = (uint32_t)number.integer;
    return true;
}

static bool on_function_member(struct reader *reader, const char *name, uint32_t at)
{
    struct openai_call *call = &reader->out->call[at];

    if (strcmp(name, "name") == 0)
        return plain(reader, &call->name);
    if (strcmp(name, "arguments") == 0 || strcmp(name, "input") == 0)
        return piece(reader, OPENAI_ARGUMENTS, call->choice, at);
    return skip(reader, 8);
}

static bool on_call_member(struct reader *reader, const char *name, uint32_t at)
{
    struct openai_call *call = &reader->out->call[at];

    if (strcmp(name, "index") == 0)
        return small_number(reader, &call->part);
    if (strcmp(name, "id") == 0)
        return plain(reader, &call->id);
    if ((strcmp(name, "function") == 0 || strcmp(name, "custom") == 0) && next(reader) == '{')
        return each_member(reader, on_function_member, at);
    return skip(reader, 7);
}

/* The call's number may stand behind its arguments: they get it at the end. */
static bool on_call(struct reader *reader, uint32_t number, uint32_t choice)
{
    struct openai_answer *out = reader->out;
    size_t from = out->pieces;
    size_t at = out->calls;

    if (next(reader) != '{')
        return skip(reader, 6);
    if (at == OPENAI_CALLS_MAX)
        return too_much(reader);
    out->call[out->calls++] = (struct openai_call){
        .choice = choice, .part = number, .id = span_of("", 0), .name = span_of("", 0)};
    if (!each_member(reader, on_call_member, (uint32_t)at))
        return false;
    for (size_t i = from; i < out->pieces; i++)
        out->piece[i].part = out->call[at].part;
    return true;
}

/* ------------------------------------------------------------------ choices */

static bool on_message_member(struct reader *reader, const char *name, uint32_t choice)
{
    bool list = next(reader) == '[';

    if (strcmp(name, "content") == 0)
        return list ? each_element(reader, on_part, choice)
                    : piece(reader, OPENAI_CONTENT, choice, 0);
    if (strcmp(name, "reasoning_content") == 0 || strcmp(name, "reasoning") == 0)
        return piece(reader, OPENAI_REASONING, choice, 0);
    if (strcmp(name, "refusal") == 0)
        return piece(reader, OPENAI_REFUSAL, choice, 0);
    if (strcmp(name, "tool_calls") == 0 && list)
        return each_element(reader, on_call, choice);
    return skip(reader, 4);
}

static bool optional(struct reader *reader, struct span *out)
{
    const uint8_t *from = reader->scan.p;

    if (!skip(reader, 3))
        return false;
    *out = *from == 'n' ? span_of("", 0) : value_from(reader, from);
    return true;
}

static bool on_choice_member(struct reader *reader, const char *name, uint32_t at)
{
    struct openai_choice *choice = &reader->out->choice[at];

    if (strcmp(name, "index") == 0)
        return small_number(reader, &choice->index);
    if (strcmp(name, "finish_reason") == 0)
        return optional(reader, &choice->finish);
    if (strcmp(name, "logprobs") == 0)
        return optional(reader, &choice->logprobs);
    if (strcmp(name, "text") == 0)
        return piece(reader, OPENAI_COMPLETION, at, 0);
    if ((strcmp(name, "delta") == 0 || strcmp(name, "message") == 0) && next(reader) == '{')
        return each_member(reader, on_message_member, at);
    return skip(reader, 3);
}

static bool on_choice(struct reader *reader, uint32_t number, uint32_t context UNUSED)
{
    struct openai_answer *out = reader->out;
    size_t at = out->choices;

    if (next(reader) != '{')
        return skip(reader, 2);
    if (at == OPENAI_CHOICES_MAX)
        return too_much(reader);
    out->choice[out->choices++] = (struct openai_choice){
        .index = number, .finish = span_of("", 0), .logprobs = span_of("", 0)};
    return each_member(reader, on_choice_member, (uint32_t)at);
}

static bool on_top_member(struct reader *reader, const char *name, uint32_t context UNUSED)
{
    struct openai_answer *out = reader->out;
    struct span error = span_of("", 0);

    if (strcmp(name, "choices") == 0 && next(reader) == '[')
        return each_element(reader, on_choice, 0);
    if (strcmp(name, "id") == 0)
        return optional(reader, &out->id);
    if (strcmp(name, "created") == 0)
        return optional(reader, &out->created);
    if (strcmp(name, "model") == 0)
        return optional(reader, &out->model);
    if (strcmp(name, "error") != 0)
        return skip(reader, 1);
    if (!optional(reader, &error))
        return false;
    out->error |= error.len > 0;
    return true;
}

int openai_answer_scan(struct span json, struct openai_answer *out, struct err *err)
{
    struct reader reader = {.scan = {.start = json.p, .p = json.p, .end = json.p + json.len},
                            .out = out};

    out->id = out->created = out->model = span_of("", 0);
    out->error = false;
    out->choices = out->pieces = out->calls = 0;
    if (next(&reader) == '{' && each_member(&reader, on_top_member, 0) && scan_end(&reader.scan))
        return 0;
    return err_set(err, ERR_INVALID, "the engine's answer cannot be read: %s (byte %zu)",
                   reader.scan.why != NULL ? reader.scan.why : "it is no object",
                   (size_t)(reader.scan.p - json.p));
}
