/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of RFC 7644 section 3.4.2.2: "or" binds least, then "and", then "not". */
#include "scim/filter.h"

#include "codec/json.h"

#include <strings.h>

struct parser {
    const struct scim_resource *resource;   /* NULL within brackets */
    const struct scim_attribute *attribute; /* whose sub-attributes are meant there */
    struct scim_cursor *cursor;
    struct arena *arena;
    unsigned depth;
    unsigned terms;
};

static int parse_or(struct parser *parser, const struct scim_filter **out, struct err *err);

static void skip_blanks(struct scim_cursor *cursor)
{
    while (cursor->p < cursor->end && *cursor->p == ' ')
        cursor->p++;
}

/* The word here, up to a blank, a bracket or the end; it is not taken. */
static struct span word_here(const struct scim_cursor *cursor)
{
    const char *p = cursor->p;

    while (p < cursor->end && *p != ' ' && *p != '(' && *p != ')' && *p != '[' && *p != ']')
        p++;
    return span_of(cursor->p, (size_t)(p - cursor->p));
}

static bool take_word(struct scim_cursor *cursor, const char *word)
{
    struct span here = word_here(cursor);

    if (here.len != strlen(word) || strncasecmp((const char *)here.p, word, here.len) != 0)
        return false;
    cursor->p += here.len;
    skip_blanks(cursor);
    return true;
}

static int node_new(struct parser *parser, enum filter_op op, struct scim_filter **out,
                    struct err *err)
{
    if (++parser->terms > SCIM_TERMS_MAX)
        return scim_cursor_fail(parser->cursor, err, "the filter has more than %d terms",
                                SCIM_TERMS_MAX);
    *out = arena_alloc(parser->arena, sizeof(**out));
    TRY(arena_check(parser->arena, "the filter", err));
    (*out)->op = op;
    return 0;
}

/* ------------------------------------------------------------------ what is compared with */

/* The literal's bytes: a string with its quotes, or a word. */
static int literal_here(struct scim_cursor *cursor, struct span *out, struct err *err)
{
    const char *p = cursor->p;

    if (p < cursor->end && *p == '"') {
        for (p++; p < cursor->end && *p != '"'; p++)
            p += *p == '\\' && p + 1 < cursor->end;
        if (p == cursor->end)
            return scim_cursor_fail(cursor, err, "the text does not end");
        *out = span_of(cursor->p, (size_t)(p + 1 - cursor->p));
    } else {
        *out = word_here(cursor);
    }
    return out->len > 0 ? 0 : scim_cursor_fail(cursor, err, "a value must follow the operator");
}

static int take_literal(struct parser *parser, struct scim_filter *filter, struct err *err)
{
    CLEANUP_JSON json_t *value = NULL;
    struct err why = ERR_INIT;
    struct span text;

    TRY(literal_here(parser->cursor, &text, err));
    if (codec_json_parse(text, "value", &value, &why) < 0 || json_is_object(value) ||
        json_is_array(value))
        return scim_cursor_fail(parser->cursor, err,
                                "a text in quotes, a number, true, false or null must be here");
    filter->kind = json_is_string(value)   ? FILTER_TEXT
                   : json_is_number(value) ? FILTER_NUMBER
                   : json_is_true(value)   ? FILTER_TRUE
                   : json_is_false(value)  ? FILTER_FALSE
                                           : FILTER_NULL;
    filter->number = json_number_value(value);
    if (filter->kind == FILTER_TEXT)
        filter->text = arena_strdup(parser->arena, json_string_value(value));
    parser->cursor->p += text.len;
    return arena_check(parser->arena, "the filter", err);
}

