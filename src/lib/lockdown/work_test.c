/* SPDX-License-Identifier: Apache-2.0 */
/* What roles really do, done under the filter with the real libraries: SQLite, OpenSSL,
 * libmicrohttpd on an outer epoll, timers and signals. */
#include "lockdown/lockdown.h"

#include "base/fd.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { NOBODY = 65534 };

static char dir[] = "/tmp/lockdown_work_XXXXXX";
static char db_path[64];
static char socket_path[64];

typedef int work_fn(int listen_fd);

/* Fails with a number that says where. */
#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            return __LINE__ % 200 + 1;                                                             \
    } while (0)

static int store(int listen_fd UNUSED)
{
    static const char sql[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                              "CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY, b BLOB);"
                              "BEGIN; INSERT INTO t (b) VALUES (randomblob(100000)); COMMIT;"
                              "PRAGMA wal_checkpoint(TRUNCATE); VACUUM; SELECT count(*) FROM t;";
    sqlite3 *db = NULL;

    CHECK(sqlite3_open_v2(db_path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) == 0);
    CHECK(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
    CHECK(sqlite3_close(db) == SQLITE_OK);
    return 0;
}

static int compute(int listen_fd UNUSED)
{
    CLEANUP(secret_free_ptr) struct secret *secret = NULL;
    struct err err = ERR_INIT;
    uint8_t bytes[32];
    uint8_t hash[32];

    CHECK(RAND_bytes(bytes, sizeof(bytes)) == 1);
    CHECK(EVP_Q_digest(NULL, "SHA256", NULL, bytes, sizeof(bytes), hash, NULL) == 1);
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    CHECK(key != NULL);
    EVP_PKEY_free(key);
    CHECK(secret_heap_init(&err) == 0 && secret_random(32, &secret, &err) == 0);
    return 0;
}

static int wait_for_events(int listen_fd UNUSED)
{
    struct itimerspec soon = {.it_value.tv_nsec = 1000000};
    struct epoll_event event = {.events = EPOLLIN};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    int signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    CHECK(poll_fd >= 0 && timer_fd >= 0 && signal_fd >= 0);
    CHECK(timerfd_settime(timer_fd, 0, &soon, NULL) == 0);
    CHECK(epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer_fd, &event) == 0);
    CHECK(epoll_wait(poll_fd, &event, 1, 1000) == 1);
    CHECK(epoll_ctl(poll_fd, EPOLL_CTL_ADD, signal_fd, &event) == 0);
    CHECK(raise(SIGTERM) == 0 && epoll_wait(poll_fd, &event, 1, 1000) == 1);
    return 0;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection,
                                  const char *url UNUSED, const char *method UNUSED,
                                  const char *version UNUSED, const char *body UNUSED,
                                  size_t *body_len UNUSED, void **state UNUSED)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(5, (void *)(uintptr_t) "hello", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, 200, response);

    MHD_destroy_response(response);
    *(bool *)ctx = true;
    return result;
}

static int serve(int listen_fd)
{
    bool served = false;
    struct epoll_event event = {.events = EPOLLIN};
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, &served,
                         MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_END);

    CHECK(daemon != NULL);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    CHECK(info != NULL && epoll_ctl(poll_fd, EPOLL_CTL_ADD, info->epoll_fd, &event) == 0);
    for (int i = 0; i < 50 && !served; i++) {
        CHECK(epoll_wait(poll_fd, &event, 1, 5000) >= 0);
        CHECK(MHD_run(daemon) == MHD_YES);
    }
    MHD_run(daemon);
    MHD_stop_daemon(daemon);
    CHECK(served);
    return 0;
}

static int listen_unix(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    unlink(socket_path);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    assert_true(listen(fd, 16) == 0);
    return fd;
}

static void ask(const char *expected)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CLEANUP(buf_free) struct buf answer = BUF_INIT(4096);
    struct err err = ERR_INIT;

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    assert_true(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    assert_int_equal(
        fd_write_all(fd, span_str("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
                     "socket", &err),
        0);
    assert_int_equal(fd_read_all(fd, "answer", &answer, &err), 0);
    assert_non_null(strstr(buf_text(&answer), expected));
}

/* As root with a root of its own and another uid; else as it is. */
static pid_t start(work_fn *work, int listen_fd)
{
    const struct lockdown_path paths[] = {{dir, LOCKDOWN_PATH_WRITE}, {0}};
    const struct lockdown role = {.name = "role",
                                  .promises = LOCKDOWN_FILES,
                                  .paths = paths,
                                  .uid = NOBODY,
                                  .gid = NOBODY,
                                  .private_mounts = true,
                                  .private_net = true};
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct lockdown_report report;
        struct err err = ERR_INIT;
        _exit(lockdown_apply(&role, &report, &err) < 0 ? 255 : work(listen_fd));
    }
    return pid;
}

static void assert_works(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("signal %d, exit %d", WTERMSIG(status), WEXITSTATUS(status));
}

static void sqlite_works(void **state UNUSED)
{
    assert_works(start(store, -1));
    assert_works(start(store, -1));
}

static void openssl_works(void **state UNUSED)
{
    assert_works(start(compute, -1));
}

static void timers_and_signals_work(void **state UNUSED)
{
    assert_works(start(wait_for_events, -1));
}

static void http_on_an_inherited_socket_works(void **state UNUSED)
{
    CLEANUP_FD int listen_fd = listen_unix();
    pid_t pid = start(serve, listen_fd);

    ask("hello");
    assert_works(pid);
}

static int setup(void **state UNUSED)
{
    assert_non_null(mkdtemp(dir));
    snprintf(db_path, sizeof(db_path), "%s/db", dir);
    snprintf(socket_path, sizeof(socket_path), "%s/sock", dir);
    return chmod(dir, 0777);
}

static int teardown(void **state UNUSED)
{
    static const char *const names[] = {"db", "db-wal", "db-shm", "sock"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[80];
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sqlite_works),
        cmocka_unit_test(openssl_works),
        cmocka_unit_test(timers_and_signals_work),
        cmocka_unit_test(http_on_an_inherited_socket_works),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("lockdown work", tests, setup, teardown);
}
