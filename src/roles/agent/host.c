/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the node offers to sandboxes. As root, bundles lie in a folder beside the run directory:
 * nobody but the roles may pass through the run directory itself, and the root user of a sandbox,
 * who is nobody on the host, must get to the sandbox's root.
 */
#include "agent/agent_internal.h"
#include "base/fd.h"
#include "base/mem.h"
#include "log/log.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    RUNTIMES = 3,
    IDS_AFTER_BASE = 4096,
    REASON_SIZE = sizeof((struct err){.code = ERR_NONE}.msg)
};

/* In the order in which "auto" tries them: the fastest first. */
static const char *const names[RUNTIMES] = {"crun", "runc", "runsc"};

struct host {
    struct role *role;
    char *bundle_dir;
    char *probe;
    char *cgroup;
    struct oci_runtime *runtimes[RUNTIMES];
    char why_not[RUNTIMES][REASON_SIZE]; /* "" until it was tried */
    enum oci_cgroups cgroups;
    int chosen; /* -1: none works */
};

/* The probe lies beside the binary. */
static char *find_probe(void)
{
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (len <= 0)
        return mem_strdup("");
    self[len] = '\0';
    *strrchr(self, '/') = '\0';
    return mem_printf("%s/drun-probe", self);
}

int host_new(struct role *role, struct host **out, struct err *err)
{
    struct host *host = mem_new(sizeof(*host));
    struct err ignored = ERR_INIT;

    *out = host;
    host->role = role;
    host->chosen = -1;
    host->cgroups = oci_cgroups_here();
    host->probe = find_probe();
    host->cgroup = mem_printf("/drun-%.8s", role_instance(role));
    host->bundle_dir = geteuid() == 0 ? mem_printf("%s.sandboxes", role_run_dir(role))
                                      : mem_printf("%s/sandboxes", role_own_run_dir(role));
    TRY(oci_prepare_process(err));
    TRY(fd_make_dirs(host->bundle_dir, 0711, err));
    if (chmod(host->bundle_dir, 0711) < 0)
        return err_sys(err, "cannot set the mode of %s", host->bundle_dir);
    if (access(host->probe, X_OK) < 0) {
        err_sys(&ignored, "sandboxes cannot be tried: %s", host->probe);
        log_error("agent.probe", &ignored);
    }
    return 0;
}

void host_free(struct host *host)
{
    if (host == NULL)
        return;
    for (size_t i = 0; i < RUNTIMES; i++)
        oci_runtime_free(host->runtimes[i]);
    if (host->bundle_dir != NULL)
        (void)rmdir(host->bundle_dir);
    if (host->cgroup != NULL)
        oci_cgroup_remove(host->cgroup);
    free(host->bundle_dir);
    free(host->probe);
    free(host->cgroup);
    free(host);
}

