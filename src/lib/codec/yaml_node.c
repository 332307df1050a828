/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "codec/yaml_internal.h"

/* What a member is called and where; kept because events do not last. */
struct name {
    char *text;
    bool merge;
    yaml_mark_t mark;
};

static void name_clear(struct name *name)
{
    free(name->text);
}

/* ------------------------------------------------------------------ scalars */

static const char *scalar_text(const yaml_event_t *event)
{
    return (const char *)event->data.scalar.value;
}

static bool holds_nul(const yaml_event_t *event)
{
    return memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL;
}

/* A tag says what the text must be, quoted or not. */
static int resolve_tagged(struct codec_yaml_reader *reader, const char *tag, json_t **out,
                          struct err *err)
{
    static const struct {
        const char *tag;
        json_type type;
    } tags[] = {
        {YAML_NULL_TAG, JSON_NULL}, {YAML_INT_TAG, JSON_INTEGER}, {YAML_FLOAT_TAG, JSON_REAL}};
    CLEANUP_JSON json_t *value = NULL;
    const char *why = codec_yaml_resolve(scalar_text(&reader->event), &value);

    if (why != NULL)
        return codec_yaml_refuse_here(reader, err, "%s", why);
    if (strcmp(tag, YAML_FLOAT_TAG) == 0 && json_is_integer(value)) {
        *out = json_real((double)json_integer_value(value));
        return 0;
    }
    bool fits = strcmp(tag, YAML_BOOL_TAG) == 0 && json_is_boolean(value);
    for (size_t i = 0; i < ARRAY_LEN(tags); i++)
        fits = fits || (strcmp(tag, tags[i].tag) == 0 && json_typeof(value) == tags[i].type);
    if (!fits)
        return codec_yaml_refuse_here(reader, err, "the tag is unknown or does not fit the value");
    *out = json_incref(value);
    return 0;
}

static int read_scalar(struct codec_yaml_reader *reader, json_t **out, struct err *err)
{
    const yaml_event_t *event = &reader->event;
    const char *tag = (const char *)event->data.scalar.tag;

    TRY(codec_yaml_charge(reader, event->data.scalar.length, err));
    if (holds_nul(event))
        return codec_yaml_refuse_here(reader, err, "a string holds U+0000");
    if (tag == NULL && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        const char *why = codec_yaml_resolve(scalar_text(event), out);
        return why == NULL ? 0 : codec_yaml_refuse_here(reader, err, "%s", why);
    }
    if (tag == NULL || strcmp(tag, "!") == 0 || strcmp(tag, YAML_STR_TAG) == 0) {
        *out = json_stringn(scalar_text(event), event->data.scalar.length);
        INVARIANT(*out != NULL);
        return 0;
    }
    return resolve_tagged(reader, tag, out, err);
}

/* ------------------------------------------------------------------ aliases */

static int copy_node(struct codec_yaml_reader *reader, json_t *node, unsigned depth, json_t **out,
                     struct err *err);

static int copy_array(struct codec_yaml_reader *reader, json_t *node, unsigned depth, json_t **out,
                      struct err *err)
{
    CLEANUP_JSON json_t *array = json_array();

    for (size_t i = 0; i < json_array_size(node); i++) {
        json_t *item = NULL;
        TRY(copy_node(reader, json_array_get(node, i), depth + 1, &item, err));
        json_array_append_new(array, item);
    }
    *out = json_incref(array);
    return 0;
}

static int copy_object(struct codec_yaml_reader *reader, json_t *node, unsigned depth, json_t **out,
                       struct err *err)
{
    CLEANUP_JSON json_t *object = json_object();

    for (void *it = json_object_iter(node); it != NULL; it = json_object_iter_next(node, it)) {
        json_t *value = NULL;
        reader->bytes += json_object_iter_key_len(it);
        TRY(copy_node(reader, json_object_iter_value(it), depth + 1, &value, err));
        json_object_set_new_nocheck(object, json_object_iter_key(it), value);
    }
    *out = json_incref(object);
    return 0;
}

