/* SPDX-License-Identifier: Apache-2.0 */
#include "lockdown/lockdown_internal.h"

#include "base/fd.h"

#include <stdarg.h>
#include <sys/prctl.h>

static const char *const mechanism_names[LOCKDOWN_MECHANISMS] = {
    [LOCKDOWN_BY_MOUNTS] = "private_mounts",           [LOCKDOWN_BY_IPC] = "private_ipc",
    [LOCKDOWN_BY_NETWORK] = "private_network",         [LOCKDOWN_BY_IDENTITY] = "own_uid",
    [LOCKDOWN_BY_CAPABILITIES] = "no_capabilities",    [LOCKDOWN_BY_NO_NEW_PRIVS] = "no_new_privs",
    [LOCKDOWN_BY_LANDLOCK_FILES] = "landlock_files",   [LOCKDOWN_BY_LANDLOCK_TCP] = "landlock_tcp",
    [LOCKDOWN_BY_LANDLOCK_SCOPES] = "landlock_scopes", [LOCKDOWN_BY_SECCOMP] = "seccomp",
};

const char *lockdown_state_name(enum lockdown_state state)
{
    static const char *const names[] = {"not_asked", "not_granted", "in_force"};

    INVARIANT(state <= LOCKDOWN_IN_FORCE);
    return names[state];
}

void lockdown_say(struct lockdown_report *report, enum lockdown_mechanism mechanism,
                  enum lockdown_state state, const char *fmt, ...)
{
    struct lockdown_entry *entry = &report->entries[mechanism];
    va_list args;

    entry->state = state;
    va_start(args, fmt);
    vsnprintf(entry->detail, sizeof(entry->detail), fmt, args);
    va_end(args);
}

static int forbid_new_privs(struct lockdown_report *report, struct err *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(err, "cannot set no-new-privs");
    lockdown_say(report, LOCKDOWN_BY_NO_NEW_PRIVS, LOCKDOWN_IN_FORCE, "%s", "");
    return 0;
}

static int apply(const struct lockdown *lockdown, struct lockdown_report *report, struct err *err)
{
    CLEANUP_FD int ruleset_fd = -1;

    TRY(lockdown_enter_namespaces(lockdown, report, err));
    TRY(lockdown_make_ruleset(lockdown, report, &ruleset_fd, err));
    TRY(lockdown_drop_bounding(lockdown, err));
    TRY(lockdown_change_identity(lockdown, report, err));
    TRY(lockdown_drop_capabilities(lockdown, report, err));
    TRY(forbid_new_privs(report, err));
    TRY(lockdown_enforce_ruleset(ruleset_fd, err));
    return lockdown_load_filter(lockdown, report, err);
}

int lockdown_apply(const struct lockdown *lockdown, struct lockdown_report *report, struct err *err)
{
    *report = (struct lockdown_report){.entries[0].name = NULL};
    for (size_t i = 0; i < LOCKDOWN_MECHANISMS; i++)
        report->entries[i].name = mechanism_names[i];
    if (apply(lockdown, report, err) < 0)
        return err_wrap(err, "cannot lock %s down", lockdown->name);
    return 0;
}
