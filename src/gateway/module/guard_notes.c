/* SPDX-License-Identifier: Apache-2.0 */
/* What the guard found, for the audit: which detector, where, and what became of it; never the
 * text. */
#include "gateway/module/module.h"

#include "audit/audit.h"
#include "base/num.h"

#include <inttypes.h>
#include <stdio.h>

/* Numbers, lengths, names that we write ourselves, the address. */
enum { RECORD_FIXED = 640 };

void gw_note(struct gw_notes *notes, const struct guard_finding *finding, enum openai_role role,
             uint32_t index)
{
    if (notes->count < GW_NOTES_MAX)
        notes->note[notes->count] = (struct gw_note){
            .detector = (uint8_t)finding->detector,
            .action = (uint8_t)finding->action,
            .role = (uint8_t)role,
            .encoded = finding->encoded,
            .index = index,
            .offset = finding->offset,
        };
    notes->count++;
}

static void put_note(const struct gw_note *note, bool in_answer, struct buf *out)
{
    static const char *const done[] = {"off", "detected", "masked", "blocked"};
    const char *role = openai_role_name((enum openai_role)note->role);

    buf_printf(out, "%s%s %s in %s %" PRIu32 "%s%s%s at byte %" PRIu64 "%s",
               out->len > 0 ? "; " : "", guard_detector(note->detector)->name, done[note->action],
               in_answer         ? "choice"
               : role[0] != '\0' ? "message"
                                 : "text",
               note->index, role[0] != '\0' ? " (" : "", role, role[0] != '\0' ? ")" : "",
               note->offset, note->encoded ? ", encoded" : "");
}

static void put_notes(const struct gw_notes *notes, bool in_answer, struct buf *out)
{
    uint32_t kept = NUM_MIN(notes->count, (uint32_t)GW_NOTES_MAX);

    for (uint32_t i = 0; i < kept; i++)
        put_note(&notes->note[i], in_answer, out);
    if (notes->count > kept)
        buf_printf(out, "; and %" PRIu32 " more", notes->count - kept);
}

size_t gw_notes_room(const struct gw_call *call)
{
    const struct auth_principal *who = &call->principal;
    const size_t texts[] = {
        who->name.len,        who->uid.len,        who->credential.len,
        who->session.len,     call->namespace.len, call->service.len,
        call->request_id.len, AUDIT_TEXT_MAX,      strlen(call->request.model),
    };
    size_t room = RECORD_FIXED;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        room += NUM_MIN(texts[i], (size_t)AUDIT_TEXT_MAX);
    return room;
}

void gw_notes_record(ngx_http_request_t *r, const struct gw_call *call,
                     const struct gw_notes *notes, bool in_answer, bool blocked, size_t promised)
{
    static uint8_t room[2 * AUDIT_TEXT_MAX + 1]; /* one record at a time */
    struct buf reason = {.data = room, .cap = sizeof(room), .max = sizeof(room) - 1};
    struct audit_event event = gw_call_event(r, call);

    put_notes(notes, in_answer, &reason);
    event.event = span_str(in_answer ? "drun.guard.answer" : "drun.guard.request");
    event.outcome = blocked ? AUDIT_DENIED : AUDIT_SUCCESS;
    event.reason = buf_span(&reason);
    gw_worker_record(r->connection->log, &event, promised);
}
