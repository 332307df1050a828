/* SPDX-License-Identifier: Apache-2.0 */
#include "lockdown/lockdown_internal.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* The listed paths as mounts that hang nowhere yet, and the new root. */
struct builder {
    const struct lockdown_path *paths;
    size_t count;
    int *tree_fds; /* -1 for a missing optional path */
    int root_fd;
};

static void builder_close(struct builder *builder)
{
    for (size_t i = 0; builder->tree_fds != NULL && i < builder->count; i++)
        fd_close(&builder->tree_fds[i]);
    free(builder->tree_fds);
    fd_close(&builder->root_fd);
}

static bool is_ungranted(void)
{
    return errno == ENOSYS || errno == EPERM || errno == EINVAL;
}

/* What goes wrong before the first mount is attached leaves everything as it was. */
static int ungranted(struct err *err, const char *what)
{
    bool soft = is_ungranted();

    err_sys(err, "%s", what);
    return soft ? 1 : -1;
}

static int limit_tree(int tree_fd, const struct lockdown_path *path, struct err *err)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID, .propagation = MS_PRIVATE};
    struct stat status;

    if (fstat(tree_fd, &status) < 0)
        return err_sys(err, "cannot look at %s", path->path);
    if (!S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode))
        attr.attr_set |= MOUNT_ATTR_NODEV;
    if ((path->access & LOCKDOWN_PATH_WRITE) == 0)
        attr.attr_set |= MOUNT_ATTR_RDONLY;
    if ((path->access & LOCKDOWN_PATH_EXEC) == 0)
        attr.attr_set |= MOUNT_ATTR_NOEXEC;
    if (mount_setattr(tree_fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
        return ungranted(err, "mount_setattr");
    return 0;
}

/* 0, 1 when the kernel grants it not, -1. */
static int clone_trees(struct builder *builder, struct err *err)
{
    for (size_t i = 0; i < builder->count; i++) {
        const struct lockdown_path *path = &builder->paths[i];
        INVARIANT(path->path[0] == '/' && path->path[1] != '\0');
        int fd =
            open_tree(AT_FDCWD, path->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
        builder->tree_fds[i] = fd;
        if (fd < 0 && errno == ENOENT && (path->access & LOCKDOWN_PATH_OPTIONAL) != 0)
            continue;
        if (fd < 0 && is_ungranted())
            return ungranted(err, "open_tree");
        if (fd < 0)
            return err_sys(err, "cannot take %s along", path->path);
        int limited = limit_tree(fd, path, err);
        if (limited != 0)
            return limited;
    }
    return 0;
}

static int make_tmpfs(struct builder *builder, struct err *err)
{
    CLEANUP_FD int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);

    if (fs < 0)
        return ungranted(err, "fsopen tmpfs");
    if (fsconfig(fs, FSCONFIG_SET_STRING, "size", "256k", 0) < 0 ||
        fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
        fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return ungranted(err, "fsconfig tmpfs");
    builder->root_fd =
        fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (builder->root_fd < 0)
        return ungranted(err, "fsmount tmpfs");
    return 0;
}

/* An empty directory or file below the new root for a mount to cover. Inside a path that is already
 * mounted it is there. */
static int make_target(int root_fd, const char *path, bool is_dir, struct err *err)
{
    CLEANUP_FREE char *part = mem_strdup(path);

    for (char *slash = strchr(part, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdirat(root_fd, part, 0755) < 0 && errno != EEXIST)
            return err_sys(err, "cannot make /%s in the private root", part);
        *slash = '/';
    }
    int made = is_dir ? mkdirat(root_fd, path, 0755) : mknodat(root_fd, path, S_IFREG | 0444, 0);
    if (made < 0 && errno != EEXIST)
        return err_sys(err, "cannot make /%s in the private root", path);
    return 0;
}

static int attach_trees(const struct builder *builder, struct err *err)
{
    for (size_t i = 0; i < builder->count; i++) {
        const char *relative = builder->paths[i].path + 1;
        struct stat status;
        if (builder->tree_fds[i] < 0)
            continue;
        if (fstat(builder->tree_fds[i], &status) < 0)
            return err_sys(err, "cannot look at /%s", relative);
        TRY(make_target(builder->root_fd, relative, S_ISDIR(status.st_mode), err));
        if (move_mount(builder->tree_fds[i], "", builder->root_fd, relative,
                       MOVE_MOUNT_F_EMPTY_PATH) < 0)
            return err_sys(err, "cannot mount /%s in the private root", relative);
    }
    return 0;
}

/* The new root covers the old one, becomes the root, and the old one is let go: pivot_root(2) with
 * one place for both. */
static int switch_root(int root_fd, struct err *err)
{
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};

    if (mount_setattr(root_fd, "", AT_EMPTY_PATH, &read_only, sizeof(read_only)) < 0)
        return err_sys(err, "cannot make the private root read-only");
    if (fchdir(root_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
        return err_sys(err, "cannot change to the private root");
    if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return err_sys(err, "cannot let go of the old root");
    return 0;
}

int lockdown_build_root(const struct lockdown *lockdown, struct err *err)
{
    CLEANUP(builder_close) struct builder builder = {.paths = lockdown->paths, .root_fd = -1};

    while (builder.paths != NULL && builder.paths[builder.count].path != NULL)
        builder.count++;
    builder.tree_fds = mem_new_array(builder.count + 1, sizeof(*builder.tree_fds));
    for (size_t i = 0; i < builder.count; i++)
        builder.tree_fds[i] = -1;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return ungranted(err, "private propagation");
    int result = clone_trees(&builder, err);
    if (result == 0)
        result = make_tmpfs(&builder, err);
    if (result != 0)
        return result;
    if (move_mount(builder.root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return ungranted(err, "move_mount");
    TRY(attach_trees(&builder, err));
    return switch_root(builder.root_fd, err);
}
