/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/selector.h"

#include "base/num.h"

enum match { IN, NOT_IN, EXISTS, ABSENT, ABOVE, BELOW };

struct term {
    struct term *next;
    const char *key;
    enum match match;
    const char **values;
    size_t count;
};

struct kube_selector {
    struct term *terms;
};

struct parser {
    const char *p;
    const char *all;
    struct arena *arena;
    struct err *err;
};

static int fail(struct parser *parser, const char *what)
{
    return err_set(parser->err, ERR_INVALID,
                   "unable to parse requirement: %s at column %zu of %.64s", what,
                   (size_t)(parser->p - parser->all) + 1, parser->all);
}

static void skip_blanks(struct parser *parser)
{
    while (*parser->p == ' ' || *parser->p == '\t')
        parser->p++;
}

static const char *word(struct parser *parser)
{
    skip_blanks(parser);
    size_t len = strcspn(parser->p, " \t,=!()<>");
    const char *text = arena_copy(parser->arena, span_of(parser->p, len));
    parser->p += len;
    skip_blanks(parser);
    return text != NULL ? text : "";
}

static bool take(struct parser *parser, const char *text)
{
    if (strncmp(parser->p, text, strlen(text)) != 0)
        return false;
    parser->p += strlen(text);
    return true;
}

static int add_value(struct parser *parser, struct term *term, const char *value)
{
    const char *fault = kube_format_check(KUBE_LABEL_VALUE, value);

    if (fault != NULL)
        return err_set(parser->err, ERR_INVALID, "values[%zu]: Invalid value: \"%.64s\": %s",
                       term->count, value, fault);
    term->values[term->count++] = value;
    return 0;
}

static int parse_set(struct parser *parser, struct term *term)
{
    if (!take(parser, "("))
        return fail(parser, "'(' expected");
    size_t room = 1;
    for (const char *p = parser->p; *p != '\0' && *p != ')'; p++)
        room += *p == ',';
    term->values = arena_alloc_array(parser->arena, room, sizeof(*term->values));
    TRY(arena_check(parser->arena, "the selector", parser->err));
    for (;;) {
        TRY(add_value(parser, term, word(parser)));
        if (take(parser, ")"))
            break;
        if (!take(parser, ","))
            return fail(parser, "',' or ')' expected");
    }
    skip_blanks(parser);
    return 0;
}

static int parse_number(struct parser *parser, const struct term *term)
{
    uint64_t number;

    if (num_parse_u64(span_str(term->values[0]), 0, INT64_MAX, "value", &number, parser->err) < 0)
        return fail(parser, "a number expected");
    return 0;
}

static int parse_operator(struct parser *parser, struct term *term)
{
    bool number = false;

    if (take(parser, "==") || take(parser, "=")) {
        term->match = IN;
    } else if (take(parser, "!=")) {
        term->match = NOT_IN;
    } else if (*parser->p == '>' || *parser->p == '<') {
        term->match = *parser->p++ == '>' ? ABOVE : BELOW;
        number = true;
    } else {
        const char *name = word(parser);
        bool in = strcmp(name, "in") == 0;
        if (!in && strcmp(name, "notin") != 0)
            return fail(parser, "=, !=, in or notin expected");
        term->match = in ? IN : NOT_IN;
        return parse_set(parser, term);
    }
    term->values = arena_alloc_array(parser->arena, 1, sizeof(*term->values));
    TRY(arena_check(parser->arena, "the selector", parser->err));
    TRY(add_value(parser, term, word(parser)));
    return number ? parse_number(parser, term) : 0;
}

static int parse_term(struct parser *parser, struct term *term)
{
    skip_blanks(parser);
    term->match = take(parser, "!") ? ABSENT : EXISTS;
    term->key = word(parser);
    const char *fault = kube_format_check(KUBE_LABEL_KEY, term->key);
    if (fault != NULL)
        return err_set(parser->err, ERR_INVALID, "key: Invalid value: \"%.64s\": name part %s",
                       term->key, fault);
    if (*parser->p == ',' || *parser->p == '\0')
        return 0;
    if (term->match == ABSENT)
        return fail(parser, "',' or the end expected");
    return parse_operator(parser, term);
}

static int check_len(const char *text, struct err *err)
{
    if (strlen(text) > KUBE_SELECTOR_MAX)
        return err_set(err, ERR_TOO_LARGE, "a selector is longer than %d bytes", KUBE_SELECTOR_MAX);
    return 0;
}

static struct kube_selector *new_selector(struct arena *arena, struct err *err)
{
    struct kube_selector *selector = arena_alloc(arena, sizeof(*selector));

    return arena_check(arena, "the selector", err) < 0 ? NULL : selector;
}

static struct term *add_term(struct kube_selector *selector, struct arena *arena, struct err *err)
{
    struct term *term = arena_alloc(arena, sizeof(*term));

    if (arena_check(arena, "the selector", err) < 0)
        return NULL;
    term->next = selector->terms;
    selector->terms = term;
    return term;
}

int kube_selector_labels(const char *text, struct arena *arena, struct kube_selector **out,
                         struct err *err)
{
    struct parser parser = {.p = text, .all = text, .arena = arena, .err = err};

