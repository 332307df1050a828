/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/keeper.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "exporter/upstream.h"
#include "log/log.h"
#include "role/settings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

enum {
    SETTLE_MS = 30, /* changes that come together cost one configuration */
    LOOK_MS = 20,
    AGAIN_MS = 3000, /* a configuration that was not taken by then is offered again */
    STOP_MS = 3000,
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 10 * 1000,
};

static const uint64_t steady_ns = 1000 * 1000 * 1000;
static const uint64_t never_ms = 1ULL << 40;

/* One nginx: the one that is current, or one that finishes what it has. */
struct nginx {
    struct keeper *keeper;
    pid_t pid;
    int pidfd;
    char *dir; /* where its sockets are */
    uint64_t started_ns;
    struct loop_source *source;
    LIST_ENTRY(nginx) entry;
};

struct keeper {
    struct upstreams *upstreams;
    struct loop *loop;
    const char *own_dir;
    LIST_HEAD(, nginx) all;
    struct nginx *current; /* NULL: there is nothing to serve */
    unsigned starts;
    uint64_t generation; /* of the configuration */
    uint64_t offered_ns; /* when it was told last */
    uint64_t backoff_ms;
    struct loop_source *settle;
    struct loop_source *look;
    struct buf text; /* of the configuration, without what differs each time */
    bool stopping;
};

/* ------------------------------------------------------------------ folders */

/* Sockets and links of an earlier life. */
static int clear(struct keeper *keeper, struct err *err)
{
    DIR *dir = opendir(keeper->own_dir);
    const struct dirent *entry;
    int result = 0;

    if (dir == NULL)
        return err_sys(err, "cannot read %s", keeper->own_dir);
    while (result == 0 && (entry = readdir(dir)) != NULL)
        if (span_has_prefix(span_str(entry->d_name), "up.") ||
            span_has_prefix(span_str(entry->d_name), "ca-")) {
            CLEANUP_FREE char *path = mem_printf("%s/%s", keeper->own_dir, entry->d_name);
            result = fd_remove_tree(path, err);
        }
    closedir(dir);
    return result;
}

static int make_dir(struct keeper *keeper, char **out, struct err *err)
{
    CLEANUP_FREE char *link = mem_printf("%s/up", keeper->own_dir);
    CLEANUP_FREE char *new = mem_printf("%s/up.new", keeper->own_dir);

    *out = mem_printf("%s/up.%d.%u", keeper->own_dir, (int)getpid(), keeper->starts++);
    if (mkdir(*out, 0750) < 0)
        return err_sys(err, "cannot make %s", *out);
    unlink(new);
    if (symlink(strrchr(*out, '/') + 1, new) < 0 || rename(new, link) < 0)
        return err_sys(err, "cannot link %s", link);
    return 0;
}

static int write_conf(struct keeper *keeper, const struct nginx *nginx, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(NGINX_CONF_MAX);
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, keeper->own_dir, err);

    TRY(dir_fd);
    nginx_conf_put(keeper->upstreams, keeper->own_dir, nginx->dir, ++keeper->generation, &text);
    TRY(buf_check(&text, "the configuration of nginx", err));
    return fd_replace_file(dir_fd, "nginx.conf", 0600, buf_span(&text), false, err);
}

/* ------------------------------------------------------------------ is it there? */

bool keeper_is_live(const struct keeper *keeper, const char *id)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (keeper->current == NULL)
        return false;
    int len =
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/up/%s.sock", keeper->own_dir, id);
    if (len < 0 || (size_t)len >= sizeof(address.sun_path))
        return false;
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
}

static bool has_file(const struct nginx *nginx, const char *name)
{
    CLEANUP_FREE char *path = mem_printf("%s/%s", nginx->dir, name);

    return access(path, F_OK) == 0;
}

/* nginx makes its pid file when it would survive a signal. */
static bool is_up(const struct nginx *nginx)
{
    return has_file(nginx, "nginx.pid");
}

/* Each configuration has a socket of its own, by which is seen that it was taken. */
static bool has_taken(const struct keeper *keeper)
{
    CLEANUP_FREE char *name = mem_printf("taken.%llu.sock", (unsigned long long)keeper->generation);

    return has_file(keeper->current, name);
}

