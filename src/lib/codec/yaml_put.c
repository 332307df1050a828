/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/codec_internal.h"
#include "codec/yaml.h"

#include <yaml.h>

static void put_value(yaml_emitter_t *emitter, json_t *value);

static int on_write(void *ctx, unsigned char *bytes, size_t len)
{
    buf_put(ctx, bytes, len);
    return 1;
}

static void emit(yaml_emitter_t *emitter, yaml_event_t *event, int made)
{
    /* Fails only without memory, or when the events make no document. */
    INVARIANT(made && yaml_emitter_emit(emitter, event));
}

static void put_scalar(yaml_emitter_t *emitter, const char *text, size_t len,
                       yaml_scalar_style_t style)
{
    yaml_event_t event;

    emit(emitter, &event,
         yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)len, 1, 1,
                                      style));
}

/* Plain when every reader takes the plain form for this text. */
static yaml_scalar_style_t style_of(const char *text, size_t len)
{
    CLEANUP_JSON json_t *value = NULL;

    if (memchr(text, '\n', len) != NULL)
        return YAML_LITERAL_SCALAR_STYLE;
    if (codec_yaml_resolve(text, &value) != NULL || !json_is_string(value) ||
        strcmp(text, "<<") == 0 || strcmp(text, "=") == 0)
        return YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    return YAML_ANY_SCALAR_STYLE;
}

static void put_string(yaml_emitter_t *emitter, const char *text, size_t len)
{
    put_scalar(emitter, text, len, style_of(text, len));
}

static void put_plain(yaml_emitter_t *emitter, const char *text)
{
    put_scalar(emitter, text, strlen(text), YAML_PLAIN_SCALAR_STYLE);
}

static void put_number(yaml_emitter_t *emitter, json_t *value)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(64);

    if (json_is_integer(value))
        buf_printf(&text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        codec_real_put(json_real_value(value), &text);
    put_plain(emitter, buf_text(&text));
}

static void put_array(yaml_emitter_t *emitter, json_t *array)
{
    yaml_event_t event;

    emit(emitter, &event,
         yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE));
    for (size_t i = 0; i < json_array_size(array); i++)
        put_value(emitter, json_array_get(array, i));
    emit(emitter, &event, yaml_sequence_end_event_initialize(&event));
}

static void put_object(yaml_emitter_t *emitter, json_t *object)
{
    yaml_event_t event;

    emit(emitter, &event,
         yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
        put_string(emitter, json_object_iter_key(it), json_object_iter_key_len(it));
        put_value(emitter, json_object_iter_value(it));
    }
    emit(emitter, &event, yaml_mapping_end_event_initialize(&event));
}

static void put_value(yaml_emitter_t *emitter, json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: put_object(emitter, value); break;
    case JSON_ARRAY: put_array(emitter, value); break;
    case JSON_STRING:
        put_string(emitter, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
    case JSON_REAL: put_number(emitter, value); break;
    case JSON_TRUE: put_plain(emitter, "true"); break;
    case JSON_FALSE: put_plain(emitter, "false"); break;
    case JSON_NULL: put_plain(emitter, "null"); break;
    }
}

void codec_yaml_put(const json_t *value, struct buf *out)
{
    CLEANUP(yaml_emitter_delete) yaml_emitter_t emitter;
    yaml_event_t event;

    INVARIANT(yaml_emitter_initialize(&emitter));
    yaml_emitter_set_output(&emitter, on_write, out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    emit(&emitter, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
    emit(&emitter, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
    put_value(&emitter, (json_t *)(uintptr_t)value);
    emit(&emitter, &event, yaml_document_end_event_initialize(&event, 1));
    emit(&emitter, &event, yaml_stream_end_event_initialize(&event));
}
