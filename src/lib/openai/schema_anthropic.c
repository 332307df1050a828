/* SPDX-License-Identifier: Apache-2.0 */
/* After Anthropic's Messages API: what this platform can hand to an engine. */
#include "openai/schema.h"

/* clang-format off */

/* ------------------------------------------------------------------ simple values */

static const struct schema flag = {.types = IS_BOOL | IS_NULL};
static const struct schema text = {.types = IS_STR | IS_NULL};
static const struct schema id = {.types = IS_STR, .min_len = 1, .max_len = 256};
static const struct schema written = {.types = IS_STR, .flags = WRITTEN};
static const struct schema opaque = {.types = IS_STR | IS_NULL, .flags = WRITTEN};
static const struct schema prompt_text = {.types = IS_STR | IS_NULL, .flags = PROMPT};
static const struct schema prompt_object = {.types = IS_OBJ, .flags = PROMPT};
static const struct schema any_object = {.types = IS_OBJ | IS_NULL};
static const struct schema model = {.types = IS_STR, .min_len = 1, .keep = KEEP_MODEL};
static const struct schema stream = {.types = IS_BOOL | IS_NULL, .keep = KEEP_STREAM};
static const struct schema tokens = {.types = IS_INT, .min = 1, .max = 1 << 30, .keep = KEEP_MAX_TOKENS};
static const struct schema temperature =
    {.types = IS_NUM | IS_NULL, .min = 0, .max = 1, .keep = KEEP_TEMPERATURE};
static const struct schema share = {.types = IS_NUM | IS_NULL, .min = 0, .max = 1};
static const struct schema top_k = {.types = IS_INT | IS_NULL, .min = 0, .max = 1 << 20};
static const struct schema stops = {.types = IS_ARR | IS_NULL, .max_items = 16, .each = &written};

static const struct schema tool_name = {.types = IS_STR, .min_len = 1, .max_len = 128};

/* ------------------------------------------------------------------ content */

static const struct schema_word source_words[] = {
    WORD("base64", "data", "media_type"), WORD("url", "url"), {.word = NULL}
};
static const struct schema source_type = {.types = IS_STR, .words = source_words};
static const struct schema place = {.types = IS_STR, .flags = LINK, .min_len = 1};
static const struct schema data = {.types = IS_STR, .flags = BARE, .min_len = 1};
static const struct schema_word media_words[] = {
    WORD("image/png"), WORD("image/jpeg"), WORD("image/gif"), WORD("image/webp"), {.word = NULL}
};
static const struct schema media_type = {.types = IS_STR, .words = media_words};
static const struct schema_member image_source_members[] = {
    REQUIRED("type", &source_type), OPTIONAL("media_type", &media_type),
    OPTIONAL("data", &data), OPTIONAL("url", &place), LAST
};
static const struct schema image_source = {.types = IS_OBJ, .members = image_source_members};

static const struct schema_word block_words[] = {
    WORD("text", "text"), WORD("image", "source"), WORD("tool_use", "id", "name"),
    WORD("tool_result", "tool_use_id"), WORD("thinking", "thinking"), WORD("redacted_thinking"),
    {.word = NULL}
};
static const struct schema block_type = {.types = IS_STR, .words = block_words};

static const struct schema_word result_words[] = {
    WORD("text", "text"), WORD("image", "source"), {.word = NULL}
};
static const struct schema result_type = {.types = IS_STR, .words = result_words};
static const struct schema_member result_members[] = {
    REQUIRED("type", &result_type), OPTIONAL("text", &prompt_text), OPTIONAL("source", &image_source),
    OPTIONAL("cache_control", &any_object), LAST
};
static const struct schema result_block = {.types = IS_OBJ, .members = result_members};
static const struct schema result =
    {.types = IS_STR | IS_ARR | IS_NULL, .flags = PROMPT, .each = &result_block};

static const struct schema_member block_members[] = {
    REQUIRED("type", &block_type),
    OPTIONAL("text", &prompt_text),
    OPTIONAL("source", &image_source),
    OPTIONAL("id", &id),
    OPTIONAL("name", &tool_name),
    OPTIONAL("input", &prompt_object),
    OPTIONAL("tool_use_id", &id),
    OPTIONAL("content", &result),
    OPTIONAL("is_error", &flag),
    OPTIONAL("thinking", &prompt_text),
    OPTIONAL("signature", &opaque),
    OPTIONAL("data", &opaque),
    OPTIONAL("cache_control", &any_object),
    OPTIONAL("citations", NULL),
    LAST
};
static const struct schema block = {.types = IS_OBJ, .members = block_members};
static const struct schema content = {.types = IS_STR | IS_ARR, .flags = PROMPT, .each = &block};

