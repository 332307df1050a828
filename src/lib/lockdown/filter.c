/* SPDX-License-Identifier: Apache-2.0 */
#include "lockdown/lockdown_internal.h"

#include "base/mem.h"
#include "lockdown/calls.h"

#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* When a process ends, the leak checker of AddressSanitizer reads /proc/self/maps and stops the
 * threads with ptrace from a clone of the process. So sanitized builds, which are for tests, may
 * always open files, make children and trace; Landlock still holds the files. */
#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#elif defined(__has_feature)
enum { SANITIZED = __has_feature(address_sanitizer) };
#else
enum { SANITIZED = 0 };
#endif

enum {
    NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                 CLONE_NEWPID | CLONE_NEWNET
};

struct filter {
    scmp_filter_ctx ctx;
    int failed; /* the first error of libseccomp, negative */
};

static void filter_close(struct filter *filter)
{
    seccomp_release(filter->ctx);
}

static void note(struct filter *filter, int result)
{
    if (result < 0 && filter->failed == 0)
        filter->failed = result;
}

static void add_all(struct filter *filter, uint32_t action, const char *names)
{
    while (*names != '\0') {
        size_t len = strcspn(names, " ");
        CLEANUP_FREE char *name = mem_strndup(names, len);
        int nr = seccomp_syscall_resolve_name(name);
        if (nr >= 0)
            note(filter, seccomp_rule_add(filter->ctx, action, nr, 0));
        names += len + (names[len] == ' ');
    }
}

static void promise(struct filter *filter, bool promised, const char *names)
{
    add_all(filter, promised ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM), names);
}

static void add_if(struct filter *filter, uint32_t action, int nr, struct scmp_arg_cmp condition)
{
    note(filter, seccomp_rule_add(filter->ctx, action, nr, 1, condition));
}

/* One rule for each family, because a filter cannot say "none of these". */
static void add_sockets(struct filter *filter, unsigned promises)
{
    for (unsigned family = 0; family < AF_MAX; family++) {
        bool unix_ok = family == AF_UNIX && (promises & LOCKDOWN_NET_UNIX) != 0;
        bool inet_ok =
            (family == AF_INET || family == AF_INET6) && (promises & LOCKDOWN_NET_INET) != 0;
        add_if(filter, unix_ok || inet_ok ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM),
               SCMP_SYS(socket), SCMP_A0_32(SCMP_CMP_EQ, family));
    }
    add_if(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), SCMP_A0_32(SCMP_CMP_GE, AF_MAX));
    add_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), SCMP_A0_32(SCMP_CMP_EQ, AF_UNIX));
    add_if(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socketpair), SCMP_A0_32(SCMP_CMP_NE, AF_UNIX));
    promise(filter, (promises & (LOCKDOWN_NET_UNIX | LOCKDOWN_NET_INET)) != 0,
            lockdown_calls_sockets);
}

/* Threads and children come from clone; namespaces come from it, too. */
static void add_clone(struct filter *filter, unsigned promises)
{
    static const unsigned namespaces[] = {CLONE_NEWNS,  CLONE_NEWCGROUP, CLONE_NEWUTS,
                                          CLONE_NEWIPC, CLONE_NEWUSER,   CLONE_NEWPID,
                                          CLONE_NEWNET};
    bool threads = (promises & LOCKDOWN_THREADS) != 0;
    bool children = (promises & LOCKDOWN_EXEC) != 0;

    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++)
        add_if(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone),
               SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]));
    add_if(filter, threads ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone),
           SCMP_A0(SCMP_CMP_MASKED_EQ, NAMESPACES | CLONE_THREAD, CLONE_THREAD));
    add_if(filter, children ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone),
           SCMP_A0(SCMP_CMP_MASKED_EQ, NAMESPACES | CLONE_THREAD, 0));
}

/* Code that was not there at the start does not run, unless programs were promised. */
static void add_memory(struct filter *filter, unsigned promises)
{
    uint32_t executable = (promises & LOCKDOWN_EXEC) != 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM);
    const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};

    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        add_if(filter, SCMP_ACT_ALLOW, calls[i], SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        add_if(filter, executable, calls[i], SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
    }
}

