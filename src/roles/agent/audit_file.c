/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/audit_file.h"

#include "base/fd.h"
#include "base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_regular(int dir_fd, const char *name)
{
    struct stat st;

    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static void close_dir(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

int audit_file_open(struct agent *agent, uint32_t number, struct buf *name, struct err *err)
{
    CLEANUP_FREE char *path = mem_printf("%s/../audit", role_data_dir(agent->role));
    CLEANUP(close_dir) DIR *dir = opendir(path);
    uint32_t at = 0;

    if (dir == NULL)
        return err_sys(err, "cannot list %s", path);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (!is_regular(dirfd(dir), entry->d_name) || at++ != number)
            continue;
        int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            return err_sys(err, "cannot open %s", entry->d_name);
        buf_put_str(name, entry->d_name);
        return fd;
    }
    return err_set(err, ERR_NOT_FOUND, "the audit log has %u files", at);
}
