/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs me: the operator, or systemd. What I hold: listening sockets, pidfds, the control
 * sockets. Who may speak to me: my roles, and only "ready".
 */
#include "supervisor/supervisor.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "log/log.h"
#include "role/control.h"
#include "supervisor/instance.h"
#include "supervisor/listen.h"
#include "supervisor/notify.h"
#include "supervisor/spawn.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    READY_TIMEOUT_MS = 20000,
    STOP_TIMEOUT_MS = 8000,
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MAX_MS = 30000,
    STEADY_MS = 30000, /* who ran this long starts again without a wait */
};

struct child {
    const struct role_entry *entry;
    struct supervisor *supervisor;
    pid_t pid; /* 0 when not running */
    int pidfd;
    int control;
    struct loop_source *pidfd_source;
    struct loop_source *control_source;
    struct loop_source *restart_timer;
    uint64_t started_ns;
    uint64_t backoff_ms;
    bool ready;
    bool was_ready; /* at least once */
};

struct supervisor {
    const struct role_entry *table;
    const struct settings *settings;
    struct instance instance;
    struct loop *loop;
    struct child children[ROLE_COUNT];
    int http_fd[ROLE_COUNT];
    int operator_fd;
    int tls_fd;
    int passphrase_fd; /* the caller's */
    struct buf settings_text;
    bool stopping;
    bool failed; /* a role that never came up */
};

static const struct role_entry *entry_of(const struct supervisor *supervisor, enum role_id id)
{
    for (const struct role_entry *entry = supervisor->table; entry->main != NULL; entry++)
        if (entry->id == id)
            return entry;
    return NULL;
}

/* ------------------------------------------------------------------ what a role is given */

static int give(struct child *child, enum control_type type, struct span body, int fd,
                struct err *err)
{
    int sent = control_send(child->control, type, body, fd, err);

    if (sent == 0)
        return err_set(err, ERR_UNAVAILABLE, "%s went away", role_name(child->entry->id));
    return sent < 0 ? -1 : 0;
}

static int give_named(struct child *child, const char *name, int fd, struct err *err)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(64);

    if (fd < 0)
        return 0;
    buf_put_block(&body, span_str(name));
    return give(child, CONTROL_FD_NAMED, buf_span(&body), fd, err);
}

static int give_channel_end(struct child *child, enum control_type type, enum role_id peer, int fd,
                            struct err *err)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(8);

    buf_put_u32(&body, peer);
    return give(child, type, buf_span(&body), fd, err);
}

/* A new channel from one running role to another. */
static int connect_roles(struct child *caller, struct child *server, bool late, struct err *err)
{
    CLEANUP_FD int client_fd = -1;
    CLEANUP_FD int server_fd = -1;

    TRY(ipc_pair(&client_fd, &server_fd, err));
    TRY(give_channel_end(server, CONTROL_SERVE, caller->entry->id, server_fd, err));
    return give_channel_end(caller, late ? CONTROL_CALL_LATE : CONTROL_CALL, server->entry->id,
                            client_fd, err);
}

static int give_hello(struct child *child, struct err *err)
{
    struct supervisor *supervisor = child->supervisor;
    CLEANUP(buf_free) struct buf body = BUF_INIT(IPC_BODY_MAX);
    struct control_hello hello = {.role = child->entry->id,
                                  .settings = buf_span(&supervisor->settings_text)};

    if (geteuid() == 0 && !child->entry->keeps_root)
        hello.uid = (uint32_t)supervisor->settings->uid_base + child->entry->id;
    snprintf(hello.instance, sizeof(hello.instance), "%s", supervisor->instance.id);
    snprintf(hello.data_dir, sizeof(hello.data_dir), "%s", supervisor->instance.data_dir);
    snprintf(hello.run_dir, sizeof(hello.run_dir), "%s", supervisor->instance.run_dir);
    control_put_hello(&body, &hello);
    TRY(buf_check(&body, "the settings", err));
    return give(child, CONTROL_HELLO, buf_span(&body), -1, err);
}

