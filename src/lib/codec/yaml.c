/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/yaml_internal.h"

static void reader_close(struct codec_yaml_reader *reader)
{
    yaml_event_delete(&reader->event);
    yaml_parser_delete(&reader->parser);
    codec_json_free(&reader->anchors);
}

/* The decoder of bytes knows only an offset. */
static yaml_mark_t mark_of_offset(struct span text, size_t offset)
{
    yaml_mark_t mark = {0};

    for (size_t i = 0; i < text.len && i < offset; i++) {
        mark.column += (text.p[i] & 0xc0) != 0x80;
        if (text.p[i] != '\n')
            continue;
        mark.line++;
        mark.column = 0;
    }
    return mark;
}

static int syntax_error(struct codec_yaml_reader *reader, struct err *err)
{
    yaml_parser_t *parser = &reader->parser;
    const char *problem = parser->problem != NULL ? parser->problem : "no memory";

    if (parser->error == YAML_READER_ERROR) {
        yaml_mark_t mark = mark_of_offset(reader->text, parser->problem_offset);
        return codec_yaml_refuse(reader, &mark, err, "%s", problem);
    }
    if (parser->context == NULL)
        return codec_yaml_refuse(reader, &parser->problem_mark, err, "%s", problem);
    return codec_yaml_refuse(reader, &parser->problem_mark, err, "%s %s", problem, parser->context);
}

int codec_yaml_next(struct codec_yaml_reader *reader, struct err *err)
{
    yaml_event_delete(&reader->event);
    if (!yaml_parser_parse(&reader->parser, &reader->event))
        return syntax_error(reader, err);
    return 0;
}

int codec_yaml_charge(struct codec_yaml_reader *reader, size_t bytes, struct err *err)
{
    reader->nodes++;
    reader->bytes += bytes;
    if (reader->nodes > CODEC_YAML_NODES_MAX)
        return codec_yaml_refuse_here(reader, err, "expands to more than %d nodes",
                                      CODEC_YAML_NODES_MAX);
    if (reader->bytes > CODEC_YAML_BYTES_MAX)
        return codec_yaml_refuse_here(reader, err, "expands to more than %d bytes",
                                      CODEC_YAML_BYTES_MAX);
    return 0;
}

int codec_yaml_check_depth(struct codec_yaml_reader *reader, size_t depth, struct err *err)
{
    if (depth < CODEC_DEPTH_MAX)
        return 0;
    return codec_yaml_refuse_here(reader, err, "nested deeper than %d levels", CODEC_DEPTH_MAX);
}

bool codec_yaml_is_empty(const yaml_event_t *event)
{
    return event->type == YAML_SCALAR_EVENT && event->data.scalar.length == 0 &&
           event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && event->data.scalar.tag == NULL;
}

static int read_document(struct codec_yaml_reader *reader, json_t *documents, struct err *err)
{
    json_t *value = NULL;

    json_object_clear(reader->anchors);
    TRY(codec_yaml_next(reader, err));
    if (!codec_yaml_is_empty(&reader->event)) {
        TRY(codec_yaml_read_node(reader, 0, &value, err));
        json_array_append_new(documents, value);
    }
    return codec_yaml_next(reader, err); /* the document's end */
}

static int read_stream(struct codec_yaml_reader *reader, json_t *documents, struct err *err)
{
    for (;;) {
        TRY(codec_yaml_next(reader, err));
        if (reader->event.type == YAML_STREAM_END_EVENT)
            return 0;
        if (reader->event.type == YAML_DOCUMENT_START_EVENT)
            TRY(read_document(reader, documents, err));
    }
}

/* JSON has escapes that libyaml does not know (surrogate pairs) and may be indented with tabs. */
static bool parse_as_json(struct span text, const char *what, json_t *documents)
{
    struct err ignored = ERR_INIT;
    json_t *value = NULL;
    size_t at = 0;

    while (at < text.len && memchr(" \t\r\n", text.p[at], 4) != NULL)
        at++;
    if (at == text.len || (text.p[at] != '{' && text.p[at] != '['))
        return false;
    if (codec_json_parse(text, what, &value, &ignored) < 0)
        return false;
    json_array_append_new(documents, value);
    return true;
}

int codec_yaml_parse(struct span text, const char *what, json_t **out_documents, struct err *err)
{
    CLEANUP_JSON json_t *documents = json_array();

    codec_seed();
    if (!parse_as_json(text, what, documents)) {
        CLEANUP(reader_close)
        struct codec_yaml_reader reader = {.what = what, .text = text, .anchors = json_object()};
        INVARIANT(yaml_parser_initialize(&reader.parser));
        yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&reader.parser, text.len > 0 ? text.p : (const uint8_t *)"",
                                     text.len);
        TRY(read_stream(&reader, documents, err));
    }
    *out_documents = json_incref(documents);
    return 0;
}
