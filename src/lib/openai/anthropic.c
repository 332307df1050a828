/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request of Anthropic's Messages API as one of the OpenAI API, which every engine speaks. The
 * schema has seen it, and the guard: here nothing is checked, only put in other words. What OpenAI
 * has no word for (thinking, cache_control, citations) is left out.
 */
#include "openai/anthropic.h"

#include "base/mem.h"
#include "codec/json.h"

enum { OUT_MAX = ANTHROPIC_BODY_MAX };

static const char *text_of(const json_t *object, const char *name)
{
    return codec_json_text(object, name, "");
}

static bool is_type(const json_t *block, const char *type)
{
    return strcmp(text_of(block, "type"), type) == 0;
}

static void copy(json_t *to, const char *as, const json_t *from, const char *name)
{
    json_t *value = json_object_get(from, name);

    if (value != NULL && !json_is_null(value))
        json_object_set(to, as, value);
}

/* ------------------------------------------------------------------ content */

static json_t *image_part(const json_t *block)
{
    const json_t *source = json_object_get(block, "source");
    CLEANUP_FREE char *url = is_type(source, "url")
                                 ? mem_strdup(text_of(source, "url"))
                                 : mem_printf("data:%s;base64,%s", text_of(source, "media_type"),
                                              text_of(source, "data"));

    return json_pack("{s:s, s:{s:s}}", "type", "image_url", "image_url", "url", url);
}

static json_t *text_part(const json_t *block)
{
    json_t *part = json_pack("{s:s}", "type", "text");

    json_object_set(part, "text", json_object_get(block, "text"));
    return part;
}

/* Text alone is one string: not every engine takes parts. */
static json_t *simplest(json_t *parts)
{
    CLEANUP(buf_free) struct buf all = BUF_INIT(OUT_MAX);
    const json_t *part;
    size_t i;

    json_array_foreach (parts, i, part)
        if (!is_type(part, "text"))
            return parts;
    json_array_foreach (parts, i, part) {
        const json_t *text = json_object_get(part, "text");
        buf_put_str(&all, i > 0 ? "\n" : "");
        buf_put(&all, json_string_value(text), json_string_length(text));
    }
    json_decref(parts);
    return json_stringn(buf_text(&all), all.len);
}

static json_t *parts_of(json_t *content)
{
    json_t *parts;
    const json_t *block;
    size_t i;

    if (!json_is_array(content))
        return json_is_string(content) ? json_incref(content) : json_string("");
    parts = json_array();
    json_array_foreach (content, i, block) {
        if (is_type(block, "text"))
            json_array_append_new(parts, text_part(block));
        else if (is_type(block, "image"))
            json_array_append_new(parts, image_part(block));
    }
    return simplest(parts);
}

static bool has(const json_t *content, const char *type)
{
    const json_t *block;
    size_t i;

    json_array_foreach (content, i, block)
        if (is_type(block, type))
            return true;
    return false;
}

static void put_results(const json_t *content, json_t *out)
{
    const json_t *block;
    size_t i;

    json_array_foreach (content, i, block) {
        if (!is_type(block, "tool_result"))
            continue;
        json_t *message =
            json_pack("{s:s, s:s}", "role", "tool", "tool_call_id", text_of(block, "tool_use_id"));
        json_object_set_new(message, "content", parts_of(json_object_get(block, "content")));
        json_array_append_new(out, message);
    }
}

static json_t *calls_of(const json_t *content)
{
    json_t *calls = json_array();
    const json_t *block;
    size_t i;

    json_array_foreach (content, i, block) {
        if (!is_type(block, "tool_use"))
            continue;
        json_t *input = json_object_get(block, "input");
        CLEANUP_FREE char *arguments = input == NULL ? NULL : json_dumps(input, JSON_COMPACT);
        json_array_append_new(calls, json_pack("{s:s, s:s, s:{s:s, s:s}}", "id",
                                               text_of(block, "id"), "type", "function", "function",
                                               "name", text_of(block, "name"), "arguments",
                                               arguments == NULL ? "{}" : arguments));
    }
    return calls;
}