static int give_descriptors(struct child *child, struct err *err)
{
    struct supervisor *supervisor = child->supervisor;
    enum role_id id = child->entry->id;

    TRY(give_named(child, "listen:http", supervisor->http_fd[id], err));
    if (id == ROLE_IDP)
        TRY(give_named(child, "listen:operator", supervisor->operator_fd, err));
    if (id == ROLE_GATEWAY)
        TRY(give_named(child, "listen:tls", supervisor->tls_fd, err));
    if (id == ROLE_KMS)
        TRY(give_named(child, "passphrase", supervisor->passphrase_fd, err));
    return 0;
}

/* Channels in both directions with every role that runs. */
static int give_channels(struct child *child, struct err *err)
{
    struct supervisor *supervisor = child->supervisor;

    for (int i = 0; i < ROLE_COUNT; i++) {
        struct child *other = &supervisor->children[i];
        if (other->pid == 0 || other == child)
            continue;
        if (child->entry->calls & IPC_FROM(i))
            TRY(connect_roles(child, other, false, err));
        if (child->entry->calls_late & IPC_FROM(i))
            TRY(connect_roles(child, other, true, err));
        if (other->entry->calls & IPC_FROM(child->entry->id))
            TRY(connect_roles(other, child, false, err));
        if (other->entry->calls_late & IPC_FROM(child->entry->id))
            TRY(connect_roles(other, child, true, err));
    }
    return 0;
}

/* ------------------------------------------------------------------ a role's life */

static void on_control(void *ctx, int fd, uint32_t events UNUSED)
{
    struct child *child = ctx;
    CLEANUP_FREE uint8_t *room = mem_new(IPC_PACKET_MAX);
    CLEANUP(ipc_packet_close) struct ipc_packet packet = {0};
    struct err err = ERR_INIT;

    int got = ipc_packet_receive(fd, room, &packet, &err);
    if (got > 0 && packet.type == CONTROL_READY && packet.body.len == 0 && packet.fds.count == 0) {
        child->ready = true;
        child->was_ready = true;
        return;
    }
    if (got > 0)
        log_say(LOG_ERROR, "supervisor.control", "%s sent what it must not; killing it",
                role_name(child->entry->id));
    /* The exit is seen on the pidfd; this socket has nothing more to say. */
    loop_remove(child->supervisor->loop, child->control_source);
    child->control_source = NULL;
    if (got > 0)
        kill(child->pid, SIGKILL);
}

static void forget_process(struct child *child)
{
    loop_remove(child->supervisor->loop, child->pidfd_source);
    loop_remove(child->supervisor->loop, child->control_source);
    child->pidfd_source = NULL;
    child->control_source = NULL;
    fd_close(&child->pidfd);
    fd_close(&child->control);
    child->pid = 0;
    child->ready = false;
}

static void say_how_it_ended(const struct child *child, int status)
{
    const char *name = role_name(child->entry->id);

    if (WIFSIGNALED(status))
        log_say(LOG_ERROR, "supervisor.role.died", "%s was ended by signal %d", name,
                WTERMSIG(status));
    else
        log_say(LOG_ERROR, "supervisor.role.died", "%s exited with status %d", name,
                WEXITSTATUS(status));
}

static void plan_restart(struct child *child)
{
    uint64_t ran_ms = (clock_mono_ns() - child->started_ns) / 1000000;
    uint64_t delay_ms = ran_ms > STEADY_MS ? 0 : child->backoff_ms;

    if (ran_ms > STEADY_MS)
        child->backoff_ms = BACKOFF_FIRST_MS;
    else if (child->backoff_ms < BACKOFF_MAX_MS)
        child->backoff_ms *= 2;
    loop_rearm(child->restart_timer, delay_ms, 0);
}

