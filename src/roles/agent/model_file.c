/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/model_file.h"

#include "base/enc.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* The part of the path behind the folder, or NULL. */
static const char *behind(const char *dir, const char *path)
{
    size_t len = strlen(dir);

    while (len > 1 && dir[len - 1] == '/')
        len--;
    if (strncmp(path, dir, len) != 0 || path[len] != '/')
        return NULL;
    path += len;
    while (*path == '/')
        path++;
    return *path != '\0' ? path : NULL;
}

static int open_beneath(const char *dir, const char *relative, struct err *err)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                           .resolve =
                               RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    CLEANUP_FD int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (dir_fd < 0)
        return err_sys(err, "cannot open the model folder %s", dir);
    int fd = (int)syscall(SYS_openat2, dir_fd, relative, &how, sizeof(how));
    if (fd >= 0)
        return fd;
    if (errno == ELOOP || errno == EXDEV)
        return err_set(err, ERR_DENIED, "%s leads out of the model folder %s or over a link",
                       relative, dir);
    return err_sys(err, "cannot open %s in the model folder %s", relative, dir);
}

int model_file_open(const struct opt_list *dirs, const char *path, uint64_t *out_size,
                    struct err *err)
{
    CLEANUP_FD int fd = -1;
    struct stat status;

    err_set(err, ERR_DENIED, "%.200s is in none of the folders of the setting model-dirs", path);
    for (size_t i = 0; fd < 0 && i < dirs->count; i++) {
        const char *relative = behind(dirs->items[i], path);
        if (relative != NULL)
            fd = open_beneath(dirs->items[i], relative, err);
    }
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) < 0)
        return err_sys(err, "cannot look at %s", path);
    if (!S_ISREG(status.st_mode))
        return err_set(err, ERR_DENIED, "%.200s is no regular file", path);
    err_clear(err);
    *out_size = (uint64_t)status.st_size;
    return fd_take(&fd);
}

void model_file_name(const char *path, char out[MODEL_NAME_SIZE])
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t len = strlen(name);
    bool good = len > 0 && len < MODEL_NAME_SIZE && strspn(name, plain) == len && name[0] != '.' &&
                name[0] != '-';

    snprintf(out, MODEL_NAME_SIZE, "%s", good ? name : "model");
}

int model_digest_parse(const char *text, uint8_t out[MODEL_DIGEST_LEN], struct err *err)
{
    static const char prefix[] = "sha256:";

    if (strncmp(text, prefix, strlen(prefix)) != 0)
        return err_set(err, ERR_INVALID, "a digest must be sha256: and 64 hex digits");
    return enc_unhex(span_str(text + strlen(prefix)), out, MODEL_DIGEST_LEN, err);
}

void model_digest_put(const uint8_t digest[MODEL_DIGEST_LEN], char out[MODEL_DIGEST_TEXT_SIZE])
{
    snprintf(out, 8, "sha256:");
    enc_hex(span_of(digest, MODEL_DIGEST_LEN), out + 7);
}
