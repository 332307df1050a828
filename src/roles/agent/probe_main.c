/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drun-probe: a static program that is mounted into every sandbox. It starts the engine, and it
 * tries from within what an engine that was taken over would try. What it tries does harm where it
 * is not refused, so it does nothing but in the place where the agent puts it in a sandbox.
 *
 *     drun-probe run PROGRAM ARGUMENT...
 *                           becomes the program, which dies with the agent, its parent
 *     drun-probe hello      does nothing, well: is a sandbox possible here?
 *     drun-probe attack     tries, and prints one JSON object:
 *                           {"tried": [{"name", "refused", "detail"}], "processes": N}
 *
 * `refused` is true when the attempt failed, as it should.
 */
#include "base/attr.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Returns 0 or more when the attempt succeeded, -1 with errno when not. */
typedef int attempt_fn(void);

static int inet_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}

static int inet6_socket(void)
{
    return socket(AF_INET6, SOCK_DGRAM, 0);
}

static int raw_socket(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0);
}

static int netlink_socket(void)
{
    return socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
}

static int vsock_socket(void)
{
    return socket(40, SOCK_STREAM, 0);
}

static int write_root(void)
{
    return open("/attack", O_WRONLY | O_CREAT, 0600);
}

/* Whatever is mounted there: a file or a folder with one. */
static int write_model(void)
{
    struct dirent *entry;
    DIR *dir = opendir("/model");
    int result = open("/model/attack", O_WRONLY | O_CREAT, 0600);

    while (result < 0 && dir != NULL && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            result = openat(dirfd(dir), entry->d_name, O_WRONLY);
    return result;
}

static int write_program(void)
{
    return open("/proc/1/exe", O_WRONLY);
}

static int write_sysctl(void)
{
    return open("/proc/sys/kernel/hostname", O_WRONLY);
}

static int read_kcore(void)
{
    char byte;
    int fd = open("/proc/kcore", O_RDONLY);

    if (fd < 0)
        return -1;
    errno = ENODATA;
    return read(fd, &byte, 1) == 1 ? 0 : -1;
}

static int read_disk(void)
{
    static const char *const names[] = {"/dev/sda", "/dev/vda",  "/dev/nvme0n1",
                                        "/dev/mem", "/dev/kmsg", "/dev/kvm"};
    int result = -1;

    for (size_t i = 0; i < ARRAY_LEN(names) && result < 0; i++)
        result = open(names[i], O_RDONLY);
    return result;
}

static int make_device(void)
{
    return mknod("/tmp/disk", S_IFBLK | 0600, (8 << 8) | 0);
}

static int become_root(void)
{
    if (getuid() == 0) {
        /* The sandbox has this one id; what counts is whether it has power over another. */
        errno = EPERM;
        return setuid(1);
    }
    return setuid(0);
}

static int have_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};

    errno = EPERM;
    if (syscall(SYS_capget, &header, data) < 0)
        return -1;
    return (data[0].permitted | data[1].permitted) != 0 ? 0 : -1;
}

static int gain_privileges(void)
{
    errno = EPERM;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? -1 : 0;
}

static int new_user_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}

static int clone_namespace(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);

    if (pid == 0)
        _exit(0);
    return (int)pid;
}

static int enter_namespace(void)
{
    int fd = open("/proc/1/ns/mnt", O_RDONLY);

    return fd < 0 ? -1 : setns(fd, 0);
}

/* Where it succeeds it must not stay: the probe may be run outside any sandbox. */
static int mount_something(void)
{
    if (mount("none", "/tmp", "tmpfs", 0, NULL) < 0)
        return -1;
    umount2("/tmp", MNT_DETACH);
    return 0;
}

static int remount_root(void)
{
    return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL);
}

static int trace_engine(void)
{
    return (int)ptrace(PTRACE_SEIZE, 1, NULL, NULL);
}

static int load_bpf(void)
{
    return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static int use_io_uring(void)
{
    char parameters[120] = {0};

    return (int)syscall(SYS_io_uring_setup, 1, parameters);
}

static int use_userfaultfd(void)
{
    return (int)syscall(SYS_userfaultfd, 0);
}

static int use_keyring(void)
{
    return (int)syscall(SYS_keyctl, 0, 0, 0, 0, 0);
}

static int use_perf(void)
{
    char attributes[128] = {0};

    return (int)syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0);
}

static int load_module(void)
{
    return (int)syscall(SYS_init_module, "", 0, "");
}

