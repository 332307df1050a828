/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/instance.h"

#include "base/buf.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "role/control.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

/* The file DATA/instance is this line and the id. A later format gets another line. */
static const char format_line[] = "drun-instance 1\n";

enum { ID_LEN = 36 };

static int new_id(char out[ID_LEN + 1], struct err *err)
{
    uint8_t r[16];
    char hex[33];

    if (getrandom(r, sizeof(r), 0) != sizeof(r))
        return err_sys(err, "cannot make an instance id");
    r[6] = (r[6] & 0x0f) | 0x40; /* RFC 9562 version 4 */
    r[8] = (r[8] & 0x3f) | 0x80;
    enc_hex(span_of(r, sizeof(r)), hex);
    snprintf(out, ID_LEN + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
             hex + 20);
    return 0;
}

/* The id becomes part of a path, so the file is not taken at its word. */
static bool is_id(const char *text)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    for (size_t i = 0; i < ID_LEN; i++)
        if (form[i] == '-' ? text[i] != '-'
                           : text[i] == '\0' || strchr("0123456789abcdef", text[i]) == NULL)
            return false;
    return text[ID_LEN] == '\n';
}

static int read_id(int dir_fd, const char *data_dir, char out[ID_LEN + 1], struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(256);
    size_t prefix = strlen(format_line);

    TRY(fd_read_file(dir_fd, "instance", &text, err));
    if (text.len != prefix + ID_LEN + 1 || !span_has_prefix(buf_span(&text), format_line) ||
        !is_id(buf_text(&text) + prefix))
        return err_set(
            err, ERR_CORRUPT,
            "%s/instance is not of this version of drun or is damaged; restore it from a "
            "backup",
            data_dir);
    memcpy(out, text.data + prefix, ID_LEN);
    out[ID_LEN] = '\0';
    return 0;
}

