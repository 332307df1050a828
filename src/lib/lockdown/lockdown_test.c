/* SPDX-License-Identifier: Apache-2.0 */
/* Children are locked down and then try what they may not, and what they may. Each attempt is also
 * made without a lockdown, to see that it is the lockdown that refuses. */
#include "lockdown/lockdown.h"

#include "base/fd.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#elif defined(__has_feature)
enum { SANITIZED = __has_feature(address_sanitizer) };
#else
enum { SANITIZED = 0 };
#endif

enum { NOBODY = 65534, KILLED = -SIGSYS, NOT_APPLIED = 250 };

/* 0 when it went well, else errno. */
typedef int attempt_fn(void);

/* Where the tests play: ro/file, rw/file, and out, which no lockdown lists. */
static char base[] = "/tmp/lockdown_test_XXXXXX";
static char ro[64], rw[64], ro_file[64], rw_file[64], out_file[64];
static struct lockdown_report *report; /* shared with the children */
static int inet_fd = -1;               /* a TCP socket made before the lockdown */
static int tcp_port;
static struct sockaddr_un abstract = {.sun_family = AF_UNIX, .sun_path = "\0drun-lockdown-test"};

static struct lockdown_path paths[] = {
    {ro, LOCKDOWN_PATH_READ},
    {rw, LOCKDOWN_PATH_READ | LOCKDOWN_PATH_WRITE},
    {"/no/such/path", LOCKDOWN_PATH_READ | LOCKDOWN_PATH_OPTIONAL},
    {0},
};

/* A child as this uid (0: as the tests run) applies the lockdown, if any, and makes the attempt.
 * Its errno, or minus the signal that killed it. */