static int open_runtime(struct host *host, int which, struct err *err)
{
    CLEANUP_FREE char *state_dir =
        mem_printf("%s/oci/%s", role_own_run_dir(host->role), names[which]);
    const struct oci_runtime_config config = {
        .name = names[which],
        .state_dir = state_dir,
        .bundle_dir = host->bundle_dir,
        .probe = host->probe,
        .cgroup = host->cgroup,
        .outside_id = (uint32_t)role_settings(host->role)->uid_base + IDS_AFTER_BASE,
    };

    if (host->runtimes[which] != NULL)
        return 0;
    if (oci_runtime_open(&config, &host->runtimes[which], err) < 0) {
        snprintf(host->why_not[which], REASON_SIZE, "%.*s", REASON_SIZE - 1, err->msg);
        return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ choosing */

/* The choice of an earlier start since the host's own: it need not be searched for again. */
static int remembered(const struct host *host)
{
    CLEANUP_FREE char *path = mem_printf("%s/runtime", role_own_run_dir(host->role));
    CLEANUP(buf_free) struct buf text = BUF_INIT(16);
    struct err ignored = ERR_INIT;

    if (fd_read_file(AT_FDCWD, path, &text, &ignored) < 0)
        return -1;
    for (int i = 0; i < RUNTIMES; i++)
        if (strcmp(buf_text(&text), names[i]) == 0)
            return i;
    return -1;
}

static void remember(const struct host *host)
{
    CLEANUP_FD int dir_fd = -1;
    struct err err = ERR_INIT;

    dir_fd = fd_open_dir(AT_FDCWD, role_own_run_dir(host->role), &err);
    if (dir_fd < 0 ||
        fd_replace_file(dir_fd, "runtime", 0600, span_str(names[host->chosen]), false, &err) < 0)
        log_error("agent.runtime", &err);
}

static void choose(struct host *host)
{
    const char *wanted = settings_runtimes[role_settings(host->role)->runtime];
    bool any = strcmp(wanted, "auto") == 0;
    int first = any ? remembered(host) : -1;
    struct err err = ERR_INIT;

    if (first >= 0 && open_runtime(host, first, &err) == 0) {
        host->chosen = first;
        return;
    }
    for (int i = 0; i < RUNTIMES; i++) {
        if (!any && strcmp(wanted, names[i]) != 0)
            continue;
        err_clear(&err);
        if (open_runtime(host, i, &err) == 0) {
            host->chosen = i;
            remember(host);
            return;
        }
        log_say(LOG_WARN, "agent.runtime", "%s", err.msg);
    }
}

/* Of every runtime that has notes: settings may have changed since. */
static int remove_orphans(struct host *host, struct err *err)
{
    for (int i = 0; i < RUNTIMES; i++) {
        CLEANUP_FREE char *state_dir =
            mem_printf("%s/oci/%s", role_own_run_dir(host->role), names[i]);
        struct err why = ERR_INIT;
        if (access(state_dir, F_OK) < 0)
            continue;
        int count = open_runtime(host, i, &why) < 0 ? -1 : oci_delete_all(host->runtimes[i], &why);
        if (count < 0)
            log_error("agent.orphans", &why);
        if (count > 0)
            log_say(LOG_WARN, "agent.orphans", "removed %d sandboxes that were left behind", count);
    }
    TRY(oci_remove_tree(host->bundle_dir, err));
    if (mkdir(host->bundle_dir, 0711) < 0 || chmod(host->bundle_dir, 0711) < 0)
        return err_sys(err, "cannot make %s", host->bundle_dir);
    return 0;
}

int host_start(struct host *host, struct err *err)
{
    const char *why;

    TRY(remove_orphans(host, err));
    choose(host);
    if (host->chosen < 0) {
        log_say(LOG_ERROR, "agent.runtime", "no OCI runtime works here: engines cannot run");
        return 0;
    }
    bool limits = oci_runtime_limits(host->runtimes[host->chosen], &why);
    log_say(LOG_INFO, "agent.runtime", "engines run in %s, cgroups %s%s%s", names[host->chosen],
            oci_cgroups_name(host->cgroups), limits ? "" : ", without limits: ", limits ? "" : why);
    return 0;
}

int host_runtime(struct host *host, const char *name, struct oci_runtime **out, struct err *err)
{
    int which = host->chosen;

    for (int i = 0; name != NULL && i < RUNTIMES; i++)
        if (strcmp(name, names[i]) == 0)
            which = i;
    if (name != NULL && (which < 0 || strcmp(name, names[which]) != 0))
        return err_set(err, ERR_UNSUPPORTED, "there is no runtime \"%s\"; crun, runc and runsc are",
                       name);
    if (which < 0)
        return err_set(err, ERR_UNSUPPORTED, "no OCI runtime works on this host: %s",
                       host->why_not[0]);
    TRY(open_runtime(host, which, err));
    *out = host->runtimes[which];
    return 0;
}

const char *host_bundle_dir(const struct host *host)
{
    return host->bundle_dir;
}

const char *host_probe(const struct host *host)
{
    return host->probe;
}

json_t *host_describe(const struct host *host)
{
    const char *why = "";
    bool works = host->chosen >= 0;
    bool limits = works && oci_runtime_limits(host->runtimes[host->chosen], &why);
    json_t *refused = json_object();

    for (int i = 0; i < RUNTIMES; i++)
        if (host->why_not[i][0] != '\0')
            json_object_set_new(refused, names[i], json_string(host->why_not[i]));
    if (!limits)
        json_object_set_new(refused, "limits", json_string(works ? why : "no runtime works"));
    return json_pack("{s:s, s:s, s:b, s:b, s:o}", "runtime", works ? names[host->chosen] : "",
                     "cgroups", oci_cgroups_name(host->cgroups), "limits", limits, "ownIds",
                     geteuid() == 0, "notGranted", refused);
}

/* ------------------------------------------------------------------ programs */

static bool is_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    return strncmp(path, dir, len) == 0 && path[len] == '/';
}

static bool is_allowed(const struct opt_list *dirs, const char *path)
{
    for (size_t i = 0; i < dirs->count; i++) {
        CLEANUP_FREE char *dir = realpath(dirs->items[i], NULL);
        if (dir != NULL && is_below(path, dir))
            return true;
    }
    return false;
}

int host_engine(const struct host *host, const char *name, char **out, struct err *err)
{
    const struct opt_list *dirs = &role_settings(host->role)->engine_dirs;
    char *found = NULL;

    if (name[0] == '/')
        found = realpath(name, NULL);
    for (size_t i = 0; found == NULL && strchr(name, '/') == NULL && i < dirs->count; i++) {
        CLEANUP_FREE char *path = mem_printf("%s/%s", dirs->items[i], name);
        found = realpath(path, NULL);
    }
    if (found == NULL)
        return err_set(err, ERR_NOT_FOUND,
                       "the engine %s is in none of the folders of the setting engine-dirs", name);
    *out = found;
    if (!is_allowed(dirs, found))
        return err_set(err, ERR_DENIED,
                       "the engine %s is not below a folder of the setting engine-dirs", found);
    return 0;
}
