/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/seal.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "log/log.h"
#include "supervisor/notify.h"
#include "supervisor/supervisor_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* In the data directory: the platform was sealed, and starts so until it is unsealed. Its text is
 * why. */
#define MARK "sealed"

enum { RETRY_FIRST_SEC = 2, RETRY_MAX_SEC = 60 };

/* ------------------------------------------------------------------ the state */

static void enter(struct supervisor *supervisor, enum sealing_state state, const char *why)
{
    struct sealing_status *status = &supervisor->sealing.status;
    CLEANUP_FREE char *line = mem_printf("STATUS=%s", sealing_state_name(state));
    struct err err = ERR_INIT;

    *status = (struct sealing_status){.state = state, .since_sec = (uint64_t)clock_wall_sec()};
    snprintf(status->why, sizeof(status->why), "%s", why);
    if (notify_systemd(line, &err) < 0)
        log_error("supervisor.notify", &err);
}

bool seal_is_sealed(const struct supervisor *supervisor)
{
    return supervisor->sealing.status.state == SEALING_STATE_SEALED;
}

void seal_say_ready(struct supervisor *supervisor)
{
    enter(supervisor, SEALING_STATE_READY, "");
}

/* For the log's line, one must see where it is and what to do. */
static void say_sealed(const struct supervisor *supervisor)
{
    log_say(LOG_WARN, "supervisor.sealed", "sealed %s; `drun unseal --data %s` opens it",
            supervisor->sealing.status.why, supervisor->instance.data_dir);
}

/* ------------------------------------------------------------------ the mark */

static int put_mark(const struct supervisor *supervisor, const char *why, struct err *err)
{
    CLEANUP_FREE char *text = mem_printf("%s\n", why);
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, supervisor->instance.data_dir, err);

    TRY(dir_fd);
    return fd_replace_file(dir_fd, MARK, 0644, span_str(text), true, err);
}

static int drop_mark(const struct supervisor *supervisor, struct err *err)
{
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, supervisor->instance.data_dir, err);

    TRY(dir_fd);
    if (unlinkat(dir_fd, MARK, 0) < 0 && errno != ENOENT)
        return err_sys(err, "cannot remove %s/" MARK, supervisor->instance.data_dir);
    return fsync(dir_fd) < 0 ? err_sys(err, "cannot sync %s", supervisor->instance.data_dir) : 0;
}