static int run_as(uid_t uid, const struct lockdown *lockdown, attempt_fn *attempt)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        struct err err = ERR_INIT;
        if (uid != 0 && (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
            _exit(NOT_APPLIED);
        if (lockdown != NULL && lockdown_apply(lockdown, report, &err) < 0) {
            fprintf(stderr, "# %s\n", err.msg);
            _exit(NOT_APPLIED);
        }
        _exit(attempt());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int result(int value)
{
    return value < 0 ? errno : 0;
}

static int nothing(void)
{
    return 0;
}

/* ---------------------------------------------------------------- attempts */

static int open_path(const char *path, int flags)
{
    CLEANUP_FD int fd = open(path, flags | O_CLOEXEC, 0600);

    return result(fd);
}

static int read_passwd(void)
{
    return open_path("/etc/passwd", O_RDONLY);
}

static int read_out(void)
{
    return open_path(out_file, O_RDONLY);
}

static int read_ro(void)
{
    return open_path(ro_file, O_RDONLY);
}

static int write_ro(void)
{
    return open_path(ro_file, O_WRONLY);
}

static int make_in_ro(void)
{
    char path[80];

    snprintf(path, sizeof(path), "%s/new", ro);
    return open_path(path, O_WRONLY | O_CREAT);
}

static int make_in_rw(void)
{
    char path[80];
    char other[80];

    snprintf(path, sizeof(path), "%s/new.%d", rw, getpid());
    snprintf(other, sizeof(other), "%s/other.%d", rw, getpid());
    int made = open_path(path, O_WRONLY | O_CREAT);
    if (made != 0 || rename(path, other) < 0 || truncate(other, 5) < 0)
        return made != 0 ? made : errno;
    return result(unlink(other));
}

static int make_socket(int family, int type)
{
    CLEANUP_FD int fd = socket(family, type | SOCK_CLOEXEC, 0);

    return result(fd);
}

static int socket_inet(void)
{
    return make_socket(AF_INET, SOCK_STREAM);
}

static int socket_inet6_udp(void)
{
    return make_socket(AF_INET6, SOCK_DGRAM);
}

static int socket_netlink(void)
{
    return make_socket(AF_NETLINK, SOCK_RAW);
}

static int socket_unix(void)
{
    return make_socket(AF_UNIX, SOCK_STREAM);
}

static int connect_tcp_on(int fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)tcp_port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return result(connect(fd, (struct sockaddr *)&address, sizeof(address)));
}

static int connect_inherited_tcp(void)
{
    return connect_tcp_on(inet_fd);
}

static int connect_new_tcp(void)
{
    CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return fd < 0 ? errno : connect_tcp_on(fd);
}

static int connect_abstract(void)
{
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = offsetof(struct sockaddr_un, sun_path) + sizeof("\0drun-lockdown-test") - 1;

    return fd < 0 ? errno : result(connect(fd, (struct sockaddr *)&abstract, len));
}

static int signal_parent(void)
{
    return result(kill(getppid(), 0));
}

static int raise_abort(void)
{
    abort();
}

static int trace(void)
{
    return result((int)ptrace(PTRACE_TRACEME, 0, 0, 0));
}

static int run_true(void)
{
    int status;
    pid_t pid = fork();

    if (pid < 0)
        return errno;
    if (pid == 0) {
        execl("/bin/true", "true", NULL);
        _exit(errno);
    }
    if (waitpid(pid, &status, 0) < 0)
        return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

static int exec_true(void)
{
    execl("/bin/true", "true", NULL);
    return errno;
}

static int executable_memory(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return at == MAP_FAILED ? errno : 0;
}

static int enter_user_namespace(void)
{
    return result(unshare(CLONE_NEWUSER));
}

static int clone_namespace(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

    if (pid == 0)
        _exit(0);
    return result((int)pid);
}

static int mount_tmpfs(void)
{
    return result(mount("x", rw, "tmpfs", 0, NULL));
}

static int private_tmpfs(void)
{
    return unshare(CLONE_NEWNS) < 0 ? errno : mount_tmpfs();
}

static int load_module(void)
{
    return result((int)syscall(SYS_init_module, NULL, 0, ""));
}

static int use_keyring(void)
{
    return result((int)syscall(SYS_keyctl, 0, 0, 0, 0, 0));
}

static int use_bpf(void)
{
    return result((int)syscall(SYS_bpf, 0, NULL, 0));
}

static int use_perf(void)
{
    return result((int)syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0));
}

static int read_other_memory(void)
{
    return result((int)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
}

static int use_io_uring(void)
{
    char params[120] = {0};

    return result((int)syscall(SYS_io_uring_setup, 1, params));
}

static int use_unknown_call(void)
{
    return result((int)syscall(1000));
}

static int regain_root(void)
{
    return result(setresuid(0, 0, 0));
}

static void *thread_main(void *arg)
{
    return arg;
}

static int start_thread(void)
{
    pthread_t thread;
    int failed = pthread_create(&thread, NULL, thread_main, NULL);

    return failed != 0 ? failed : pthread_join(thread, NULL);
}

/* What /proc would say, asked from the kernel. */
static int has_no_rights_left(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    gid_t groups[1];

    if (getuid() != NOBODY || geteuid() != NOBODY || getgid() != NOBODY || getegid() != NOBODY)
        return 1;
    if (getgroups(0, groups) != 0)
        return 2;
    for (int cap = 0; cap < 64; cap++)
        if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) > 0)
            return 5;
    if (syscall(SYS_capget, &header, data) < 0)
        return errno == EPERM || errno == ENOSYS ? 0 : 3;
    return (data[0].permitted | data[1].permitted | data[0].effective | data[1].effective) == 0 ? 0
                                                                                                : 4;
}

/* The names in the root directory are those on the way to the listed paths. */
static int root_is_empty(void)
{
    DIR *dir = opendir("/");
    int foreign = 0;

    if (dir == NULL)
        return errno;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        foreign += entry->d_name[0] != '.' && strcmp(entry->d_name, "tmp") != 0;
    closedir(dir);
    return foreign;
}

static int make_in_root(void)
{
    return open_path("/new", O_WRONLY | O_CREAT);
}

/* ------------------------------------------------------------------- tests */

static const struct lockdown strict = {.name = "strict"};
static const struct lockdown with_files = {
    .name = "with files", .promises = LOCKDOWN_FILES, .paths = paths};
static const struct lockdown with_unix = {
    .name = "with unix", .promises = LOCKDOWN_FILES | LOCKDOWN_NET_UNIX, .paths = paths};

static uid_t test_uids[] = {0, NOBODY};

/* As who the tests run, and as nobody when that is root. */
static size_t uid_count(void)
{
    return geteuid() == 0 ? 2 : 1;
}

static void assert_result(const struct lockdown *lockdown, attempt_fn *attempt, int expected,
                          const char *name)
{
    for (size_t i = 0; i < uid_count(); i++) {
        int got = run_as(test_uids[i], lockdown, attempt);
        if (got != expected)
            fail_msg("%s as uid %u gave %d, not %d", name, test_uids[i], got, expected);
    }
}

#define GIVES(lockdown, attempt, expected) assert_result(lockdown, attempt, expected, #attempt)

