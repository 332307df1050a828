/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a snapshot looks like inside, for those who give it a content (identity, policy) and those
 * who look things up (lib/auth, lib/rbac). Records are C structs in native byte order: a file never
 * leaves its machine, and one of another byte order has another magic.
 *
 * A type is const data: its sections, and of each the fields that refer to other sections. The
 * loader walks that description once; after it every reference is in range, every text ends in NUL
 * and every table has a free slot, so the functions here check nothing.
 */
#ifndef DRUN_SNAPSHOT_VIEW_H
#define DRUN_SNAPSHOT_VIEW_H

#include "snapshot/hash.h"
#include "snapshot/snapshot.h"

#include <stdbool.h>

enum { SNAPSHOT_SECTIONS_MAX = 24, SNAPSHOT_TEXT = 0 /* section 0: bytes of texts */ };

/* Elements [at, at + count) of another section; of a text: its bytes without the NUL. */
struct snapshot_ref {
    uint32_t at;
    uint32_t count;
};

/* A slot of an open-addressing table with linear probing; its section has 2^n of them. */
struct snapshot_slot {
    uint32_t tag; /* high half of the key's hash */
    uint32_t at;  /* record, or SNAPSHOT_FREE */
};
enum { SNAPSHOT_FREE = 0xffffffffU };

enum snapshot_field_kind {
    SNAPSHOT_FIELD_TEXT,  /* snapshot_ref into section 0 */
    SNAPSHOT_FIELD_LIST,  /* snapshot_ref into section `to` */
    SNAPSHOT_FIELD_INDEX, /* u32, a record of section `to` */
    SNAPSHOT_FIELD_MAYBE, /* u32, 1 + a record of section `to`, or 0 */
    SNAPSHOT_FIELD_UPTO,  /* u32, at most `to` */
};

struct snapshot_field {
    uint8_t kind;
    uint8_t to;
    uint16_t at; /* offset in the record */
};

/* A field of a record, as the tables of the formats name it. */
#define SNAPSHOT_TEXT(type, field)                                                                 \
    {                                                                                              \
        SNAPSHOT_FIELD_TEXT, 0, offsetof(struct type, field)                                       \
    }
#define SNAPSHOT_LIST(type, field, to)                                                             \
    {                                                                                              \
        SNAPSHOT_FIELD_LIST, to, offsetof(struct type, field)                                      \
    }
#define SNAPSHOT_INDEX(type, field, to)                                                            \
    {                                                                                              \
        SNAPSHOT_FIELD_INDEX, to, offsetof(struct type, field)                                     \
    }
#define SNAPSHOT_MAYBE(type, field, to)                                                            \
    {                                                                                              \
        SNAPSHOT_FIELD_MAYBE, to, offsetof(struct type, field)                                     \
    }
#define SNAPSHOT_UPTO(type, field, to)                                                             \
    {                                                                                              \
        SNAPSHOT_FIELD_UPTO, to, offsetof(struct type, field)                                      \
    }
#define SNAPSHOT_FIELDS(array) .fields = (array), .field_count = ARRAY_LEN(array)

typedef uint64_t snapshot_hash_fn(const struct snapshot *view, uint32_t index);

struct snapshot_section_type {
    const char *name;
    uint32_t size;          /* of a record */
    bool single;            /* exactly one record */
    uint8_t table_of;       /* for a table: the section whose records it finds */
    snapshot_hash_fn *hash; /* for a table: of a record's key */
    const struct snapshot_field *fields;
    size_t field_count;
};

struct snapshot_type {
    const char *file;       /* "policy.snap" */
    const char *generation; /* "policy.gen" */
    uint32_t number;
    uint32_t format; /* changes whenever a record does */
    const struct snapshot_section_type *sections;
    size_t section_count;
};

struct snapshot_view_section {
    const void *p;
    uint32_t count;
};

struct snapshot {
    const struct snapshot_type *type;
    void *room; /* the whole file */
    size_t len;
    uint64_t generation;
    struct hash_key key;
    struct snapshot_view_section sections[SNAPSHOT_SECTIONS_MAX];
};

static inline const void *snapshot_records(const struct snapshot *view, unsigned section)
{
    return view->sections[section].p;
}

static inline uint32_t snapshot_count(const struct snapshot *view, unsigned section)
{
    return view->sections[section].count;
}

static inline struct span snapshot_text(const struct snapshot *view, struct snapshot_ref ref)
{
    return span_of((const char *)view->sections[SNAPSHOT_TEXT].p + ref.at, ref.count);
}

/* The candidates for a key, by its hash; the caller compares the whole key.
 *
 *     struct snapshot_probe probe = snapshot_probe(view, TABLE, hash);
 *     for (uint32_t i; snapshot_probe_next(&probe, &i);)
 *         if (span_eq(snapshot_text(view, records[i].name), name))
 *             return &records[i];
 */
struct snapshot_probe {
    const struct snapshot_slot *slots;
    uint32_t mask;
    uint32_t tag;
    uint32_t at;
};

static inline struct snapshot_probe snapshot_probe(const struct snapshot *view, unsigned table,
                                                   uint64_t hash)
{
    return (struct snapshot_probe){.slots = snapshot_records(view, table),
                                   .mask = snapshot_count(view, table) - 1,
                                   .tag = (uint32_t)(hash >> 32),
                                   .at = (uint32_t)hash};
}

static inline bool snapshot_probe_next(struct snapshot_probe *probe, uint32_t *out)
{
    for (;;) {
        const struct snapshot_slot *slot = &probe->slots[probe->at++ & probe->mask];
        if (slot->at == SNAPSHOT_FREE)
            return false;
        if (slot->tag != probe->tag)
            continue;
        *out = slot->at;
        return true;
    }
}

/* Checks bytes that are at snapshot->room, and fills in the rest. For the loader and its tests. */
int snapshot_check(struct snapshot *snapshot, struct err *err) MUST_USE;

#endif
