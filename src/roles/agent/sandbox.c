/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sandbox.h"

#include "agent/connections.h"
#include "agent/engine.h"
#include "base/fd.h"
#include "base/mem.h"
#include "log/log.h"
#include "oci/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOG_BYTES = 64 * 1024, GRACE_MS = 3000, MOUNTS_MAX = OCI_FILES_MAX + 3 };

const char sandbox_probe[] = "/run/drun-probe";

struct sandbox {
    struct sandbox_config config;
    struct oci_runtime *runtime;
    struct engine engine;
    struct oci_sandbox oci;
    char *id;
    char *hostname;
    char *cgroup;
    char *bundle;
    char *folder; /* of the socket */
    char *model_at;
    char socket[ROLE_SOCKET_SIZE];
    struct oci_ring *ring;
    pid_t pid;
    int pidfd;
    int log_fd;
    struct loop_source *exit_source;
    struct loop_source *log_source;
    struct loop_source *kill_timer;
    bool created;
    bool listens;
};

static struct loop *loop_of(const struct sandbox *sandbox)
{
    return role_loop(sandbox->config.agent->role);
}

/* ------------------------------------------------------------------ what it says */

static void read_log(struct sandbox *sandbox)
{
    uint8_t piece[4096];

    for (ssize_t got; (got = read(sandbox->log_fd, piece, sizeof(piece))) > 0;)
        oci_ring_put(sandbox->ring, span_of(piece, (size_t)got));
}

static void on_log(void *ctx, int fd UNUSED, uint32_t events)
{
    struct sandbox *sandbox = ctx;

    read_log(sandbox);
    if ((events & EPOLLHUP) == 0)
        return;
    loop_remove(loop_of(sandbox), sandbox->log_source);
    sandbox->log_source = NULL;
}

static int open_log(struct sandbox *sandbox, int *out_write_fd, struct err *err)
{
    int fds[2];

    sandbox->ring = oci_ring_new(LOG_BYTES);
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_sys(err, "cannot make a pipe");
    sandbox->log_fd = fds[0];
    *out_write_fd = fds[1];
    TRY(fd_set_nonblocking(sandbox->log_fd, err));
    return loop_add_fd(loop_of(sandbox), sandbox->log_fd, EPOLLIN, on_log, sandbox,
                       &sandbox->log_source, err);
}

const struct oci_ring *sandbox_log(const struct sandbox *sandbox)
{
    return sandbox->ring;
}

struct oci_ring *sandbox_take_log(struct sandbox *sandbox)
{
    struct oci_ring *ring = sandbox->ring;

    sandbox->ring = NULL;
    return ring;
}

void sandbox_last_line(const struct sandbox *sandbox, char *out, size_t size)
{
    oci_ring_last_line(sandbox->ring, out, size);
}

/* ------------------------------------------------------------------ the socket's folder */

/* While the engine starts the folder is its own; the group is the roles', and so is that of what it
 * makes there. */
static int open_folder(struct sandbox *sandbox, struct err *err)
{
    gid_t roles = (gid_t)role_settings(sandbox->config.agent->role)->uid_base;
    uid_t engine = sandbox->oci.uids.outside + sandbox->oci.uid - sandbox->oci.uids.inside;

    TRY(oci_remove_tree(sandbox->folder, err));
    if (mkdir(sandbox->folder, 0700) < 0)
        return err_sys(err, "cannot make %s", sandbox->folder);
    if (geteuid() != 0)
        return 0;
    if (chown(sandbox->folder, engine, roles) < 0 || chmod(sandbox->folder, 02770) < 0)
        return err_sys(err, "cannot give %s to the engine", sandbox->folder);
    return 0;
}

/* The engine could put a link to another socket there, and the gateway would follow it. So the
 * folder is taken away from the engine before anybody looks what is in it. */
static int close_folder(struct sandbox *sandbox, struct err *err)
{
    gid_t roles = (gid_t)role_settings(sandbox->config.agent->role)->uid_base;

    if (geteuid() != 0)
        return 0;
    if (chown(sandbox->folder, 0, roles) < 0 || chmod(sandbox->folder, 0750) < 0)
        return err_sys(err, "cannot take %s from the engine", sandbox->folder);
    return 0;
}

int sandbox_listens(struct sandbox *sandbox, struct err *err)
{
    struct stat status;

    if (sandbox->listens)
        return 1;
    if (lstat(sandbox->socket, &status) < 0)
        return errno == ENOENT ? 0 : err_sys(err, "cannot look at the engine's socket");
    TRY(close_folder(sandbox, err));
    if (lstat(sandbox->socket, &status) < 0)
        return err_sys(err, "the engine's socket went away");
    if (!S_ISSOCK(status.st_mode))
        return err_set(err, ERR_DENIED, "the engine put something else in the place of its socket");
    if (geteuid() == 0 && (status.st_mode & (S_IRGRP | S_IWGRP)) != (S_IRGRP | S_IWGRP))
        return err_set(err, ERR_DENIED, "the engine's socket is closed to the gateway");
    sandbox->listens = true;
    return 1;
}

