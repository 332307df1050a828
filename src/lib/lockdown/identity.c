/* SPDX-License-Identifier: Apache-2.0 */
#include "lockdown/lockdown_internal.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static int become(const struct lockdown *lockdown, struct err *err)
{
    uid_t uid[3];
    gid_t gid[3];

    /* The capabilities that are kept pass over the change of uid; the next step cuts them down. */
    if (lockdown->keep_capabilities != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return err_sys(err, "cannot keep capabilities");
    if (setgroups(0, NULL) < 0)
        return err_sys(err, "cannot leave the groups");
    if (lockdown->gid != 0 && setresgid(lockdown->gid, lockdown->gid, lockdown->gid) < 0)
        return err_sys(err, "cannot become gid %u", lockdown->gid);
    if (setresuid(lockdown->uid, lockdown->uid, lockdown->uid) < 0)
        return err_sys(err, "cannot become uid %u", lockdown->uid);
    INVARIANT(getresuid(&uid[0], &uid[1], &uid[2]) == 0 &&
              getresgid(&gid[0], &gid[1], &gid[2]) == 0);
    for (int i = 0; i < 3; i++)
        if (uid[i] != lockdown->uid || (lockdown->gid != 0 && gid[i] != lockdown->gid))
            return err_set(err, ERR_INTERNAL, "the change to uid %u did not take", lockdown->uid);
    return 0;
}

int lockdown_change_identity(const struct lockdown *lockdown, struct lockdown_report *report,
                             struct err *err)
{
    /* Also where nobody asked, because whoever started it knew that there is no root. */
    if (geteuid() != 0 && geteuid() != lockdown->uid) {
        lockdown_say(report, LOCKDOWN_BY_IDENTITY, LOCKDOWN_NOT_GRANTED,
                     "not root, so it stays uid %u, which it shares", geteuid());
        return 0;
    }
    if (lockdown->uid == 0)
        return 0;
    if (geteuid() == 0)
        TRY(become(lockdown, err));
    lockdown_say(report, LOCKDOWN_BY_IDENTITY, LOCKDOWN_IN_FORCE, "uid %u", lockdown->uid);
    return 0;
}

int lockdown_drop_bounding(const struct lockdown *lockdown, struct err *err)
{
    uint64_t keep = lockdown->keep_capabilities;

    for (int cap = 0; cap < 64; cap++) {
        if ((keep & 1ULL << cap) != 0 || prctl(PR_CAPBSET_READ, cap, 0, 0, 0) <= 0)
            continue;
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return errno == EPERM ? 0 : err_sys(err, "cannot drop capability %d", cap);
    }
    return 0;
}

static int set_capabilities(uint64_t keep, uint64_t *out_left, struct err *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};

    if (syscall(SYS_capget, &header, data) < 0)
        return err_sys(err, "cannot read the capabilities");
    for (int half = 0; half < 2; half++) {
        data[half].permitted &= (uint32_t)(keep >> 32 * half);
        data[half].effective = data[half].permitted;
        data[half].inheritable = 0;
    }
    if (syscall(SYS_capset, &header, data) < 0)
        return err_sys(err, "cannot drop the capabilities");
    *out_left = data[0].permitted | (uint64_t)data[1].permitted << 32;
    return 0;
}

int lockdown_drop_capabilities(const struct lockdown *lockdown, struct lockdown_report *report,
                               struct err *err)
{
    uint64_t left = 0;

    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
        return err_sys(err, "cannot drop the ambient capabilities");
    TRY(set_capabilities(lockdown->keep_capabilities, &left, err));
    if (left == 0)
        lockdown_say(report, LOCKDOWN_BY_CAPABILITIES, LOCKDOWN_IN_FORCE, "none is left");
    else
        lockdown_say(report, LOCKDOWN_BY_CAPABILITIES, LOCKDOWN_IN_FORCE,
                     "%d that the role needs are left", __builtin_popcountll(left));
    return 0;
}
