/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/scan.h"

#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 20, DEPTH_MAX = 16 };

struct needle {
    uint8_t bytes[SCAN_NEEDLE_MAX];
    size_t len;
};

struct scan {
    char *dir;
    struct needle needles[SCAN_NEEDLES_MAX];
    size_t needle_count;
    uint8_t *piece; /* the tail of the last one, then a new one */
    scan_stop_fn *stop;
    void *stop_ctx;
    uint64_t files;
    uint64_t bytes;
    bool complete;
    json_t *found;
};

void scan_free(struct scan *scan)
{
    if (scan == NULL)
        return;
    json_decref(scan->found);
    mem_wipe(scan->needles, sizeof(scan->needles));
    free(scan->piece);
    free(scan->dir);
    free(scan);
}

void scan_free_ptr(struct scan **scan)
{
    scan_free(*scan);
}

int scan_new(const char *dir, const json_t *needles, struct scan **out, struct err *err)
{
    CLEANUP(scan_free_ptr) struct scan *scan = mem_new(sizeof(*scan));
    size_t count = json_array_size(needles);

    if (count == 0 || count > SCAN_NEEDLES_MAX)
        return err_set(err, ERR_INVALID, "between 1 and %d needles can be searched",
                       SCAN_NEEDLES_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *hex = json_string_value(json_array_get(needles, i));
        size_t len = hex != NULL ? strlen(hex) / 2 : 0;
        if (len < SCAN_NEEDLE_MIN || len > SCAN_NEEDLE_MAX)
            return err_set(err, ERR_INVALID, "a needle has %d to %d bytes", SCAN_NEEDLE_MIN,
                           SCAN_NEEDLE_MAX);
        scan->needles[i].len = len;
        TRY(enc_unhex(span_str(hex), scan->needles[i].bytes, len, err));
    }
    scan->needle_count = count;
    scan->dir = mem_strdup(dir);
    scan->piece = mem_new(PIECE + SCAN_NEEDLE_MAX);
    scan->found = json_array();
    *out = scan;
    scan = NULL;
    return 0;
}

/* One hit of each needle in a piece is enough; `from` skips what an earlier piece has shown. */
static void search(struct scan *scan, const char *path, size_t len, size_t seen, uint64_t offset)
{
    for (size_t i = 0; i < scan->needle_count; i++) {
        const struct needle *needle = &scan->needles[i];
        size_t from = seen >= needle->len ? seen - needle->len + 1 : 0;
        const uint8_t *hit =
            len > from ? memmem(scan->piece + from, len - from, needle->bytes, needle->len) : NULL;
        if (hit != NULL && json_array_size(scan->found) < SCAN_FOUND_MAX)
            json_array_append_new(scan->found,
                                  json_pack("{s:s, s:I, s:i}", "path", path, "offset",
                                            (json_int_t)(offset + (uint64_t)(hit - scan->piece)),
                                            "needle", (int)i));
    }
}

static int scan_file(struct scan *scan, int fd, const char *path, struct err *err)
{
    uint64_t offset = 0; /* of piece[0] in the file */
    size_t kept = 0;

    scan->files++;
    for (;;) {
        ssize_t got = pread(fd, scan->piece + kept, PIECE, (off_t)(offset + kept));
        if (got < 0)
            return err_sys(err, "cannot read %s", path);
        if (got == 0)
            return 0;
        size_t len = kept + (size_t)got;
        search(scan, path, len, kept, offset);
        scan->bytes += (uint64_t)got;
        /* A needle may lie across two pieces. */
        kept = len < SCAN_NEEDLE_MAX - 1 ? len : SCAN_NEEDLE_MAX - 1;
        memmove(scan->piece, scan->piece + len - kept, kept);
        offset += len - kept;
        if (scan->stop(scan->stop_ctx)) {
            scan->complete = false;
            return 0;
        }
    }
}

static int scan_folder(struct scan *scan, int fd, const char *path, int depth, struct err *err);

static int scan_entry(struct scan *scan, int parent_fd, const char *parent, const char *name,
                      int depth, struct err *err)
{
    CLEANUP_FREE char *path =
        parent[0] != '\0' ? mem_printf("%s/%s", parent, name) : mem_strdup(name);
    struct stat status;

    if (fstatat(parent_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_sys(err, "cannot look at %s", path);
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
        return 0;
    CLEANUP_FD int fd = openat(parent_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_sys(err, "cannot open %s", path);
    if (S_ISREG(status.st_mode))
        return scan_file(scan, fd, path, err);
    return scan_folder(scan, fd_take(&fd), path, depth + 1, err);
}

static void dir_close(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

/* Takes the descriptor. Files come and go meanwhile. */
static int scan_folder(struct scan *scan, int fd, const char *path, int depth, struct err *err)
{
    CLEANUP(dir_close) DIR *dir = fdopendir(fd);

    if (dir == NULL) {
        fd_close(&fd);
        return err_sys(err, "cannot read the folder %s", path);
    }
    if (depth > DEPTH_MAX)
        return err_set(err, ERR_TOO_LARGE, "the folder %s lies too deep", path);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (scan->stop(scan->stop_ctx))
            scan->complete = false;
        if (!scan->complete)
            return 0;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            TRY(scan_entry(scan, dirfd(dir), path, entry->d_name, depth, err));
    }
    return 0;
}

int scan_run(struct scan *scan, scan_stop_fn *stop, void *ctx, struct err *err)
{
    int fd = fd_open_dir(AT_FDCWD, scan->dir, err);

    TRY(fd);
    scan->stop = stop;
    scan->stop_ctx = ctx;
    scan->complete = true;
    return scan_folder(scan, fd, "", 0, err);
}

json_t *scan_answer(const struct scan *scan)
{
    return json_pack("{s:I, s:I, s:b, s:O}", "files", (json_int_t)scan->files, "bytes",
                     (json_int_t)scan->bytes, "complete", scan->complete, "found", scan->found);
}