/* Files, not folders: an engine that is installed in a home has that folder, with itself in it. */
static int read_host_files(void)
{
    static const char *const names[] = {"/etc/shadow", "/etc/passwd", "/etc/hostname",
                                        "/root/.bashrc", "/var/lib/dpkg/status"};
    int result = -1;

    for (size_t i = 0; i < ARRAY_LEN(names) && result < 0; i++)
        result = open(names[i], O_RDONLY);
    return result;
}

static const struct {
    const char *name;
    attempt_fn *attempt;
} attempts[] = {
    {"open an IPv4 socket", inet_socket},
    {"open an IPv6 socket", inet6_socket},
    {"open a packet socket", raw_socket},
    {"open a netlink socket", netlink_socket},
    {"open a vsock socket", vsock_socket},
    {"write to /", write_root},
    {"write to /model", write_model},
    {"write to the engine's program", write_program},
    {"write to /proc/sys", write_sysctl},
    {"read /proc/kcore", read_kcore},
    {"open a device of the host", read_disk},
    {"make a device", make_device},
    {"read files of the host", read_host_files},
    {"become another user", become_root},
    {"have a capability", have_capabilities},
    {"gain privileges by exec", gain_privileges},
    {"make a user namespace by unshare", new_user_namespace},
    {"make a user namespace by clone", clone_namespace},
    {"enter a namespace", enter_namespace},
    {"mount", mount_something},
    {"remount the root", remount_root},
    {"trace the engine", trace_engine},
    {"call bpf", load_bpf},
    {"call io_uring_setup", use_io_uring},
    {"call userfaultfd", use_userfaultfd},
    {"call keyctl", use_keyring},
    {"call perf_event_open", use_perf},
    {"load a kernel module", load_module},
};

/* In a child, so that an attempt that kills its process or changes it does not end the others. */
static void try_one(attempt_fn *attempt, char *verdict, size_t size, bool *refused)
{
    int status = 0;
    int fds[2];
    int why = 0;

    *refused = true;
    snprintf(verdict, size, "killed");
    if (pipe(fds) < 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        int result = attempt() < 0 ? errno : 0;
        _exit(write(fds[1], &result, sizeof(result)) == sizeof(result) ? 0 : 1);
    }
    close(fds[1]);
    bool told = pid > 0 && read(fds[0], &why, sizeof(why)) == sizeof(why);
    close(fds[0]);
    if (pid > 0)
        waitpid(pid, &status, 0);
    if (!told)
        return;
    *refused = why != 0;
    snprintf(verdict, size, "%s", why != 0 ? strerror(why) : "it succeeded");
}

/* Processes that can be seen, without this one and its shell of a parent. */
static unsigned count_processes(void)
{
    DIR *dir = opendir("/proc");
    unsigned count = 0;

    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
    return count;
}

/* The file that runs is the one at this path, and there is the engine's folder beside it. */
static bool is_in_sandbox(void)
{
    static const char path[] = "/run/drun-probe";
    char self[64] = "";

    return readlink("/proc/self/exe", self, sizeof(self) - 1) == (ssize_t)strlen(path) &&
           strcmp(self, path) == 0 && access("/run/engine", F_OK) == 0 && access("/etc", F_OK) < 0;
}

static int attack(void)
{
    if (!is_in_sandbox()) {
        fprintf(stderr, "drun-probe: this is no sandbox of drun\n");
        return 1;
    }
    printf("{\"tried\":[");
    for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
        char verdict[80];
        bool refused;
        fflush(stdout);
        try_one(attempts[i].attempt, verdict, sizeof(verdict), &refused);
        printf("%s\n{\"name\":\"%s\",\"refused\":%s,\"detail\":\"%s\"}", i > 0 ? "," : "",
               attempts[i].name, refused ? "true" : "false", verdict);
    }
    printf("],\n\"processes\":%u}\n", count_processes());
    return 0;
}

/* The runtime that made the sandbox has ended, and the agent took its place. */
static int run(char **argv)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        perror("drun-probe: this engine will not end with the agent");
    execv(argv[0], argv);
    perror(argv[0]);
    return 127;
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "run") == 0)
        return run(argv + 2);
    if (argc == 2 && strcmp(argv[1], "hello") == 0)
        return 0;
    if (argc == 2 && strcmp(argv[1], "attack") == 0)
        return attack();
    fprintf(stderr, "usage: drun-probe hello|attack|run PROGRAM\n");
    return 2;
}
