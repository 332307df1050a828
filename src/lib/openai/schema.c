/* SPDX-License-Identifier: Apache-2.0 */
/* After the OpenAI API reference: chat completions, legacy completions, embeddings. */
#include "openai/schema.h"

/* clang-format off */

/* ------------------------------------------------------------------ simple values */

static const struct schema flag = {.types = IS_BOOL | IS_NULL};
static const struct schema whole = {.types = IS_INT | IS_NULL};
static const struct schema text = {.types = IS_STR | IS_NULL};
static const struct schema own_text = {.types = IS_STR};
static const struct schema prompt_text = {.types = IS_STR | IS_NULL, .flags = PROMPT};
static const struct schema name = {.types = IS_STR, .min_len = 1, .max_len = 128};
static const struct schema any_object = {.types = IS_OBJ | IS_NULL};
static const struct schema prompt_object = {.types = IS_OBJ | IS_NULL, .flags = PROMPT};
static const struct schema temperature =
    {.types = IS_NUM | IS_NULL, .min = 0, .max = 2, .keep = KEEP_TEMPERATURE};
static const struct schema penalty = {.types = IS_NUM | IS_NULL, .min = -2, .max = 2};
static const struct schema share = {.types = IS_NUM | IS_NULL, .min = 0, .max = 1};
static const struct schema bias = {.types = IS_NUM, .min = -100, .max = 100};
static const struct schema biases = {.types = IS_OBJ | IS_NULL, .max_items = 1024, .each = &bias};
static const struct schema tokens =
    {.types = IS_INT | IS_NULL, .min = 0, .max = 1 << 30, .keep = KEEP_MAX_TOKENS};
static const struct schema answers =
    {.types = IS_INT | IS_NULL, .min = 1, .max = 128, .keep = KEEP_N};
static const struct schema stream = {.types = IS_BOOL | IS_NULL, .keep = KEEP_STREAM};
static const struct schema model = {.types = IS_STR, .min_len = 1, .keep = KEEP_MODEL};
static const struct schema meta_value = {.types = IS_STR, .max_len = 512};
static const struct schema metadata = {.types = IS_OBJ | IS_NULL, .max_items = 16, .each = &meta_value};
static const struct schema written = {.types = IS_STR, .flags = WRITTEN};
static const struct schema stop =
    {.types = IS_STR | IS_ARR | IS_NULL, .flags = WRITTEN, .max_items = 4, .each = &written};

static const struct schema usage = {.types = IS_BOOL | IS_NULL, .keep = KEEP_USAGE};
static const struct schema_member options_members[] = {
    OPTIONAL("include_usage", &usage),
    OPTIONAL("include_obfuscation", &flag),
    LAST
};
static const struct schema options =
    {.types = IS_OBJ | IS_NULL, .members = options_members, .keep = KEEP_OPTIONS};

/* ------------------------------------------------------------------ messages */

static const struct schema place = {.types = IS_STR, .flags = LINK, .min_len = 1};
static const struct schema data = {.types = IS_STR, .flags = DATA, .min_len = 1};
static const struct schema_word detail_words[] = {
    WORD("auto"), WORD("low"), WORD("high"), WORD("original"), {.word = NULL}
};
static const struct schema detail = {.types = IS_STR | IS_NULL, .words = detail_words};
static const struct schema_word sound_words[] = {WORD("wav"), WORD("mp3"), {.word = NULL}};
static const struct schema sound = {.types = IS_STR, .words = sound_words};
static const struct schema_member url_members[] = {
    REQUIRED("url", &place), OPTIONAL("detail", &detail), LAST
};
static const struct schema url = {.types = IS_OBJ, .members = url_members};
static const struct schema_member audio_members[] = {
    REQUIRED("data", &data), REQUIRED("format", &sound), LAST
};
static const struct schema audio_data = {.types = IS_OBJ, .members = audio_members};

static const struct schema_member file_members[] = {
    OPTIONAL("file_data", &data), OPTIONAL("file_id", &text), OPTIONAL("filename", &text), LAST
};
static const struct schema file = {.types = IS_OBJ, .members = file_members};