static bool fits(const struct scim_filter *filter)
{
    bool ordered = filter->op >= FILTER_GT;
    bool text_only = filter->op >= FILTER_CO && filter->op <= FILTER_EW;

    if (filter->kind == FILTER_NULL)
        return filter->op == FILTER_EQ || filter->op == FILTER_NE;
    switch (filter->leaf->type) {
    case SCIM_BOOLEAN:
        return !ordered && !text_only &&
               (filter->kind == FILTER_TRUE || filter->kind == FILTER_FALSE);
    case SCIM_INTEGER: return !text_only && filter->kind == FILTER_NUMBER;
    case SCIM_BINARY: return !ordered && filter->kind == FILTER_TEXT;
    case SCIM_COMPLEX: return false;
    default: return filter->kind == FILTER_TEXT;
    }
}

/* ------------------------------------------------------------------ terms */

static int take_path(struct parser *parser, struct scim_path *out, struct err *err)
{
    struct span name;

    if (parser->resource != NULL)
        return scim_path_parse_plain(parser->resource, parser->cursor, out, err);
    name = word_here(parser->cursor);
    *out = (struct scim_path){.attribute = scim_attribute_find(parser->attribute->sub, name)};
    if (out->attribute == NULL)
        return scim_cursor_fail(parser->cursor, err, "%s has no sub-attribute \"%.*s\"",
                                parser->attribute->name, name.len > 64 ? 64 : (int)name.len,
                                (const char *)name.p);
    parser->cursor->p += name.len;
    return 0;
}

static int parse_element(struct parser *parser, struct scim_path *path,
                         const struct scim_filter **out, struct err *err)
{
    struct scim_filter *node = NULL;

    if (path->attribute == NULL || !path->attribute->many || path->sub != NULL ||
        path->attribute->sub == NULL)
        return scim_cursor_fail(parser->cursor, err,
                                "only an attribute with many values takes a filter");
    TRY(node_new(parser, FILTER_ELEMENT, &node, err));
    node->path = *path;
    parser->cursor->p++;
    TRY(scim_filter_parse_inner(path->attribute, parser->cursor, parser->arena, &node->left, err));
    if (parser->cursor->p == parser->cursor->end)
        return scim_cursor_fail(parser->cursor, err, "\"]\" is missing");
    parser->cursor->p++;
    *out = node;
    return 0;
}

static int take_operator(struct scim_cursor *cursor, enum filter_op *out, struct err *err)
{
    static const struct {
        const char *word;
        enum filter_op op;
    } operators[] = {{"pr", FILTER_PR}, {"eq", FILTER_EQ}, {"ne", FILTER_NE}, {"co", FILTER_CO},
                     {"sw", FILTER_SW}, {"ew", FILTER_EW}, {"gt", FILTER_GT}, {"ge", FILTER_GE},
                     {"lt", FILTER_LT}, {"le", FILTER_LE}};

    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        if (!take_word(cursor, operators[i].word))
            continue;
        *out = operators[i].op;
        return 0;
    }
    return scim_cursor_fail(cursor, err,
                            "one of pr, eq, ne, co, sw, ew, gt, ge, lt, le must be here");
}

static const struct scim_attribute *leaf_of(const struct scim_path *path)
{
    const struct scim_attribute *attribute = path->sub != NULL ? path->sub : path->attribute;

    return attribute->type == SCIM_COMPLEX && scim_default_sub(attribute) != NULL
               ? scim_default_sub(attribute)
               : attribute;
}

static int parse_comparison(struct parser *parser, const struct scim_filter **out, struct err *err)
{
    struct scim_cursor *cursor = parser->cursor;
    struct scim_filter *node = NULL;
    struct scim_path path;

    TRY(take_path(parser, &path, err));
    if (cursor->p < cursor->end && *cursor->p == '[')
        return parse_element(parser, &path, out, err);
    if (path.attribute == NULL || cursor->p == cursor->end || *cursor->p != ' ')
        return scim_cursor_fail(cursor, err, "a blank and an operator must follow the attribute");
    skip_blanks(cursor);
    TRY(node_new(parser, FILTER_PR, &node, err));
    TRY(take_operator(cursor, &node->op, err));
    node->path = path;
    node->leaf = leaf_of(&path);
    *out = node;
    if (node->op == FILTER_PR)
        return 0;
    const char *value = cursor->p;
    TRY(take_literal(parser, node, err));
    if (fits(node))
        return 0;
    cursor->p = value;
    return scim_cursor_fail(cursor, err, "%s cannot be compared in this way with this value",
                            node->leaf->name);
}