static const struct schema_word role_words[] = {
    ROLE("user", OPENAI_USER, "content"), ROLE("assistant", OPENAI_ASSISTANT, "content"), {.word = NULL}
};
static const struct schema role = {.types = IS_STR, .words = role_words, .keep = KEEP_ROLE};
static const struct schema_member message_members[] = {
    REQUIRED("role", &role), REQUIRED("content", &content), LAST
};
static const struct schema message = {.types = IS_OBJ, .members = message_members};
static const struct schema messages =
    {.types = IS_ARR, .min_items = 1, .max_items = 65536, .each = &message, .keep = KEEP_MESSAGES};

static const struct schema_word system_words[] = {WORD("text", "text"), {.word = NULL}};
static const struct schema system_type = {.types = IS_STR, .words = system_words};
static const struct schema_member system_members[] = {
    REQUIRED("type", &system_type), REQUIRED("text", &prompt_text),
    OPTIONAL("cache_control", &any_object), OPTIONAL("citations", NULL), LAST
};
static const struct schema system_block = {.types = IS_OBJ, .members = system_members};
static const struct schema system_prompt =
    {.types = IS_STR | IS_ARR | IS_NULL, .flags = PROMPT, .each = &system_block};

/* ------------------------------------------------------------------ tools and the rest */

/* Tools that Anthropic runs itself have other types: no engine here does. */
static const struct schema_word tool_words[] = {WORD("custom"), {.word = NULL}};
static const struct schema tool_type = {.types = IS_STR | IS_NULL, .words = tool_words};
static const struct schema_member tool_members[] = {
    OPTIONAL("type", &tool_type),
    REQUIRED("name", &tool_name),
    OPTIONAL("description", &prompt_text),
    REQUIRED("input_schema", &prompt_object),
    OPTIONAL("cache_control", &any_object),
    OPTIONAL("strict", &flag),
    LAST
};
static const struct schema tool = {.types = IS_OBJ, .members = tool_members};
static const struct schema tools = {.types = IS_ARR | IS_NULL, .max_items = 128, .each = &tool};

static const struct schema_word choice_words[] = {
    WORD("auto"), WORD("any"), WORD("tool", "name"), WORD("none"), {.word = NULL}
};
static const struct schema choice_type = {.types = IS_STR, .words = choice_words};
static const struct schema_member choice_members[] = {
    REQUIRED("type", &choice_type), OPTIONAL("name", &tool_name),
    OPTIONAL("disable_parallel_tool_use", &flag), LAST
};
static const struct schema choice = {.types = IS_OBJ | IS_NULL, .members = choice_members};

static const struct schema user = {.types = IS_STR | IS_NULL, .max_len = 512};
static const struct schema_member metadata_members[] = {OPTIONAL("user_id", &user), LAST};
static const struct schema metadata = {.types = IS_OBJ | IS_NULL, .members = metadata_members};

#define BOTH                                                                                       \
    REQUIRED("model", &model), REQUIRED("messages", &messages), OPTIONAL("system", &system_prompt),\
    OPTIONAL("tools", &tools), OPTIONAL("tool_choice", &choice), OPTIONAL("thinking", &any_object),\
    OPTIONAL("context_management", &any_object), OPTIONAL("output_config", &any_object)

static const struct schema_member messages_members[] = {
    BOTH,
    REQUIRED("max_tokens", &tokens),
    OPTIONAL("stream", &stream),
    OPTIONAL("temperature", &temperature),
    OPTIONAL("top_p", &share),
    OPTIONAL("top_k", &top_k),
    OPTIONAL("stop_sequences", &stops),
    OPTIONAL("metadata", &metadata),
    OPTIONAL("service_tier", &text),
    OPTIONAL("cache_control", &any_object),
    OPTIONAL("inference_geo", &text),
    OPTIONAL("speed", &text),
    LAST
};
const struct schema schema_messages =
    {.types = IS_OBJ, .flags = CLOSED | SEALED, .members = messages_members};

static const struct schema_member count_members[] = {BOTH, LAST};
const struct schema schema_count =
    {.types = IS_OBJ, .flags = CLOSED | SEALED, .members = count_members};

/* clang-format on */
