/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/oci.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "codec/json.h"
#include "oci/elf_info.h"
#include "oci/files.h"
#include "oci/ring.h"
#include "oci/run.h"
#include "oci/seccomp.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const args[] = {"/bin/engine", "--flag", NULL};

static struct oci_sandbox good(void)
{
    static const struct oci_mount mounts[] = {
        {"/bin/true", "/bin/engine", false, true},
        {"/tmp", "/run/engine", true, false},
    };

    return (struct oci_sandbox){.id = "one",
                                .hostname = "engine",
                                .args = args,
                                .uid = 1,
                                .gid = 1,
                                .uids = {0, 70000, 2},
                                .gids = {0, 70000, 2},
                                .mounts = mounts,
                                .mount_count = ARRAY_LEN(mounts),
                                .limits = {1 << 30, 1500, 100},
                                .cgroup = "/drun/one"};
}

static json_t *config_of(const struct oci_sandbox *sandbox)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(OCI_CONFIG_MAX);
    struct err err = ERR_INIT;
    json_t *config = NULL;

    assert_int_equal(oci_config_put(sandbox, &text, &err), 0);
    assert_int_equal(codec_json_parse(buf_span(&text), "config.json", &config, &err), 0);
    return config;
}

static bool has_text(const json_t *list, const char *text)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), text) == 0)
            return true;
    return false;
}

static void a_sandbox_has_no_privilege(void **state UNUSED)
{
    struct oci_sandbox sandbox = good();
    CLEANUP_JSON json_t *config = config_of(&sandbox);
    const json_t *process = json_object_get(config, "process");
    const char *name;
    json_t *set;

    assert_true(json_is_true(json_object_get(process, "noNewPrivileges")));
    assert_int_equal(json_object_size(json_object_get(process, "capabilities")), 5);
    json_object_foreach (json_object_get(process, "capabilities"), name, set)
        assert_int_equal(json_array_size(set), 0);
    assert_true(json_is_true(codec_json_at(config, "root", "readonly", NULL)));
}

static void a_sandbox_has_every_namespace_of_its_own(void **state UNUSED)
{
    static const char *const wanted[] = {"pid", "ipc", "uts", "mount", "network", "user", "cgroup"};
    struct oci_sandbox sandbox = good();
    CLEANUP_JSON json_t *config = config_of(&sandbox);
    const json_t *list = codec_json_at(config, "linux", "namespaces", NULL);

    assert_int_equal(json_array_size(list), ARRAY_LEN(wanted));
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        bool found = false;
        for (size_t k = 0; k < json_array_size(list); k++) {
            const json_t *one = json_array_get(list, k);
            /* A path would join somebody else's. */
            assert_null(json_object_get(one, "path"));
            found = found || strcmp(codec_json_text(one, "type", ""), wanted[i]) == 0;
        }
        assert_true(found);
    }
}

static void mounts_are_read_only_unless_asked_otherwise(void **state UNUSED)
{
    struct oci_sandbox sandbox = good();
    CLEANUP_JSON json_t *config = config_of(&sandbox);
    const json_t *mounts = json_object_get(config, "mounts");
    size_t i, binds = 0;
    json_t *mount;

    json_array_foreach (mounts, i, mount) {
        const json_t *options = json_object_get(mount, "options");
        const char *at = codec_json_text(mount, "destination", "");
        assert_true(has_text(options, "nosuid"));
        if (strcmp(codec_json_text(mount, "type", ""), "bind") != 0)
            continue;
        binds++;
        bool socket_folder = strcmp(at, "/run/engine") == 0;
        assert_true(has_text(options, socket_folder ? "rw" : "ro"));
        assert_true(has_text(options, "nodev"));
        assert_int_equal(has_text(options, "noexec"), socket_folder);
    }
    assert_int_equal(binds, 2);
}

static void limits_are_set_where_there_is_a_cgroup(void **state UNUSED)
{
    struct oci_sandbox sandbox = good();
    CLEANUP_JSON json_t *config = config_of(&sandbox);
    const json_t *resources = codec_json_at(config, "linux", "resources", NULL);

    assert_int_equal(json_integer_value(codec_json_at(resources, "memory", "limit", NULL)),
                     1 << 30);
    assert_int_equal(json_integer_value(codec_json_at(resources, "cpu", "quota", NULL)), 150000);
    assert_int_equal(json_integer_value(codec_json_at(resources, "pids", "limit", NULL)), 100);
    sandbox.cgroup = NULL;
    CLEANUP_JSON json_t *without = config_of(&sandbox);
    assert_null(codec_json_at(without, "linux", "resources", NULL));
    assert_null(codec_json_at(without, "linux", "cgroupsPath", NULL));
}