static bool in_force(enum lockdown_mechanism mechanism)
{
    return report->entries[mechanism].state == LOCKDOWN_IN_FORCE;
}

static void without_a_lockdown_all_of_it_works(void **state UNUSED)
{
    static attempt_fn *const attempts[] = {
        read_passwd,    read_out,        read_ro,          write_ro,
        make_in_ro,     make_in_rw,      socket_inet,      socket_unix,
        socket_netlink, trace,           run_true,         executable_memory,
        start_thread,   connect_new_tcp, connect_abstract, socket_inet6_udp};

    for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
        int got = run_as(0, NULL, attempts[i]);
        if (got != 0)
            fail_msg("attempt %zu gave %d", i, got);
    }
}

static void every_mechanism_is_reported(void **state UNUSED)
{
    GIVES(&with_files, nothing, 0);
    for (size_t i = 0; i < LOCKDOWN_MECHANISMS; i++) {
        assert_non_null(report->entries[i].name);
        print_message("# %-18s %-12s %s\n", report->entries[i].name,
                      lockdown_state_name(report->entries[i].state), report->entries[i].detail);
    }
    assert_true(in_force(LOCKDOWN_BY_NO_NEW_PRIVS));
    assert_true(in_force(LOCKDOWN_BY_SECCOMP));
    assert_int_equal(report->entries[LOCKDOWN_BY_MOUNTS].state, LOCKDOWN_NOT_ASKED);
}

static void a_tool_of_attack_kills(void **state UNUSED)
{
    static attempt_fn *const attempts[] = {enter_user_namespace, mount_tmpfs, load_module,
                                           use_keyring,          use_bpf,     use_perf};

    for (size_t i = 0; i < ARRAY_LEN(attempts); i++)
        assert_result(&with_unix, attempts[i], KILLED, "attack");
    GIVES(&with_unix, clone_namespace, KILLED);
    if (SANITIZED)
        return;
    GIVES(&strict, trace, KILLED);
    GIVES(&strict, read_other_memory, KILLED);
}

static void what_was_not_promised_is_refused(void **state UNUSED)
{
    GIVES(&strict, socket_inet, EPERM);
    GIVES(&strict, socket_unix, EPERM);
    GIVES(&strict, socket_netlink, EPERM);
    GIVES(&with_unix, socket_inet, EPERM);
    GIVES(&with_unix, socket_inet6_udp, EPERM);
    GIVES(&with_unix, socket_unix, 0);
    GIVES(&strict, read_ro, SANITIZED ? EACCES : EPERM);
    GIVES(&strict, exec_true, SANITIZED ? EACCES : EPERM);
    if (SANITIZED)
        return;
    GIVES(&strict, run_true, EPERM);
    GIVES(&strict, start_thread, EPERM);
    GIVES(&strict, executable_memory, EPERM);
    GIVES(&strict, signal_parent, EPERM);
    GIVES(&strict, regain_root, EPERM);
}

static void what_is_not_known_looks_missing(void **state UNUSED)
{
    GIVES(&with_unix, use_io_uring, ENOSYS);
    GIVES(&with_unix, use_unknown_call, ENOSYS);
}

static void a_failed_process_can_still_abort(void **state UNUSED)
{
    GIVES(&strict, raise_abort, -SIGABRT);
}

static void files_are_those_of_the_list(void **state UNUSED)
{
    GIVES(&with_files, read_ro, 0);
    GIVES(&with_files, make_in_rw, 0);
    if (!in_force(LOCKDOWN_BY_LANDLOCK_FILES)) {
        print_message("# skipped: %s\n", report->entries[LOCKDOWN_BY_LANDLOCK_FILES].detail);
        return;
    }
    GIVES(&with_files, read_passwd, EACCES);
    GIVES(&with_files, read_out, EACCES);
    GIVES(&with_files, write_ro, EACCES);
    GIVES(&with_files, make_in_ro, EACCES);
}

static void a_socket_from_before_cannot_reach_the_network(void **state UNUSED)
{
    GIVES(&with_unix, nothing, 0);
    if (in_force(LOCKDOWN_BY_LANDLOCK_TCP))
        GIVES(&with_unix, connect_inherited_tcp, EACCES);
    if (in_force(LOCKDOWN_BY_LANDLOCK_SCOPES))
        GIVES(&with_unix, connect_abstract, EPERM);
}

