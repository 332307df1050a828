/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/num.h"
#include "oci/oci.h"
#include "oci/seccomp.h"

#include <string.h>
#include <sys/resource.h>

enum { CPU_PERIOD_US = 100 * 1000, TMP_MAX_BYTES = 16 << 20, SOCKET_UMASK = 0007 };

/* NULL when one is not UTF-8; what is packed with it then fails as a whole. */
static json_t *texts(const char *const *items)
{
    json_t *list = json_array();

    for (; items != NULL && *items != NULL; items++)
        if (json_array_append_new(list, json_string(*items)) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* A limit above the hard one of this process could not be set without a capability. */
static json_t *rlimit(int which, const char *name, uint64_t wanted)
{
    struct rlimit now;

    if (getrlimit(which, &now) == 0 && now.rlim_max < wanted)
        wanted = now.rlim_max;
    return json_pack("{s:s, s:I, s:I}", "type", name, "soft", (json_int_t)wanted, "hard",
                     (json_int_t)wanted);
}

static json_t *process_of(const struct oci_sandbox *sandbox)
{
    static const char *const sets[] = {"bounding", "effective", "permitted", "inheritable",
                                       "ambient"};
    json_t *none = json_object();

    for (size_t i = 0; i < ARRAY_LEN(sets); i++)
        json_object_set_new(none, sets[i], json_array());
    return json_pack("{s:b, s:{s:i, s:i, s:i}, s:o, s:o, s:s, s:o, s:b, s:[o, o]}", "terminal", 0,
                     "user", "uid", sandbox->uid, "gid", sandbox->gid, "umask", SOCKET_UMASK,
                     "args", texts(sandbox->args), "env", texts(sandbox->env), "cwd", "/",
                     "capabilities", none, "noNewPrivileges", 1, "rlimits",
                     rlimit(RLIMIT_CORE, "RLIMIT_CORE", 0),
                     rlimit(RLIMIT_NOFILE, "RLIMIT_NOFILE", 4096));
}

static bool mount(json_t *mounts, const char *at, const char *type, const char *source,
                  json_t *options)
{
    return json_array_append_new(mounts,
                                 json_pack("{s:s, s:s, s:s, s:o}", "destination", at, "type", type,
                                           "source", source, "options", options)) == 0;
}

static json_t *mounts_of(const struct oci_sandbox *sandbox)
{
    json_t *mounts = json_array();
    CLEANUP_FREE char *tmp_size = mem_printf(
        "size=%llu",
        (unsigned long long)(sandbox->tmp_max_bytes > 0 ? sandbox->tmp_max_bytes : TMP_MAX_BYTES));

    mount(mounts, "/proc", "proc", "proc", json_pack("[s,s,s]", "nosuid", "noexec", "nodev"));
    mount(mounts, "/dev", "tmpfs", "tmpfs",
          json_pack("[s,s,s,s]", "nosuid", "noexec", "mode=755", "size=64k"));
    mount(mounts, "/tmp", "tmpfs", "tmpfs",
          json_pack("[s,s,s,s,s]", "nosuid", "noexec", "nodev", "mode=1777", tmp_size));
    for (size_t i = 0; i < sandbox->mount_count; i++) {
        const struct oci_mount *one = &sandbox->mounts[i];
        json_t *options = json_pack("[s,s,s,s,s]", "bind", "private", one->writable ? "rw" : "ro",
                                    "nosuid", "nodev");
        if (!one->executable)
            json_array_append_new(options, json_string("noexec"));
        if (!mount(mounts, one->at, "bind", one->source, options)) {
            json_decref(mounts);
            return NULL;
        }
    }
    return mounts;
}

static json_t *resources_of(const struct oci_limits *limits)
{
    json_t *resources = json_object();

    if (limits->memory_bytes > 0)
        json_object_set_new(
            resources, "memory",
            json_pack("{s:I}", "limit",
                      (json_int_t)NUM_MIN(limits->memory_bytes, (uint64_t)INT64_MAX)));
    if (limits->pids > 0)
        json_object_set_new(resources, "pids",
                            json_pack("{s:I}", "limit", (json_int_t)limits->pids));
    if (limits->cpu_milli > 0)
        json_object_set_new(resources, "cpu",
                            json_pack("{s:I, s:i}", "quota",
                                      (json_int_t)(limits->cpu_milli * (CPU_PERIOD_US / 1000)),
                                      "period", CPU_PERIOD_US));
    return resources;
}

static json_t *map_of(const struct oci_map *map)
{
    return json_pack("[{s:I, s:I, s:I}]", "containerID", (json_int_t)map->inside, "hostID",
                     (json_int_t)map->outside, "size", (json_int_t)map->count);
}

static json_t *linux_of(const struct oci_sandbox *sandbox)
{
    static const char *const namespaces[] = {"pid",     "ipc",  "uts",   "mount",
                                             "network", "user", "cgroup"};
    static const char *const masked[] = {"/proc/acpi",          "/proc/asound",
                                         "/proc/kcore",         "/proc/keys",
                                         "/proc/latency_stats", "/proc/sched_debug",
                                         "/proc/scsi",          "/proc/timer_list",
                                         "/proc/timer_stats",   "/proc/kallsyms",
                                         "/proc/sysrq-trigger", "/proc/kmsg",
                                         "/sys/firmware",       NULL};
    static const char *const readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", NULL};
    json_t *list = json_array();
    json_t *object;

    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++)
        json_array_append_new(list, json_pack("{s:s}", "type", namespaces[i]));
    object =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "namespaces", list, "uidMappings",
                  map_of(&sandbox->uids), "gidMappings", map_of(&sandbox->gids), "maskedPaths",
                  texts(masked), "readonlyPaths", texts(readonly), "seccomp", oci_seccomp_new());
    if (sandbox->cgroup != NULL) {
        json_object_set_new(object, "cgroupsPath", json_string(sandbox->cgroup));
        json_object_set_new(object, "resources", resources_of(&sandbox->limits));
    }
    return object;
}

static int check(const struct oci_sandbox *sandbox, struct err *err)
{
    if (sandbox->args == NULL || sandbox->args[0] == NULL || sandbox->args[0][0] != '/')
        return err_set(err, ERR_INVALID, "a sandbox needs a program with an absolute path");
    if (sandbox->limits.cpu_milli > 1000ULL * 4096)
        return err_set(err, ERR_INVALID, "a sandbox cannot have %llu CPUs",
                       (unsigned long long)sandbox->limits.cpu_milli / 1000);
    for (size_t i = 0; i < sandbox->mount_count; i++) {
        const char *at = sandbox->mounts[i].at;
        if (at[0] != '/' || strstr(at, "/../") != NULL || strstr(at, "//") != NULL)
            return err_set(err, ERR_INVALID, "\"%.200s\" is no place for a mount", at);
    }
    return 0;
}

int oci_config_put(const struct oci_sandbox *sandbox, struct buf *out, struct err *err)
{
    CLEANUP_JSON json_t *config = NULL;

    TRY(check(sandbox, err));
    config = json_pack("{s:s, s:o, s:{s:s, s:b}, s:s, s:o, s:o}", "ociVersion", "1.0.2", "process",
                       process_of(sandbox), "root", "path", "rootfs", "readonly", 1, "hostname",
                       sandbox->hostname, "mounts", mounts_of(sandbox), "linux", linux_of(sandbox));
    /* jansson refuses what is no UTF-8; arguments may come from outside. */
    if (config == NULL)
        return err_set(err, ERR_INVALID, "an argument or a path of the sandbox is not UTF-8");
    codec_json_put(config, out);
    return buf_check(out, "config.json", err);
}
