/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/run.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Programs expect to find a path and a language; nothing of our own environment is theirs. */
static char *const environment[] = {
    (char[]){"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
    (char[]){"LC_ALL=C.UTF-8"}, NULL};

static int spawn(const struct oci_run *run, int output_fd, pid_t *out_pid, struct err *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    INVARIANT(posix_spawn_file_actions_init(&actions) == 0);
    INVARIANT(posix_spawnattr_init(&attributes) == 0);
    int failed = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    failed |= posix_spawn_file_actions_adddup2(&actions, output_fd, 1);
    failed |= posix_spawn_file_actions_adddup2(&actions, output_fd, 2);
    failed |= posix_spawnattr_setsigmask(&attributes, &none);
    failed |= posix_spawnattr_setsigdefault(&attributes, &all);
    failed |= posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    INVARIANT(failed == 0);
    int result = posix_spawn(out_pid, run->argv[0], &actions, &attributes,
                             (char *const *)(uintptr_t)run->argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    errno = result;
    return result != 0 ? err_sys(err, "cannot run %s", run->argv[0]) : 0;
}

/* What there is, without waiting; the end of the file is no news. */
static void take_output(int fd, struct buf *output)
{
    uint8_t piece[4096];

    for (ssize_t got; (got = read(fd, piece, sizeof(piece))) > 0;)
        if (output != NULL && !output->overflowed)
            buf_put(output, piece, (size_t)got);
}

/* 1 when it has ended, 0 when the time is over. */
static int wait_for_end(int pidfd, int output_fd, uint64_t deadline_ns, struct buf *output,
                        struct err *err)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN},
                               {.fd = output_fd, .events = POLLIN}};
        uint64_t now = clock_mono_ns();
        if (now >= deadline_ns)
            return 0;
        if (poll(fds, ARRAY_LEN(fds), (int)((deadline_ns - now) / 1000000) + 1) < 0 &&
            errno != EINTR)
            return err_sys(err, "cannot wait for a program");
        if (fds[1].revents != 0)
            take_output(output_fd, output);
        if ((fds[0].revents & POLLIN) != 0)
            return 1;
    }
}

static int finish(const struct oci_run *run, pid_t pid, int pidfd, int output_fd,
                  struct buf *output, struct err *err)
{
    uint64_t deadline_ns = clock_mono_ns() + run->timeout_ms * 1000000ULL;
    int status = 0;

    int ended = wait_for_end(pidfd, output_fd, deadline_ns, output, err);
    if (ended <= 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    TRY(ended);
    if (ended == 0)
        return err_set(err, ERR_TIMEOUT, "%s did not end within %u ms", run->argv[0],
                       run->timeout_ms);
    if (output_fd >= 0)
        take_output(output_fd, output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int oci_run(const struct oci_run *run, struct buf *output, struct err *err)
{
    CLEANUP_FD int read_fd = -1;
    CLEANUP_FD int write_fd = -1;
    int fds[2];
    pid_t pid;

    if (run->output_fd < 0) {
        if (pipe2(fds, O_CLOEXEC) < 0)
            return err_sys(err, "cannot make a pipe");
        read_fd = fds[0];
        write_fd = fds[1];
        TRY(fd_set_nonblocking(read_fd, err));
    }
    TRY(spawn(run, run->output_fd >= 0 ? run->output_fd : write_fd, &pid, err));
    fd_close(&write_fd);
    CLEANUP_FD int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    INVARIANT(pidfd >= 0);
    return finish(run, pid, pidfd, read_fd, output, err);
}
