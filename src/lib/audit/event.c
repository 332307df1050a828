/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/event_internal.h"

#include "base/num.h"

#include <endian.h>

enum { EVENT_FORMAT = 2 };

#define AT(member) offsetof(struct audit_event, member)

const struct event_field event_fields[EVENT_FIELD_COUNT] = {
    {"client.address", FIELD_TEXT, FIELD_WHEN_SET, AT(address)},
    {"drun.action.api_group", FIELD_TEXT, FIELD_WHEN_SET, AT(action.api_group)},
    {"drun.action.name", FIELD_TEXT, FIELD_WHEN_SET, AT(action.name)},
    {"drun.action.namespace", FIELD_TEXT, FIELD_WHEN_SET, AT(action.namespace)},
    {"drun.action.resource", FIELD_TEXT, FIELD_WHEN_SET, AT(action.resource)},
    {"drun.action.subresource", FIELD_TEXT, FIELD_WHEN_SET, AT(action.subresource)},
    {"drun.action.verb", FIELD_TEXT, FIELD_WHEN_SET, AT(action.verb)},
    {"drun.actor.key_id", FIELD_TEXT, FIELD_WHEN_SET, AT(actor.key_id)},
    {"drun.actor.source", FIELD_SOURCE, FIELD_WHEN_SET, AT(actor.source)},
    {"drun.anchor.revision", FIELD_BIG, FIELD_WHEN_SET, AT(anchor_revision)},
    {"drun.cost.currency", FIELD_TEXT, FIELD_WHEN_SET, AT(model.currency)},
    {"drun.cost.micros", FIELD_NUMBER, FIELD_WHEN_SET, AT(model.cost_micros)},
    {"drun.duration_ns", FIELD_NUMBER, FIELD_WHEN_SET, AT(duration_ns)},
    {"drun.model.backend", FIELD_TEXT, FIELD_WHEN_SET, AT(model.backend)},
    {"drun.model.cache", FIELD_TEXT, FIELD_WHEN_SET, AT(model.cache)},
    {"drun.model.tries", FIELD_TEXT, FIELD_WHEN_SET, AT(model.tries)},
    {"drun.outcome", FIELD_OUTCOME, FIELD_ALWAYS, AT(outcome)},
    {"drun.reason", FIELD_TEXT, FIELD_WHEN_SET, AT(reason)},
    {"drun.request_id", FIELD_TEXT, FIELD_WHEN_SET, AT(request_id)},
    {"drun.role", FIELD_TEXT, FIELD_WHEN_SET, AT(role)},
    {"event.name", FIELD_TEXT, FIELD_ALWAYS, AT(event)},
    {"gen_ai.request.model", FIELD_TEXT, FIELD_WITH_MODEL, AT(model.model)},
    {"gen_ai.request.stream", FIELD_FLAG, FIELD_WITH_MODEL, AT(model.streaming)},
    {"gen_ai.usage.cache_read.input_tokens", FIELD_NUMBER, FIELD_WHEN_SET, AT(model.cached_tokens)},
    {"gen_ai.usage.input_tokens", FIELD_NUMBER, FIELD_WITH_MODEL, AT(model.input_tokens)},
    {"gen_ai.usage.output_tokens", FIELD_NUMBER, FIELD_WITH_MODEL, AT(model.output_tokens)},
    {"http.response.status_code", FIELD_STATUS, FIELD_WHEN_SET, AT(status)},
    {"session.id", FIELD_TEXT, FIELD_WHEN_SET, AT(actor.session_id)},
    {"time_unix_nano", FIELD_BIG, FIELD_ALWAYS, AT(time_ns)},
    {"user.id", FIELD_TEXT, FIELD_WHEN_SET, AT(actor.uid)},
    {"user.name", FIELD_TEXT, FIELD_WHEN_SET, AT(actor.name)},
    {"user_agent.original", FIELD_TEXT, FIELD_WHEN_SET, AT(user_agent)},
};

static const char *const outcome_names[] = {"success", "denied", "failure"};
static const char *const source_names[] = {"none",     "apikey",   "token",
                                           "session",  "password", "serviceaccount",
                                           "operator", "role",     "provider"};

