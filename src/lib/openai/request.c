/* SPDX-License-Identifier: Apache-2.0 */
#include "openai/walk.h"

#include <inttypes.h>
#include <string.h>

static bool value(struct walk *walk, const struct schema *schema, uint8_t *out_type);

/* ------------------------------------------------------------------ single values */

static bool one_word(struct walk *walk, const struct schema *schema,
                     const struct scan_string *string)
{
    char decoded[NAME_MAX_LEN];
    struct span text = string->raw;

    if (string->escaped && scan_string_copy(string, decoded, sizeof(decoded)))
        text = span_str(decoded);
    for (const struct schema_word *word = schema->words; word->word != NULL; word++) {
        if (word->len != text.len || memcmp(word->word, text.p, text.len) != 0)
            continue;
        walk->word = word;
        if (schema->keep == KEEP_ROLE)
            walk->role = word->value;
        return true;
    }
    return walk_no_word(walk, schema);
}

static bool model_name(struct walk *walk, const struct scan_string *string)
{
    char *model = walk->out->model;

    if (!scan_string_copy(string, model, sizeof(walk->out->model)))
        return walk_fault(walk, WALK_HERE, "string_above_max_length", "is longer than %d bytes",
                          OPENAI_MODEL_MAX);
    for (const char *p = model; *p != '\0'; p++)
        if ((uint8_t)*p < 0x20 || *p == 0x7F)
            return walk_fault(walk, WALK_HERE, "invalid_value", "must not have control characters");
    return true;
}

static bool string_value(struct walk *walk, const struct schema *schema)
{
    struct scan_string string;

    if (!scan_string(&walk->scan, &string))
        return walk_no_json(walk);
    if (string.raw.len < schema->min_len)
        return walk_fault(walk, WALK_HERE, "empty_string", "must not be empty");
    if (schema->max_len > 0 && string.raw.len > schema->max_len)
        return walk_fault(walk, WALK_HERE, "string_above_max_length",
                          "is longer than %" PRIu32 " bytes", schema->max_len);
    if ((schema->flags & PROMPT) != 0)
        walk->out->prompt_bytes += string.raw.len;
    if (schema->keep == KEEP_MODEL)
        return model_name(walk, &string);
    return schema->words != NULL ? one_word(walk, schema, &string)
                                 : walk_text(walk, schema, &string);
}

static bool number_value(struct walk *walk, const struct schema *schema, uint8_t *out_type)
{
    struct scan_number number;

    if (!scan_number(&walk->scan, &number))
        return walk_no_json(walk);
    *out_type = number.whole ? IS_INT : IS_NUM;
    bool welcome = (schema->types & IS_NUM) != 0 || (number.whole && (schema->types & IS_INT) != 0);
    if (!welcome)
        return walk_wrong_type(walk, schema);
    double got = number.value;
    bool bounded = schema->min < schema->max;
    if (bounded && got < schema->min)
        return walk_fault(walk, WALK_HERE, "number_below_min_value", "must be at least %g",
                          schema->min);
    if (bounded && got > schema->max)
        return walk_fault(walk, WALK_HERE, "number_above_max_value", "must be at most %g",
                          schema->max);
    if (number.whole)
        walk_keep_whole(walk, (enum schema_keep)schema->keep, number.integer);
    if ((schema->flags & PROMPT) != 0)
        walk->out->prompt_ids++;
    return true;
}

/* ------------------------------------------------------------------ arrays */

static bool count_fits(struct walk *walk, const struct schema *schema, size_t count)
{
    if (count < schema->min_items)
        return walk_fault(walk, WALK_HERE, "empty_array", "must not be empty");
    if (schema->max_items > 0 && count > schema->max_items)
        return walk_fault(walk, WALK_HERE, "array_above_max_length",
                          "has more than %" PRIu32 " items", schema->max_items);
    return true;
}

static bool next_is(struct walk *walk, char byte)
{
    scan_space(&walk->scan);
    if (walk->scan.p == walk->scan.end || *walk->scan.p != (uint8_t)byte)
        return false;
    walk->scan.p++;
    return true;
}

static bool enter(struct walk *walk)
{
    if (walk->depth < OPENAI_DEPTH_MAX)
        return true;
    scan_fail(&walk->scan, "the nesting is too deep");
    return walk_no_json(walk);
}

static bool element(struct walk *walk, const struct schema *schema, uint8_t *first_type)
{
    uint8_t type = 0;

    if (!value(walk, schema->each, &type))
        return false;
    if (*first_type == 0)
        *first_type = type;
    if ((schema->flags & UNIFORM) != 0 && type != *first_type)
        return walk_fault(walk, WALK_HERE, "invalid_type",
                          "must have the type of the items before it");
    return true;
}

/* A message's role may come behind its content. */
static bool message(struct walk *walk, const struct schema *schema, uint32_t index,
                    uint8_t *first_type)
{
    size_t from = walk->texts != NULL ? walk->texts->count : 0;

    walk->role = OPENAI_NO_ROLE;
    walk->index = index;
    bool good = element(walk, schema, first_type);
    walk_texts_role(walk, from);
    walk->role = OPENAI_NO_ROLE;
    walk->index = 0;
    return good;
}

