/* SPDX-License-Identifier: Apache-2.0 */
#include "lockdown/lockdown_internal.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* The kernel's interface up to ABI 7; the installed header may be older than the kernel. */
struct ruleset_attr {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};

enum {
    FS_TRUNCATE = 1 << 14,  /* ABI 3 */
    FS_IOCTL_DEV = 1 << 15, /* ABI 5 */
    NET_BIND_TCP = 1 << 0,  /* ABI 4 */
    NET_CONNECT_TCP = 1 << 1,
    SCOPE_ABSTRACT_UNIX = 1 << 0, /* ABI 6 */
    SCOPE_SIGNAL = 1 << 1,
};

enum {
    ACCESS_READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
    ACCESS_WRITE = ACCESS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                   LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                   LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                   LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM |
                   LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE | FS_IOCTL_DEV,
    ACCESS_EXEC = LANDLOCK_ACCESS_FS_EXECUTE | ACCESS_READ,
    /* What a rule may allow on something that is no directory. */
    ACCESS_OF_FILE = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
                     LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV,
};

static int probe_abi(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static uint64_t known_access(int abi)
{
    uint64_t access = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

    if (abi >= 2)
        access |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        access |= FS_TRUNCATE;
    if (abi >= 5)
        access |= FS_IOCTL_DEV;
    return access;
}

static uint64_t wanted_access(const struct lockdown_path *path)
{
    uint64_t access = 0;

    if ((path->access & LOCKDOWN_PATH_READ) != 0)
        access |= ACCESS_READ;
    if ((path->access & LOCKDOWN_PATH_WRITE) != 0)
        access |= ACCESS_WRITE;
    if ((path->access & LOCKDOWN_PATH_EXEC) != 0)
        access |= ACCESS_EXEC;
    return access;
}

static int allow_path(int ruleset_fd, const struct lockdown_path *path, uint64_t handled,
                      struct err *err)
{
    CLEANUP_FD int fd = open(path->path, O_PATH | O_CLOEXEC);
    struct landlock_path_beneath_attr rule = {.parent_fd = fd};
    struct stat status;

    if (fd < 0 && errno == ENOENT && (path->access & LOCKDOWN_PATH_OPTIONAL) != 0)
        return 0;
    if (fd < 0 || fstat(fd, &status) < 0)
        return err_sys(err, "cannot look at %s", path->path);
    rule.allowed_access = wanted_access(path) & handled;
    if (!S_ISDIR(status.st_mode))
        rule.allowed_access &= ACCESS_OF_FILE;
    if (syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        return err_sys(err, "cannot allow %s by Landlock", path->path);
    return 0;
}

static void say_all(struct lockdown_report *report, enum lockdown_state state, const char *why)
{
    lockdown_say(report, LOCKDOWN_BY_LANDLOCK_FILES, state, "%s", why);
    lockdown_say(report, LOCKDOWN_BY_LANDLOCK_TCP, state, "%s", why);
    lockdown_say(report, LOCKDOWN_BY_LANDLOCK_SCOPES, state, "%s", why);
}

/* What each ABI adds. */
static struct ruleset_attr choose(const struct lockdown *lockdown, int abi,
                                  struct lockdown_report *report)
{
    struct ruleset_attr attr = {.handled_access_fs = known_access(abi)};

    lockdown_say(report, LOCKDOWN_BY_LANDLOCK_FILES, LOCKDOWN_IN_FORCE, "ABI %d", abi);
    if ((lockdown->promises & LOCKDOWN_NET_INET) != 0) {
        lockdown_say(report, LOCKDOWN_BY_LANDLOCK_TCP, LOCKDOWN_NOT_ASKED,
                     "the role has a network");
    } else if (abi >= 4) {
        attr.handled_access_net = NET_BIND_TCP | NET_CONNECT_TCP;
        lockdown_say(report, LOCKDOWN_BY_LANDLOCK_TCP, LOCKDOWN_IN_FORCE, "ABI %d", abi);
    } else {
        lockdown_say(report, LOCKDOWN_BY_LANDLOCK_TCP, LOCKDOWN_NOT_GRANTED,
                     "the kernel has Landlock ABI %d and this needs 4", abi);
    }
    if (abi >= 6) {
        attr.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
        lockdown_say(report, LOCKDOWN_BY_LANDLOCK_SCOPES, LOCKDOWN_IN_FORCE, "ABI %d", abi);
    } else {
        lockdown_say(report, LOCKDOWN_BY_LANDLOCK_SCOPES, LOCKDOWN_NOT_GRANTED,
                     "the kernel has Landlock ABI %d and this needs 6", abi);
    }
    return attr;
}

int lockdown_make_ruleset(const struct lockdown *lockdown, struct lockdown_report *report,
                          int *out_fd, struct err *err)
{
    int abi = probe_abi();

    if ((lockdown->promises & LOCKDOWN_MOUNT) != 0) {
        say_all(report, LOCKDOWN_NOT_ASKED, "the role mounts, which Landlock forbids");
        return 0;
    }
    if (abi < 1) {
        say_all(report, LOCKDOWN_NOT_GRANTED, "the kernel has no Landlock");
        return 0;
    }
    struct ruleset_attr attr = choose(lockdown, abi, report);
    /* An older kernel takes only the fields that it knows. */
    size_t size = abi >= 6 ? sizeof(attr) : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
    CLEANUP_FD int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (fd < 0)
        return err_sys(err, "cannot make a Landlock ruleset");
    bool has_files =
        (lockdown->promises & (LOCKDOWN_FILES | LOCKDOWN_EXEC | LOCKDOWN_NET_UNIX)) != 0;
    for (const struct lockdown_path *path = lockdown->paths;
         has_files && path != NULL && path->path != NULL; path++)
        TRY(allow_path(fd, path, attr.handled_access_fs, err));
    *out_fd = fd_take(&fd);
    return 0;
}

int lockdown_enforce_ruleset(int ruleset_fd, struct err *err)
{
    if (ruleset_fd >= 0 && syscall(SYS_landlock_restrict_self, ruleset_fd, 0) < 0)
        return err_sys(err, "cannot enforce Landlock");
    return 0;
}
