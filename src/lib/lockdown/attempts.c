/* SPDX-License-Identifier: Apache-2.0 */
#include "lockdown/attempts.h"

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

struct stage stage = {.base = "/tmp/lockdown_test_XXXXXX", .inet_fd = -1};

static const struct sockaddr_un abstract = {.sun_family = AF_UNIX,
                                            .sun_path = "\0drun-lockdown-test"};
static const socklen_t abstract_len =
    offsetof(struct sockaddr_un, sun_path) + sizeof("\0drun-lockdown-test") - 1;

static int result(int value)
{
    return value < 0 ? errno : 0;
}

int try_nothing(void)
{
    return 0;
}

static int open_path(const char *path, int flags)
{
    CLEANUP_FD int fd = open(path, flags | O_CLOEXEC, 0600);

    return result(fd);
}

int try_read_passwd(void)
{
    return open_path("/etc/passwd", O_RDONLY);
}

int try_read_out(void)
{
    return open_path(stage.out_file, O_RDONLY);
}

int try_read_ro(void)
{
    return open_path(stage.ro_file, O_RDONLY);
}

int try_write_ro(void)
{
    return open_path(stage.ro_file, O_WRONLY);
}

int try_make_in_ro(void)
{
    char path[80];

    snprintf(path, sizeof(path), "%s/new", stage.ro);
    return open_path(path, O_WRONLY | O_CREAT);
}

int try_make_in_rw(void)
{
    char path[80];
    char other[80];

    snprintf(path, sizeof(path), "%s/new.%d", stage.rw, getpid());
    snprintf(other, sizeof(other), "%s/other.%d", stage.rw, getpid());
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

int try_socket_inet(void)
{
    return make_socket(AF_INET, SOCK_STREAM);
}

int try_socket_inet6_udp(void)
{
    return make_socket(AF_INET6, SOCK_DGRAM);
}

int try_socket_netlink(void)
{
    return make_socket(AF_NETLINK, SOCK_RAW);
}

int try_socket_unix(void)
{
    return make_socket(AF_UNIX, SOCK_STREAM);
}

static int connect_tcp_on(int fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)stage.tcp_port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return result(connect(fd, (struct sockaddr *)&address, sizeof(address)));
}

int try_connect_inherited_tcp(void)
{
    return connect_tcp_on(stage.inet_fd);
}

int try_connect_new_tcp(void)
{
    CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return fd < 0 ? errno : connect_tcp_on(fd);
}

int try_connect_abstract(void)
{
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return fd < 0 ? errno : result(connect(fd, (const struct sockaddr *)&abstract, abstract_len));
}

int try_signal_parent(void)
{
    return result(kill(getppid(), 0));
}

int try_raise_abort(void)
{
    abort();
}

int try_trace(void)
{
    return result((int)ptrace(PTRACE_TRACEME, 0, 0, 0));
}

int try_run_true(void)
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

int try_exec_true(void)
{
    execl("/bin/true", "true", NULL);
    return errno;
}

int try_executable_memory(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return at == MAP_FAILED ? errno : 0;
}

int try_enter_user_namespace(void)
{
    return result(unshare(CLONE_NEWUSER));
}

int try_clone_namespace(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

    if (pid == 0)
        _exit(0);
    return result((int)pid);
}

int try_mount_tmpfs(void)
{
    return result(mount("x", stage.rw, "tmpfs", 0, NULL));
}

int try_private_tmpfs(void)
{
    return unshare(CLONE_NEWNS) < 0 ? errno : try_mount_tmpfs();
}

int try_load_module(void)
{
    return result((int)syscall(SYS_init_module, NULL, 0, ""));
}

int try_use_keyring(void)
{
    return result((int)syscall(SYS_keyctl, 0, 0, 0, 0, 0));
}

int try_use_bpf(void)
{
    return result((int)syscall(SYS_bpf, 0, NULL, 0));
}

int try_use_perf(void)
{
    return result((int)syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0));
}

int try_read_other_memory(void)
{
    return result((int)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
}

int try_use_io_uring(void)
{
    char params[120] = {0};

    return result((int)syscall(SYS_io_uring_setup, 1, params));
}

int try_use_unknown_call(void)
{
    return result((int)syscall(1000));
}

int try_regain_root(void)
{
    return result(setresuid(0, 0, 0));
}

static void *thread_main(void *arg)
{
    return arg;
}

int try_start_thread(void)
{
    pthread_t thread;
    int failed = pthread_create(&thread, NULL, thread_main, NULL);

    return failed != 0 ? failed : pthread_join(thread, NULL);
}

/* What /proc would say, asked from the kernel. */
int try_has_no_rights_left(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    gid_t groups[1];

    if (getuid() != ATTEMPT_UID || geteuid() != ATTEMPT_UID || getgid() != ATTEMPT_UID ||
        getegid() != ATTEMPT_UID)
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
int try_root_is_empty(void)
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

int try_make_in_root(void)
{
    return open_path("/new", O_WRONLY | O_CREAT);
}

static void make_file(char path[80], const char *dir, mode_t mode)
{
    snprintf(path, 80, "%s/file", dir);
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
    assert_true(fd >= 0 && fchmod(fd, mode) == 0);
}

static int listen_on(const struct sockaddr *address, socklen_t len)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && bind(fd, address, len) == 0 && listen(fd, 64) == 0);
    return fd;
}

int stage_init(void **state UNUSED)
{
    struct sockaddr_in loopback = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(loopback);

    assert_non_null(mkdtemp(stage.base));
    assert_int_equal(chmod(stage.base, 0777), 0);
    snprintf(stage.ro, sizeof(stage.ro), "%s/ro", stage.base);
    snprintf(stage.rw, sizeof(stage.rw), "%s/rw", stage.base);
    assert_true(mkdir(stage.ro, 0777) == 0 && chmod(stage.ro, 0777) == 0);
    assert_true(mkdir(stage.rw, 0777) == 0 && chmod(stage.rw, 0777) == 0);
    make_file(stage.ro_file, stage.ro, 0666);
    make_file(stage.rw_file, stage.rw, 0666);
    make_file(stage.out_file, stage.base, 0666);
    stage.report = mmap(NULL, sizeof(*stage.report), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(stage.report != MAP_FAILED);
    int tcp_fd = listen_on((struct sockaddr *)&loopback, len);
    assert_int_equal(getsockname(tcp_fd, (struct sockaddr *)&loopback, &len), 0);
    stage.tcp_port = ntohs(loopback.sin_port);
    stage.inet_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    listen_on((const struct sockaddr *)&abstract, abstract_len);
    return stage.inet_fd < 0;
}

int stage_clear(void **state UNUSED)
{
    char path[80];

    snprintf(path, sizeof(path), "%s/new", stage.ro);
    unlink(path);
    unlink(stage.ro_file);
    unlink(stage.rw_file);
    unlink(stage.out_file);
    rmdir(stage.ro);
    rmdir(stage.rw);
    rmdir(stage.base);
    return 0;
}
