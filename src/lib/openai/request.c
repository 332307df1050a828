/* SPDX-License-Identifier: Apache-2.0 */
#include "openai/walk.h"

#include <inttypes.h>
#include <string.h>

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
    const uint8_t *from = walk->scan.p;

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
    if (schema->keep != KEEP_NOTHING)
        walk_keep_number(walk, (enum schema_keep)schema->keep, &number);
    if ((schema->flags & PROMPT) == 0)
        return true;
    if (walk->out->prompt_ids++ == 0)
        walk->out->ids_value = span_of(from, 0);
    walk->out->ids_value.len = (size_t)(walk->scan.p - walk->out->ids_value.p);
    return true;
}

/* ------------------------------------------------------------------ arrays */

bool walk_count_fits(struct walk *walk, const struct schema *schema, size_t count)
{
    if (count < schema->min_items)
        return walk_fault(walk, WALK_HERE, "empty_array", "must not be empty");
    if (schema->max_items > 0 && count > schema->max_items)
        return walk_fault(walk, WALK_HERE, "array_above_max_length",
                          "has more than %" PRIu32 " items", schema->max_items);
    return true;
}

bool walk_next_is(struct walk *walk, char byte)
{
    scan_space(&walk->scan);
    if (walk->scan.p == walk->scan.end || *walk->scan.p != (uint8_t)byte)
        return false;
    walk->scan.p++;
    return true;
}

bool walk_enter(struct walk *walk)
{
    if (walk->depth < OPENAI_DEPTH_MAX)
        return true;
    scan_fail(&walk->scan, "the nesting is too deep");
    return walk_no_json(walk);
}

static bool element(struct walk *walk, const struct schema *schema, uint8_t *first_type)
{
    uint8_t type = 0;

    if (!walk_any(walk, schema->each, &type))
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

    if (!walk_enter(walk))
        return false;
    struct step *step = &walk->path[walk->depth++];
    step->name = WALK_HERE;
    walk->scan.p++;
    if (!walk_next_is(walk, ']')) {
        do {
            step->index = count++;
            if (!(schema->keep == KEEP_MESSAGES ? message(walk, schema, step->index, &first_type)
                                                : element(walk, schema, &first_type)))
                return false;
        } while (walk_next_is(walk, ','));
        if (!scan_byte(&walk->scan, ']', "a comma or ] must come here"))
            return walk_no_json(walk);
    }
    walk->depth--;
    if (schema->keep == KEEP_MESSAGES)
        /* An array of token ids is one prompt. */
        walk->out->messages = first_type == IS_INT ? 1 : count;
    return walk_count_fits(walk, schema, count);
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
    bool good = walk_any(walk, &schema_anything, &type);
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
        return schema->members != NULL || schema->each != NULL ? walk_object(walk, schema)
                                                               : anything(walk, schema);
    case IS_ARR: return array_value(walk, schema);
    case IS_STR: return string_value(walk, schema);
    case IS_BOOL:
    case IS_NULL: return scan_word(&walk->scan) ? true : walk_no_json(walk);
    default: return number_value(walk, schema, type);
    }
}

bool walk_any(struct walk *walk, const struct schema *schema, uint8_t *out_type)
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

/* Without a temperature engines take one of their own. */
static bool is_deterministic(enum openai_api api, const struct walk *walk)
{
    switch (api) {
    case OPENAI_EMBEDDINGS: return true;
    case OPENAI_CHAT:
    case OPENAI_COMPLETIONS:
    case OPENAI_MESSAGES: return walk->temperature_zero && walk->out->n == 1;
    default: return false;
    }
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
    walk.temperature_zero = false;
    if (walk_any(&walk, schema_of(api), &type) && options_fit(&walk)) {
        out->deterministic = is_deterministic(api, &walk);
        if (scan_end(&walk.scan))
            return 0;
        walk_no_json(&walk);
    }
    return err_set(err, ERR_INVALID, "%s", fault->msg);
}