/* A copy of its own, so that changing one place later does not change the other. */
static int copy_node(struct codec_yaml_reader *reader, json_t *node, unsigned depth, json_t **out,
                     struct err *err)
{
    TRY(codec_yaml_charge(reader, json_string_length(node), err));
    if (!json_is_array(node) && !json_is_object(node)) {
        *out = json_copy(node);
        return 0;
    }
    TRY(codec_yaml_check_depth(reader, depth, err));
    if (json_is_array(node))
        return copy_array(reader, node, depth, out, err);
    return copy_object(reader, node, depth, out, err);
}

static int read_alias(struct codec_yaml_reader *reader, unsigned depth, json_t **out,
                      struct err *err)
{
    const char *anchor = (const char *)reader->event.data.alias.anchor;
    json_t *node = json_object_get(reader->anchors, anchor);

    if (node == NULL)
        return codec_yaml_refuse_here(reader, err, "no anchor of this name ends before here");
    return copy_node(reader, node, depth, out, err);
}

/* -------------------------------------------------------------- collections */

static int check_tag(struct codec_yaml_reader *reader, const yaml_char_t *tag, const char *expected,
                     struct err *err)
{
    if (tag == NULL || strcmp((const char *)tag, "!") == 0 ||
        strcmp((const char *)tag, expected) == 0)
        return 0;
    return codec_yaml_refuse_here(reader, err, "the tag is unknown or does not fit the value");
}

static int read_sequence(struct codec_yaml_reader *reader, unsigned depth, json_t **out,
                         struct err *err)
{
    CLEANUP_JSON json_t *array = json_array();

    TRY(codec_yaml_check_depth(reader, depth, err));
    TRY(check_tag(reader, reader->event.data.sequence_start.tag, YAML_SEQ_TAG, err));
    TRY(codec_yaml_charge(reader, 0, err));
    for (;;) {
        json_t *item = NULL;
        TRY(codec_yaml_next(reader, err));
        if (reader->event.type == YAML_SEQUENCE_END_EVENT)
            break;
        TRY(codec_yaml_read_node(reader, depth + 1, &item, err));
        json_array_append_new(array, item);
    }
    *out = json_incref(array);
    return 0;
}

/* A name that is a number or a truth value is that value's text, as long as nobody could write it
 * in another way. */