static const struct schema_word part_words[] = {
    WORD("text", "text"), WORD("image_url", "image_url"), WORD("input_audio", "input_audio"),
    WORD("file", "file"), WORD("refusal", "refusal"), {.word = NULL}
};
static const struct schema part_type = {.types = IS_STR, .words = part_words};
static const struct schema_member part_members[] = {
    REQUIRED("type", &part_type),
    OPTIONAL("text", &prompt_text),
    OPTIONAL("image_url", &url),
    OPTIONAL("input_audio", &audio_data),
    OPTIONAL("file", &file),
    OPTIONAL("refusal", &prompt_text),
    LAST
};
static const struct schema part = {.types = IS_OBJ, .members = part_members};
static const struct schema content =
    {.types = IS_STR | IS_ARR | IS_NULL, .flags = PROMPT, .each = &part};

static const struct schema_member called_members[] = {
    REQUIRED("name", &name), REQUIRED("arguments", &prompt_text), LAST
};
static const struct schema called = {.types = IS_OBJ | IS_NULL, .members = called_members};
static const struct schema_word call_words[] = {
    WORD("function", "function"), WORD("custom", "custom"), {.word = NULL}
};
static const struct schema call_type = {.types = IS_STR, .words = call_words};
static const struct schema_member call_members[] = {
    REQUIRED("type", &call_type),
    REQUIRED("id", &own_text),
    OPTIONAL("function", &called),
    OPTIONAL("custom", &prompt_object),
    LAST
};
static const struct schema call = {.types = IS_OBJ, .members = call_members};
static const struct schema calls = {.types = IS_ARR | IS_NULL, .max_items = 128, .each = &call};

static const struct schema_word role_words[] = {
    ROLE("system", OPENAI_SYSTEM, "content"), ROLE("developer", OPENAI_DEVELOPER, "content"),
    ROLE("user", OPENAI_USER, "content"), ROLE("assistant", OPENAI_ASSISTANT),
    ROLE("tool", OPENAI_TOOL, "content", "tool_call_id"), ROLE("function", OPENAI_FUNCTION, "name"), {.word = NULL}
};
static const struct schema role = {.types = IS_STR, .words = role_words, .keep = KEEP_ROLE};
static const struct schema_member message_members[] = {
    REQUIRED("role", &role),
    OPTIONAL("content", &content),
    OPTIONAL("name", &text),
    OPTIONAL("tool_calls", &calls),
    OPTIONAL("tool_call_id", &text),
    OPTIONAL("refusal", &prompt_text),
    /* What some engines answer beside the content, and get back with it. */
    OPTIONAL("reasoning_content", &prompt_text),
    OPTIONAL("reasoning", &prompt_text),
    OPTIONAL("audio", &any_object),
    OPTIONAL("function_call", &called),
    LAST
};
static const struct schema message = {.types = IS_OBJ, .members = message_members};
static const struct schema messages =
    {.types = IS_ARR, .min_items = 1, .max_items = 65536, .each = &message, .keep = KEEP_MESSAGES};

/* ------------------------------------------------------------------ tools and formats */

static const struct schema_member function_members[] = {
    REQUIRED("name", &name),
    OPTIONAL("description", &prompt_text),
    OPTIONAL("parameters", &prompt_object),
    OPTIONAL("strict", &flag),
    LAST
};
static const struct schema function = {.types = IS_OBJ, .members = function_members};
static const struct schema functions =
    {.types = IS_ARR | IS_NULL, .max_items = 128, .each = &function};