/* The keys are in it, and it was read. */
static void forget_conf(const struct keeper *keeper)
{
    CLEANUP_FREE char *path = mem_printf("%s/nginx.conf", keeper->own_dir);

    unlink(path);
}

static void on_look(void *ctx)
{
    struct keeper *keeper = ctx;
    struct upstream *upstream;
    bool all = true;

    if (keeper->current == NULL)
        return;
    if (!has_taken(keeper)) {
        bool late = clock_mono_ns() - keeper->offered_ns > AGAIN_MS * 1000000ULL;
        if (late && is_up(keeper->current)) {
            log_say(LOG_WARN, "exporter.nginx", "nginx has not taken its configuration yet");
            keeper->offered_ns = clock_mono_ns();
            kill(keeper->current->pid, SIGHUP);
        }
        loop_rearm(keeper->look, LOOK_MS, 0);
        return;
    }
    forget_conf(keeper);
    LIST_FOREACH (upstream, &keeper->upstreams->list, entry) {
        upstream_tell(upstream);
        all = all && (!upstream_is_served(upstream) || keeper_is_live(keeper, upstream->id));
    }
    if (!all)
        loop_rearm(keeper->look, LOOK_MS, 0);
}

/* ------------------------------------------------------------------ nginx */

/* Between fork and exec: system calls only. */
static void become_nginx(const char *program, char *const argv[], char *const env[],
                         pid_t parent) NORETURN;

static void become_nginx(const char *program, char *const argv[], char *const env[], pid_t parent)
{
    setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
        _exit(127);
    execve(program, argv, env);
    _exit(127);
}

static void nginx_free(struct nginx *nginx)
{
    struct err err = ERR_INIT;

    LIST_REMOVE(nginx, entry);
    loop_remove(nginx->keeper->loop, nginx->source);
    fd_close(&nginx->pidfd);
    if (nginx->pid > 0)
        kill(-nginx->pid, SIGKILL); /* workers that lost their master */
    if (fd_remove_tree(nginx->dir, &err) < 0)
        log_error("exporter.nginx", &err);
    free(nginx->dir);
    free(nginx);
}

static void on_nginx_exit(void *ctx, int fd UNUSED, uint32_t events UNUSED)
{
    struct nginx *nginx = ctx;
    struct keeper *keeper = nginx->keeper;

    if (waitpid(nginx->pid, NULL, WNOHANG) == 0)
        return;
    bool was_current = nginx == keeper->current;
    bool steady = clock_mono_ns() - nginx->started_ns > steady_ns;
    nginx_free(nginx);
    if (!was_current)
        return;
    keeper->current = NULL;
    if (keeper->stopping)
        return;
    log_say(LOG_ERROR, "exporter.nginx", "nginx went away; its own message is above");
    keeper->backoff_ms = steady                                    ? BACKOFF_FIRST_MS
                         : keeper->backoff_ms < BACKOFF_MAX_MS / 2 ? 2 * keeper->backoff_ms
                                                                   : BACKOFF_MAX_MS;
    loop_rearm(keeper->settle, keeper->backoff_ms, 0);
}

static int launch(struct nginx *nginx, struct err *err)
{
    struct keeper *keeper = nginx->keeper;
    const char *program = role_settings(keeper->upstreams->exporter->role)->nginx;
    CLEANUP_FREE char *conf = mem_printf("%s/nginx.conf", keeper->own_dir);
    char *const argv[] = {(char[]){"nginx"},
                          (char[]){"-p"},
                          (char *)(uintptr_t)keeper->own_dir,
                          (char[]){"-c"},
                          conf,
                          (char[]){"-e"},
                          (char[]){"stderr"},
                          NULL};
    char *const env[] = {NULL};
    pid_t parent = getpid();

    nginx->started_ns = clock_mono_ns();
    nginx->pid = fork();
    if (nginx->pid == 0)
        become_nginx(program, argv, env, parent);
    if (nginx->pid < 0)
        return err_sys(err, "cannot start %s", program);
    nginx->pidfd = (int)syscall(SYS_pidfd_open, nginx->pid, 0);
    if (nginx->pidfd < 0)
        return err_sys(err, "cannot watch nginx");
    return loop_add_fd(keeper->loop, nginx->pidfd, EPOLLIN, on_nginx_exit, nginx, &nginx->source,
                       err);
}

