/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include "base/mem.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_CHUNK = 64 * 1024 };

void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int fd_take(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

int fd_open_dir(int dir_fd, const char *path, struct err *err)
{
    int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    return fd < 0 ? err_sys(err, "cannot open the directory %s", path) : fd;
}

int fd_read_all(int fd, const char *what, struct buf *out, struct err *err)
{
    for (;;) {
        /* One byte more than may come tells a file that is too long from one that fits exactly. */
        size_t room = NUM_MIN(out->max - out->len, (size_t)READ_CHUNK);
        uint8_t probe;
        uint8_t *at = room > 0 ? buf_reserve(out, room) : &probe;
        ssize_t got = read(fd, at, room > 0 ? room : 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(err, "cannot read %s", what);
        if (got == 0)
            return 0;
        if (room == 0)
            return err_set(err, ERR_TOO_LARGE, "%s is larger than %zu bytes", what, out->max);
        buf_commit(out, (size_t)got);
    }
}

int fd_read_file(int dir_fd, const char *path, struct buf *out, struct err *err)
{
    CLEANUP_FD int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return err_sys(err, "cannot open %s", path);
    return fd_read_all(fd, path, out, err);
}

int fd_write_all(int fd, struct span bytes, const char *what, struct err *err)
{
    while (bytes.len > 0) {
        ssize_t put = write(fd, bytes.p, bytes.len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_sys(err, "cannot write %s", what);
        bytes = span_of(bytes.p + put, bytes.len - (size_t)put);
    }
    return 0;
}

static int write_new_file(int dir_fd, const char *temp, mode_t mode, struct span bytes,
                          bool durable, struct err *err)
{
    CLEANUP_FD int fd =
        openat(dir_fd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);

    if (fd < 0)
        return err_sys(err, "cannot create %s", temp);
    TRY(fd_write_all(fd, bytes, temp, err));
    if (durable && fsync(fd) < 0)
        return err_sys(err, "cannot make %s durable", temp);
    return 0;
}

int fd_replace_file(int dir_fd, const char *name, mode_t mode, struct span bytes, bool durable,
                    struct err *err)
{
    CLEANUP_FREE char *temp = mem_printf("%s.new", name);

    if (write_new_file(dir_fd, temp, mode, bytes, durable, err) < 0) {
        unlinkat(dir_fd, temp, 0);
        return -1;
    }
    if (renameat(dir_fd, temp, dir_fd, name) < 0) {
        err_sys(err, "cannot put %s in place", name);
        unlinkat(dir_fd, temp, 0);
        return -1;
    }
    if (durable && dir_fd >= 0 && fsync(dir_fd) < 0)
        return err_sys(err, "cannot make the directory of %s durable", name);
    return 0;
}

int fd_make_dirs(const char *path, mode_t mode, struct err *err)
{
    CLEANUP_FREE char *partial = mem_strdup(path);

    for (char *at = partial + 1;; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char kept = *at;
        *at = '\0';
        if (mkdir(partial, mode) < 0 && errno != EEXIST)
            return err_sys(err, "cannot make the directory %s", partial);
        if (kept == '\0')
            return 0;
        *at = kept;
    }
}

static int remove_one(const char *path, const struct stat *st UNUSED, int kind UNUSED,
                      struct FTW *at UNUSED)
{
    return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

int fd_remove_tree(const char *path, struct err *err)
{
    enum { OPEN_AT_ONCE = 16 };

    if (nftw(path, remove_one, OPEN_AT_ONCE, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 &&
        errno != ENOENT)
        return err_sys(err, "cannot remove %s", path);
    return 0;
}

int fd_set_nonblocking(int fd, struct err *err)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return err_sys(err, "cannot make a descriptor non-blocking");
    return 0;
}
