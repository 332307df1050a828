/* SPDX-License-Identifier: Apache-2.0 */
/* One compilation at a time, in a child that takes the job and leaves. It takes seconds of CPU at a
 * low priority; nobody waits for it but the rules themselves. */
#include "audit/audit.h"
#include "base/fd.h"
#include "base/mem.h"
#include "codec/json.h"
#include "log/log.h"
#include "waf/job.h"
#include "waf/waf_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SETTLE_MS = 200,      /* changes that come together cost one compilation */
    RETRY_MS = 30 * 1000, /* after one that failed by itself, not by its rules */
    FILES_MS = 60 * 1000, /* files of the host change without a word */
    CPU_SEC = 600,        /* of one compilation */
};
static const uint64_t never_ms = 1ULL << 40;

struct compiler {
    struct waf *waf;
    char *tool;
    struct loop_source *timer;
    struct loop_source *exit;
    pid_t pid; /* 0: none runs */
    int pidfd;
    int verdict_fd;
    bool again; /* the objects changed meanwhile */
};

/* ------------------------------------------------------------------ the child */

static void become_tool(const char *tool, const int fds[3], pid_t parent) NORETURN;

static void become_tool(const char *tool, const int fds[3], pid_t parent)
{
    char *const argv[] = {(char[]){WAF_TOOL}, (char[]){"compile"}, NULL};
    char *const env[] = {NULL};
    const struct rlimit cpu = {CPU_SEC, CPU_SEC};

    for (int i = 0; i < 3; i++)
        if (dup2(fds[i], i) < 0)
            _exit(127);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent ||
        setrlimit(RLIMIT_CPU, &cpu) < 0)
        _exit(127);
    execve(tool, argv, env);
    _exit(127);
}

/* A file in memory with the text in it, to be read from its beginning. */
static int memory_file(struct span text, struct err *err)
{
    CLEANUP_FD int fd = memfd_create("waf", MFD_CLOEXEC);

    if (fd < 0)
        return err_sys(err, "cannot make a file in memory");
    TRY(fd_write_all(fd, text, "the job", err));
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_sys(err, "cannot go to the beginning of the job");
    return fd_take(&fd);
}

/* Descriptors of the three are above 2, so that one does not overwrite the other. */
static int spawn(struct compiler *compiler, struct span job, struct err *err)
{
    CLEANUP_FD int job_fd = memory_file(job, err);
    TRY(job_fd);
    CLEANUP_FD int verdict_fd = memory_file(span_str(""), err);
    TRY(verdict_fd);
    CLEANUP_FD int image_fd = images_begin(compiler->waf->images, err);
    TRY(image_fd);
    const int fds[] = {job_fd, image_fd, verdict_fd};

    INVARIANT(job_fd > 2 && image_fd > 2 && verdict_fd > 2);
    pid_t parent = getpid();
    compiler->pid = fork();
    if (compiler->pid == 0)
        become_tool(compiler->tool, fds, parent);
    if (compiler->pid < 0) {
        compiler->pid = 0;
        return err_sys(err, "cannot start %s", compiler->tool);
    }
    compiler->pidfd = (int)syscall(SYS_pidfd_open, compiler->pid, 0);
    if (compiler->pidfd < 0)
        return err_sys(err, "cannot watch %s", compiler->tool);
    compiler->verdict_fd = fd_take(&verdict_fd);
    return 0;
}

static void reap(struct compiler *compiler)
{
    loop_remove(role_loop(compiler->waf->role), compiler->exit);
    compiler->exit = NULL;
    if (compiler->pid > 0)
        (void)waitpid(compiler->pid, NULL, 0);
    compiler->pid = 0;
    fd_close(&compiler->pidfd);
    fd_close(&compiler->verdict_fd);
}

/* ------------------------------------------------------------------ its verdict */

static void record(struct compiler *compiler, const struct outcome *outcome)
{
    CLEANUP_FREE char *what =
        outcome->failed ? mem_strdup(outcome->message)
                        : mem_printf("%llu rules are in force",
                                     (unsigned long long)images_rules(compiler->waf->images));
    const struct audit_event event = {
        .event = span_str(AUDIT_WAF_RULES),
        .outcome = outcome->failed ? AUDIT_FAILURE : AUDIT_SUCCESS,
        .actor = {.name = span_str("system:drun:waf"), .source = AUDIT_SOURCE_ROLE},
        .action = {.verb = span_str("compile"),
                   .api_group = span_str("drun.io"),
                   .resource = span_str("wafrulesets"),
                   .name = span_str(outcome->set)},
        .reason = span_str(what),
    };
    struct err err = ERR_INIT;

    log_say(outcome->failed ? LOG_WARN : LOG_INFO, "waf.rules", "%s", what);
    if (audit_send(role_peer(compiler->waf->role, ROLE_AUDIT), &event, 1, &err) < 0)
        log_error("waf.audit", &err);
}

