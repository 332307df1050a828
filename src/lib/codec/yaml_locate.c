/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/yaml_internal.h"

/* Values keep no places; they are looked for again in the text when an error needs one. */
struct locator {
    yaml_parser_t parser;
    yaml_event_t event;
    bool found;
    yaml_mark_t mark;
};

static void locator_close(struct locator *locator)
{
    yaml_event_delete(&locator->event);
    yaml_parser_delete(&locator->parser);
}

static bool step(struct locator *locator)
{
    yaml_event_delete(&locator->event);
    return yaml_parser_parse(&locator->parser, &locator->event) != 0;
}

/* What remains of the path behind this name: "" when it ends here, NULL when it leads elsewhere. */
static const char *behind(const char *path, const char *name)
{
    size_t len = strlen(name);

    if (path == NULL || strncmp(path, name, len) != 0)
        return NULL;
    if (path[len] == '\0')
        return path + len;
    return path[len] == '.' && path[len + 1] != '\0' ? path + len + 1 : NULL;
}

static bool is_found(struct locator *locator, const char *rest)
{
    if (rest == NULL || *rest != '\0')
        return false;
    locator->found = true;
    locator->mark = locator->event.start_mark;
    return true;
}

static bool search(struct locator *locator, const char *path, unsigned depth);

static bool search_sequence(struct locator *locator, const char *path, unsigned depth)
{
    char place[24];

    for (size_t i = 0; step(locator) && locator->event.type != YAML_SEQUENCE_END_EVENT; i++) {
        snprintf(place, sizeof(place), "%zu", i);
        const char *rest = behind(path, place);
        if (is_found(locator, rest) || !search(locator, rest, depth + 1))
            return false;
    }
    return locator->event.type == YAML_SEQUENCE_END_EVENT;
}

static bool search_mapping(struct locator *locator, const char *path, unsigned depth)
{
    while (step(locator) && locator->event.type != YAML_MAPPING_END_EVENT) {
        const char *rest = NULL;
        if (locator->event.type == YAML_SCALAR_EVENT)
            rest = behind(path, (const char *)locator->event.data.scalar.value);
        if (is_found(locator, rest) || !search(locator, NULL, depth + 1) || !step(locator) ||
            !search(locator, rest, depth + 1))
            return false;
    }
    return locator->event.type == YAML_MAPPING_END_EVENT;
}

/* Goes over the node whose first event is the current one. False when there is nothing more to look
 * for: found, or the text is broken. Without a path it only skips. */
static bool search(struct locator *locator, const char *path, unsigned depth)
{
    if (depth > CODEC_DEPTH_MAX)
        return false;
    switch (locator->event.type) {
    case YAML_SEQUENCE_START_EVENT: return search_sequence(locator, path, depth);
    case YAML_MAPPING_START_EVENT: return search_mapping(locator, path, depth);
    case YAML_ALIAS_EVENT:
    case YAML_SCALAR_EVENT: return true;
    default: return false;
    }
}

/* Stops at the first event of the document's node. */
static bool to_document(struct locator *locator, size_t document)
{
    while (step(locator) && locator->event.type != YAML_STREAM_END_EVENT)
        if (locator->event.type == YAML_DOCUMENT_START_EVENT && step(locator) &&
            !codec_yaml_is_empty(&locator->event) && document-- == 0)
            return true;
    return false;
}

bool codec_yaml_locate(struct span text, size_t document, const char *path, size_t *out_line,
                       size_t *out_column)
{
    CLEANUP(locator_close) struct locator locator = {.found = false};

    INVARIANT(yaml_parser_initialize(&locator.parser));
    yaml_parser_set_encoding(&locator.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&locator.parser, text.len > 0 ? text.p : (const uint8_t *)"",
                                 text.len);
    if (!to_document(&locator, document))
        return false;
    (void)search(&locator, path, 0);
    if (!locator.found)
        return false;
    *out_line = locator.mark.line + 1;
    *out_column = locator.mark.column + 1;
    return true;
}
