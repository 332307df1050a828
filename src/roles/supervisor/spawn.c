/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/spawn.h"

#include "base/fd.h"
#include "ipc/ipc.h"
#include "role/control.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* Between fork and exec: system calls only. */
static void become_role(const char *name, int control, pid_t parent) NORETURN;

static void become_role(const char *name, int control, pid_t parent)
{
    char *const argv[] = {(char[]){"drun"}, (char[]){"role"}, (char *)(uintptr_t)name, NULL};
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    /* A supervisor that is killed leaves no orphans behind. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(127);
    if (control == CONTROL_FD ? fcntl(control, F_SETFD, 0) < 0 : dup2(control, CONTROL_FD) < 0)
        _exit(127);
    execv("/proc/self/exe", argv);
    _exit(127);
}

int spawn_role(const char *name, pid_t *out_pid, int *out_pidfd, int *out_control, struct err *err)
{
    CLEANUP_FD int ours = -1;
    CLEANUP_FD int theirs = -1;
    const struct timeval patience = {.tv_sec = 2};
    pid_t parent = getpid();

    TRY(ipc_pair(&ours, &theirs, err));
    /* A role that does not read what it is told must not stop the supervisor. */
    if (setsockopt(ours, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
        return err_sys(err, "cannot limit the wait for %s", name);
    pid_t pid = fork();
    if (pid < 0)
        return err_sys(err, "cannot start %s", name);
    if (pid == 0)
        become_role(name, theirs, parent);
    /* The child cannot be reaped before this: only we wait for it. */
    *out_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (*out_pidfd < 0) {
        err_sys(err, "cannot watch %s", name);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return -1;
    }
    (void)fcntl(*out_pidfd, F_SETFD, FD_CLOEXEC);
    *out_pid = pid;
    *out_control = fd_take(&ours);
    return 0;
}
