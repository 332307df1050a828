/* SPDX-License-Identifier: Apache-2.0 */
/* What a request may hold, as data. For this folder. */
#ifndef DRUN_OPENAI_SCHEMA_H
#define DRUN_OPENAI_SCHEMA_H

#include "openai/openai.h"

enum schema_types {
    IS_NULL = 1,
    IS_BOOL = 2,
    IS_INT = 4, /* no fraction */
    IS_NUM = 8,
    IS_STR = 16,
    IS_ARR = 32,
    IS_OBJ = 64,
};

enum schema_flags {
    PROMPT = 1,    /* strings count as text, whole numbers as tokens */
    UNIFORM = 2,   /* elements of an array have one type */
    CLOSED = 4,    /* unknown names are refused when the caller wants that */
    BARE = 128,    /* ... base64 and no data URL */
    SEALED = 64,   /* unknown names are refused whoever calls */
    DATA = 8,      /* strings are base64 or a data URL */
    FREE = 32,     /* strings are whatever stands around them */
    LINK = 16,     /* strings are a data URL, or the URL of something elsewhere */
    WRITTEN = 256, /* strings are prose, although no part of the prompt */
};

/* What the walk remembers. */
enum schema_keep {
    KEEP_NOTHING,
    KEEP_MODEL,
    KEEP_STREAM,
    KEEP_OPTIONS,
    KEEP_USAGE,
    KEEP_MAX_TOKENS,
    KEEP_N,
    KEEP_MESSAGES, /* the number of elements; a lone string or number is one */
    KEEP_ROLE,
    KEEP_DIRECTION,
    KEEP_TEMPERATURE,
};

enum { SCHEMA_NEEDS_MAX = 2 };

/* A word of an object's first member, and the members that the object then must have. */
struct schema_word {
    const char *word;
    uint8_t len;
    uint8_t value; /* an enum openai_role, of a role */
    const char *needs[SCHEMA_NEEDS_MAX];
};

struct schema_member;

struct schema {
    uint8_t types;
    uint16_t flags;
    uint8_t keep;
    double min; /* numbers; both 0: any */
    double max;
    uint32_t min_len;                /* bytes of a string */
    uint32_t max_len;                /* 0: any */
    uint32_t min_items;              /* of an array, or members of an object */
    uint32_t max_items;              /* 0: any */
    const struct schema_word *words; /* of a string; ends with NULL */
    const struct schema *each;       /* elements of an array, values of an object without members */
    const struct schema_member *members; /* of an object; ends with NULL */
};

/* Members and words as they are written down. */
#define OPTIONAL(text, shape)                                                                      \
    {                                                                                              \
        .name = (text), .len = sizeof(text) - 1, .value = (shape)                                  \
    }
#define REQUIRED(text, shape)                                                                      \
    {                                                                                              \
        .name = (text), .len = sizeof(text) - 1, .required = true, .value = (shape)                \
    }
#define WORD(text, ...)                                                                            \
    {                                                                                              \
        .word = (text), .len = sizeof(text) - 1, .needs = { __VA_ARGS__ }                          \
    }
#define ROLE(text, role, ...)                                                                      \
    {                                                                                              \
        .word = (text), .len = sizeof(text) - 1, .value = (role), .needs = { __VA_ARGS__ }         \
    }
#define LAST                                                                                       \
    {                                                                                              \
        .name = NULL                                                                               \
    }

struct schema_member {
    const char *name;
    uint8_t len;
    bool required;
    const struct schema *value; /* NULL: anything */
};

const struct schema *schema_of(enum openai_api api);
extern const struct schema schema_messages, schema_count; /* schema_anthropic.c */
/* Anything at all. */
extern const struct schema schema_anything;

#endif