static int check_plain_name(struct codec_yaml_reader *reader, const char *text, struct err *err)
{
    CLEANUP_JSON json_t *value = NULL;
    char decimal[32];
    const char *why = codec_yaml_resolve(text, &value);

    if (why != NULL)
        return codec_yaml_refuse_here(reader, err, "%s", why);
    snprintf(decimal, sizeof(decimal), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (json_is_string(value) || (json_is_integer(value) && strcmp(decimal, text) == 0) ||
        (json_is_boolean(value) && (text[0] == 't' || text[0] == 'f')))
        return 0;
    return codec_yaml_refuse_here(reader, err, "a name must be text; quote it");
}

static int read_name(struct codec_yaml_reader *reader, struct name *name, struct err *err)
{
    const yaml_event_t *event = &reader->event;

    if (event->type != YAML_SCALAR_EVENT)
        return codec_yaml_refuse_here(reader, err, "a name must be text");
    if (holds_nul(event))
        return codec_yaml_refuse_here(reader, err, "a name holds U+0000");
    const char *tag = (const char *)event->data.scalar.tag;
    bool plain = tag == NULL && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (tag != NULL && strcmp(tag, "!") != 0 && strcmp(tag, YAML_STR_TAG) != 0)
        return codec_yaml_refuse_here(reader, err, "a name must be text");
    if (plain)
        TRY(check_plain_name(reader, scalar_text(event), err));
    reader->bytes += event->data.scalar.length;
    *name = (struct name){.text = mem_strdup(scalar_text(event)),
                          .merge = plain && strcmp(scalar_text(event), "<<") == 0,
                          .mark = event->start_mark};
    return 0;
}

static int merge_one(struct codec_yaml_reader *reader, json_t *into, json_t *from,
                     const struct name *name, struct err *err)
{
    if (!json_is_object(from))
        return codec_yaml_refuse(reader, &name->mark, err,
                                 "<< takes a mapping or a list of mappings");
    json_object_update_missing(into, from);
    return 0;
}

/* In a list the earlier mapping wins. */
static int merge(struct codec_yaml_reader *reader, json_t *into, json_t *from,
                 const struct name *name, struct err *err)
{
    if (!json_is_array(from))
        return merge_one(reader, into, from, name, err);
    for (size_t i = 0; i < json_array_size(from); i++)
        TRY(merge_one(reader, into, json_array_get(from, i), name, err));
    return 0;
}

/* One name and its value; merges are kept for the end. */
static int read_member(struct codec_yaml_reader *reader, unsigned depth, json_t *object,
                       json_t **merged, struct err *err)
{
    CLEANUP(name_clear) struct name name = {0};
    CLEANUP_JSON json_t *value = NULL;

    TRY(read_name(reader, &name, err));
    if (name.merge ? *merged != NULL : json_object_get(object, name.text) != NULL)
        return codec_yaml_refuse(reader, &name.mark, err, "\"%.80s\" is there twice", name.text);
    TRY(codec_yaml_next(reader, err));
    TRY(codec_yaml_read_node(reader, depth + 1, &value, err));
    if (!name.merge) {
        json_object_set_nocheck(object, name.text, value);
        return 0;
    }
    *merged = json_object();
    return merge(reader, *merged, value, &name, err);
}

static int read_mapping(struct codec_yaml_reader *reader, unsigned depth, json_t **out,
                        struct err *err)
{
    CLEANUP_JSON json_t *object = json_object();
    CLEANUP_JSON json_t *merged = NULL;

    TRY(codec_yaml_check_depth(reader, depth, err));
    TRY(check_tag(reader, reader->event.data.mapping_start.tag, YAML_MAP_TAG, err));
    TRY(codec_yaml_charge(reader, 0, err));
    for (;;) {
        TRY(codec_yaml_next(reader, err));
        if (reader->event.type == YAML_MAPPING_END_EVENT)
            break;
        TRY(read_member(reader, depth, object, &merged, err));
    }
    if (merged != NULL)
        json_object_update_missing(object, merged);
    *out = json_incref(object);
    return 0;
}

/* -------------------------------------------------------------------- nodes */

static char *anchor_of(const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL;

    switch (event->type) {
    case YAML_SCALAR_EVENT: anchor = event->data.scalar.anchor; break;
    case YAML_SEQUENCE_START_EVENT: anchor = event->data.sequence_start.anchor; break;
    case YAML_MAPPING_START_EVENT: anchor = event->data.mapping_start.anchor; break;
    default: break;
    }
    return anchor == NULL ? NULL : mem_strdup((const char *)anchor);
}

int codec_yaml_read_node(struct codec_yaml_reader *reader, unsigned depth, json_t **out,
                         struct err *err)
{
    CLEANUP_FREE char *anchor = anchor_of(&reader->event);

    if (anchor != NULL)
        json_object_del(reader->anchors, anchor);
    switch (reader->event.type) {
    case YAML_ALIAS_EVENT: TRY(read_alias(reader, depth, out, err)); break;
    case YAML_SCALAR_EVENT: TRY(read_scalar(reader, out, err)); break;
    case YAML_SEQUENCE_START_EVENT: TRY(read_sequence(reader, depth, out, err)); break;
    case YAML_MAPPING_START_EVENT: TRY(read_mapping(reader, depth, out, err)); break;
    default: return codec_yaml_refuse_here(reader, err, "a value is missing");
    }
    if (anchor != NULL)
        json_object_set_nocheck(reader->anchors, anchor, *out);
    return 0;
}
