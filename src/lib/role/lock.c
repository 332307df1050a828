/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/mem.h"
#include "log/log.h"
#include "role/control.h"
#include "role/role.h"
#include "role/settings.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OWN_PATHS = 3, PATHS_MAX = 32, REPORT_MAX = 8 * 1024 };

/* Parents before children. */
static void list_paths(const struct role *role, const struct role_promises *promises,
                       struct lockdown_path out[PATHS_MAX])
{
    size_t count = 0;

    if (promises->data_access != 0)
        out[count++] = (struct lockdown_path){role_data_dir(role), promises->data_access};
    out[count++] = (struct lockdown_path){role_run_dir(role), LOCKDOWN_PATH_READ};
    out[count++] = (struct lockdown_path){role_own_run_dir(role), LOCKDOWN_PATH_WRITE};
    for (const struct lockdown_path *path = promises->paths; path != NULL && path->path != NULL;
         path++) {
        INVARIANT(count < PATHS_MAX - 1);
        out[count++] = *path;
    }
    out[count] = (struct lockdown_path){0};
}

static void put_json_text(struct buf *out, const char *text)
{
    buf_put_u8(out, '"');
    for (; *text != '\0'; text++)
        if (*text == '"' || *text == '\\')
            buf_printf(out, "\\%c", *text);
        else
            buf_put_u8(out, (uint8_t)*text < ' ' ? ' ' : (uint8_t)*text);
    buf_put_u8(out, '"');
}

static int write_report(int fd, const struct lockdown_report *report, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(REPORT_MAX);

    buf_put_u8(&text, '[');
    for (size_t i = 0; i < LOCKDOWN_MECHANISMS; i++) {
        const struct lockdown_entry *entry = &report->entries[i];
        buf_printf(&text, "%s{\"name\":\"%s\",\"state\":\"%s\",\"detail\":", i > 0 ? ",\n " : "",
                   entry->name, lockdown_state_name(entry->state));
        put_json_text(&text, entry->detail);
        buf_put_u8(&text, '}');
    }
    buf_put_str(&text, "]\n");
    return fd_write_all(fd, buf_span(&text), "lockdown.json", err);
}

int role_lock_down(struct role *role, const struct role_promises *promises, struct err *err)
{
    struct lockdown_path paths[PATHS_MAX];
    struct lockdown_report report;
    bool root = role_uid(role) != 0;
    struct lockdown lockdown = {
        .name = role_name(role_self(role)),
        .promises = promises->promises,
        .paths = paths,
        .uid = role_uid(role),
        .gid = root ? (gid_t)role_settings(role)->uid_base : 0,
        .keep_capabilities = promises->keep_capabilities,
        .private_mounts = !promises->mounts,
        .private_net = !promises->network,
    };
    CLEANUP_FREE char *path = mem_printf("%s/lockdown.json", role_own_run_dir(role));

    /* Opened before, because it tells what is no longer possible afterwards. */
    /* The folder is the role's own: what an earlier life of it left there is not opened as root. */
    (void)unlink(path);
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_sys(err, "cannot write %s", path);
    if (fchmod(fd, 0644) < 0)
        return err_sys(err, "cannot let others read %s", path);
    list_paths(role, promises, paths);
    TRY(lockdown_apply(&lockdown, &report, err));
    return write_report(fd, &report, err);
}
