/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/mem.h"
#include "oci/oci.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The sandbox's root is another user than we, who must get to the bundle. */
static int check_passable(const char *dir, struct err *err)
{
    CLEANUP_FREE char *path = mem_strdup(dir);

    for (char *slash = strrchr(path, '/'); slash != NULL && slash != path;
         slash = strrchr(path, '/')) {
        struct stat status;
        *slash = '\0';
        if (stat(path, &status) < 0)
            return err_sys(err, "cannot look at %s", path);
        if ((status.st_mode & S_IXOTH) == 0)
            return err_set(err, ERR_UNSUPPORTED,
                           "%s does not let others pass, so that sandboxes cannot live below it; "
                           "choose another run-dir",
                           path);
    }
    return 0;
}

/* An empty folder or file for a mount to cover. */
static int make_point(int root_fd, const char *at, bool is_dir, struct err *err)
{
    CLEANUP_FREE char *path = mem_strdup(at + 1);

    for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdirat(root_fd, path, 0755) < 0 && errno != EEXIST)
            return err_sys(err, "cannot make /%s in the sandbox", path);
        *slash = '/';
    }
    if (is_dir && mkdirat(root_fd, path, 0755) < 0 && errno != EEXIST)
        return err_sys(err, "cannot make /%s in the sandbox", path);
    if (is_dir)
        return 0;
    CLEANUP_FD int fd = openat(root_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444);
    return fd < 0 ? err_sys(err, "cannot make /%s in the sandbox", path) : 0;
}

static int make_points(int root_fd, const struct oci_sandbox *sandbox, struct err *err)
{
    static const char *const own[] = {"/proc", "/dev", "/tmp"};

    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        TRY(make_point(root_fd, own[i], true, err));
    for (size_t i = 0; i < sandbox->mount_count; i++) {
        struct stat status;
        if (stat(sandbox->mounts[i].source, &status) < 0)
            return err_sys(err, "cannot look at %s", sandbox->mounts[i].source);
        TRY(make_point(root_fd, sandbox->mounts[i].at, S_ISDIR(status.st_mode), err));
    }
    return 0;
}

int oci_bundle_make(const char *dir, const struct oci_sandbox *sandbox, struct err *err)
{
    CLEANUP(buf_free) struct buf config = BUF_INIT(OCI_CONFIG_MAX);

    TRY(oci_config_put(sandbox, &config, err));
    if (sandbox->uids.outside != geteuid())
        TRY(check_passable(dir, err));
    if (mkdir(dir, 0711) < 0 || chmod(dir, 0711) < 0)
        return err_sys(err, "cannot make the bundle %s", dir);
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, dir, err);
    TRY(dir_fd);
    if (mkdirat(dir_fd, "rootfs", 0755) < 0 || fchmodat(dir_fd, "rootfs", 0755, 0) < 0)
        return err_sys(err, "cannot make %s/rootfs", dir);
    CLEANUP_FD int root_fd = fd_open_dir(dir_fd, "rootfs", err);
    TRY(root_fd);
    TRY(make_points(root_fd, sandbox, err));
    return fd_replace_file(dir_fd, "config.json", 0600, buf_span(&config), false, err);
}

static int empty_folder(int fd, dev_t device, struct err *err);

static int remove_entry(int parent_fd, const char *name, dev_t device, struct err *err)
{
    struct stat status;

    if (fstatat(parent_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_sys(err, "cannot look at %s", name);
    if (!S_ISDIR(status.st_mode))
        return unlinkat(parent_fd, name, 0) < 0 ? err_sys(err, "cannot remove %s", name) : 0;
    if (status.st_dev != device)
        return err_set(err, ERR_CONFLICT, "something is mounted on %s", name);
    int fd = fd_open_dir(parent_fd, name, err);
    TRY(fd);
    TRY(empty_folder(fd, device, err));
    return unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 ? err_sys(err, "cannot remove %s", name) : 0;
}

static void dir_close(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

/* Takes the descriptor. */
static int empty_folder(int fd, dev_t device, struct err *err)
{
    CLEANUP(dir_close) DIR *dir = fdopendir(fd);

    if (dir == NULL) {
        fd_close(&fd);
        return err_sys(err, "cannot read a folder");
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            TRY(remove_entry(dirfd(dir), entry->d_name, device, err));
    return 0;
}

int oci_remove_tree(const char *dir, struct err *err)
{
    struct stat status;

    if (lstat(dir, &status) < 0)
        return errno == ENOENT ? 0 : err_sys(err, "cannot look at %s", dir);
    if (remove_entry(AT_FDCWD, dir, status.st_dev, err) < 0)
        return err_wrap(err, "cannot remove %s", dir);
    return 0;
}