static void on_exit_of(void *ctx, int fd UNUSED, uint32_t events UNUSED)
{
    struct child *child = ctx;
    int status;

    if (waitpid(child->pid, &status, WNOHANG) != child->pid)
        return;
    forget_process(child);
    if (child->supervisor->stopping)
        return;
    say_how_it_ended(child, status);
    if (child->was_ready)
        plan_restart(child);
    else
        child->supervisor->failed = true;
}

static int start_child(struct child *child, struct err *err)
{
    struct supervisor *supervisor = child->supervisor;

    child->started_ns = clock_mono_ns();
    TRY(spawn_role(role_name(child->entry->id), &child->pid, &child->pidfd, &child->control, err));
    TRY(loop_add_fd(supervisor->loop, child->pidfd, EPOLLIN, on_exit_of, child,
                    &child->pidfd_source, err));
    TRY(loop_add_fd(supervisor->loop, child->control, EPOLLIN, on_control, child,
                    &child->control_source, err));
    TRY(give_hello(child, err));
    TRY(give_descriptors(child, err));
    TRY(give_channels(child, err));
    return give(child, CONTROL_BEGIN, span_of(NULL, 0), -1, err);
}

static void on_restart(void *ctx)
{
    struct child *child = ctx;
    struct err err = ERR_INIT;

    if (child->supervisor->stopping || child->pid != 0)
        return;
    if (start_child(child, &err) < 0) {
        log_error("supervisor.role.restart", &err);
        if (child->pid != 0)
            kill(child->pid, SIGKILL);
        else
            plan_restart(child);
        return;
    }
    log_say(LOG_WARN, "supervisor.role.restart", "%s was started again",
            role_name(child->entry->id));
}

static int wait_until_ready(struct child *child, struct err *err)
{
    uint64_t deadline = clock_mono_ns() + READY_TIMEOUT_MS * 1000000ULL;
    struct supervisor *supervisor = child->supervisor;

    while (!child->ready && !supervisor->failed && !supervisor->stopping) {
        uint64_t now = clock_mono_ns();
        if (now >= deadline)
            return err_set(err, ERR_TIMEOUT, "%s was not ready within %d s",
                           role_name(child->entry->id), READY_TIMEOUT_MS / 1000);
        TRY(loop_turn(supervisor->loop, (int)((deadline - now) / 1000000) + 1, err));
    }
    if (supervisor->failed)
        return err_set(err, ERR_UNAVAILABLE, "%s did not start; its own message is above",
                       role_name(child->entry->id));
    return 0;
}

static int start_all(struct supervisor *supervisor, struct err *err)
{
    for (const struct role_entry *entry = supervisor->table; entry->main != NULL; entry++) {
        struct child *child = &supervisor->children[entry->id];
        TRY(start_child(child, err));
        TRY(wait_until_ready(child, err));
        if (supervisor->stopping)
            return 0;
    }
    return 0;
}

static void stop_child(struct child *child)
{
    uint64_t deadline = clock_mono_ns() + STOP_TIMEOUT_MS * 1000000ULL;
    struct err err = ERR_INIT;

    if (child->pid == 0)
        return;
    if (give(child, CONTROL_STOP, span_of(NULL, 0), -1, &err) < 0)
        log_error("supervisor.role.stop", &err);
    while (child->pid != 0 && clock_mono_ns() < deadline)
        if (loop_turn(child->supervisor->loop, 100, &err) < 0)
            break;
    if (child->pid == 0)
        return;
    log_say(LOG_WARN, "supervisor.role.stop", "%s did not stop within %d s; killing it",
            role_name(child->entry->id), STOP_TIMEOUT_MS / 1000);
    kill(child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0);
    forget_process(child);
}

static void stop_all(struct supervisor *supervisor)
{
    supervisor->stopping = true;
    for (int id = ROLE_COUNT - 1; id > ROLE_SUPERVISOR; id--)
        stop_child(&supervisor->children[id]);
}

/* ------------------------------------------------------------------ the platform's life */