static void promises_open_what_they_name(void **state UNUSED)
{
    static const struct lockdown_path programs[] = {
        {"/usr", LOCKDOWN_PATH_EXEC},
        {"/bin", LOCKDOWN_PATH_EXEC},
        {"/lib", LOCKDOWN_PATH_EXEC},
        {"/lib64", LOCKDOWN_PATH_EXEC | LOCKDOWN_PATH_OPTIONAL},
        {"/etc/ld.so.cache", LOCKDOWN_PATH_READ | LOCKDOWN_PATH_OPTIONAL},
        {0}};
    const struct lockdown runner = {.name = "runner",
                                    .promises = LOCKDOWN_EXEC | LOCKDOWN_FILES | LOCKDOWN_THREADS,
                                    .paths = programs};
    const struct lockdown inet = {.name = "inet", .promises = LOCKDOWN_NET_INET};

    GIVES(&runner, run_true, 0);
    GIVES(&runner, start_thread, 0);
    GIVES(&runner, executable_memory, 0);
    GIVES(&runner, read_ro, EACCES);
    if (in_force(LOCKDOWN_BY_LANDLOCK_SCOPES))
        GIVES(&runner, signal_parent, EPERM);
    GIVES(&inet, connect_new_tcp, 0);
}

static void a_missing_path_is_an_error(void **state UNUSED)
{
    static const struct lockdown_path missing[] = {{"/no/such/path", LOCKDOWN_PATH_READ}, {0}};
    const struct lockdown lockdown = {
        .name = "missing", .promises = LOCKDOWN_FILES, .paths = missing};

    GIVES(&lockdown, nothing, NOT_APPLIED);
}

static void root_becomes_somebody_without_rights(void **state UNUSED)
{
    const struct lockdown lockdown = {
        .name = "somebody", .promises = LOCKDOWN_EXEC, .uid = NOBODY, .gid = NOBODY};

    if (geteuid() != 0)
        skip();
    assert_int_equal(run_as(0, &lockdown, regain_root), EPERM);
    assert_int_equal(run_as(0, &lockdown, has_no_rights_left), 0);
    assert_true(in_force(LOCKDOWN_BY_IDENTITY));
    assert_true(in_force(LOCKDOWN_BY_CAPABILITIES));
    /* Without the lockdown it is root. */
    assert_int_equal(run_as(0, NULL, has_no_rights_left), 1);
    assert_int_equal(run_as(NOBODY, &(struct lockdown){.name = "x", .uid = 12345}, nothing), 0);
    assert_int_equal(report->entries[LOCKDOWN_BY_IDENTITY].state, LOCKDOWN_NOT_GRANTED);
}

static void check_private_root(uid_t uid, const struct lockdown *lockdown)
{
    assert_int_equal(run_as(uid, lockdown, nothing), 0);
    print_message("# uid %u: %s\n", uid, report->entries[LOCKDOWN_BY_MOUNTS].detail);
    if (!in_force(LOCKDOWN_BY_MOUNTS))
        return;
    assert_int_equal(run_as(uid, lockdown, read_passwd), ENOENT);
    assert_int_equal(run_as(uid, lockdown, read_out), ENOENT);
    assert_int_equal(run_as(uid, lockdown, read_ro), 0);
    assert_int_equal(run_as(uid, lockdown, make_in_rw), 0);
    assert_int_not_equal(run_as(uid, lockdown, write_ro), 0);
    assert_int_equal(run_as(uid, lockdown, root_is_empty),
                     in_force(LOCKDOWN_BY_LANDLOCK_FILES) ? EACCES : 0);
    assert_int_not_equal(run_as(uid, lockdown, make_in_root), 0);
    assert_int_equal(run_as(uid, lockdown, connect_new_tcp), ENETUNREACH);
}

static void a_private_root_has_only_the_listed_paths(void **state UNUSED)
{
    struct lockdown lockdown = {.name = "private",
                                .promises = LOCKDOWN_FILES | LOCKDOWN_NET_INET,
                                .paths = paths,
                                .uid = NOBODY,
                                .gid = NOBODY,
                                .private_mounts = true,
                                .private_net = true};

    if (geteuid() == 0)
        check_private_root(0, &lockdown);
    assert_int_equal(run_as(geteuid() == 0 ? NOBODY : 0, &lockdown, nothing), 0);
    assert_int_equal(report->entries[LOCKDOWN_BY_MOUNTS].state, LOCKDOWN_NOT_GRANTED);
    lockdown.user_namespace = true;
    check_private_root(geteuid() == 0 ? NOBODY : 0, &lockdown);
}