static void the_filter_lists_no_attack(void **state UNUSED)
{
    static const char *const attacks[] = {"ptrace",
                                          "mount",
                                          "umount2",
                                          "bpf",
                                          "io_uring_setup",
                                          "io_uring_enter",
                                          "keyctl",
                                          "add_key",
                                          "request_key",
                                          "userfaultfd",
                                          "unshare",
                                          "setns",
                                          "perf_event_open",
                                          "init_module",
                                          "finit_module",
                                          "kexec_load",
                                          "pivot_root",
                                          "chroot",
                                          "move_mount",
                                          "fsopen",
                                          "open_tree",
                                          "open_by_handle_at",
                                          "process_vm_readv",
                                          "process_vm_writev",
                                          "pidfd_getfd",
                                          "clone3",
                                          "mknod",
                                          "mknodat",
                                          "reboot",
                                          "swapon",
                                          "syslog",
                                          "iopl",
                                          "ioperm",
                                          "quotactl",
                                          "settimeofday",
                                          "clock_settime",
                                          "acct",
                                          "fanotify_init",
                                          "name_to_handle_at",
                                          "seccomp",
                                          "kcmp",
                                          "lookup_dcookie",
                                          "nfsservctl",
                                          "vm86"};
    static const char *const needs[] = {
        "futex",  "mmap",    "clone",  "execve", "sched_setaffinity",
        "socket", "accept4", "openat", "read"};

    for (size_t i = 0; i < ARRAY_LEN(attacks); i++)
        if (oci_seccomp_allows(attacks[i]))
            fail_msg("%s is allowed", attacks[i]);
    for (size_t i = 0; i < ARRAY_LEN(needs); i++)
        if (!oci_seccomp_allows(needs[i]))
            fail_msg("%s is not allowed", needs[i]);
}

static void sockets_and_clone_are_allowed_by_their_arguments(void **state UNUSED)
{
    CLEANUP_JSON json_t *filter = oci_seccomp_new();
    size_t i, k, limited = 0;
    json_t *rule, *name;

    assert_string_equal(codec_json_text(filter, "defaultAction", ""), "SCMP_ACT_ERRNO");
    json_array_foreach (json_object_get(filter, "syscalls"), i, rule)
        json_array_foreach (json_object_get(rule, "names"), k, name) {
            const char *call = json_string_value(name);
            if (strcmp(call, "socket") != 0 && strcmp(call, "clone") != 0)
                continue;
            limited++;
            assert_int_equal(json_array_size(json_object_get(rule, "args")), 1);
        }
    assert_int_equal(limited, 2);
}

