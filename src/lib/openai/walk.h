/* SPDX-License-Identifier: Apache-2.0 */
/* One walk over a request, and what it finds fault with. For this folder. */
#ifndef DRUN_OPENAI_WALK_H
#define DRUN_OPENAI_WALK_H

#include "openai/scan.h"
#include "openai/schema.h"

enum { NAME_MAX_LEN = 64 };

/* One step of the way to a value: a name, or an index when there is no name. */
struct step {
    struct span name;
    uint32_t index;
};

struct walk {
    struct scan scan;
    unsigned flags;
    struct openai_request *out;
    struct openai_fault *fault;
    struct openai_texts *texts; /* may be NULL */
    uint8_t inside;             /* enum openai_kind: of strings that the schema does not know */
    uint8_t role;               /* of the message at hand */
    uint32_t index;             /* of the message, prompt or input at hand */
    unsigned depth;
    struct step path[OPENAI_DEPTH_MAX];
    bool temperature_zero;
    const struct schema_word *word;    /* the last that was read */
    struct span names[OPENAI_TOP_MAX]; /* unknown ones of the top */
    size_t name_count;
};

#define WALK_HERE span_of("", 0)

/* Each notes the first fault only, and returns false. `last` is one more name behind the way walked
 * so far, or WALK_HERE. */
bool walk_fault(struct walk *walk, struct span last, const char *code, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* What the scan complains of. */
bool walk_no_json(struct walk *walk);
bool walk_wrong_type(struct walk *walk, const struct schema *schema);
bool walk_no_word(struct walk *walk, const struct schema *schema);

/* request.c, object.c: read what stands at the scan. */
bool walk_any(struct walk *walk, const struct schema *schema, uint8_t *out_type);
bool walk_object(struct walk *walk, const struct schema *schema);
bool walk_count_fits(struct walk *walk, const struct schema *schema, size_t count);
bool walk_next_is(struct walk *walk, char byte);
bool walk_enter(struct walk *walk);

/* texts.c: notes a string; false with a fault when it may not be what it is. */
bool walk_text(struct walk *walk, const struct schema *schema, const struct scan_string *string);
/* The role of the texts from `from` on is known. */
void walk_texts_role(struct walk *walk, size_t from);

/* What the caller of the scan wants to know: a number, or the bytes from `from` up to where the
 * scan stands. */
void walk_keep_number(struct walk *walk, enum schema_keep keep, const struct scan_number *number);
void walk_keep_value(struct walk *walk, enum schema_keep keep, const uint8_t *from);

#endif