static int read_verdict(struct compiler *compiler, json_t **out, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(WAF_VERDICT_MAX);

    if (lseek(compiler->verdict_fd, 0, SEEK_SET) < 0)
        return err_sys(err, "cannot read what %s said", WAF_TOOL);
    TRY(fd_read_all(compiler->verdict_fd, "the verdict", &text, err));
    if (text.len == 0)
        return err_set(err, ERR_UNAVAILABLE,
                       "%s could not be run, or ended in the middle (memory, time)",
                       compiler->tool);
    return codec_json_parse(buf_span(&text), "the verdict", out, err);
}

/* -1: it failed by itself. */
static int take(struct compiler *compiler, struct err *err)
{
    CLEANUP_JSON json_t *verdict = NULL;
    struct outcome outcome = {.set = "", .message = "the rules are in force"};

    TRY(read_verdict(compiler, &verdict, err));
    const char *error = codec_json_text(verdict, "error", NULL);
    if (error != NULL) {
        outcome = (struct outcome){true, codec_json_text(verdict, "set", ""), error};
    } else if (!json_is_true(json_object_get(verdict, "same"))) {
        TRY(images_take(compiler->waf->images, codec_json_text(verdict, "digest", ""),
                        (uint64_t)json_integer_value(json_object_get(verdict, "rules")), err));
        record(compiler, &outcome);
    }
    if (outcome.failed)
        record(compiler, &outcome);
    objects_tell(compiler->waf->objects, &outcome);
    return 0;
}

static void on_exit_of_tool(void *ctx, int fd UNUSED, uint32_t events UNUSED)
{
    struct compiler *compiler = ctx;
    struct err err = ERR_INIT;
    int result = take(compiler, &err);

    reap(compiler);
    if (result < 0) {
        const struct outcome outcome = {true, "", err.msg};
        log_error("waf.compile", &err);
        objects_tell(compiler->waf->objects, &outcome);
    }
    loop_rearm(compiler->timer, compiler->again ? SETTLE_MS : result < 0 ? RETRY_MS : FILES_MS, 0);
    compiler->again = false;
}

/* ------------------------------------------------------------------ when */

static int start(struct compiler *compiler, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(WAF_JOB_MAX);
    CLEANUP_JSON json_t *job = objects_job(compiler->waf->objects);

    codec_json_put(job, &text);
    TRY(buf_check(&text, "the rules", err));
    TRY(spawn(compiler, buf_span(&text), err));
    return loop_add_fd(role_loop(compiler->waf->role), compiler->pidfd, EPOLLIN, on_exit_of_tool,
                       compiler, &compiler->exit, err);
}

static void on_timer(void *ctx)
{
    struct compiler *compiler = ctx;
    struct err err = ERR_INIT;

    if (compiler->pid != 0 || start(compiler, &err) == 0)
        return;
    log_error("waf.compile", &err);
    if (compiler->pid != 0)
        kill(compiler->pid, SIGKILL);
    reap(compiler);
    loop_rearm(compiler->timer, RETRY_MS, 0);
}

void compiler_touch(struct compiler *compiler)
{
    if (compiler->pid != 0)
        compiler->again = true;
    else
        loop_rearm(compiler->timer, SETTLE_MS, 0);
}

int compiler_new(struct waf *waf, char *tool, struct compiler **out, struct err *err)
{
    struct compiler *compiler = mem_new(sizeof(*compiler));

    *compiler = (struct compiler){.waf = waf, .tool = tool, .pidfd = -1, .verdict_fd = -1};
    *out = compiler;
    return loop_add_timer(role_loop(waf->role), never_ms, 0, on_timer, compiler, &compiler->timer,
                          err);
}

void compiler_free(struct compiler *compiler)
{
    if (compiler == NULL)
        return;
    if (compiler->pid != 0)
        kill(compiler->pid, SIGKILL);
    reap(compiler);
    free(compiler);
}
