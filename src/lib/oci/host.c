/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/mem.h"
#include "oci/runtime.h"

#include <errno.h>
#include <glob.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

static const char unified[] = "/sys/fs/cgroup/unified";

static bool is_cgroup2(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

enum oci_cgroups oci_cgroups_here(void)
{
    if (is_cgroup2("/sys/fs/cgroup"))
        return OCI_CGROUPS_V2;
    if (access("/sys/fs/cgroup/memory", F_OK) < 0)
        return OCI_CGROUPS_NONE;
    return is_cgroup2(unified) ? OCI_CGROUPS_HYBRID : OCI_CGROUPS_V1;
}

const char *oci_cgroups_name(enum oci_cgroups cgroups)
{
    static const char *const names[] = {"none", "v1", "hybrid", "v2"};

    return names[cgroups];
}

void oci_cgroup_remove(const char *cgroup)
{
    CLEANUP(globfree) glob_t found = {0};
    CLEANUP_FREE char *v1 = mem_printf("/sys/fs/cgroup/*%s", cgroup);
    CLEANUP_FREE char *v2 = mem_printf("/sys/fs/cgroup%s", cgroup);

    (void)rmdir(v2);
    if (geteuid() != 0 || glob(v1, GLOB_ONLYDIR, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        (void)rmdir(found.gl_pathv[i]);
}

int oci_prepare_process(struct err *err)
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return err_sys(err, "cannot become the parent of orphans");
    if (geteuid() != 0 || oci_cgroups_here() != OCI_CGROUPS_HYBRID)
        return 0;
    /* Not granted: then crun does not work, and the trial says so. */
    if (unshare(CLONE_NEWNS) < 0)
        return errno == EPERM ? 0 : err_sys(err, "cannot have an own mount namespace");
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return err_sys(err, "cannot keep mounts to this process");
    if (umount2(unified, MNT_DETACH) < 0)
        return err_sys(err, "cannot unmount %s for the sandboxes", unified);
    return 0;
}

void oci_bury_orphans(bool (*is_known)(void *ctx, pid_t pid), void *ctx)
{
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return;
        if (is_known(ctx, info.si_pid) || waitpid(info.si_pid, NULL, WNOHANG) < 0)
            return;
    }
}
