/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of an event's fields, in the order of their JSON names (RFC 8785 sorts them). */
#ifndef DRUN_AUDIT_EVENT_INTERNAL_H
#define DRUN_AUDIT_EVENT_INTERNAL_H

#include "audit/audit.h"

enum field_kind {
    FIELD_TEXT,    /* struct span */
    FIELD_NUMBER,  /* uint64_t, a JSON number */
    FIELD_BIG,     /* uint64_t, a JSON string: it may pass 2^53 */
    FIELD_STATUS,  /* uint16_t */
    FIELD_OUTCOME, /* enum audit_outcome, by name */
    FIELD_SOURCE,  /* enum audit_source, by name */
    FIELD_FLAG,    /* bool */
};

enum field_when { FIELD_WHEN_SET, FIELD_ALWAYS, FIELD_WITH_MODEL };

struct event_field {
    const char *name;
    enum field_kind kind;
    enum field_when when;
    size_t offset;
};

enum { EVENT_FIELD_COUNT = 32 };
extern const struct event_field event_fields[EVENT_FIELD_COUNT];

/* The largest integer that every JSON reader keeps exact. */
#define EVENT_NUMBER_MAX ((1ULL << 53) - 1)

/* The value of a field that is not a text; 0 when it is not set. */
uint64_t event_field_get(const struct audit_event *event, const struct event_field *field);
void event_field_set(struct audit_event *event, const struct event_field *field, uint64_t value);
struct span *event_field_text(struct audit_event *event, const struct event_field *field);
struct span event_field_text_of(const struct audit_event *event, const struct event_field *field);

/* Length of the UTF-8 character at the start of `text`, 0 when it is none. NUL counts as none. */
size_t event_utf8_len(struct span text);

#endif