static void close_dir(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

/* The name of something in the directory, copied; NULL when there is nothing but what may be. */
static int find_other(const char *path, const char *const *may_be, char **out, struct err *err)
{
    CLEANUP(close_dir) DIR *dir = opendir(path);
    const struct dirent *entry;

    *out = NULL;
    if (dir == NULL)
        return err_sys(err, "cannot read the directory %s", path);
    while (*out == NULL && (entry = readdir(dir)) != NULL) {
        bool known = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        for (size_t i = 0; !known && may_be[i] != NULL; i++)
            known = strcmp(entry->d_name, may_be[i]) == 0;
        if (!known)
            *out = mem_strdup(entry->d_name);
    }
    return 0;
}

/* 1 when the directory is an instance; 0 when it can become one. A directory that holds anything
 * else is somebody's, or an instance that lost its file: never make one in it. */
static int is_instance(int dir_fd, const char *data_dir, struct err *err)
{
    static const char *const leftovers[] = {"lock", "instance.new", "lost+found", NULL};
    CLEANUP_FREE char *other = NULL;
    struct stat st;

    if (fstatat(dir_fd, "instance", &st, AT_SYMLINK_NOFOLLOW) == 0)
        return 1;
    if (errno != ENOENT)
        return err_sys(err, "cannot look at %s/instance", data_dir);
    TRY(find_other(data_dir, leftovers, &other, err));
    if (other != NULL)
        return err_set(err, ERR_CORRUPT,
                       "%s holds \"%s\" but no instance file; restore it from a backup, or name an "
                       "empty directory",
                       data_dir, other);
    return 0;
}

static int open_id(int dir_fd, struct instance *instance, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(256);
    int found = is_instance(dir_fd, instance->data_dir, err);

    TRY(found);
    if (found == 1)
        return read_id(dir_fd, instance->data_dir, instance->id, err);
    TRY(new_id(instance->id, err));
    buf_printf(&text, "%s%s\n", format_line, instance->id);
    instance->first_start = true;
    return fd_replace_file(dir_fd, "instance", 0644, buf_span(&text), true, err);
}

static int take_lock(int dir_fd, struct instance *instance, struct err *err)
{
    instance->lock_fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (instance->lock_fd < 0)
        return err_sys(err, "cannot open %s/lock", instance->data_dir);
    if (flock(instance->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return err_sys(err, "cannot lock %s", instance->data_dir);
    return err_set(err, ERR_EXISTS,
                   "drun runs on %s already; stop it first, or name another --data",
                   instance->data_dir);
}

static bool on_tmpfs(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* Who else may write a directory may put links in it, which we would follow as root. */
static int check_owned(const char *what, const char *path, struct err *err)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return err_sys(err, "cannot look at %s", path);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 0022) != 0)
        return err_set(err, ERR_DENIED, "%s %s is not a directory that only we can write", what,
                       path);
    return 0;
}

static int check_length(const char *what, const char *path, struct err *err)
{
    if (strlen(path) < CONTROL_PATH_SIZE)
        return 0;
    return err_set(err, ERR_TOO_LARGE, "the path of %s has %zu bytes, more than %d: %.60s...", what,
                   strlen(path), CONTROL_PATH_SIZE - 1, path);
}

/* The first place in memory where a directory can be made. Names and snapshots lie there in the
 * clear, so a disk will not do. What root finds in $XDG_RUNTIME_DIR is another user's. */
static int choose_run_dir(struct instance *instance, struct err *err)
{
    const char *const parents[] = {geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR"), "/dev/shm"};

    for (size_t i = 0; i < ARRAY_LEN(parents); i++) {
        if (parents[i] == NULL || !on_tmpfs(parents[i]) || access(parents[i], W_OK) < 0)
            continue;
        instance->run_dir = mem_printf("%s/drun-%.8s", parents[i], instance->id);
        return 0;
    }
    return err_set(err, ERR_UNSUPPORTED,
                   "no directory in memory (tmpfs) can be written; set run-dir to one");
}

/* The run directory is cleared at the end, so it must be ours for certain: empty before, or marked
 * with our id by a start that did not end well. */
static int claim_run_dir(struct instance *instance, struct err *err)
{
    static const char *const nothing[] = {NULL};
    CLEANUP(buf_free) struct buf mark = BUF_INIT(ID_LEN);
    CLEANUP_FREE char *other = NULL;
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, instance->run_dir, err);

    TRY(dir_fd);
    if (fd_read_file(dir_fd, INSTANCE_MARK, &mark, err) == 0 &&
        span_eq_str(buf_span(&mark), instance->id)) {
        instance->run_dir_claimed = true;
        return 0;
    }
    err_clear(err);
    TRY(find_other(instance->run_dir, nothing, &other, err));
    if (other != NULL)
        return err_set(err, ERR_DENIED,
                       "run-dir %s holds \"%s\", which is not this platform's; name a directory "
                       "that is empty or does not exist",
                       instance->run_dir, other);
    TRY(fd_replace_file(dir_fd, INSTANCE_MARK, 0644, span_str(instance->id), false, err));
    instance->run_dir_claimed = true;
    return 0;
}

static int make_run_dir(const struct settings *settings, struct instance *instance, struct err *err)
{
    if (settings->run_dir != NULL)
        instance->run_dir = mem_strdup(settings->run_dir);
    else
        TRY(choose_run_dir(instance, err));
    TRY(check_length("run-dir", instance->run_dir, err));
    TRY(fd_make_dirs(instance->run_dir, 0710, err));
    if (!on_tmpfs(instance->run_dir))
        return err_set(err, ERR_INVALID, "run-dir %s is not on a tmpfs", instance->run_dir);
    TRY(check_owned("run-dir", instance->run_dir, err));
    return claim_run_dir(instance, err);
}

int instance_open(const char *data_dir, const struct settings *settings, struct instance *out,
                  struct err *err)
{
    struct instance *instance = out;

    *instance = (struct instance){.lock_fd = -1};
    TRY(check_length("the data directory", data_dir, err));
    TRY(fd_make_dirs(data_dir, 0711, err));
    instance->data_dir = realpath(data_dir, NULL);
    if (instance->data_dir == NULL)
        return err_sys(err, "cannot resolve %s", data_dir);
    TRY(check_length("the data directory", instance->data_dir, err));
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, instance->data_dir, err);
    TRY(dir_fd);
    TRY(check_owned("the data directory", instance->data_dir, err));
    TRY(is_instance(dir_fd, instance->data_dir, err)); /* before anything is made in it */
    TRY(take_lock(dir_fd, instance, err));
    TRY(open_id(dir_fd, instance, err));
    return make_run_dir(settings, instance, err);
}

void instance_close(struct instance *instance)
{
    fd_close(&instance->lock_fd);
    free(instance->data_dir);
    free(instance->run_dir);
    *instance = (struct instance){.lock_fd = -1};
}
