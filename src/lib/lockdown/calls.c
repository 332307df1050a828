/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of each promise. A name that this architecture or this libseccomp does not know
 * is passed over. */
#include "lockdown/calls.h"

const char lockdown_calls_always[] =
    "accept accept4 alarm arch_prctl brk clock_getres clock_gettime clock_nanosleep close "
    "close_range copy_file_range dup dup2 dup3 epoll_create epoll_create1 epoll_ctl "
    "epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 exit exit_group fadvise64 fallocate "
    "fcntl fdatasync flock fstat fstatfs fsync ftruncate futex get_robust_list getcpu "
    "getdents64 getegid geteuid getgid getgroups getitimer getpeername getpgid getpgrp getpid "
    "getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid getsockname "
    "getsockopt gettid gettimeofday getuid lseek madvise membarrier memfd_create mincore "
    "mlock mlock2 mremap msync munlock munmap nanosleep newfstatat pause pipe pipe2 poll "
    "ppoll pread64 preadv preadv2 pselect6 pwrite64 pwritev pwritev2 read readahead readv "
    "recvfrom recvmmsg recvmsg restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask "
    "rt_sigreturn rt_sigsuspend rt_sigtimedwait sched_getaffinity "
    "sched_getparam sched_getscheduler sched_yield select sendfile sendmmsg sendmsg sendto "
    "set_robust_list set_tid_address setitimer setsockopt shutdown sigaltstack signalfd "
    "signalfd4 splice statx sync_file_range sysinfo tee timer_create timer_delete "
    "timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime "
    "timerfd_settime times umask uname write writev";

const char lockdown_calls_files[] =
    "access chdir chmod chown creat faccessat faccessat2 fchdir fchmod fchmodat fchown "
    "fchownat fgetxattr fsetxattr futimesat getcwd getdents getxattr inotify_add_watch "
    "inotify_init inotify_init1 inotify_rm_watch lchown link linkat lstat mkdir mkdirat open "
    "openat openat2 readlink readlinkat rename renameat renameat2 rmdir stat statfs symlink "
    "symlinkat syncfs truncate unlink unlinkat utime utimensat utimes";

const char lockdown_calls_sockets[] = "bind connect listen";

const char lockdown_calls_programs[] =
    "capget capset execve execveat fork ioctl kill landlock_add_rule landlock_create_ruleset "
    "landlock_restrict_self pidfd_open pidfd_send_signal prctl prlimit64 rt_sigqueueinfo rt_tgsigqueueinfo "
    "sched_setaffinity sched_setparam sched_setscheduler seccomp setfsgid setfsuid setgid "
    "setgroups setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid "
    "setuid tgkill tkill vfork wait4 waitid";

const char lockdown_calls_refused[] =
    "execve execveat fork vfork kill tkill setuid setgid setresuid setresgid setreuid "
    "setregid setgroups setsid setpgid wait4 waitid setrlimit setpriority mknod mknodat "
    "personality";

const char lockdown_calls_node[] =
    "acct adjtimex clock_adjtime clock_settime delete_module finit_module init_module ioperm "
    "iopl kexec_file_load kexec_load quotactl quotactl_fd reboot settimeofday swapoff swapon "
    "syslog vhangup";

const char lockdown_calls_attacks[] =
    "add_key bpf chroot fanotify_init fsconfig fsmount fsopen fspick kcmp keyctl "
    "lookup_dcookie mount mount_setattr move_mount open_by_handle_at "
    "open_tree perf_event_open pidfd_getfd pivot_root process_vm_writev "
    "request_key setdomainname sethostname setns umount2 unshare userfaultfd";

const char lockdown_calls_debug[] = "ptrace process_vm_readv";
