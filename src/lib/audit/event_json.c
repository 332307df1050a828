/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/event_internal.h"

#include "base/num.h"
#include "codec/json.h"

#include <inttypes.h>

static void put_escaped(uint8_t c, struct buf *out)
{
    switch (c) {
    case '"': buf_put_str(out, "\\\""); break;
    case '\\': buf_put_str(out, "\\\\"); break;
    case '\b': buf_put_str(out, "\\b"); break;
    case '\t': buf_put_str(out, "\\t"); break;
    case '\n': buf_put_str(out, "\\n"); break;
    case '\f': buf_put_str(out, "\\f"); break;
    case '\r': buf_put_str(out, "\\r"); break;
    default: buf_printf(out, "\\u%04x", c); break;
    }
}

/* RFC 8785 section 3.2.2.2. What is not UTF-8, and NUL, becomes U+FFFD. */
static void put_string(struct span text, struct buf *out)
{
    size_t plain = 0; /* bytes since the last one that was treated */

    buf_put_u8(out, '"');
    while (plain < text.len) {
        size_t len = event_utf8_len(span_of(text.p + plain, text.len - plain));
        uint8_t c = text.p[plain];
        if (len > 0 && c >= ' ' && c != '"' && c != '\\') {
            plain += len;
            continue;
        }
        buf_put(out, text.p, plain);
        if (len == 0)
            buf_put_str(out, "\xef\xbf\xbd");
        else
            put_escaped(c, out);
        text = span_of(text.p + plain + 1, text.len - plain - 1);
        plain = 0;
    }
    buf_put(out, text.p, plain);
    buf_put_u8(out, '"');
}

static void put_number(uint64_t value, struct buf *out)
{
    char digits[20];
    size_t at = sizeof(digits);

    do
        digits[--at] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    buf_put(out, digits + at, sizeof(digits) - at);
}

static void put_value(const struct audit_event *event, const struct event_field *field,
                      struct buf *out)
{
    uint64_t value = event_field_get(event, field);

    switch (field->kind) {
    case FIELD_TEXT: put_string(event_field_text_of(event, field), out); break;
    case FIELD_OUTCOME: put_string(span_str(audit_outcome_name(event->outcome)), out); break;
    case FIELD_SOURCE: put_string(span_str(audit_source_name(event->actor.source)), out); break;
    case FIELD_FLAG: buf_put_str(out, value ? "true" : "false"); break;
    case FIELD_BIG:
        buf_put_u8(out, '"');
        put_number(value, out);
        buf_put_u8(out, '"');
        break;
    case FIELD_STATUS:
    case FIELD_NUMBER: put_number(value, out); break;
    }
}

static bool shown(const struct audit_event *event, const struct event_field *field)
{
    switch (field->when) {
    case FIELD_ALWAYS: return true;
    case FIELD_WITH_MODEL: return event->model.model.len > 0;
    case FIELD_WHEN_SET: break;
    }
    return event_field_get(event, field) != 0;
}

void audit_event_put_json(const struct audit_event *event, struct buf *out)
{
    char before = '{';

    for (size_t i = 0; i < EVENT_FIELD_COUNT; i++) {
        const struct event_field *field = &event_fields[i];
        if (!shown(event, field))
            continue;
        buf_put_u8(out, (uint8_t)before);
        buf_put_u8(out, '"');
        buf_put_str(out, field->name);
        buf_put_str(out, "\":");
        put_value(event, field, out);
        before = ',';
    }
    buf_put_u8(out, '}');
}

/* False when the value has the wrong type; the comparison in audit_event_parse_json() finds the
 * rest. */
static bool take_value(const json_t *value, const struct event_field *field, struct buf *room,
                       struct audit_event *out)
{
    struct span text = span_of(json_string_value(value), json_string_length(value));
    struct err err = ERR_INIT;
    uint64_t number = 0;
    int named = -1;

    switch (field->kind) {
    case FIELD_TEXT:
        *event_field_text(out, field) = span_of(room->data + room->len, text.len);
        buf_put_span(room, text);
        return json_is_string(value);
    case FIELD_OUTCOME:
    case FIELD_SOURCE:
        named =
            field->kind == FIELD_OUTCOME ? audit_outcome_by_name(text) : audit_source_by_name(text);
        event_field_set(out, field, named < 0 ? 0 : (uint64_t)named);
        return named >= 0;
    case FIELD_FLAG: event_field_set(out, field, json_is_true(value)); return true;
    case FIELD_BIG:
        if (num_parse_u64(text, 0, UINT64_MAX, field->name, &number, &err) < 0)
            return false;
        event_field_set(out, field, number);
        return true;
    case FIELD_STATUS:
    case FIELD_NUMBER: break;
    }
    event_field_set(out, field, (uint64_t)json_integer_value(value));
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

int audit_event_parse_json(struct span json, struct buf *room, struct audit_event *out,
                           struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;
    CLEANUP(buf_free) struct buf again = BUF_INIT(AUDIT_JSON_MAX);

    *out = (struct audit_event){0};
    if (json.len > AUDIT_JSON_MAX)
        return err_set(err, ERR_TOO_LARGE, "an audit record is larger than %d bytes",
                       AUDIT_JSON_MAX);
    TRY(codec_json_parse(json, "audit record", &object, err));
    /* The texts are shorter than the JSON, so the room does not move any more. */
    if (buf_reserve(room, json.len) == NULL)
        return buf_check(room, "an audit record", err);
    for (size_t i = 0; i < EVENT_FIELD_COUNT; i++) {
        const json_t *value = json_object_get(object, event_fields[i].name);
        if (value != NULL && !take_value(value, &event_fields[i], room, out))
            return err_set(err, ERR_INVALID, "an audit record has a bad %s", event_fields[i].name);
    }
    audit_event_put_json(out, &again);
    if (!span_eq(buf_span(&again), json))
        return err_set(err, ERR_INVALID, "an audit record is not in canonical form");
    return 0;
}
