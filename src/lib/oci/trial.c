/* SPDX-License-Identifier: Apache-2.0 */
/* Which runtime works here, and how: by trying. */
#include "base/fd.h"
#include "base/mem.h"
#include "oci/runtime_internal.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRIAL_MS = 10000 };

struct program {
    const char *name;
    const char *const *as_root;
    const char *const *as_user;
};

static const char *const no_options[] = {NULL};
static const char *const crun_user[] = {"--cgroup-manager=disabled", NULL};
static const char *const crun_root[] = {"--cgroup-manager=cgroupfs", NULL};
static const char *const runc_user[] = {"--rootless=true", NULL};
static const char *const runsc_root[] = {"--network=none", "--host-uds=create", NULL};
static const char *const runsc_user[] = {"--rootless", "--network=none", "--ignore-cgroups",
                                         "--host-uds=create", NULL};

static const struct program programs[] = {
    {"crun", crun_root, crun_user},
    {"runc", no_options, runc_user},
    {"runsc", runsc_root, runsc_user},
};

static char *find_program(const char *name)
{
    static const char *const folders[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                          "/usr/bin",        "/sbin",          "/bin"};

    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        char *path = mem_printf("%s/%s", folders[i], name);
        if (access(path, X_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

/* Waits for the sandbox's end; 1 when it ended well. */
static int ended_well(pid_t pid, struct err *err)
{
    CLEANUP_FD int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd fds = {.fd = pidfd, .events = POLLIN};
    siginfo_t info = {0};

    if (pidfd >= 0 && poll(&fds, 1, TRIAL_MS) <= 0)
        return err_set(err, ERR_TIMEOUT, "the trial sandbox did not end");
    /* Whose parent we are not, we cannot ask for its status. */
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) < 0)
        return 0;
    if (info.si_code != CLD_EXITED || info.si_status != 0)
        return err_set(err, ERR_UNSUPPORTED, "the trial sandbox's program failed with %d",
                       info.si_status);
    return 0;
}

static int run_trial(struct oci_runtime *runtime, const char *id, const char *bundle, int log_fd,
                     struct err *err)
{
    pid_t pid;

    TRY(oci_create(runtime, id, bundle, log_fd, &pid, err));
    TRY(oci_start(runtime, id, err));
    return ended_well(pid, err);
}

static void say_why(int log_fd, struct err *err)
{
    char text[300];
    ssize_t got = read(log_fd, text, sizeof(text) - 1);

    if (got <= 0)
        return;
    text[got] = '\0';
    for (char *c = text; *c != '\0'; c++)
        if ((uint8_t)*c < ' ')
            *c = ' ';
    err_set(err, ERR_UNSUPPORTED, "%s", text);
}

static int try_once(struct oci_runtime *runtime, const struct oci_runtime_config *config,
                    struct err *err)
{
    static const char *const args[] = {"/probe", "hello", NULL};
    const struct oci_mount mounts[] = {{config->probe, "/probe", false, true}};
    CLEANUP_FREE char *id = mem_printf("trial-%s", runtime->name);
    CLEANUP_FREE char *bundle = mem_printf("%s/%s", config->bundle_dir, id);
    struct oci_sandbox sandbox = {.id = id,
                                  .hostname = "trial",
                                  .args = args,
                                  .mounts = mounts,
                                  .mount_count = ARRAY_LEN(mounts),
                                  .limits = {.memory_bytes = 64 << 20, .pids = 64}};
    CLEANUP_FREE UNUSED char *cgroup = oci_runtime_fit(runtime, 0, &sandbox);
    struct err ignored = ERR_INIT;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_sys(err, "cannot make a pipe");
    CLEANUP_FD int read_fd = fds[0];
    CLEANUP_FD int write_fd = fds[1];
    TRY(oci_delete(runtime, id, err));
    TRY(oci_remove_tree(bundle, err));
    TRY(oci_bundle_make(bundle, &sandbox, err));
    int result = run_trial(runtime, id, bundle, write_fd, err);
    if (result < 0)
        say_why(read_fd, err);
    if (oci_delete(runtime, id, &ignored) < 0 && result == 0) {
        *err = ignored;
        result = -1;
    }
    if (oci_remove_tree(bundle, &ignored) < 0 && result == 0) {
        *err = ignored;
        result = -1;
    }
    return result;
}

/* With limits where they may be had, else without. */
static int try_runtime(struct oci_runtime *runtime, const struct oci_runtime_config *config,
                       struct err *err)
{
    struct err why = ERR_INIT;

    if (geteuid() != 0) {
        snprintf(runtime->why_no_limits, sizeof(runtime->why_no_limits),
                 "cgroups are for root here, and this is an ordinary user");
        return try_once(runtime, config, err);
    }
    if (oci_cgroups_here() == OCI_CGROUPS_NONE) {
        snprintf(runtime->why_no_limits, sizeof(runtime->why_no_limits),
                 "no cgroups are mounted here");
        return try_once(runtime, config, err);
    }
    runtime->limits = true;
    if (try_once(runtime, config, &why) == 0)
        return 0;
    runtime->limits = false;
    snprintf(runtime->why_no_limits, sizeof(runtime->why_no_limits), "%.255s", why.msg);
    return try_once(runtime, config, err);
}

static void runtime_free_ptr(struct oci_runtime **runtime)
{
    oci_runtime_free(*runtime);
}

int oci_runtime_open(const struct oci_runtime_config *config, struct oci_runtime **out,
                     struct err *err)
{
    CLEANUP(runtime_free_ptr) struct oci_runtime *runtime = mem_new(sizeof(*runtime));

    for (size_t i = 0; i < ARRAY_LEN(programs); i++)
        if (strcmp(programs[i].name, config->name) == 0) {
            runtime->name = programs[i].name;
            runtime->options = geteuid() == 0 ? programs[i].as_root : programs[i].as_user;
        }
    if (runtime->name == NULL)
        return err_set(err, ERR_UNSUPPORTED, "\"%s\" is no runtime that is known", config->name);
    runtime->program = find_program(runtime->name);
    if (runtime->program == NULL)
        return err_set(err, ERR_NOT_FOUND, "%s is not installed", runtime->name);
    runtime->state_dir = mem_strdup(config->state_dir);
    runtime->cgroup = mem_strdup(config->cgroup);
    runtime->outside_id = config->outside_id;
    TRY(fd_make_dirs(config->state_dir, 0700, err));
    if (try_runtime(runtime, config, err) < 0) {
        err->code = ERR_UNSUPPORTED;
        return err_wrap(err, "%s does not work here", runtime->name);
    }
    *out = runtime;
    runtime = NULL;
    return 0;
}
