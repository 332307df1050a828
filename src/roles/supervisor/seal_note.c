/* SPDX-License-Identifier: Apache-2.0 */
/* What the audit log is told of seals. While the platform is sealed there is no audit role: notes
 * wait here until there is one. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "log/log.h"
#include "supervisor/supervisor_internal.h"

/* A seal must not wait long for a log that does not answer. */
enum { ANSWER_TIMEOUT_MS = 5000 };

void seal_note(struct supervisor *supervisor, const char *event, enum audit_outcome outcome,
               const struct seal_caller *who, const char *reason)
{
    struct sealing *sealing = &supervisor->sealing;

    if (sealing->note_count == SEAL_NOTES_MAX) {
        sealing->notes_lost++;
        return;
    }
    struct seal_note *note = &sealing->notes[sealing->note_count++];
    *note = (struct seal_note){.time_ns = clock_wall_ns(), .event = event, .outcome = outcome};
    snprintf(note->actor, sizeof(note->actor), "system:operator:%u", who->uid);
    snprintf(note->reason, sizeof(note->reason), "by process %d%s%s", who->pid,
             reason[0] == '\0' ? "" : ": ", reason);
}

static void event_of(const struct seal_note *note, struct audit_event *out)
{
    bool seals = strcmp(note->event, AUDIT_PLATFORM_SEAL) == 0;

    *out = (struct audit_event){
        .time_ns = note->time_ns,
        .event = span_str(note->event),
        .outcome = note->outcome,
        .actor = {.name = span_str(note->actor), .source = AUDIT_SOURCE_OPERATOR},
        .action = {.verb = span_str(seals ? "seal" : "unseal")},
        .reason = span_str(note->reason),
    };
}

static int send_notes(struct supervisor *supervisor, struct err *err)
{
    struct sealing *sealing = &supervisor->sealing;
    struct child *child = &supervisor->children[ROLE_AUDIT];
    struct audit_event events[SEAL_NOTES_MAX];
    CLEANUP_FD int fd = -1;

    if (!child->ready)
        return err_set(err, ERR_UNAVAILABLE, "the audit role does not run");
    TRY(grant_own_channel(child, &fd, err));
    for (size_t i = 0; i < sealing->note_count; i++)
        event_of(&sealing->notes[i], &events[i]);
    struct ipc_client *audit = ipc_client_new(&fd, "audit");
    ipc_client_set_timeout(audit, ANSWER_TIMEOUT_MS);
    int sent = audit_send(audit, events, sealing->note_count, err);
    ipc_client_free(audit);
    return sent;
}

void seal_send_notes(struct supervisor *supervisor)
{
    struct sealing *sealing = &supervisor->sealing;
    struct err err = ERR_INIT;

    if (sealing->note_count == 0)
        return;
    if (send_notes(supervisor, &err) < 0) {
        log_error("supervisor.audit", &err);
        return;
    }
    if (sealing->notes_lost > 0)
        log_say(LOG_WARN, "supervisor.audit", "%zu tries to unseal are not in the audit log",
                sealing->notes_lost);
    sealing->note_count = 0;
    sealing->notes_lost = 0;
}