/* One folder of a role, which it alone may write. */
static int make_folder(const struct supervisor *supervisor, const struct role_entry *entry,
                       const char *parent, mode_t mode, struct err *err)
{
    CLEANUP_FREE char *path = mem_printf("%s/%s", parent, role_name(entry->id));
    uid_t uid = (uid_t)supervisor->settings->uid_base + (uid_t)entry->id;
    gid_t gid = (gid_t)supervisor->settings->uid_base;

    TRY(fd_make_dirs(path, mode, err));
    if (chmod(path, mode) < 0)
        return err_sys(err, "cannot set the mode of %s", path);
    if (geteuid() == 0 && chown(path, entry->keeps_root ? 0 : uid, gid) < 0)
        return err_sys(err, "cannot give %s to its role", path);
    return 0;
}

/* Roles are in one group, which may pass through the run directory; nobody else may. */
static int make_folders(const struct supervisor *supervisor, struct err *err)
{
    const struct instance *instance = &supervisor->instance;

    if (geteuid() == 0 && chown(instance->run_dir, 0, (gid_t)supervisor->settings->uid_base) < 0)
        return err_sys(err, "cannot give %s to the roles", instance->run_dir);
    for (const struct role_entry *entry = supervisor->table; entry->main != NULL; entry++) {
        TRY(make_folder(supervisor, entry, instance->data_dir, 0700, err));
        TRY(make_folder(supervisor, entry, instance->run_dir, 0750, err));
    }
    return 0;
}

static int make_http_socket(struct supervisor *supervisor, const struct role_entry *entry,
                            struct err *err)
{
    CLEANUP_FREE char *path =
        mem_printf("%s/%s.sock", supervisor->instance.run_dir, role_name(entry->id));

    supervisor->http_fd[entry->id] = listen_unix(path, 0660, err);
    TRY(supervisor->http_fd[entry->id]);
    if (geteuid() == 0 && chown(path, 0, (gid_t)supervisor->settings->uid_base) < 0)
        return err_sys(err, "cannot give %s to the roles", path);
    return 0;
}

static int make_sockets(struct supervisor *supervisor, struct err *err)
{
    for (const struct role_entry *entry = supervisor->table; entry->main != NULL; entry++)
        if (entry->http)
            TRY(make_http_socket(supervisor, entry, err));
    CLEANUP_FREE char *path = mem_printf("%s/operator.sock", supervisor->instance.run_dir);
    supervisor->operator_fd = listen_unix(path, 0600, err);
    TRY(supervisor->operator_fd);
    supervisor->tls_fd = listen_tcp(&supervisor->settings->listen, err);
    return supervisor->tls_fd < 0 ? -1 : 0;
}

static void on_stop_signal(void *ctx, int signo UNUSED)
{
    struct supervisor *supervisor = ctx;

    supervisor->stopping = true;
    loop_stop(supervisor->loop);
}

static int prepare(struct supervisor *supervisor, const char *data_dir, struct err *err)
{
    sigset_t set;

    TRY(instance_open(data_dir, supervisor->settings, &supervisor->instance, err));
    TRY(loop_new(&supervisor->loop, err));
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    TRY(loop_add_signals(supervisor->loop, &set, on_stop_signal, supervisor, err));
    settings_put(supervisor->settings, &supervisor->settings_text);
    TRY(buf_check(&supervisor->settings_text, "the settings", err));
    for (const struct role_entry *entry = supervisor->table; entry->main != NULL; entry++) {
        struct child *child = &supervisor->children[entry->id];
        INVARIANT(entry_of(supervisor, entry->id) == entry);
        child->entry = entry;
        TRY(loop_add_timer(supervisor->loop, 1ULL << 40, 0, on_restart, child,
                           &child->restart_timer, err));
    }
    TRY(make_folders(supervisor, err));
    return make_sockets(supervisor, err);
}

/* Where clients on this machine find the platform: DATA/run names the run directory, which has the
 * address in "endpoint". */