    *out = NULL;
    TRY(check_len(text, err));
    skip_blanks(&parser);
    if (*parser.p == '\0')
        return 0;
    *out = new_selector(arena, err);
    if (*out == NULL)
        return -1;
    for (;;) {
        struct term *term = add_term(*out, arena, err);
        if (term == NULL)
            return -1;
        TRY(parse_term(&parser, term));
        if (*parser.p == '\0')
            return arena_check(arena, "the selector", err);
        if (!take(&parser, ","))
            return fail(&parser, "',' or the end expected");
    }
}

static bool selectable(const struct kube_kind *kind, const char *path)
{
    if (strcmp(path, "metadata.name") == 0 || strcmp(path, "metadata.namespace") == 0)
        return true;
    for (size_t i = 0; kind->selectable != NULL && kind->selectable[i] != NULL; i++)
        if (strcmp(kind->selectable[i], path) == 0)
            return true;
    return false;
}

/* Values may have ',' '=' and '\' behind a '\'. */
static const char *field_value(struct parser *parser)
{
    size_t len = 0, room = strlen(parser->p) + 1;
    char *text = arena_alloc(parser->arena, room);

    if (text == NULL)
        return "";
    while (*parser->p != '\0' && *parser->p != ',') {
        if (*parser->p == '\\' && parser->p[1] != '\0')
            parser->p++;
        text[len++] = *parser->p++;
    }
    return text;
}

static int parse_field(struct parser *parser, const struct kube_kind *kind, struct term *term)
{
    size_t len = strcspn(parser->p, "=!,");

    term->key = arena_copy(parser->arena, span_of(parser->p, len));
    term->values = arena_alloc_array(parser->arena, 1, sizeof(*term->values));
    TRY(arena_check(parser->arena, "the selector", parser->err));
    parser->p += len;
    term->match = take(parser, "!=") ? NOT_IN : IN;
    if (term->match == IN && !take(parser, "==") && !take(parser, "="))
        return err_set(parser->err, ERR_INVALID,
                       "invalid selector: \"%.64s\"; can't understand \"%.64s\"", parser->all,
                       term->key);
    if (!selectable(kind, term->key))
        return err_set(parser->err, ERR_INVALID, "field label not supported: %.64s", term->key);
    term->values[term->count++] = field_value(parser);
    return arena_check(parser->arena, "the selector", parser->err);
}

int kube_selector_fields(const char *text, const struct kube_kind *kind, struct arena *arena,
                         struct kube_selector **out, struct err *err)
{
    struct parser parser = {.p = text, .all = text, .arena = arena, .err = err};

    *out = NULL;
    TRY(check_len(text, err));
    while (*parser.p != '\0') {
        if (take(&parser, ",")) /* empty terms are allowed */
            continue;
        if (*out == NULL && (*out = new_selector(arena, err)) == NULL)
            return -1;
        struct term *term = add_term(*out, arena, err);
        if (term == NULL)
            return -1;
        TRY(parse_field(&parser, kind, term));
    }
    return 0;
}

static bool has_value(const struct term *term, const char *text)
{
    for (size_t i = 0; i < term->count; i++)
        if (strcmp(term->values[i], text) == 0)
            return true;
    return false;
}

static bool compares(const struct term *term, const char *text)
{
    struct err err = ERR_INIT;
    uint64_t have, want;

    if (num_parse_u64(span_str(text), 0, INT64_MAX, "label", &have, &err) < 0 ||
        num_parse_u64(span_str(term->values[0]), 0, INT64_MAX, "value", &want, &err) < 0)
        return false;
    return term->match == ABOVE ? have > want : have < want;
}

/* text is NULL when there is no such label. */
static bool term_matches(const struct term *term, const char *text)
{
    switch (term->match) {
    case IN: return text != NULL && has_value(term, text);
    case NOT_IN: return text == NULL || !has_value(term, text);
    case EXISTS: return text != NULL;
    case ABSENT: return text == NULL;
    case ABOVE:
    case BELOW: return text != NULL && compares(term, text);
    }
    return false;
}

bool kube_selector_matches_labels(const struct kube_selector *selector, const json_t *object)
{
    const json_t *labels = json_object_get(json_object_get(object, "metadata"), "labels");

    for (const struct term *term = selector != NULL ? selector->terms : NULL; term != NULL;
         term = term->next)
        if (!term_matches(term, json_string_value(json_object_get(labels, term->key))))
            return false;
    return true;
}

const json_t *kube_at_path(const json_t *object, const char *path)
{
    while (object != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");
        object = json_object_getn(object, path, len);
        path += len + (path[len] == '.');
    }
    return object;
}

/* A field that is not there is the empty text, or false. */
static const char *field_text(const json_t *value)
{
    if (json_is_string(value))
        return json_string_value(value);
    return json_is_true(value) ? "true" : json_is_false(value) ? "false" : "";
}

bool kube_selector_matches_fields(const struct kube_selector *selector, const json_t *object)
{
    for (const struct term *term = selector != NULL ? selector->terms : NULL; term != NULL;
         term = term->next)
        if (!term_matches(term, field_text(kube_at_path(object, term->key))))
            return false;
    return true;
}

const char *kube_selector_demands(const struct kube_selector *selector, const char *field)
{
    for (const struct term *term = selector != NULL ? selector->terms : NULL; term != NULL;
         term = term->next)
        if (term->match == IN && term->count == 1 && strcmp(term->key, field) == 0)
            return term->values[0];
    return NULL;
}
