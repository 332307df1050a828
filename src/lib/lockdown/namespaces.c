/* SPDX-License-Identifier: Apache-2.0 */
#include "lockdown/lockdown_internal.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>

static int write_map(const char *path, unsigned id, struct err *err)
{
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    char line[40];

    if (fd < 0)
        return err_sys(err, "cannot open %s", path);
    snprintf(line, sizeof(line), "%u %u 1\n", id, id);
    return fd_write_all(fd, span_str(line), path, err);
}

static int write_maps(unsigned uid, unsigned gid, struct err *err)
{
    CLEANUP_FD int fd = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return err_sys(err, "cannot open /proc/self/setgroups");
    TRY(fd_write_all(fd, span_str("deny"), "/proc/self/setgroups", err));
    TRY(write_map("/proc/self/uid_map", uid, err));
    return write_map("/proc/self/gid_map", gid, err);
}

/* The process keeps its own ids, and is root there only by its capabilities. 0, or 1 when the
 * kernel grants no user namespace. */
static int enter_user_namespace(struct err *err)
{
    unsigned uid = geteuid();
    unsigned gid = getegid();
    int dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);

    if (unshare(CLONE_NEWUSER) < 0) {
        err_sys(err, "no user namespace");
        return 1;
    }
    /* The files of a process that may not be dumped belong to root. */
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
        return err_sys(err, "cannot open the own maps");
    TRY(write_maps(uid, gid, err));
    if (dumpable == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_sys(err, "cannot close the own maps");
    return 0;
}

/* 0 when the process may unshare, 1 when not; err says why. */
static int gain_right(const struct lockdown *lockdown, struct err *err)
{
    if (geteuid() == 0)
        return 0;
    if (lockdown->user_namespace)
        return enter_user_namespace(err);
    err_set(err, ERR_DENIED, "not root, and no user namespace was asked for");
    return 1;
}

static void refuse_all(const struct lockdown *lockdown, struct lockdown_report *report,
                       const struct err *why)
{
    if (lockdown->private_mounts) {
        lockdown_say(report, LOCKDOWN_BY_MOUNTS, LOCKDOWN_NOT_GRANTED, "%s", why->msg);
        lockdown_say(report, LOCKDOWN_BY_IPC, LOCKDOWN_NOT_GRANTED, "%s", why->msg);
    }
    if (lockdown->private_net)
        lockdown_say(report, LOCKDOWN_BY_NETWORK, LOCKDOWN_NOT_GRANTED, "%s", why->msg);
}

static bool enter(int flags, enum lockdown_mechanism mechanism, const char *what,
                  struct lockdown_report *report)
{
    bool granted = unshare(flags) == 0;

    if (granted)
        lockdown_say(report, mechanism, LOCKDOWN_IN_FORCE, "%s", what);
    else
        lockdown_say(report, mechanism, LOCKDOWN_NOT_GRANTED, "%s: %s", what, strerror(errno));
    return granted;
}

static int enter_mounts(const struct lockdown *lockdown, struct lockdown_report *report,
                        struct err *err)
{
    struct err why = ERR_INIT;

    if (!enter(CLONE_NEWNS, LOCKDOWN_BY_MOUNTS, "only the listed paths exist", report))
        return 0;
    int result = lockdown_build_root(lockdown, &why);
    if (result < 0) {
        *err = why;
        return -1;
    }
    if (result > 0)
        lockdown_say(report, LOCKDOWN_BY_MOUNTS, LOCKDOWN_NOT_GRANTED, "%s", why.msg);
    return 0;
}

int lockdown_enter_namespaces(const struct lockdown *lockdown, struct lockdown_report *report,
                              struct err *err)
{
    struct err why = ERR_INIT;

    if (!lockdown->private_mounts && !lockdown->private_net)
        return 0;
    int right = gain_right(lockdown, &why);
    if (right < 0) {
        *err = why;
        return -1;
    }
    if (right > 0) {
        refuse_all(lockdown, report, &why);
        return 0;
    }
    if (lockdown->private_net)
        enter(CLONE_NEWNET, LOCKDOWN_BY_NETWORK, "a network without interfaces", report);
    if (!lockdown->private_mounts)
        return 0;
    enter(CLONE_NEWIPC | CLONE_NEWUTS, LOCKDOWN_BY_IPC, "own IPC and UTS namespaces", report);
    return enter_mounts(lockdown, report, err);
}