/* The few uses of calls that can do much. Those who may run programs may make all of them. */
static void add_few(struct filter *filter)
{
    static const unsigned long ioctls[] = {FIONREAD, FIONBIO, FIOCLEX, TCGETS, TIOCGWINSZ};
    static const int options[] = {PR_SET_NAME,       PR_GET_NAME,         PR_SET_PDEATHSIG,
                                  PR_GET_DUMPABLE,   PR_CAPBSET_READ,     PR_GET_SECCOMP,
                                  PR_SET_TIMERSLACK, PR_GET_NO_NEW_PRIVS, PR_SET_VMA};

    for (size_t i = 0; i < ARRAY_LEN(ioctls); i++)
        add_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), SCMP_A1_32(SCMP_CMP_EQ, ioctls[i]));
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        add_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), SCMP_A0_32(SCMP_CMP_EQ, options[i]));
    note(filter,
         seccomp_rule_add(filter->ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 2,
                          SCMP_A0_32(SCMP_CMP_EQ, PR_SET_DUMPABLE), SCMP_A1(SCMP_CMP_EQ, 0)));
    add_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), SCMP_A0_32(SCMP_CMP_EQ, (unsigned)getpid()));
    add_if(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill),
           SCMP_A0_32(SCMP_CMP_NE, (unsigned)getpid()));
    /* Reading one's own limits; sysconf does that. */
    add_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_EQ, 0));
    add_if(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_NE, 0));
}

/* A program in a sandbox may ask for such a thing without malice and must not die of it. */
static void fill_for_sandboxes(struct filter *filter)
{
    add_all(filter, SCMP_ACT_ERRNO(EPERM), lockdown_calls_node);
}

static void fill(struct filter *filter, unsigned promises)
{
    add_all(filter, SCMP_ACT_KILL_PROCESS, lockdown_calls_node);
    add_all(filter, SCMP_ACT_KILL_PROCESS, lockdown_calls_attacks);
    add_all(filter, SANITIZED ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS, lockdown_calls_debug);
    add_all(filter, SCMP_ACT_ALLOW, lockdown_calls_always);
    promise(filter, (promises & LOCKDOWN_FILES) != 0, lockdown_calls_files);
    add_sockets(filter, promises);
    add_clone(filter, promises);
    add_memory(filter, promises);
    if ((promises & LOCKDOWN_EXEC) != 0) {
        add_all(filter, SCMP_ACT_ALLOW, lockdown_calls_programs);
        return;
    }
    add_few(filter);
    add_all(filter, SCMP_ACT_ERRNO(EPERM), lockdown_calls_refused);
}

int lockdown_load_filter(const struct lockdown *lockdown, struct lockdown_report *report,
                         struct err *err)
{
    unsigned promises = lockdown->promises;
    bool sandboxes = (promises & LOCKDOWN_MOUNT) != 0;
    CLEANUP(filter_close)
    struct filter filter = {.ctx =
                                seccomp_init(sandboxes ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSYS))};

    INVARIANT(filter.ctx != NULL);
    note(&filter, seccomp_attr_set(filter.ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
    note(&filter, seccomp_attr_set(filter.ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2));
    if (SANITIZED)
        promises |= LOCKDOWN_FILES | LOCKDOWN_EXEC | LOCKDOWN_THREADS;
    if (sandboxes)
        fill_for_sandboxes(&filter);
    else
        fill(&filter, promises);
    if (filter.failed < 0)
        return err_set(err, ERR_INTERNAL, "cannot make the seccomp filter: %s",
                       strerror(-filter.failed));
    int loaded = seccomp_load(filter.ctx);
    if (loaded < 0) {
        lockdown_say(report, LOCKDOWN_BY_SECCOMP, LOCKDOWN_NOT_GRANTED, "%s", strerror(-loaded));
        return 0;
    }
    lockdown_say(report, LOCKDOWN_BY_SECCOMP, LOCKDOWN_IN_FORCE, "%s",
                 sandboxes ? "all but what changes the node" : "only what was promised");
    return 0;
}