/* 1 with the reason when there is one. Whatever its text is, its being there is what counts. */
static int read_mark(const struct supervisor *supervisor, char why[SEALING_WHY_SIZE],
                     struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(4096);
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, supervisor->instance.data_dir, err);
    struct err unread = ERR_INIT;

    TRY(dir_fd);
    if (faccessat(dir_fd, MARK, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_sys(err, "cannot look for " MARK);
    snprintf(why, SEALING_WHY_SIZE, "before this start");
    if (fd_read_file(dir_fd, MARK, &text, &unread) < 0 || text.len == 0)
        return 1;
    snprintf(why, SEALING_WHY_SIZE, "%.*s", (int)strcspn(buf_text(&text), "\n"), buf_text(&text));
    for (char *c = why; *c != '\0'; c++)
        if ((uint8_t)*c < ' ' || *c == 0x7f)
            *c = '?';
    return 1;
}

/* ------------------------------------------------------------------ the passphrase */

static void erase(int *fd)
{
    static const uint8_t zeros[1024];
    off_t size = *fd < 0 ? 0 : lseek(*fd, 0, SEEK_END);

    for (off_t at = 0; at < size; at += (off_t)sizeof(zeros)) {
        size_t left = (size_t)(size - at);
        if (pwrite(*fd, zeros, left < sizeof(zeros) ? left : sizeof(zeros), at) < 0)
            break;
    }
    fd_close(fd);
}

/* ------------------------------------------------------------------ sealing */

/* Nothing that any of them held outlives them. */
static void close_all(struct supervisor *supervisor)
{
    supervisor_stop(supervisor);
    erase(&supervisor->passphrase_fd);
    places_close(supervisor);
    for (const struct role_entry *entry = supervisor->table; entry->main != NULL; entry++)
        child_renew(&supervisor->children[entry->id]);
    supervisor->failed = false;
    role_trim_memory();
}

static void answer_sealers(struct sealing *sealing, const struct err *failed)
{
    for (size_t i = 0; i < sealing->sealer_count; i++)
        if (failed->code == ERR_NONE)
            ipc_reply(&sealing->sealers[i], span_of(NULL, 0));
        else
            ipc_reply_error(&sealing->sealers[i], failed);
    sealing->sealer_count = 0;
}

/* Who asked to unseal before is overruled. */
static void cancel_unseal(struct sealing *sealing)
{
    struct err err = ERR_INIT;

    if (!sealing->unseal_asked)
        return;
    sealing->unseal_asked = false;
    erase(&sealing->given_fd);
    err_set(&err, ERR_UNAVAILABLE, "the platform was told to seal meanwhile");
    ipc_reply_error(&sealing->unsealer_ticket, &err);
}

static void seal_now(struct supervisor *supervisor)
{
    struct sealing *sealing = &supervisor->sealing;
    const struct seal_caller *who = &sealing->sealer;
    CLEANUP_FREE char *why = mem_printf("by uid %u, process %d", who->uid, who->pid);
    struct err err = ERR_INIT;

    sealing->seal_asked = false;
    cancel_unseal(sealing);
    enter(supervisor, SEALING_STATE_CLOSING, why);
    /* The mark first: what ends in the middle of this must not start unsealed. The record before
     * its role goes; a log that is away keeps nobody from sealing. */
    if (put_mark(supervisor, why, &err) < 0) {
        err_wrap(&err, "the platform is sealed, but a restart will unseal it");
        log_error("supervisor.seal", &err);
    }
    seal_note(supervisor, AUDIT_PLATFORM_SEAL, AUDIT_SUCCESS, who, "");
    seal_send_notes(supervisor);
    close_all(supervisor);
    enter(supervisor, SEALING_STATE_SEALED, why);
    say_sealed(supervisor);
    answer_sealers(sealing, &err);
}

/* ------------------------------------------------------------------ unsealing */

static void slow_down(struct sealing *sealing)
{
    uint64_t wait_sec = RETRY_MAX_SEC;

    if (sealing->failures < 5)
        wait_sec = (uint64_t)RETRY_FIRST_SEC << sealing->failures;
    sealing->failures++;
    sealing->retry_ns = clock_mono_ns() + wait_sec * 1000000000ULL;
}

static int open_all(struct supervisor *supervisor, struct err *err)
{
    supervisor->passphrase_fd = fd_take(&supervisor->sealing.given_fd);
    supervisor->stopping = supervisor->ending;
    TRY(places_open(supervisor, err));
    TRY(supervisor_start(supervisor, err));
    if (supervisor->stopping)
        return err_set(err, ERR_UNAVAILABLE, "the platform was told to %s meanwhile",
                       supervisor->ending ? "stop" : "seal");
    return drop_mark(supervisor, err);
}

static void unseal_now(struct supervisor *supervisor)
{
    struct sealing *sealing = &supervisor->sealing;
    struct sealing_status before = sealing->status;
    struct err err = ERR_INIT;

    int opened = open_all(supervisor, &err);
    sealing->unseal_asked = false;
    seal_note(supervisor, AUDIT_PLATFORM_UNSEAL, opened < 0 ? AUDIT_FAILURE : AUDIT_SUCCESS,
              &sealing->unsealer, opened < 0 ? err.msg : "");
    if (opened == 0) {
        sealing->failures = 0;
        seal_send_notes(supervisor);
        seal_say_ready(supervisor);
        ipc_reply(&sealing->unsealer_ticket, span_of(NULL, 0));
        return;
    }
    log_error("supervisor.unseal", &err);
    if (!supervisor->stopping)
        slow_down(sealing);
    close_all(supervisor);
    enter(supervisor, SEALING_STATE_SEALED, before.why);
    sealing->status.since_sec = before.since_sec;
    ipc_reply_error(&sealing->unsealer_ticket, &err);
}

/* ------------------------------------------------------------------ */

int seal_init(struct supervisor *supervisor, bool asked, struct err *err)
{
    char why[SEALING_WHY_SIZE];

    int marked = read_mark(supervisor, why, err);
    TRY(marked);
    if (marked == 0 && !asked) {
        enter(supervisor, SEALING_STATE_STARTING, "");
        return 0;
    }
    /* Whoever put a passphrase into the command line did not mean to break a seal by that. */
    erase(&supervisor->passphrase_fd);
    supervisor->stopping = true;
    enter(supervisor, SEALING_STATE_SEALED, marked == 1 ? why : "by drun up --sealed");
    say_sealed(supervisor);
    return 0;
}

bool seal_is_asked(const struct supervisor *supervisor)
{
    return supervisor->sealing.seal_asked || supervisor->sealing.unseal_asked;
}

void seal_work(struct supervisor *supervisor)
{
    if (supervisor->sealing.seal_asked)
        seal_now(supervisor);
    else if (supervisor->sealing.unseal_asked)
        unseal_now(supervisor);
}

void seal_end(struct supervisor *supervisor)
{
    struct sealing *sealing = &supervisor->sealing;
    struct err err = ERR_INIT;

    err_set(&err, ERR_UNAVAILABLE, "the platform stops");
    answer_sealers(sealing, &err);
    erase(&supervisor->passphrase_fd);
    erase(&sealing->given_fd);
    fd_close(&sealing->socket_fd);
}