static bool array_value(struct walk *walk, const struct schema *schema)
{
    uint8_t first_type = 0;
    uint32_t count = 0;

    if (!enter(walk))
        return false;
    struct step *step = &walk->path[walk->depth++];
    step->name = WALK_HERE;
    walk->scan.p++;
    if (!next_is(walk, ']')) {
        do {
            step->index = count++;
            if (!(schema->keep == KEEP_MESSAGES ? message(walk, schema, step->index, &first_type)
                                                : element(walk, schema, &first_type)))
                return false;
        } while (next_is(walk, ','));
        if (!scan_byte(&walk->scan, ']', "a comma or ] must come here"))
            return walk_no_json(walk);
    }
    walk->depth--;
    if (schema->keep == KEEP_MESSAGES)
        /* An array of token ids is one prompt. */
        walk->out->messages = first_type == IS_INT ? 1 : count;
    return count_fits(walk, schema, count);
}

/* ------------------------------------------------------------------ objects */

struct object {
    const struct schema *schema;
    uint64_t seen;    /* bit number = place among the schema's members */
    uint64_t present; /* seen and not null */
    const struct schema_word *word;
    uint32_t count;
};

static const struct schema_member *find(const struct schema *schema, struct span name, size_t *out)
{
    if (schema->members == NULL)
        return NULL;
    for (const struct schema_member *m = schema->members; m->name != NULL; m++) {
        if (m->len != name.len || memcmp(m->name, name.p, name.len) != 0)
            continue;
        *out = (size_t)(m - schema->members);
        return m;
    }
    return NULL;
}

static bool same_name(struct span raw, struct span other)
{
    struct scan_string a = {.raw = raw};
    struct scan_string b = {.raw = other};
    char x[NAME_MAX_LEN * 4];
    char y[NAME_MAX_LEN * 4];

    if (memchr(raw.p, '\\', raw.len) == NULL && memchr(other.p, '\\', other.len) == NULL)
        return span_eq(raw, other);
    return scan_string_copy(&a, x, sizeof(x)) && scan_string_copy(&b, y, sizeof(y)) &&
           strcmp(x, y) == 0;
}

static bool unknown(struct walk *walk, const struct object *object, struct span raw)
{
    if ((object->schema->flags & CLOSED) == 0)
        return true;
    if ((walk->flags & OPENAI_REFUSE_UNKNOWN) != 0 || (object->schema->flags & SEALED) != 0)
        return walk_fault(walk, raw, "unknown_parameter", "is not a parameter of this request");
    for (size_t i = 0; i < walk->name_count; i++)
        if (same_name(raw, walk->names[i]))
            return walk_fault(walk, raw, "duplicate_parameter", "is there twice");
    if (raw.len > NAME_MAX_LEN * 3 || walk->name_count == OPENAI_TOP_MAX)
        return walk_fault(walk, WALK_HERE, "too_many_parameters",
                          "has more or longer parameters than are allowed");
    walk->names[walk->name_count++] = raw;
    return true;
}

static bool known(struct walk *walk, struct object *object, const struct schema_member *member,
                  size_t place)
{
    uint64_t bit = UINT64_C(1) << place;
    uint8_t type = 0;

    if ((object->seen & bit) != 0)
        return walk_fault(walk, WALK_HERE, "duplicate_parameter", "is there twice");
    object->seen |= bit;
    if (!value(walk, member->value, &type))
        return false;
    if (type != IS_NULL)
        object->present |= bit;
    if (place == 0 && member->value != NULL && member->value->words != NULL)
        object->word = type == IS_STR ? walk->word : NULL;
    return true;
}

static bool member(struct walk *walk, struct object *object)
{
    struct scan_string name;
    struct span raw;
    char decoded[NAME_MAX_LEN];
    size_t place = 0;
    uint8_t type;

    scan_space(&walk->scan);
    if (!scan_string(&walk->scan, &name))
        return walk_no_json(walk);
    raw = name.raw;
    if (name.escaped && scan_string_copy(&name, decoded, sizeof(decoded)))
        raw = span_str(decoded);
    const struct schema_member *found = find(object->schema, raw, &place);
    if (found == NULL && !unknown(walk, object, name.raw))
        return false;
    scan_space(&walk->scan);
    if (!scan_byte(&walk->scan, ':', "a colon must come here"))
        return walk_no_json(walk);
    object->count++;
    struct step *step = &walk->path[walk->depth++];
    /* A decoded name does not outlive this call; the schema's own text does. */
    step->name = found != NULL ? span_of(found->name, found->len) : name.raw;
    bool good = found != NULL ? known(walk, object, found, place)
                              : value(walk, object->schema->each, &type);
    walk->depth -= good;
    return good;
}

