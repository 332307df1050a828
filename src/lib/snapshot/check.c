/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that is ever checked about a file: after this, lookups trust it. */
#include "base/num.h"
#include "snapshot/format.h"

#include <stddef.h>

void format_digest(const void *file, size_t len, uint8_t out[CRYPTO_HASH_LEN])
{
    const uint8_t *bytes = file;
    size_t at = offsetof(struct format_header, digest);
    struct span parts[] = {
        span_of(bytes, at),
        span_of(bytes + sizeof(struct format_header), len - sizeof(struct format_header)),
    };

    crypto_sha256_parts(parts, ARRAY_LEN(parts), out);
}

static int corrupt(const struct snapshot *s, const char *why, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "%s is refused: %s", s->type->file, why);
}

static int corrupt_section(const struct snapshot *s, size_t section, const char *why,
                           struct err *err)
{
    return err_set(err, ERR_CORRUPT, "%s is refused: its section %s %s", s->type->file,
                   s->type->sections[section].name, why);
}

static int check_header(struct snapshot *s, struct err *err)
{
    const struct format_header *header = s->room;
    uint8_t digest[CRYPTO_HASH_LEN];

    if (s->len < sizeof(*header))
        return corrupt(s, "it is shorter than a header", err);
    if (header->magic != FORMAT_MAGIC)
        return corrupt(s, "it is no snapshot", err);
    if (header->version != FORMAT_VERSION)
        return corrupt(s, "its format is of another version", err);
    if (header->type != s->type->number)
        return corrupt(s, "it holds something else", err);
    if (header->type_format != s->type->format || header->section_count != s->type->section_count)
        return corrupt(s, "its records are of another version", err);
    if (header->length != s->len)
        return corrupt(s, "its length is not what its header says", err);
    format_digest(s->room, s->len, digest);
    if (memcmp(digest, header->digest, sizeof(digest)) != 0)
        return corrupt(s, "its checksum is wrong", err);
    s->generation = header->generation;
    s->key = header->key;
    return 0;
}

static int check_layout(struct snapshot *s, struct err *err)
{
    const uint8_t *file = s->room;
    uint64_t at =
        sizeof(struct format_header) + s->type->section_count * sizeof(struct format_section);

    if (s->len < at)
        return corrupt(s, "it is shorter than its table of sections", err);
    const struct format_section *entries = (const void *)(file + sizeof(struct format_header));
    for (size_t i = 0; i < s->type->section_count; i++) {
        const struct snapshot_section_type *type = &s->type->sections[i];
        at = format_align(at);
        if (entries[i].offset != at || entries[i].size != type->size)
            return corrupt_section(s, i, "is not where or what it must be", err);
        at += (uint64_t)entries[i].count * type->size;
        if (at > s->len)
            return corrupt_section(s, i, "ends behind the file", err);
        if (type->single && entries[i].count != 1)
            return corrupt_section(s, i, "must have one record", err);
        s->sections[i] = (struct snapshot_view_section){.p = file + entries[i].offset,
                                                        .count = entries[i].count};
    }
    if (at != s->len)
        return corrupt(s, "it has bytes behind its last section", err);
    return 0;
}

static bool ref_in_range(struct snapshot_ref ref, uint32_t count)
{
    uint32_t end;

    return num_add(ref.at, ref.count, &end) && end <= count;
}

static bool text_is_good(const struct snapshot *s, struct snapshot_ref ref)
{
    const char *texts = s->sections[SNAPSHOT_TEXT].p;

    return ref.count <= SNAPSHOT_TEXT_MAX && ref_in_range(ref, snapshot_count(s, SNAPSHOT_TEXT)) &&
           ref.at + ref.count < snapshot_count(s, SNAPSHOT_TEXT) &&
           strnlen(texts + ref.at, (size_t)ref.count + 1) == ref.count;
}

static bool field_is_good(const struct snapshot *s, const struct snapshot_field *field,
                          const uint8_t *at)
{
    struct snapshot_ref ref;
    uint32_t number;

    memcpy(&number, at, sizeof(number));
    switch ((enum snapshot_field_kind)field->kind) {
    case SNAPSHOT_FIELD_TEXT: memcpy(&ref, at, sizeof(ref)); return text_is_good(s, ref);
    case SNAPSHOT_FIELD_LIST:
        memcpy(&ref, at, sizeof(ref));
        return ref_in_range(ref, snapshot_count(s, field->to));
    case SNAPSHOT_FIELD_INDEX: return number < snapshot_count(s, field->to);
    case SNAPSHOT_FIELD_MAYBE: return number <= snapshot_count(s, field->to);
    case SNAPSHOT_FIELD_UPTO: return number <= field->to;
    }
    return false;
}

static int check_fields(const struct snapshot *s, size_t section, struct err *err)
{
    const struct snapshot_section_type *type = &s->type->sections[section];
    const uint8_t *record = s->sections[section].p;

    for (uint32_t i = 0; i < s->sections[section].count; i++, record += type->size)
        for (size_t f = 0; f < type->field_count; f++)
            if (!field_is_good(s, &type->fields[f], record + type->fields[f].at))
                return corrupt_section(s, section, "refers to something that is not there", err);
    return 0;
}

/* A table without a free slot would make a lookup of something that is not there endless. */
static int check_table(const struct snapshot *s, size_t section, struct err *err)
{
    const struct snapshot_slot *slots = s->sections[section].p;
    uint32_t size = s->sections[section].count;
    uint32_t records = s->sections[s->type->sections[section].table_of].count;
    uint32_t used = 0;

    if (size == 0 || (size & (size - 1)) != 0)
        return corrupt_section(s, section, "is no table", err);
    for (uint32_t i = 0; i < size; i++) {
        if (slots[i].at == SNAPSHOT_FREE)
            continue;
        if (slots[i].at >= records)
            return corrupt_section(s, section, "refers to something that is not there", err);
        used++;
    }
    if (used != records || used >= size)
        return corrupt_section(s, section, "does not hold its records", err);
    return 0;
}

int snapshot_check(struct snapshot *snapshot, struct err *err)
{
    TRY(check_header(snapshot, err));
    TRY(check_layout(snapshot, err));
    for (size_t i = 0; i < snapshot->type->section_count; i++) {
        if (snapshot->type->sections[i].hash != NULL)
            TRY(check_table(snapshot, i, err));
        else
            TRY(check_fields(snapshot, i, err));
    }
    return 0;
}
