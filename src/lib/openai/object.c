/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of a request: each name once, and those that must be there. */
#include "openai/walk.h"

#include <inttypes.h>
#include <string.h>

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
    if (!walk_any(walk, member->value, &type))
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
                              : walk_any(walk, object->schema->each, &type);
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
    return walk_count_fits(walk, object->schema, object->count);
}

bool walk_object(struct walk *walk, const struct schema *schema)
{
    struct object object = {.schema = schema};

    if (!walk_enter(walk))
        return false;
    walk->scan.p++;
    scan_space(&walk->scan);
    if (walk->depth == 0)
        walk->out->top_at = (size_t)(walk->scan.p - walk->scan.start);
    if (!walk_next_is(walk, '}')) {
        do {
            if (!member(walk, &object))
                return false;
        } while (walk_next_is(walk, ','));
        if (!scan_byte(&walk->scan, '}', "a comma or } must come here"))
            return walk_no_json(walk);
    }
    return complete(walk, &object);
}
