/* SPDX-License-Identifier: Apache-2.0 */
#include "nginx_check.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_MAX = 16 * 1024 };

/* Between fork and exec: system calls only. */
static void become_nginx(const char *program, char *const argv[], char *const env[], int output,
                         pid_t parent) NORETURN;

static void become_nginx(const char *program, char *const argv[], char *const env[], int output,
                         pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent ||
        dup2(output, STDERR_FILENO) < 0)
        _exit(127);
    execve(program, argv, env);
    _exit(127);
}

static int wait_for(pid_t pid)
{
    int status = 0;
    pid_t got;

    do
        got = waitpid(pid, &status, 0);
    while (got < 0 && errno == EINTR);
    return got == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* "nginx: [emerg] WHY": the first of them; or the first line of all. */
static int say_why(struct buf *output, int status, struct err *err)
{
    static const char mark[] = "[emerg] ";
    const char *text = buf_text(output);
    const char *why = strstr(text, mark);

    if (status == 127)
        return err_set(err, ERR_UNAVAILABLE,
                       "nginx cannot be run; install it, or name it with the setting nginx");
    why = why == NULL ? text : why + strlen(mark);
    return err_set(err, ERR_UNAVAILABLE, "nginx does not take its configuration: %.*s",
                   (int)strcspn(why, "\n"), why);
}

int nginx_check(const char *program, char *const argv[], char *const env[], struct err *err)
{
    CLEANUP(buf_free) struct buf output = BUF_INIT(OUTPUT_MAX);
    CLEANUP_FD int read_end = -1;
    CLEANUP_FD int write_end = -1;
    struct err unread = ERR_INIT;
    pid_t parent = getpid();
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(err, "cannot make a pipe");
    read_end = ends[0];
    write_end = ends[1];
    pid_t pid = fork();
    if (pid == 0)
        become_nginx(program, argv, env, write_end, parent);
    if (pid < 0)
        return err_sys(err, "cannot start %s", program);
    fd_close(&write_end);
    /* What is more than fits is nothing that one could quote. */
    if (fd_read_all(read_end, "nginx's words", &output, &unread) < 0)
        err_clear(&unread);
    fd_close(&read_end);
    int status = wait_for(pid);
    return status == 0 ? 0 : say_why(&output, status, err);
}