static void a_bad_sandbox_is_refused(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(OCI_CONFIG_MAX);
    static const char *const relative[] = {"engine", NULL};
    static const char *const not_utf8[] = {"/engine", "\xff", NULL};
    const struct oci_mount climbing[] = {{"/bin/true", "/a/../b", false, false}};
    struct oci_sandbox sandbox = good();
    struct err err = ERR_INIT;

    sandbox.args = relative;
    assert_int_equal(oci_config_put(&sandbox, &text, &err), -1);
    sandbox.args = not_utf8;
    assert_int_equal(oci_config_put(&sandbox, &text, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    sandbox = good();
    sandbox.mounts = climbing;
    sandbox.mount_count = 1;
    assert_int_equal(oci_config_put(&sandbox, &text, &err), -1);
}

static void a_bundle_is_made_and_removed(void **state UNUSED)
{
    char parent[] = "/tmp/drun-oci-XXXXXX";
    struct oci_sandbox sandbox = good();
    struct err err = ERR_INIT;
    struct stat status;

    assert_non_null(mkdtemp(parent));
    CLEANUP_FREE char *dir = mem_printf("%s/bundle", parent);
    CLEANUP_FREE char *point = mem_printf("%s/rootfs/bin/engine", dir);
    CLEANUP_FREE char *link = mem_printf("%s/rootfs/out", dir);
    /* The sandbox's root could not get there. */
    assert_int_equal(oci_bundle_make(dir, &sandbox, &err), -1);
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    assert_int_equal(chmod(parent, 0711), 0);
    assert_int_equal(oci_bundle_make(dir, &sandbox, &err), 0);
    assert_int_equal(stat(point, &status), 0);
    assert_true(S_ISREG(status.st_mode));
    /* A link is removed, not what it leads to. */
    assert_int_equal(symlink("/etc", link), 0);
    assert_int_equal(oci_remove_tree(dir, &err), 0);
    assert_int_equal(access(dir, F_OK), -1);
    assert_int_equal(access("/etc/passwd", F_OK), 0);
    assert_int_equal(oci_remove_tree(dir, &err), 0);
    assert_int_equal(rmdir(parent), 0);
}

/* Every program of the system needs at least its loader and the C library. */
static void the_files_of_a_program_are_found(void **state UNUSED)
{
    CLEANUP(oci_files_free) struct oci_files files = {0};
    CLEANUP_FREE char *program = realpath("/bin/ls", NULL);
    struct err err = ERR_INIT;
    bool libc = false, loader = false;

    if (oci_files_of(program, &files, &err) < 0)
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < files.count; i++) {
        libc = libc || strstr(files.items[i].at, "/libc.so.6") != NULL;
        loader = loader || strstr(files.items[i].at, "/ld-linux") != NULL;
        assert_int_equal(access(files.items[i].source, R_OK), 0);
    }
    assert_true(libc && loader);
    assert_string_equal(files.items[0].at, program);
}

static void what_is_no_program_is_refused(void **state UNUSED)
{
    CLEANUP(oci_files_free) struct oci_files files = {0};
    struct err err = ERR_INIT;

    assert_int_equal(oci_files_of("/etc/passwd", &files, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_int_equal(oci_files_of("/nowhere", &files, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(oci_files_of("/tmp", &files, &err), -1);
}

static void a_cut_elf_file_is_refused(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf whole = BUF_INIT(4 << 20);
    struct err err = ERR_INIT;

    CLEANUP_FREE char *self = realpath("/bin/true", NULL);
    assert_int_equal(fd_read_file(AT_FDCWD, self, &whole, &err), 0);
    for (size_t len = 0; len < 600; len += 40) {
        CLEANUP_FD int fd = memfd_create("cut", MFD_CLOEXEC);
        CLEANUP(elf_info_free) struct elf_info info = {0};
        assert_int_equal(fd_write_all(fd, span_of(whole.data, len), "a file", &err), 0);
        assert_int_equal(elf_parse_fd(fd, &info, &err), -1);
        assert_int_equal(err.code, ERR_INVALID);
    }
}

static void the_ring_keeps_the_last_bytes(void **state UNUSED)
{
    struct oci_ring *ring = oci_ring_new(16);
    CLEANUP(buf_free) struct buf out = BUF_INIT(64);
    char line[12];

    oci_ring_last_line(ring, line, sizeof(line));
    assert_string_equal(line, "");
    oci_ring_put(ring, span_str("first line\n"));
    oci_ring_put(ring, span_str("last\x1b[0m\n\n"));
    oci_ring_get(ring, &out);
    assert_string_equal(buf_text(&out), " line\nlast\x1b[0m\n\n");
    oci_ring_last_line(ring, line, sizeof(line));
    assert_string_equal(line, "last?[0m");
    oci_ring_put(ring, span_str("much longer than the whole ring is"));
    buf_reset(&out);
    oci_ring_get(ring, &out);
    assert_string_equal(buf_text(&out), "he whole ring is");
    uint64_t total = oci_ring_total(ring);
    buf_reset(&out);
    assert_int_equal(oci_ring_get_after(ring, total - 4, &out), 0);
    assert_string_equal(buf_text(&out), "g is");
    buf_reset(&out);
    assert_int_equal(oci_ring_get_after(ring, 0, &out), total - 16);
    assert_string_equal(buf_text(&out), "he whole ring is");
    oci_ring_free(ring);
}

static void a_program_is_run_and_heard(void **state UNUSED)
{
    static const char *const good_argv[] = {"/bin/echo", "hello", NULL};
    static const char *const slow_argv[] = {"/bin/sleep", "30", NULL};
    static const char *const missing_argv[] = {"/nowhere", NULL};
    CLEANUP(buf_free) struct buf output = BUF_INIT(64);
    struct oci_run run = {.argv = good_argv, .output_fd = -1, .timeout_ms = 5000};
    struct err err = ERR_INIT;

    assert_int_equal(oci_run(&run, &output, &err), 0);
    assert_string_equal(buf_text(&output), "hello\n");
    run.argv = missing_argv;
    assert_int_equal(oci_run(&run, &output, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    run.argv = slow_argv;
    run.timeout_ms = 50;
    uint64_t began = clock_mono_ns();
    assert_int_equal(oci_run(&run, &output, &err), -1);
    assert_int_equal(err.code, ERR_TIMEOUT);
    assert_true(clock_mono_ns() - began < 5000000000ULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sandbox_has_no_privilege),
        cmocka_unit_test(a_sandbox_has_every_namespace_of_its_own),
        cmocka_unit_test(mounts_are_read_only_unless_asked_otherwise),
        cmocka_unit_test(limits_are_set_where_there_is_a_cgroup),
        cmocka_unit_test(the_filter_lists_no_attack),
        cmocka_unit_test(sockets_and_clone_are_allowed_by_their_arguments),
        cmocka_unit_test(a_bad_sandbox_is_refused),
        cmocka_unit_test(a_bundle_is_made_and_removed),
        cmocka_unit_test(the_files_of_a_program_are_found),
        cmocka_unit_test(what_is_no_program_is_refused),
        cmocka_unit_test(a_cut_elf_file_is_refused),
        cmocka_unit_test(the_ring_keeps_the_last_bytes),
        cmocka_unit_test(a_program_is_run_and_heard),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
