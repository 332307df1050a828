/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an inference engine needs: memory, threads, time, its own files, Unix sockets. What is not
 * listed gives EPERM; among it all that touches the node or other processes (mount, bpf, io_uring,
 * ptrace, keyctl, userfaultfd, unshare, setns, perf, modules, ...). clone3 gives ENOSYS, so that
 * the C library falls back to clone, whose flags a filter can see.
 */
#include "oci/seccomp.h"

#include "base/mem.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

static const char always[] =
    "accept accept4 access alarm arch_prctl bind brk capget capset chdir clock_getres clock_gettime "
    "clock_nanosleep close close_range connect copy_file_range dup dup2 dup3 epoll_create "
    "epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat "
    "exit exit_group faccessat faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchown fcntl "
    "fdatasync flock fork fstat fstatfs fsync ftruncate futex futex_waitv get_mempolicy "
    "get_robust_list getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer "
    "getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid "
    "getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr ioctl "
    "kill listen lseek lstat madvise mbind membarrier memfd_create mincore mkdir mkdirat mlock "
    "mlock2 mlockall mmap mprotect mremap msync munlock munlockall munmap nanosleep newfstatat "
    "open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 poll ppoll prctl pread64 "
    "preadv preadv2 prlimit64 pselect6 pwrite64 pwritev pwritev2 read readahead readlink "
    "readlinkat readv recvfrom recvmmsg recvmsg rename renameat renameat2 restart_syscall rmdir "
    "rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
    "rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min "
    "sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
    "sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield select "
    "sendfile sendmmsg sendmsg sendto set_mempolicy set_robust_list set_tid_address setgid "
    "setgroups setitimer setpgid setpriority setresgid setresuid setrlimit setsid setsockopt "
    "setuid shutdown sigaltstack signalfd signalfd4 splice stat statfs statx symlink "
    "sync_file_range sysinfo tee tgkill time timer_create timer_delete timer_getoverrun "
    "timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill "
    "truncate ugetrlimit umask uname unlink unlinkat utimensat vfork wait4 waitid waitpid write "
    "writev";

enum {
    NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                 CLONE_NEWPID | CLONE_NEWNET
};

static json_t *names_of(const char *names)
{
    json_t *list = json_array();

    while (*names != '\0') {
        size_t len = strcspn(names, " ");
        json_array_append_new(list, json_stringn(names, len));
        names += len + (names[len] == ' ');
    }
    return list;
}

static json_t *argument(unsigned index, unsigned value, unsigned value_two, const char *op)
{
    return json_pack("{s:i, s:I, s:I, s:s}", "index", index, "value", (json_int_t)value, "valueTwo",
                     (json_int_t)value_two, "op", op);
}

static void allow(json_t *calls, const char *names, json_t *argument_or_null)
{
    json_t *rule = json_pack("{s:o, s:s}", "names", names_of(names), "action", "SCMP_ACT_ALLOW");

    if (argument_or_null != NULL)
        json_object_set_new(rule, "args", json_pack("[o]", argument_or_null));
    json_array_append_new(calls, rule);
}

json_t *oci_seccomp_new(void)
{
    json_t *calls = json_array();

    allow(calls, always, NULL);
    allow(calls, "socket socketpair", argument(0, AF_UNIX, 0, "SCMP_CMP_EQ"));
    allow(calls, "clone", argument(0, NAMESPACES, 0, "SCMP_CMP_MASKED_EQ"));
    /* Asking which personality is set, as some runtimes of languages do at start. */
    allow(calls, "personality", argument(0, 0xffffffff, 0, "SCMP_CMP_EQ"));
    json_array_append_new(calls, json_pack("{s:[s], s:s, s:i}", "names", "clone3", "action",
                                           "SCMP_ACT_ERRNO", "errnoRet", ENOSYS));
    return json_pack("{s:s, s:i, s:o}", "defaultAction", "SCMP_ACT_ERRNO", "defaultErrnoRet", EPERM,
                     "syscalls", calls);
}

static bool is_named(const char *names, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = names; (at = strstr(at, name)) != NULL; at += len)
        if ((at == names || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

bool oci_seccomp_allows(const char *name)
{
    return is_named(always, name) || is_named("socket socketpair clone personality", name);
}
