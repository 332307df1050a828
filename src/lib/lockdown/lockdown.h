/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process may do from now on. A role promises what it will need and names the paths it
 * touches, as const data; lockdown_apply() holds it to that with whatever the kernel grants:
 *
 *   as root        own mount, IPC and UTS namespaces whose root is an empty read-only tmpfs with
 *                  only the listed paths in it; with private_net a network namespace of its own;
 *                  another uid and gid without groups; no capability, also none to be regained
 *   as anyone      no-new-privs; Landlock for files, TCP, abstract sockets and signals; seccomp
 *
 * Nothing fails because a mechanism is missing: the report says what is in force and why the rest
 * is not. An error means that something was asked for wrongly or was applied by half; the process
 * must not go on then. Call it once, while the process has one thread, with all descriptors that
 * it cannot open later already open.
 *
 * The seccomp filter has three kinds of no:
 *   - what only an attacker calls (ptrace, mount, kexec, modules, bpf, perf, keyctl, userfaultfd,
 *     process_vm_*, open_by_handle_at, setns, unshare, chroot, setting the clock, ...) kills the
 *     process: it is a sign of a takeover, and the attempt must not go on;
 *   - what was not promised (open, socket, execve, new executable memory, ...) gives EPERM:
 * libraries ask for such things without need and do without;
 *   - what the filter does not know gives ENOSYS: then the C library falls back to an older call,
 *     as from clone3 to clone, whose arguments a filter can see.
 */
#ifndef DRUN_LOCKDOWN_LOCKDOWN_H
#define DRUN_LOCKDOWN_LOCKDOWN_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Without any promise a process has what its loop needs: its open descriptors, accepting on sockets
 * that listen already, memory, time, signals to itself. */
enum lockdown_promises {
    LOCKDOWN_NET_UNIX = 1, /* make, bind and connect Unix sockets */
    LOCKDOWN_NET_INET = 2, /* the same with IPv4 and IPv6 */
    LOCKDOWN_FILES = 4,    /* open, make, change and remove files at the listed paths */
    LOCKDOWN_EXEC = 8,     /* children, programs, their uids and signals, executable memory */
    LOCKDOWN_THREADS = 16,
    /* Run sandboxes of others: their programs inherit the filter, so it only refuses what changes
     * the node itself (modules, kexec, the clock, ...); Landlock, which forbids mounts, is not
     * used, and capabilities stay as keep_capabilities says. */
    LOCKDOWN_MOUNT = 32,
};

enum lockdown_access {
    LOCKDOWN_PATH_READ = 1,
    LOCKDOWN_PATH_WRITE = 2,    /* and read, make, rename, remove */
    LOCKDOWN_PATH_EXEC = 4,     /* and read; programs also need their loader and libraries listed */
    LOCKDOWN_PATH_OPTIONAL = 8, /* may be missing */
};

struct lockdown_path {
    const char *path; /* absolute; a directory stands for all below it. Parents before children */
    unsigned access;
};

struct lockdown {
    const char *name; /* of the role, for errors */
    unsigned promises;
    const struct lockdown_path *paths; /* ends with a zeroed one; NULL: none */
    uid_t uid;                         /* to become; 0: stay */
    gid_t gid;
    uint64_t keep_capabilities; /* 1 << CAP_...; for LOCKDOWN_MOUNT and servants of root */
    bool private_mounts;
    bool private_net;
    bool user_namespace; /* without root: get the private ones through a user namespace */
};

enum lockdown_mechanism {
    LOCKDOWN_BY_MOUNTS,
    LOCKDOWN_BY_IPC,
    LOCKDOWN_BY_NETWORK,
    LOCKDOWN_BY_IDENTITY,
    LOCKDOWN_BY_CAPABILITIES,
    LOCKDOWN_BY_NO_NEW_PRIVS,
    LOCKDOWN_BY_LANDLOCK_FILES,
    LOCKDOWN_BY_LANDLOCK_TCP,
    LOCKDOWN_BY_LANDLOCK_SCOPES,
    LOCKDOWN_BY_SECCOMP,
    LOCKDOWN_MECHANISMS
};

enum lockdown_state {
    LOCKDOWN_NOT_ASKED,
    LOCKDOWN_NOT_GRANTED, /* by the kernel or for want of a right; `detail` says why */
    LOCKDOWN_IN_FORCE,
};

struct lockdown_report {
    struct lockdown_entry {
        const char *name; /* "private_mounts", "seccomp" ...; constant */
        enum lockdown_state state;
        char detail[120]; /* a sentence for the reader of `drun posture`, or "" */
    } entries[LOCKDOWN_MECHANISMS];
};

int lockdown_apply(const struct lockdown *lockdown, struct lockdown_report *report,
                   struct err *err) MUST_USE;
/* "not_asked", "not_granted", "in_force". */
const char *lockdown_state_name(enum lockdown_state state);

#endif