_Static_assert(ARRAY_LEN(outcome_names) == AUDIT_OUTCOME_COUNT, "every outcome has a name");
_Static_assert(ARRAY_LEN(source_names) == AUDIT_SOURCE_COUNT, "every source has a name");

static int find_name(const char *const *names, int count, struct span name)
{
    for (int i = 0; i < count; i++)
        if (span_eq_str(name, names[i]))
            return i;
    return -1;
}

const char *audit_outcome_name(enum audit_outcome outcome)
{
    return outcome < AUDIT_OUTCOME_COUNT ? outcome_names[outcome] : "unknown";
}

const char *audit_source_name(enum audit_source source)
{
    return source < AUDIT_SOURCE_COUNT ? source_names[source] : "unknown";
}

int audit_outcome_by_name(struct span name)
{
    return find_name(outcome_names, AUDIT_OUTCOME_COUNT, name);
}

int audit_source_by_name(struct span name)
{
    return find_name(source_names, AUDIT_SOURCE_COUNT, name);
}

struct span *event_field_text(struct audit_event *event, const struct event_field *field)
{
    return (struct span *)(void *)((char *)event + field->offset);
}

struct span event_field_text_of(const struct audit_event *event, const struct event_field *field)
{
    return *(const struct span *)(const void *)((const char *)event + field->offset);
}

uint64_t event_field_get(const struct audit_event *event, const struct event_field *field)
{
    switch (field->kind) {
    case FIELD_TEXT: return event_field_text_of(event, field).len;
    case FIELD_OUTCOME: return event->outcome;
    case FIELD_SOURCE: return event->actor.source;
    case FIELD_STATUS: return event->status;
    case FIELD_FLAG: return event->model.streaming;
    case FIELD_NUMBER:
    case FIELD_BIG: break;
    }
    uint64_t value = *(const uint64_t *)(const void *)((const char *)event + field->offset);
    return field->kind == FIELD_BIG ? value : NUM_MIN(value, EVENT_NUMBER_MAX);
}

void event_field_set(struct audit_event *event, const struct event_field *field, uint64_t value)
{
    switch (field->kind) {
    case FIELD_TEXT: break;
    case FIELD_OUTCOME: event->outcome = (enum audit_outcome)value; break;
    case FIELD_SOURCE: event->actor.source = (enum audit_source)value; break;
    case FIELD_STATUS: event->status = (uint16_t)value; break;
    case FIELD_FLAG: event->model.streaming = value != 0; break;
    case FIELD_NUMBER:
    case FIELD_BIG: *(uint64_t *)(void *)((char *)event + field->offset) = value; break;
    }
}

static bool continues(struct span text, size_t at)
{
    return at < text.len && (text.p[at] & 0xc0) == 0x80;
}

size_t event_utf8_len(struct span text)
{
    uint8_t c = text.len > 0 ? text.p[0] : 0;

    if (c < 0x80)
        return c != 0;
    if (c < 0xc2 || c > 0xf4 || !continues(text, 1))
        return 0;
    if (c < 0xe0)
        return 2;
    if (!continues(text, 2) || (c == 0xe0 && text.p[1] < 0xa0) || (c == 0xed && text.p[1] > 0x9f))
        return 0;
    if (c < 0xf0)
        return 3;
    if (!continues(text, 3) || (c == 0xf0 && text.p[1] < 0x90) || (c == 0xf4 && text.p[1] > 0x8f))
        return 0;
    return 4;
}

/* How many bytes a number takes. */
static const uint8_t widths[] = {
    [FIELD_TEXT] = 0, [FIELD_OUTCOME] = 1, [FIELD_SOURCE] = 1, [FIELD_STATUS] = 2,
    [FIELD_FLAG] = 1, [FIELD_NUMBER] = 8,  [FIELD_BIG] = 8};

enum { TEXT_LEN = 2 /* of a text, in front of it */ };

static size_t most_bytes(const struct audit_event *event)
{
    size_t len = 1;

    UNROLLED
    for (size_t i = 0; i < EVENT_FIELD_COUNT; i++) {
        const struct event_field *field = &event_fields[i];
        len += field->kind != FIELD_TEXT
                   ? widths[field->kind]
                   : TEXT_LEN + NUM_MIN(event_field_text_of(event, field).len, AUDIT_TEXT_MAX);
    }
    return len;
}