static int announce(const struct supervisor *supervisor, const char *url, struct err *err)
{
    const struct instance *instance = &supervisor->instance;
    CLEANUP_FREE char *run_dir = mem_printf("%s\n", instance->run_dir);
    CLEANUP_FREE char *endpoint = mem_printf("%s\n", url);
    CLEANUP_FD int data_fd = fd_open_dir(AT_FDCWD, instance->data_dir, err);
    TRY(data_fd);
    CLEANUP_FD int run_fd = fd_open_dir(AT_FDCWD, instance->run_dir, err);
    TRY(run_fd);

    TRY(fd_replace_file(run_fd, "endpoint", 0644, span_str(endpoint), false, err));
    return fd_replace_file(data_fd, "run", 0644, span_str(run_dir), false, err);
}

static int serve(struct supervisor *supervisor, struct err *err)
{
    uint64_t began = clock_mono_ns();
    char url[256];

    TRY(start_all(supervisor, err));
    if (supervisor->stopping)
        return 0;
    settings_public_url(supervisor->settings, url, sizeof(url));
    TRY(announce(supervisor, url, err));
    log_say(LOG_INFO, "supervisor.ready", "ready on %s after %llu ms", url,
            (unsigned long long)(clock_mono_ns() - began) / 1000000);
    role_trim_memory();
    TRY(notify_systemd("READY=1", err));
    TRY(loop_run(supervisor->loop, err));
    return notify_systemd("STOPPING=1", err);
}

/* What lies in memory only must not outlive the platform: keys of certificates, names, models. */
static void clear_run_dir(const struct supervisor *supervisor)
{
    const char *run_dir = supervisor->instance.run_dir;

    for (const struct role_entry *entry = supervisor->table; entry->main != NULL; entry++) {
        const char *name = role_name(entry->id);
        CLEANUP_FREE char *folder = mem_printf("%s/%s", run_dir, name);
        CLEANUP_FREE char *socket = mem_printf("%s/%s.sock", run_dir, name);
        struct err err = ERR_INIT;
        if (fd_remove_tree(folder, &err) < 0 || fd_remove_tree(socket, &err) < 0)
            log_error("supervisor.clear", &err);
    }
    CLEANUP_FREE char *operator_path = mem_printf("%s/operator.sock", run_dir);
    CLEANUP_FREE char *endpoint = mem_printf("%s/endpoint", run_dir);
    unlink(operator_path);
    unlink(endpoint);
    rmdir(run_dir); /* stays when it holds anything of others */
}

static void release(struct supervisor *supervisor)
{
    /* Only who has the lock may clear: another instance may be running there. */
    if (supervisor->instance.lock_fd >= 0 && supervisor->instance.run_dir != NULL)
        clear_run_dir(supervisor);
    loop_free(supervisor->loop);
    for (int id = 0; id < ROLE_COUNT; id++)
        fd_close(&supervisor->http_fd[id]);
    fd_close(&supervisor->operator_fd);
    fd_close(&supervisor->tls_fd);
    buf_free(&supervisor->settings_text);
    instance_close(&supervisor->instance);
}

int supervisor_run(const struct role_entry *table, const char *data_dir,
                   const struct settings *settings, int passphrase_fd, struct err *err)
{
    struct supervisor supervisor = {
        .table = table,
        .settings = settings,
        .operator_fd = -1,
        .tls_fd = -1,
        .passphrase_fd = passphrase_fd,
        .settings_text = BUF_INIT(64 * 1024),
    };

    for (int id = 0; id < ROLE_COUNT; id++) {
        supervisor.http_fd[id] = -1;
        supervisor.children[id] = (struct child){
            .supervisor = &supervisor, .pidfd = -1, .control = -1, .backoff_ms = BACKOFF_FIRST_MS};
    }
    supervisor.instance.lock_fd = -1;
    int result = prepare(&supervisor, data_dir, err);
    if (result == 0)
        result = serve(&supervisor, err);
    stop_all(&supervisor);
    release(&supervisor);
    return result;
}