static const struct schema_member tool_members[] = {
    REQUIRED("type", &call_type),
    OPTIONAL("function", &function),
    OPTIONAL("custom", &prompt_object),
    LAST
};
static const struct schema tool = {.types = IS_OBJ, .members = tool_members};
static const struct schema tools = {.types = IS_ARR | IS_NULL, .max_items = 128, .each = &tool};
static const struct schema_word choice_words[] = {
    WORD("auto"), WORD("none"), WORD("required"), {.word = NULL}
};
static const struct schema_member chosen_members[] = {REQUIRED("name", &name), LAST};
static const struct schema chosen = {.types = IS_OBJ, .members = chosen_members};
static const struct schema_word chosen_words[] = {
    WORD("function", "function"), WORD("custom", "custom"), WORD("allowed_tools", "allowed_tools"),
    {.word = NULL}
};
static const struct schema chosen_type = {.types = IS_STR, .words = chosen_words};
static const struct schema_member choice_members[] = {
    REQUIRED("type", &chosen_type), OPTIONAL("function", &chosen), OPTIONAL("custom", &chosen),
    OPTIONAL("allowed_tools", &any_object), LAST
};
static const struct schema choice =
    {.types = IS_STR | IS_OBJ | IS_NULL, .words = choice_words, .members = choice_members};
/* As it was before tools. */
static const struct schema old_choice =
    {.types = IS_STR | IS_OBJ | IS_NULL, .words = choice_words, .members = chosen_members};

static const struct schema_member json_schema_members[] = {
    REQUIRED("name", &name),
    OPTIONAL("description", &prompt_text),
    OPTIONAL("schema", &prompt_object),
    OPTIONAL("strict", &flag),
    LAST
};
static const struct schema json_schema = {.types = IS_OBJ | IS_NULL, .members = json_schema_members};
static const struct schema_word format_words[] = {
    WORD("text"), WORD("json_object"), WORD("json_schema", "json_schema"), {.word = NULL}
};
static const struct schema format_type = {.types = IS_STR, .words = format_words};
static const struct schema_member format_members[] = {
    REQUIRED("type", &format_type), OPTIONAL("json_schema", &json_schema), LAST
};
static const struct schema format = {.types = IS_OBJ | IS_NULL, .members = format_members};

static const struct schema_word modality_words[] = {WORD("text"), WORD("audio"), {.word = NULL}};
static const struct schema modality = {.types = IS_STR, .words = modality_words};
static const struct schema modalities = {.types = IS_ARR | IS_NULL, .max_items = 2, .each = &modality};
static const struct schema top_logprobs = {.types = IS_INT | IS_NULL, .min = 0, .max = 20};

/* ------------------------------------------------------------------ the three requests */

static const struct schema_member chat_members[] = {
    REQUIRED("model", &model),
    REQUIRED("messages", &messages),
    OPTIONAL("stream", &stream),
    OPTIONAL("max_tokens", &tokens),
    OPTIONAL("temperature", &temperature),
    OPTIONAL("stream_options", &options),
    OPTIONAL("max_completion_tokens", &tokens),
    OPTIONAL("top_p", &share),
    OPTIONAL("n", &answers),
    OPTIONAL("stop", &stop),
    OPTIONAL("seed", &whole),
    OPTIONAL("tools", &tools),
    OPTIONAL("tool_choice", &choice),
    OPTIONAL("parallel_tool_calls", &flag),
    OPTIONAL("response_format", &format),
    OPTIONAL("presence_penalty", &penalty),
    OPTIONAL("frequency_penalty", &penalty),
    OPTIONAL("logit_bias", &biases),
    OPTIONAL("logprobs", &flag),
    OPTIONAL("top_logprobs", &top_logprobs),
    OPTIONAL("user", &text),
    OPTIONAL("metadata", &metadata),
    OPTIONAL("store", &flag),
    OPTIONAL("modalities", &modalities),
    OPTIONAL("audio", &any_object),
    OPTIONAL("prediction", &prompt_object),
    OPTIONAL("reasoning_effort", &text),
    OPTIONAL("verbosity", &text),
    OPTIONAL("service_tier", &text),
    OPTIONAL("safety_identifier", &text),
    OPTIONAL("prompt_cache_key", &text),
    OPTIONAL("web_search_options", &any_object),
    OPTIONAL("functions", &functions),
    OPTIONAL("function_call", &old_choice),
    LAST
};
static const struct schema chat = {.types = IS_OBJ, .flags = CLOSED, .members = chat_members};