/* Eight bytes are written whatever the width is: the texts come behind, and over the rest. */
static uint8_t *put_number(uint8_t *at, enum field_kind kind, uint64_t value)
{
    uint64_t wire = htole64(value);

    memcpy(at, &wire, sizeof(wire));
    return at + widths[kind];
}

/* A text that is too long ends in "…", and no character is cut in two. */
static uint8_t *put_text(uint8_t *at, struct span text)
{
    static const char mark[] = "\xe2\x80\xa6";
    bool whole = text.len <= AUDIT_TEXT_MAX;
    size_t len = whole ? text.len : AUDIT_TEXT_MAX - (sizeof(mark) - 1);

    for (size_t back = 0; !whole && back < 3 && (text.p[len] & 0xc0) == 0x80; back++)
        len--;
    size_t all = whole ? len : len + sizeof(mark) - 1;
    uint16_t wire = htole16((uint16_t)all);
    memcpy(at, &wire, TEXT_LEN);
    if (len > 0)
        memcpy(at + TEXT_LEN, text.p, len);
    if (!whole)
        memcpy(at + TEXT_LEN + len, mark, sizeof(mark) - 1);
    return at + TEXT_LEN + all;
}

/* Numbers first, so that they lie at fixed places; the texts behind them. A record of every call is
 * made here, so the room is asked for once. */
void audit_event_put(const struct audit_event *event, struct buf *out)
{
    uint8_t *start = buf_reserve(out, most_bytes(event));
    uint8_t *at = start;

    if (start == NULL)
        return;
    *at++ = EVENT_FORMAT;
    UNROLLED
    for (size_t i = 0; i < EVENT_FIELD_COUNT; i++)
        if (event_fields[i].kind != FIELD_TEXT)
            at = put_number(at, event_fields[i].kind, event_field_get(event, &event_fields[i]));
    UNROLLED
    for (size_t i = 0; i < EVENT_FIELD_COUNT; i++)
        if (event_fields[i].kind == FIELD_TEXT)
            at = put_text(at, event_field_text_of(event, &event_fields[i]));
    buf_commit(out, (size_t)(at - start));
}

static uint64_t take_number(struct cursor *cursor, const struct event_field *field)
{
    uint64_t value = 0;
    uint64_t max = UINT64_MAX;

    switch (field->kind) {
    case FIELD_TEXT: return 0;
    case FIELD_OUTCOME:
        value = cursor_u8(cursor);
        max = AUDIT_OUTCOME_COUNT - 1;
        break;
    case FIELD_SOURCE:
        value = cursor_u8(cursor);
        max = AUDIT_SOURCE_COUNT - 1;
        break;
    case FIELD_FLAG:
        value = cursor_u8(cursor);
        max = 1;
        break;
    case FIELD_STATUS: value = cursor_u16(cursor); break;
    case FIELD_NUMBER:
        value = cursor_u64(cursor);
        max = EVENT_NUMBER_MAX;
        break;
    case FIELD_BIG: value = cursor_u64(cursor); break;
    }
    if (value > max)
        cursor->failed = true;
    return value;
}

int audit_event_parse(struct span bytes, struct audit_event *out, struct err *err)
{
    struct cursor cursor = cursor_of(bytes);

    *out = (struct audit_event){0};
    if (cursor_u8(&cursor) != EVENT_FORMAT)
        return err_set(err, ERR_INVALID, "an audit event has an unknown format");
    for (size_t i = 0; i < EVENT_FIELD_COUNT && !cursor.failed; i++)
        event_field_set(out, &event_fields[i], take_number(&cursor, &event_fields[i]));
    for (size_t i = 0; i < EVENT_FIELD_COUNT && !cursor.failed; i++) {
        if (event_fields[i].kind != FIELD_TEXT)
            continue;
        uint16_t len = cursor_u16(&cursor);
        if (len > AUDIT_TEXT_MAX)
            cursor.failed = true;
        *event_field_text(out, &event_fields[i]) = cursor_bytes(&cursor, len);
    }
    TRY(cursor_done(&cursor, "an audit event", err));
    if (out->event.len == 0)
        return err_set(err, ERR_INVALID, "an audit event has no name");
    return 0;
}