static bool complete(struct walk *walk, const struct object *object)
{
    const struct schema_member *members = object->schema->members;
    size_t place = 0;

    for (size_t i = 0; members != NULL && members[i].name != NULL; i++)
        if (members[i].required && (object->present & UINT64_C(1) << i) == 0)
            return walk_fault(walk, span_str(members[i].name), "missing_required_parameter",
                              "is missing");
    for (size_t i = 0; object->word != NULL && i < SCHEMA_NEEDS_MAX; i++) {
        const char *need = object->word->needs[i];
        if (need != NULL && find(object->schema, span_str(need), &place) != NULL &&
            (object->present & UINT64_C(1) << place) == 0)
            return walk_fault(walk, span_str(need), "missing_required_parameter",
                              "is missing; %s \"%s\" needs it", members[0].name,
                              object->word->word);
    }
    return count_fits(walk, object->schema, object->count);
}

static bool object_value(struct walk *walk, const struct schema *schema)
{
    struct object object = {.schema = schema};

    if (!enter(walk))
        return false;
    walk->scan.p++;
    scan_space(&walk->scan);
    if (walk->depth == 0)
        walk->out->top_at = (size_t)(walk->scan.p - walk->scan.start);
    if (!next_is(walk, '}')) {
        do {
            if (!member(walk, &object))
                return false;
        } while (next_is(walk, ','));
        if (!scan_byte(&walk->scan, '}', "a comma or } must come here"))
            return walk_no_json(walk);
    }
    return complete(walk, &object);
}

/* ------------------------------------------------------------------ any value */

/* The first byte tells the type; a number's is refined when it has been read. */
static uint8_t type_at(const struct scan *scan)
{
    if (scan->p == scan->end)
        return 0;
    switch (*scan->p) {
    case '{': return IS_OBJ;
    case '[': return IS_ARR;
    case '"': return IS_STR;
    case 't':
    case 'f': return IS_BOOL;
    case 'n': return IS_NULL;
    default: return IS_INT | IS_NUM;
    }
}

static bool anything(struct walk *walk, const struct schema *schema)
{
    const uint8_t *from = walk->scan.p;
    uint8_t outside = walk->inside;
    uint8_t type;

    walk->inside = schema != NULL && (schema->flags & PROMPT) != 0 ? OPENAI_PROSE : OPENAI_OTHER;
    bool good = value(walk, &schema_anything, &type);
    walk->inside = outside;
    if (!good)
        return false;
    if (schema != NULL && (schema->flags & PROMPT) != 0)
        walk->out->prompt_bytes += (size_t)(walk->scan.p - from);
    return true;
}

static bool typed(struct walk *walk, const struct schema *schema, uint8_t *type)
{
    switch (*type) {
    case IS_OBJ:
        return schema->members != NULL || schema->each != NULL ? object_value(walk, schema)
                                                               : anything(walk, schema);
    case IS_ARR: return array_value(walk, schema);
    case IS_STR: return string_value(walk, schema);
    case IS_BOOL:
    case IS_NULL: return scan_word(&walk->scan) ? true : walk_no_json(walk);
    default: return number_value(walk, schema, type);
    }
}

static bool value(struct walk *walk, const struct schema *schema, uint8_t *out_type)
{
    scan_space(&walk->scan);
    *out_type = type_at(&walk->scan);
    if (*out_type == 0) {
        scan_fail(&walk->scan, "the text ends too early");
        return walk_no_json(walk);
    }
    if (schema == NULL)
        return anything(walk, NULL);
    if ((*out_type & schema->types) == 0) {
        /* A value of the wrong type may also be no JSON at all; that comes first. */
        struct scan ahead = walk->scan;
        if (scan_value(&ahead, walk->depth))
            return walk_wrong_type(walk, schema);
        walk->scan = ahead;
        return walk_no_json(walk);
    }
    const uint8_t *from = walk->scan.p;
    if (!typed(walk, schema, out_type))
        return false;
    if (schema->keep != KEEP_NOTHING)
        walk_keep_value(walk, (enum schema_keep)schema->keep, from);
    return true;
}

static bool options_fit(struct walk *walk)
{
    const struct openai_request *out = walk->out;

    if (out->options_value.len == 0 || out->options_value.p[0] == 'n' || out->stream)
        return true;
    return walk_fault(walk, span_str("stream_options"), "invalid_value",
                      "is only allowed with \"stream\": true");
}

int openai_request_scan(enum openai_api api, struct span body, unsigned flags,
                        struct openai_texts *texts, struct openai_request *out,
                        struct openai_fault *fault, struct err *err)
{
    UNINITIALIZED struct walk walk;
    uint8_t type;

    memset(out, 0, sizeof(*out));
    out->body = body;
    out->n = 1;
    fault->code = NULL;
    walk.scan = (struct scan){.start = body.p, .p = body.p, .end = body.p + body.len};
    walk.flags = flags;
    walk.out = out;
    walk.fault = fault;
    walk.texts = texts;
    walk.inside = OPENAI_OTHER;
    walk.role = OPENAI_NO_ROLE;
    walk.index = 0;
    if (texts != NULL)
        texts->count = 0;
    walk.depth = 0;
    walk.word = NULL;
    walk.name_count = 0;
    if (value(&walk, schema_of(api), &type) && options_fit(&walk)) {
        if (scan_end(&walk.scan))
            return 0;
        walk_no_json(&walk);
    }
    return err_set(err, ERR_INVALID, "%s", fault->msg);
}
