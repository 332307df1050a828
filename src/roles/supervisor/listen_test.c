/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/listen.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    INVARIANT(bind(fd, (struct sockaddr *)&address, len) == 0);
    INVARIANT(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    return ntohs(address.sin_port);
}

static void a_port_in_use_is_named(void **state UNUSED)
{
    struct opt_listen at = {.host = "127.0.0.1", .port = free_port()};
    struct err err = ERR_INIT;
    char port[8];
    CLEANUP_FD int first = listen_tcp(&at, "listen", &err);

    snprintf(port, sizeof(port), "%u", at.port);
    assert_true(first >= 0);
    CLEANUP_FD int second = listen_tcp(&at, "listen", &err);
    assert_int_equal(second, -1);
    assert_int_equal(err.code, ERR_EXISTS);
    assert_non_null(strstr(err.msg, port));
}

static void ipv6_is_listened_on(void **state UNUSED)
{
    struct opt_listen at = {.host = "::1", .port = free_port()};
    struct sockaddr_in6 to = {
        .sin6_family = AF_INET6, .sin6_port = htons(at.port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct err err = ERR_INIT;
    CLEANUP_FD int fd = listen_tcp(&at, "listen", &err);
    CLEANUP_FD int client = socket(AF_INET6, SOCK_STREAM, 0);

    if (fd < 0 && strstr(err.msg, "assign") != NULL)
        skip(); /* a machine without IPv6 */
    assert_true(fd >= 0);
    assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
}

static void what_is_no_address_is_refused(void **state UNUSED)
{
    struct opt_listen at = {.host = "localhost", .port = 8443};
    struct opt_listen foreign = {.host = "192.0.2.1", .port = 8443};
    struct err err = ERR_INIT;

    assert_int_equal(listen_tcp(&at, "listen", &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    err_clear(&err);
    assert_int_equal(listen_tcp(&foreign, "listen", &err), -1);
    assert_int_equal(err.code, ERR_IO);
}

static void a_socket_path_that_is_too_long_is_refused(void **state UNUSED)
{
    char path[200];
    struct err err = ERR_INIT;

    memset(path, 'a', sizeof(path) - 1);
    memcpy(path, "/tmp/", 5);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(listen_unix(path, 0600, &err), -1);
    assert_int_equal(err.code, ERR_TOO_LARGE);
}

static void a_stale_socket_is_replaced(void **state UNUSED)
{
    char dir[] = "/tmp/drun-listen-XXXXXX";
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct err err = ERR_INIT;
    struct stat st;

    assert_non_null(mkdtemp(dir));
    CLEANUP_FREE char *path = mem_printf("%s/a.sock", dir);
    memcpy(to.sun_path, path, strlen(path));
    int old = listen_unix(path, 0600, &err);
    assert_true(old >= 0);
    close(old);
    CLEANUP_FD int client = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), -1);
    CLEANUP_FD int fd = listen_unix(path, 0660, &err);
    assert_true(fd >= 0);
    assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    assert_int_equal(fd_remove_tree(dir, &err), 0);
}

static int connect_to(const struct sockaddr_in *to)
{
    CLEANUP_FD int client = socket(AF_INET, SOCK_STREAM, 0);

    return connect(client, (const struct sockaddr *)to, sizeof(*to));
}

static void a_listener_refuses_keeps_its_address_and_listens_again(void **state UNUSED)
{
    struct opt_listen at = {.host = "127.0.0.1", .port = free_port()};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(at.port)};
    struct err err = ERR_INIT;
    int on = 1;
    char byte;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CLEANUP_FD int fd = listen_tcp(&at, "listen", &err);
    CLEANUP_FD int copy = dup(fd); /* as another process has it */
    CLEANUP_FD int waiting = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(waiting, (struct sockaddr *)&to, sizeof(to)), 0);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(listen_refuse(fd, &err), 0);
        assert_int_equal(listen_refuse(fd, &err), 0);
        assert_int_equal(recv(waiting, &byte, 1, 0), -1); /* reset, not left hanging */
        assert_int_equal(connect_to(&to), -1);
        assert_int_equal(errno, ECONNREFUSED);
        assert_int_equal(accept(copy, NULL, NULL), -1);
        CLEANUP_FD int other = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
        assert_int_equal(bind(other, (struct sockaddr *)&to, sizeof(to)), -1);
        assert_int_equal(errno, EADDRINUSE);
        assert_int_equal(listen_again(fd, &err), 0);
        assert_int_equal(listen_again(fd, &err), 0);
        fd_close(&waiting);
        waiting = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(waiting, (struct sockaddr *)&to, sizeof(to)), 0);
        CLEANUP_FD int served = accept(copy, NULL, NULL);
        assert_true(served >= 0);
        assert_int_equal(send(waiting, "x", 1, 0), 1);
        assert_int_equal(recv(served, &byte, 1, 0), 1);
        fd_close(&waiting);
        waiting = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(waiting, (struct sockaddr *)&to, sizeof(to)), 0);
    }
}

static void packets_have_their_own_socket(void **state UNUSED)
{
    char dir[] = "/tmp/drun-listen-XXXXXX";
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct err err = ERR_INIT;

    assert_non_null(mkdtemp(dir));
    CLEANUP_FREE char *path = mem_printf("%s/a.sock", dir);
    memcpy(to.sun_path, path, strlen(path));
    CLEANUP_FD int fd = listen_packets(path, 0600, &err);
    CLEANUP_FD int stream = socket(AF_UNIX, SOCK_STREAM, 0);
    CLEANUP_FD int packets = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(stream, (struct sockaddr *)&to, sizeof(to)), -1);
    assert_int_equal(connect(packets, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(fd_remove_tree(dir, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_in_use_is_named),
        cmocka_unit_test(ipv6_is_listened_on),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_socket_path_that_is_too_long_is_refused),
        cmocka_unit_test(a_stale_socket_is_replaced),
        cmocka_unit_test(a_listener_refuses_keeps_its_address_and_listens_again),
        cmocka_unit_test(packets_have_their_own_socket),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