/* ------------------------------------------------------------------ start */

static void name_all(struct sandbox *sandbox)
{
    const struct sandbox_config *config = &sandbox->config;
    char service[ROLE_SERVICE_ID_SIZE];

    role_service_id(config->namespace, config->name, service);
    role_engine_socket(role_run_dir(config->agent->role), config->namespace, config->name,
                       config->place, sandbox->socket);
    sandbox->folder =
        mem_strndup(sandbox->socket, (size_t)(strrchr(sandbox->socket, '/') - sandbox->socket));
    sandbox->id = mem_printf("%s-%u", service, config->run);
    sandbox->hostname = mem_printf("%.40s", config->name);
    sandbox->bundle = mem_printf("%s/%s", host_bundle_dir(config->agent->host), sandbox->id);
    sandbox->model_at = mem_printf("/model/%s", config->file_name);
}

static size_t list_mounts(const struct sandbox *sandbox, struct oci_mount mounts[MOUNTS_MAX])
{
    const char *probe = host_probe(sandbox->config.agent->host);
    size_t count = 0;

    for (size_t i = 0; i < sandbox->engine.files.count; i++) {
        const struct oci_file *file = &sandbox->engine.files.items[i];
        mounts[count++] = (struct oci_mount){file->source, file->at, false, true};
    }
    mounts[count++] =
        (struct oci_mount){sandbox->config.model_path, sandbox->model_at, false, false};
    mounts[count++] = (struct oci_mount){sandbox->folder, "/run/engine", true, false};
    if (access(probe, X_OK) == 0)
        mounts[count++] = (struct oci_mount){probe, sandbox_probe, false, true};
    return count;
}

/* The probe is the engine's first self, where it is there. The strings stay where they are. */
static const char **list_args(const struct sandbox *sandbox)
{
    const char **args = mem_new_array(sandbox->engine.arg_count + 3, sizeof(*args));
    size_t count = 0;

    if (access(host_probe(sandbox->config.agent->host), X_OK) == 0) {
        args[count++] = sandbox_probe;
        args[count++] = "run";
    }
    memcpy(args + count, sandbox->engine.args, sandbox->engine.arg_count * sizeof(*args));
    return args;
}

static int make_bundle(struct sandbox *sandbox, struct err *err)
{
    CLEANUP_FREE struct oci_mount *mounts = mem_new_array(MOUNTS_MAX, sizeof(*mounts));
    CLEANUP_FREE const char **args = list_args(sandbox);

    sandbox->oci = (struct oci_sandbox){
        .id = sandbox->id,
        .hostname = sandbox->hostname,
        .args = args,
        .env = (const char *const *)sandbox->engine.env,
        .limits = sandbox->engine.limits,
    };
    oci_runtime_fit(sandbox->runtime, sandbox->config.slot, &sandbox->oci, &sandbox->cgroup);
    TRY(open_folder(sandbox, err));
    sandbox->oci.mounts = mounts;
    sandbox->oci.mount_count = list_mounts(sandbox, mounts);
    int result = oci_bundle_make(sandbox->bundle, &sandbox->oci, err);
    sandbox->oci.mounts = NULL;
    sandbox->oci.args = NULL;
    return result;
}