static const struct schema token_id = {.types = IS_INT, .flags = PROMPT, .min = 0, .max = 1 << 30};
static const struct schema prompt_item =
    {.types = IS_STR | IS_INT | IS_ARR, .flags = PROMPT, .min = 0, .max = 1 << 30,
     .each = &token_id};
static const struct schema prompt =
    {.types = IS_STR | IS_ARR | IS_NULL, .flags = PROMPT | UNIFORM, .max_items = 1 << 20,
     .each = &prompt_item, .keep = KEEP_MESSAGES};
static const struct schema best_of = {.types = IS_INT | IS_NULL, .min = 1, .max = 20, .keep = KEEP_N};
static const struct schema logprobs = {.types = IS_INT | IS_NULL, .min = 0, .max = 5};
static const struct schema_member completions_members[] = {
    REQUIRED("model", &model),
    REQUIRED("prompt", &prompt),
    OPTIONAL("stream", &stream),
    OPTIONAL("max_tokens", &tokens),
    OPTIONAL("temperature", &temperature),
    OPTIONAL("stream_options", &options),
    OPTIONAL("top_p", &share),
    OPTIONAL("n", &answers),
    OPTIONAL("best_of", &best_of),
    OPTIONAL("stop", &stop),
    OPTIONAL("seed", &whole),
    OPTIONAL("echo", &flag),
    OPTIONAL("suffix", &prompt_text),
    OPTIONAL("logprobs", &logprobs),
    OPTIONAL("presence_penalty", &penalty),
    OPTIONAL("frequency_penalty", &penalty),
    OPTIONAL("logit_bias", &biases),
    OPTIONAL("user", &text),
    LAST
};
static const struct schema completions =
    {.types = IS_OBJ, .flags = CLOSED, .members = completions_members};

static const struct schema input =
    {.types = IS_STR | IS_ARR, .flags = PROMPT | UNIFORM, .min_len = 1, .min_items = 1, .max_items = 1 << 20,
     .each = &prompt_item, .keep = KEEP_MESSAGES};
static const struct schema dimensions = {.types = IS_INT | IS_NULL, .min = 1, .max = 1 << 20};
static const struct schema_word encoding_words[] = {WORD("float"), WORD("base64"), {.word = NULL}};
static const struct schema encoding = {.types = IS_STR | IS_NULL, .words = encoding_words};
static const struct schema_member embeddings_members[] = {
    REQUIRED("model", &model),
    REQUIRED("input", &input),
    OPTIONAL("encoding_format", &encoding),
    OPTIONAL("dimensions", &dimensions),
    OPTIONAL("user", &text),
    LAST
};
static const struct schema embeddings =
    {.types = IS_OBJ, .flags = CLOSED, .members = embeddings_members};

/* ------------------------------------------------------------------ the guard alone */

static const struct schema_word direction_words[] = {
    {.word = "request", .len = 7}, {.word = "answer", .len = 6, .value = 1}, {.word = NULL}
};
static const struct schema direction =
    {.types = IS_STR, .words = direction_words, .keep = KEEP_DIRECTION};
static const struct schema looked_at = {.types = IS_STR, .flags = PROMPT};
static const struct schema_member try_members[] = {
    REQUIRED("model", &model), REQUIRED("text", &looked_at), OPTIONAL("direction", &direction), LAST
};
static const struct schema try_guard =
    {.types = IS_OBJ, .flags = CLOSED | SEALED, .members = try_members};

/* clang-format on */

const struct schema schema_anything = {
    .types = IS_NULL | IS_BOOL | IS_INT | IS_NUM | IS_STR | IS_ARR | IS_OBJ,
    .flags = FREE,
    .each = &schema_anything,
};

const struct schema *schema_of(enum openai_api api)
{
    switch (api) {
    case OPENAI_COMPLETIONS: return &completions;
    case OPENAI_EMBEDDINGS: return &embeddings;
    case OPENAI_MESSAGES: return &schema_messages;
    case OPENAI_TRY_GUARD: return &try_guard;
    case OPENAI_COUNT_TOKENS: return &schema_count;
    default: return &chat;
    }
}
