/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/mem.h"
#include "log/log.h"
#include "supervisor/listen.h"
#include "supervisor/supervisor_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_dir(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

/* A role opens its own files; an earlier version opened them as root and left them root's. What has
 * a second name is not touched: it may be somebody else's file. */
static int give_files(const char *path, uid_t uid, gid_t gid, struct err *err)
{
    CLEANUP(close_dir) DIR *dir = opendir(path);
    const struct dirent *entry;
    struct stat st;

    if (dir == NULL)
        return err_sys(err, "cannot read %s", path);
    while ((entry = readdir(dir)) != NULL)
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && st.st_uid == 0 && st.st_nlink == 1 &&
            fchownat(dirfd(dir), entry->d_name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
            return err_sys(err, "cannot give %s/%s to its role", path, entry->d_name);
    return 0;
}

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
    return geteuid() == 0 && !entry->keeps_root ? give_files(path, uid, gid, err) : 0;
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

/* A seal closes them, and they are made anew. */
static int make_unix_sockets(struct supervisor *supervisor, struct err *err)
{
    for (const struct role_entry *entry = supervisor->table; entry->main != NULL; entry++)
        if (entry->http)
            TRY(make_http_socket(supervisor, entry, err));
    CLEANUP_FREE char *path = mem_printf("%s/operator.sock", supervisor->instance.run_dir);
    supervisor->operator_fd = listen_unix(path, 0600, err);
    return supervisor->operator_fd < 0 ? -1 : 0;
}

/* Once: the addresses stay the platform's while it is sealed. */
static int make_listeners(struct supervisor *supervisor, struct err *err)
{
    TRY(settings_check_listeners(supervisor->settings, err));
    for (unsigned which = 0; which < SETTINGS_LISTENERS; which++) {
        const struct opt_listen *at = settings_listener(supervisor->settings, which);
        if (at->port == 0)
            continue;
        supervisor->listener_fd[which] = listen_tcp(at, settings_listener_name(which), err);
        TRY(supervisor->listener_fd[which]);
    }
    return 0;
}

int places_make(struct supervisor *supervisor, struct err *err)
{
    const struct instance *instance = &supervisor->instance;
    CLEANUP_FREE char *run_dir = mem_printf("%s\n", instance->run_dir);
    CLEANUP_FD int data_fd = fd_open_dir(AT_FDCWD, instance->data_dir, err);

    TRY(data_fd);
    TRY(make_listeners(supervisor, err));
    return fd_replace_file(data_fd, "run", 0644, span_str(run_dir), false, err);
}

int places_open(struct supervisor *supervisor, struct err *err)
{
    TRY(make_folders(supervisor, err));
    return make_unix_sockets(supervisor, err);
}

int places_announce(const struct supervisor *supervisor, const char *url, struct err *err)
{
    CLEANUP_FREE char *endpoint = mem_printf("%s\n", url);
    CLEANUP_FD int run_fd = fd_open_dir(AT_FDCWD, supervisor->instance.run_dir, err);

    TRY(run_fd);
    return fd_replace_file(run_fd, "endpoint", 0644, span_str(endpoint), false, err);
}

void places_close(struct supervisor *supervisor)
{
    const char *run_dir = supervisor->instance.run_dir;

    for (int id = 0; id < ROLE_COUNT; id++)
        fd_close(&supervisor->http_fd[id]);
    fd_close(&supervisor->operator_fd);

    /* Of all roles: one that is not wanted any more may have left something when it was. */
    for (int id = ROLE_SUPERVISOR + 1; id < ROLE_COUNT; id++) {
        const char *name = role_name((enum role_id)id);
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
}

void places_clear(struct supervisor *supervisor)
{
    const char *run_dir = supervisor->instance.run_dir;
    CLEANUP_FREE char *socket = mem_printf("%s/" SEALING_SOCKET, run_dir);
    CLEANUP_FREE char *mark = mem_printf("%s/" INSTANCE_MARK, run_dir);

    places_close(supervisor);
    unlink(socket);
    unlink(mark);
    rmdir(run_dir); /* stays when it holds anything of others */
}