static void on_exit_of(void *ctx, int fd UNUSED, uint32_t events UNUSED)
{
    struct sandbox *sandbox = ctx;
    siginfo_t info = {0};
    char how[64] = "ended";

    loop_remove(loop_of(sandbox), sandbox->exit_source);
    sandbox->exit_source = NULL;
    if (waitid(P_PIDFD, (id_t)sandbox->pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0)
        snprintf(how, sizeof(how),
                 info.si_code == CLD_EXITED ? "exited with status %d" : "was ended by signal %d",
                 info.si_status);
    read_log(sandbox);
    sandbox->config.on_exit(sandbox->config.ctx, how);
}

static void on_grace_over(void *ctx)
{
    struct sandbox *sandbox = ctx;

    (void)syscall(SYS_pidfd_send_signal, sandbox->pidfd, SIGKILL, NULL, 0);
}

static int run(struct sandbox *sandbox, struct err *err)
{
    CLEANUP_FD int write_fd = -1;
    struct loop *loop = loop_of(sandbox);

    TRY(open_log(sandbox, &write_fd, err));
    sandbox->created = true;
    TRY(oci_create(sandbox->runtime, sandbox->id, sandbox->bundle, write_fd, &sandbox->pid, err));
    sandbox->pidfd = (int)syscall(SYS_pidfd_open, sandbox->pid, 0);
    if (sandbox->pidfd < 0)
        return err_sys(err, "cannot watch the sandbox");
    (void)fcntl(sandbox->pidfd, F_SETFD, FD_CLOEXEC);
    TRY(loop_add_timer(loop, 1ULL << 40, 0, on_grace_over, sandbox, &sandbox->kill_timer, err));
    TRY(loop_add_fd(loop, sandbox->pidfd, EPOLLIN, on_exit_of, sandbox, &sandbox->exit_source,
                    err));
    return oci_start(sandbox->runtime, sandbox->id, err);
}

/* What the runtime said is in the ring; the error gets its last line. */
static int explain(struct sandbox *sandbox, struct err *err)
{
    char line[256];

    if (sandbox->ring == NULL)
        return -1;
    read_log(sandbox);
    sandbox_last_line(sandbox, line, sizeof(line));
    CLEANUP_FREE char *step = mem_strdup(err->msg);
    if (line[0] != '\0')
        err_set(err, err->code, "%.100s: %s", step, line);
    return -1;
}

static int start(struct sandbox *sandbox, struct err *err)
{
    const struct sandbox_config *config = &sandbox->config;
    const char *runtime = json_string_value(json_object_get(config->spec, "runtimeClassName"));

    name_all(sandbox);
    TRY(host_runtime(config->agent->host, runtime, &sandbox->runtime, err));
    TRY(engine_of(config->agent->host, config->namespace, config->name, config->spec,
                  config->file_name, &sandbox->engine, err));
    TRY(make_bundle(sandbox, err));
    return run(sandbox, err) < 0 ? explain(sandbox, err) : 0;
}

int sandbox_start(const struct sandbox_config *config, struct sandbox **out, struct err *err)
{
    struct sandbox *sandbox = mem_new(sizeof(*sandbox));

    *sandbox = (struct sandbox){.config = *config, .pidfd = -1, .log_fd = -1};
    if (start(sandbox, err) < 0) {
        sandbox_free(sandbox);
        return -1;
    }
    *out = sandbox;
    return 0;
}

/* ------------------------------------------------------------------ end */

void sandbox_stop(struct sandbox *sandbox)
{
    (void)syscall(SYS_pidfd_send_signal, sandbox->pidfd, SIGTERM, NULL, 0);
    loop_rearm(sandbox->kill_timer, GRACE_MS, 0);
}

static void remove_all(struct sandbox *sandbox)
{
    struct err err = ERR_INIT;

    if (sandbox->created && oci_delete(sandbox->runtime, sandbox->id, &err) < 0)
        log_error("agent.sandbox.delete", &err);
    if (sandbox->pid != 0)
        (void)waitid(P_PIDFD, (id_t)sandbox->pidfd, &(siginfo_t){0}, WEXITED | WNOHANG);
    if (sandbox->bundle != NULL && oci_remove_tree(sandbox->bundle, &err) < 0)
        log_error("agent.sandbox.delete", &err);
    if (sandbox->folder != NULL && oci_remove_tree(sandbox->folder, &err) < 0)
        log_error("agent.sandbox.delete", &err);
}

void sandbox_free(struct sandbox *sandbox)
{
    if (sandbox == NULL)
        return;
    loop_remove(loop_of(sandbox), sandbox->exit_source);
    loop_remove(loop_of(sandbox), sandbox->log_source);
    loop_remove(loop_of(sandbox), sandbox->kill_timer);
    remove_all(sandbox);
    fd_close(&sandbox->pidfd);
    fd_close(&sandbox->log_fd);
    oci_ring_free(sandbox->ring);
    engine_free(&sandbox->engine);
    free(sandbox->id);
    free(sandbox->hostname);
    free(sandbox->cgroup);
    free(sandbox->bundle);
    free(sandbox->folder);
    free(sandbox->model_at);
    free(sandbox);
}

const char *sandbox_id(const struct sandbox *sandbox)
{
    return sandbox->id;
}

pid_t sandbox_pid(const struct sandbox *sandbox)
{
    return sandbox->pid;
}

const char *sandbox_socket(const struct sandbox *sandbox)
{
    return sandbox->socket;
}

int sandbox_connections(const struct sandbox *sandbox)
{
    return connections_of(sandbox->pid, "/engine.sock");
}

const char *sandbox_health_path(const struct sandbox *sandbox)
{
    return sandbox->engine.health_path;
}

int sandbox_exec(struct sandbox *sandbox, const char *const *args, struct buf *output,
                 struct err *err)
{
    return oci_exec(sandbox->runtime, sandbox->id, args, output, err);
}