static void put_message(const json_t *message, json_t *out)
{
    const char *role = text_of(message, "role");
    json_t *content = json_object_get(message, "content");
    bool calls = json_is_array(content) && has(content, "tool_use");
    bool said = !json_is_array(content) || has(content, "text") || has(content, "image");

    if (json_is_array(content) && has(content, "tool_result")) {
        put_results(content, out);
        if (!said)
            return;
    }
    json_t *turn = json_pack("{s:s}", "role", role);
    json_object_set_new(turn, "content", said ? parts_of(content) : json_null());
    if (calls)
        json_object_set_new(turn, "tool_calls", calls_of(content));
    else if (!said)
        json_object_set_new(turn, "content", json_string(""));
    json_array_append_new(out, turn);
}

static json_t *messages_of(const json_t *in)
{
    json_t *out = json_array();
    json_t *system = json_object_get(in, "system");
    const json_t *message;
    size_t i;

    if (system != NULL && !json_is_null(system))
        json_array_append_new(
            out, json_pack("{s:s, s:o}", "role", "system", "content", parts_of(system)));
    json_array_foreach (json_object_get(in, "messages"), i, message)
        put_message(message, out);
    return out;
}

/* ------------------------------------------------------------------ tools */

static void put_tools(const json_t *in, json_t *out)
{
    const json_t *from = json_object_get(in, "tools");
    const json_t *tool;
    size_t i;

    if (json_array_size(from) == 0)
        return;
    json_t *tools = json_array();
    json_array_foreach (from, i, tool) {
        json_t *function = json_object();
        copy(function, "name", tool, "name");
        copy(function, "description", tool, "description");
        copy(function, "parameters", tool, "input_schema");
        copy(function, "strict", tool, "strict");
        json_array_append_new(tools,
                              json_pack("{s:s, s:o}", "type", "function", "function", function));
    }
    json_object_set_new(out, "tools", tools);
}

static void put_choice(const json_t *in, json_t *out)
{
    const json_t *choice = json_object_get(in, "tool_choice");

    if (!json_is_object(choice))
        return;
    if (is_type(choice, "tool"))
        json_object_set_new(out, "tool_choice",
                            json_pack("{s:s, s:{s:s}}", "type", "function", "function", "name",
                                      text_of(choice, "name")));
    else
        json_object_set_new(
            out, "tool_choice",
            json_string(is_type(choice, "any") ? "required" : text_of(choice, "type")));
    if (json_is_true(json_object_get(choice, "disable_parallel_tool_use")))
        json_object_set_new(out, "parallel_tool_calls", json_false());
}

/* ------------------------------------------------------------------ the whole */

static json_t *translate(const json_t *in, struct span model)
{
    static const char *const same[] = {"max_tokens", "temperature", "top_p", "top_k", "stream"};
    json_t *out = json_pack("{s:s%, s:o}", "model", (const char *)model.p, model.len, "messages",
                            messages_of(in));
    const json_t *user = json_object_get(json_object_get(in, "metadata"), "user_id");

    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        copy(out, same[i], in, same[i]);
    copy(out, "stop", in, "stop_sequences");
    put_tools(in, out);
    put_choice(in, out);
    if (json_is_string(user))
        json_object_set_new(out, "user", json_string(json_string_value(user)));
    if (json_is_true(json_object_get(in, "stream")))
        json_object_set_new(out, "stream_options", json_pack("{s:b}", "include_usage", 1));
    return out;
}

int anthropic_to_openai(struct span body, struct span model, struct buf *out, struct err *err)
{
    json_error_t why;
    CLEANUP_JSON json_t *in = json_loadb((const char *)body.p, body.len, 0, &why);
    CLEANUP_JSON json_t *made = in == NULL ? NULL : translate(in, model);

    if (made == NULL)
        return err_set(err, ERR_INVALID, "the request cannot be put in other words");
    codec_json_put(made, out);
    return buf_check(out, "the request", err);
}