/* Without Landlock and seccomp, to see the mounts alone: the promise to mount switches both off. */
static void the_mounts_hold_by_themselves(void **state UNUSED)
{
    const struct lockdown lockdown = {
        .name = "mounts", .promises = LOCKDOWN_MOUNT, .paths = paths, .private_mounts = true};

    if (geteuid() != 0)
        skip();
    assert_int_equal(run_as(0, &lockdown, root_is_empty), 0);
    if (!in_force(LOCKDOWN_BY_MOUNTS))
        return;
    assert_int_equal(run_as(0, &lockdown, read_passwd), ENOENT);
    assert_int_equal(run_as(0, &lockdown, write_ro), EROFS);
    assert_int_equal(run_as(0, &lockdown, make_in_ro), EROFS);
    assert_int_equal(run_as(0, &lockdown, make_in_root), EROFS);
    assert_int_equal(run_as(0, &lockdown, make_in_rw), 0);
}

static void a_role_that_mounts_keeps_what_it_needs(void **state UNUSED)
{
    const struct lockdown agent = {
        .name = "agent", .promises = LOCKDOWN_MOUNT, .keep_capabilities = 1ULL << CAP_SYS_ADMIN};

    if (geteuid() != 0)
        skip();
    assert_int_equal(run_as(0, &agent, private_tmpfs), 0);
    assert_int_equal(run_as(0, &agent, run_true), 0);
    assert_int_equal(run_as(0, &agent, load_module), KILLED);
    assert_string_equal(report->entries[LOCKDOWN_BY_CAPABILITIES].detail,
                        "1 that the role needs are left");
}

/* -------------------------------------------------------------------- setup */

static void make_file(char path[64], const char *dir, mode_t mode)
{
    snprintf(path, 64, "%s/file", dir);
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
    assert_true(fd >= 0 && fchmod(fd, mode) == 0);
}

static int listen_on(const struct sockaddr *address, socklen_t len)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && bind(fd, address, len) == 0 && listen(fd, 64) == 0);
    return fd;
}

static int setup(void **state UNUSED)
{
    struct sockaddr_in loopback = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(loopback);

    assert_non_null(mkdtemp(base));
    assert_int_equal(chmod(base, 0777), 0);
    snprintf(ro, sizeof(ro), "%s/ro", base);
    snprintf(rw, sizeof(rw), "%s/rw", base);
    assert_true(mkdir(ro, 0777) == 0 && chmod(ro, 0777) == 0);
    assert_true(mkdir(rw, 0777) == 0 && chmod(rw, 0777) == 0);
    make_file(ro_file, ro, 0666);
    make_file(rw_file, rw, 0666);
    make_file(out_file, base, 0666);
    report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(report != MAP_FAILED);
    int tcp_fd = listen_on((struct sockaddr *)&loopback, len);
    assert_int_equal(getsockname(tcp_fd, (struct sockaddr *)&loopback, &len), 0);
    tcp_port = ntohs(loopback.sin_port);
    inet_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    listen_on((struct sockaddr *)&abstract,
              offsetof(struct sockaddr_un, sun_path) + sizeof("\0drun-lockdown-test") - 1);
    return inet_fd < 0;
}

static int teardown(void **state UNUSED)
{
    char path[80];

    snprintf(path, sizeof(path), "%s/new", ro);
    unlink(path);
    unlink(ro_file);
    unlink(rw_file);
    unlink(out_file);
    rmdir(ro);
    rmdir(rw);
    rmdir(base);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_lockdown_all_of_it_works),
        cmocka_unit_test(every_mechanism_is_reported),
        cmocka_unit_test(a_tool_of_attack_kills),
        cmocka_unit_test(what_was_not_promised_is_refused),
        cmocka_unit_test(what_is_not_known_looks_missing),
        cmocka_unit_test(a_failed_process_can_still_abort),
        cmocka_unit_test(files_are_those_of_the_list),
        cmocka_unit_test(a_socket_from_before_cannot_reach_the_network),
        cmocka_unit_test(promises_open_what_they_name),
        cmocka_unit_test(a_missing_path_is_an_error),
        cmocka_unit_test(root_becomes_somebody_without_rights),
        cmocka_unit_test(a_private_root_has_only_the_listed_paths),
        cmocka_unit_test(the_mounts_hold_by_themselves),
        cmocka_unit_test(a_role_that_mounts_keeps_what_it_needs),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("lockdown", tests, setup, teardown);
}
