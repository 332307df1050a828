/* SPDX-License-Identifier: Apache-2.0 */
/* What parses encodes to the same bytes again, and its JSON always reads back. */
#include "audit/audit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void binary(struct span bytes)
{
    CLEANUP(buf_free) struct buf again = BUF_INIT(AUDIT_EVENT_MAX);
    CLEANUP(buf_free) struct buf json = BUF_INIT(AUDIT_JSON_MAX);
    CLEANUP(buf_free) struct buf room = BUF_INIT(AUDIT_JSON_MAX);
    struct audit_event event;
    struct err err = ERR_INIT;

    if (audit_event_parse(bytes, &event, &err) < 0)
        return;
    audit_event_put(&event, &again);
    INVARIANT(span_eq(bytes, buf_span(&again)));
    audit_event_put_json(&event, &json);
    INVARIANT(!json.overflowed);
    INVARIANT(audit_event_parse_json(buf_span(&json), &room, &event, &err) == 0);
}

static void text(struct span json)
{
    CLEANUP(buf_free) struct buf room = BUF_INIT(AUDIT_JSON_MAX);
    CLEANUP(buf_free) struct buf again = BUF_INIT(AUDIT_JSON_MAX);
    struct audit_event event;
    struct err err = ERR_INIT;

    if (audit_event_parse_json(json, &room, &event, &err) < 0)
        return;
    audit_event_put_json(&event, &again);
    INVARIANT(span_eq(json, buf_span(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    binary(span_of(data, size));
    text(span_of(data, size));
    return 0;
}