static int start_nginx(struct keeper *keeper, struct err *err)
{
    struct nginx *nginx = mem_new(sizeof(*nginx));

    nginx->keeper = keeper;
    nginx->pidfd = -1;
    LIST_INSERT_HEAD(&keeper->all, nginx, entry);
    if (make_dir(keeper, &nginx->dir, err) == 0 && write_conf(keeper, nginx, err) == 0 &&
        launch(nginx, err) == 0) {
        keeper->current = nginx;
        return 0;
    }
    nginx_free(nginx);
    return -1;
}

/* ------------------------------------------------------------------ following */

/* It finishes the calls that it has, and goes. */
static void let_go(struct keeper *keeper)
{
    if (keeper->current == NULL)
        return;
    kill(keeper->current->pid, SIGQUIT);
    keeper->current = NULL;
    buf_free_wiped(&keeper->text);
}

static int follow(struct keeper *keeper, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(NGINX_CONF_MAX);

    if (keeper->current != NULL && !is_up(keeper->current)) {
        loop_rearm(keeper->settle, LOOK_MS, 0); /* a signal would end it yet */
        return 0;
    }
    bool any = nginx_conf_put(keeper->upstreams, keeper->own_dir, "", 0, &text);
    TRY(buf_check(&text, "the configuration of nginx", err));
    if (!any) {
        let_go(keeper);
        return 0;
    }
    if (keeper->current != NULL && span_eq(buf_span(&text), buf_span(&keeper->text)))
        return 0;
    buf_free_wiped(&keeper->text);
    keeper->text = text;
    text = (struct buf)BUF_INIT(0);
    if (keeper->current == NULL)
        TRY(start_nginx(keeper, err));
    else
        TRY(write_conf(keeper, keeper->current, err));
    if (is_up(keeper->current))
        kill(keeper->current->pid, SIGHUP);
    keeper->offered_ns = clock_mono_ns();
    loop_rearm(keeper->look, 1, 0);
    return 0;
}

static void on_settle(void *ctx)
{
    struct keeper *keeper = ctx;
    struct err err = ERR_INIT;

    if (keeper->stopping || follow(keeper, &err) == 0)
        return;
    log_error("exporter.nginx", &err);
    loop_rearm(keeper->settle, BACKOFF_MAX_MS, 0);
}

void keeper_touch(struct keeper *keeper)
{
    loop_rearm(keeper->settle, SETTLE_MS, 0);
}

/* ------------------------------------------------------------------ life */

int keeper_new(struct upstreams *upstreams, struct keeper **out, struct err *err)
{
    struct keeper *keeper = mem_new(sizeof(*keeper));

    *out = keeper;
    keeper->upstreams = upstreams;
    keeper->loop = upstreams->exporter->loop;
    keeper->own_dir = role_own_run_dir(upstreams->exporter->role);
    LIST_INIT(&keeper->all);
    keeper->backoff_ms = BACKOFF_FIRST_MS;
    keeper->text = (struct buf)BUF_INIT(NGINX_CONF_MAX);
    TRY(clear(keeper, err));
    TRY(loop_add_timer(keeper->loop, never_ms, 0, on_settle, keeper, &keeper->settle, err));
    return loop_add_timer(keeper->loop, never_ms, 0, on_look, keeper, &keeper->look, err);
}

void keeper_stop(struct keeper *keeper)
{
    uint64_t deadline = clock_mono_ns() + STOP_MS * 1000000ULL;
    struct nginx *nginx;
    struct err err = ERR_INIT;

    if (keeper == NULL)
        return;
    keeper->stopping = true;
    LIST_FOREACH (nginx, &keeper->all, entry)
        kill(nginx->pid, SIGTERM);
    while (!LIST_EMPTY(&keeper->all) && clock_mono_ns() < deadline)
        if (loop_turn(keeper->loop, 100, &err) < 0)
            break;
    while (!LIST_EMPTY(&keeper->all))
        nginx_free(LIST_FIRST(&keeper->all));
}

void keeper_free(struct keeper *keeper)
{
    if (keeper == NULL)
        return;
    buf_free_wiped(&keeper->text);
    free(keeper);
}