static int parse_group(struct parser *parser, const struct scim_filter **out, struct err *err)
{
    struct scim_cursor *cursor = parser->cursor;

    if (++parser->depth > SCIM_DEPTH_MAX)
        return scim_cursor_fail(cursor, err, "brackets are nested deeper than %d", SCIM_DEPTH_MAX);
    cursor->p++;
    TRY(parse_or(parser, out, err));
    if (cursor->p == cursor->end || *cursor->p != ')')
        return scim_cursor_fail(cursor, err, "\")\" is missing");
    cursor->p++;
    parser->depth--;
    return 0;
}

static int parse_term(struct parser *parser, const struct scim_filter **out, struct err *err)
{
    struct scim_cursor *cursor = parser->cursor;
    const char *before = cursor->p;
    struct scim_filter *node = NULL;

    skip_blanks(cursor);
    if (cursor->p < cursor->end && *cursor->p == '(')
        return parse_group(parser, out, err);
    if (!take_word(cursor, "not"))
        return parse_comparison(parser, out, err);
    if (cursor->p == cursor->end || *cursor->p != '(') {
        cursor->p = before;
        return scim_cursor_fail(cursor, err, "\"(\" must follow \"not\"");
    }
    TRY(node_new(parser, FILTER_NOT, &node, err));
    *out = node;
    return parse_group(parser, &node->left, err);
}

static int join(struct parser *parser, enum filter_op op, const struct scim_filter **tree,
                const struct scim_filter *right, struct err *err)
{
    struct scim_filter *node = NULL;

    TRY(node_new(parser, op, &node, err));
    node->left = *tree;
    node->right = right;
    *tree = node;
    return 0;
}

static int parse_and(struct parser *parser, const struct scim_filter **out, struct err *err)
{
    const struct scim_filter *right;

    TRY(parse_term(parser, out, err));
    for (;;) {
        skip_blanks(parser->cursor);
        if (!take_word(parser->cursor, "and"))
            return 0;
        TRY(parse_term(parser, &right, err));
        TRY(join(parser, FILTER_AND, out, right, err));
    }
}

static int parse_or(struct parser *parser, const struct scim_filter **out, struct err *err)
{
    const struct scim_filter *right;

    TRY(parse_and(parser, out, err));
    while (take_word(parser->cursor, "or")) {
        TRY(parse_and(parser, &right, err));
        TRY(join(parser, FILTER_OR, out, right, err));
    }
    return 0;
}

int scim_filter_parse_inner(const struct scim_attribute *attribute, struct scim_cursor *cursor,
                            struct arena *arena, const struct scim_filter **out, struct err *err)
{
    struct parser parser = {.attribute = attribute, .cursor = cursor, .arena = arena};

    return parse_or(&parser, out, err);
}

int scim_filter_parse(const struct scim_resource *resource, struct span text, struct arena *arena,
                      const struct scim_filter **out, struct err *err)
{
    const char *p = (const char *)text.p;
    struct scim_cursor cursor = {.all = p, .p = p, .end = p + text.len};
    struct parser parser = {.resource = resource, .cursor = &cursor, .arena = arena};

    if (text.len > SCIM_FILTER_MAX)
        return err_set(err, ERR_INVALID, "the filter is longer than %d bytes", SCIM_FILTER_MAX);
    TRY(parse_or(&parser, out, err));
    if (cursor.p < cursor.end)
        return scim_cursor_fail(&cursor, err, "\"and\", \"or\" or the end must be here");
    return 0;
}
