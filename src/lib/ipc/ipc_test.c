/* SPDX-License-Identifier: Apache-2.0 */
/* A server in a loop and its client in one process: send, turn the loop, wait. */
#include "ipc/wire.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { PEER_API = 3, PEER_IDP = 4 };

enum {
    MSG_ECHO = 1,
    MSG_EMPTY,
    MSG_ONCE,
    MSG_FDS,
    MSG_LATER,
    MSG_FAIL,
    MSG_HUGE,
    MSG_NOT_IN_TABLE,
};

/* The state of the served role. */
struct role {
    struct loop *loop;
    int handled;
    unsigned last_peer;
    struct ipc_ticket ticket;
};

static int on_echo(void *ctx, struct ipc_request *request, struct buf *reply,
                   struct err *err UNUSED)
{
    struct role *role = ctx;

    role->handled++;
    role->last_peer = request->peer;
    buf_put_span(reply, request->body);
    return IPC_ANSWER;
}

/* Sends back what it was given, and keeps nothing. */
static int on_fds(void *ctx, struct ipc_request *request, struct buf *reply, struct err *err UNUSED)
{
    struct role *role = ctx;

    role->handled++;
    buf_printf(reply, "%zu", request->fds->count);
    *request->reply_fds = *request->fds;
    request->fds->count = 0;
    return IPC_ANSWER;
}

static int on_later(void *ctx, struct ipc_request *request, struct buf *reply UNUSED,
                    struct err *err UNUSED)
{
    struct role *role = ctx;

    role->ticket = request->ticket;
    return IPC_LATER;
}

static int on_fail(void *ctx UNUSED, struct ipc_request *request, struct buf *reply UNUSED,
                   struct err *err)
{
    return err_set(err, ERR_CONFLICT, "no %.*s today", SPAN_ARG(request->body));
}

static int on_huge(void *ctx UNUSED, struct ipc_request *request UNUSED, struct buf *reply,
                   struct err *err UNUSED)
{
    for (int i = 0; i < IPC_BODY_MAX / 1024 + 1; i++)
        buf_put(reply, (const uint8_t[1024]){0}, 1024);
    return IPC_ANSWER;
}

static const struct ipc_message messages[] = {
    {MSG_ECHO, "echo", IPC_FROM(PEER_API) | IPC_FROM(PEER_IDP), IPC_BODY_MAX, 0, on_echo},
    {MSG_EMPTY, "empty", IPC_FROM(PEER_API), 10, IPC_EMPTY, on_echo},
    {MSG_ONCE, "once", IPC_FROM(PEER_API) | IPC_FROM(PEER_IDP), 10, IPC_ONCE, on_echo},
    {MSG_FDS, "fds", IPC_FROM(PEER_API), 10, IPC_FDS, on_fds},
    {MSG_LATER, "later", IPC_FROM(PEER_API), 10, 0, on_later},
    {MSG_FAIL, "fail", IPC_FROM(PEER_API), 10, 0, on_fail},
    {MSG_HUGE, "huge", IPC_FROM(PEER_API), 10, 0, on_huge},
    {0},
};
static const struct ipc_table table = {"tester", messages};

/* One channel; the raw descriptor is for packets that no client would send. */
struct scene {
    struct role role;
    struct ipc_client *client;
    int raw_fd;
    int fds_before;
};

static int open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static void turn(struct scene *scene)
{
    struct err err = ERR_INIT;

    assert_int_equal(loop_turn(scene->role.loop, 1000, &err), 0);
}

static int connect_as(struct scene *scene, unsigned peer)
{
    struct err err = ERR_INIT;
    int client_fd = -1;
    int server_fd = -1;

    assert_int_equal(ipc_pair(&client_fd, &server_fd, &err), 0);
    assert_int_equal(ipc_server_add(scene->role.loop, &server_fd, peer, &table, &scene->role, &err),
                     0);
    return client_fd;
}

static void scene_init(struct scene *scene)
{
    struct err err = ERR_INIT;

    *scene = (struct scene){.raw_fd = -1, .fds_before = open_fds()};
    assert_int_equal(loop_new(&scene->role.loop, &err), 0);
    int fd = connect_as(scene, PEER_API);
    scene->client = ipc_client_new(&fd, "tester");
    scene->raw_fd = connect_as(scene, PEER_API);
}

/* Servers go away with their clients; nothing may stay open. */
static void scene_clear(struct scene *scene)
{
    struct err err = ERR_INIT;

    ipc_client_free(scene->client);
    fd_close(&scene->raw_fd);
    for (int i = 0; i < 3; i++)
        assert_int_equal(loop_turn(scene->role.loop, 0, &err), 0);
    loop_free(scene->role.loop);
    assert_int_equal(open_fds(), scene->fds_before);
}

#define SCENE(name)                                                                                \
    CLEANUP(scene_clear) struct scene name;                                                        \
    struct err err UNUSED = ERR_INIT;                                                              \
    scene_init(&name)

static int call(struct scene *scene, struct ipc_client *client, uint16_t type, const char *body,
                struct buf *reply, struct err *err)
{
    uint32_t id = 0;

    TRY(ipc_send(client, type, span_str(body), &id, err));
    turn(scene);
    return ipc_wait(client, id, reply, err);
}

static void assert_refused(struct scene *scene, uint16_t type, const char *body, enum err_code code,
                           const char *message)
{
    struct err err = ERR_INIT;
    int handled = scene->role.handled;

    assert_int_equal(call(scene, scene->client, type, body, NULL, &err), -1);
    assert_int_equal(err.code, code);
    assert_string_equal(err.msg, message);
    assert_int_equal(scene->role.handled, handled);
    /* The channel is as good as before. */
    assert_int_equal(call(scene, scene->client, MSG_ECHO, "x", NULL, &err), 0);
}

static void a_call_gets_its_answer(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf reply = BUF_INIT(100);
    SCENE(scene);

    assert_int_equal(call(&scene, scene.client, MSG_ECHO, "hello", &reply, &err), 0);
    assert_string_equal(buf_text(&reply), "hello");
    assert_int_equal(scene.role.last_peer, PEER_API);
    buf_reset(&reply);
    assert_int_equal(call(&scene, scene.client, MSG_EMPTY, "", &reply, &err), 0);
    assert_int_equal(reply.len, 0);
}

static void the_largest_body_passes(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf reply = BUF_INIT(IPC_BODY_MAX);
    CLEANUP_FREE uint8_t *body = mem_new(IPC_BODY_MAX + 1);
    uint32_t id;
    SCENE(scene);

    memset(body, 'b', IPC_BODY_MAX);
    assert_int_equal(ipc_send(scene.client, MSG_ECHO, span_of(body, IPC_BODY_MAX), &id, &err), 0);
    turn(&scene);
    assert_int_equal(ipc_wait(scene.client, id, &reply, &err), 0);
    assert_int_equal(reply.len, IPC_BODY_MAX);
    assert_int_equal(ipc_send(scene.client, MSG_ECHO, span_of(body, IPC_BODY_MAX + 1), &id, &err),
                     -1);
    assert_int_equal(err.code, ERR_TOO_LARGE);
}

static void what_the_table_does_not_allow_is_refused(void **state UNUSED)
{
    SCENE(scene);

    assert_refused(&scene, MSG_NOT_IN_TABLE, "", ERR_UNSUPPORTED, "tester has no message 8");
    assert_refused(&scene, 0, "", ERR_UNSUPPORTED, "tester has no message 0");
    assert_refused(&scene, MSG_EMPTY, "x", ERR_INVALID, "empty has a body but takes none");
    assert_refused(&scene, MSG_ONCE, "12345678901", ERR_TOO_LARGE,
                   "once of 11 bytes is larger than 10");
    assert_refused(&scene, MSG_FAIL, "luck", ERR_CONFLICT, "no luck today");
    assert_refused(&scene, MSG_HUGE, "", ERR_TOO_LARGE, "an answer is larger than 131072 bytes");
}

static void only_permitted_senders_are_heard(void **state UNUSED)
{
    SCENE(scene);
    int fd = connect_as(&scene, PEER_IDP);
    struct ipc_client *idp = ipc_client_new(&fd, "tester");

    assert_int_equal(call(&scene, idp, MSG_ECHO, "x", NULL, &err), 0);
    assert_int_equal(scene.role.last_peer, PEER_IDP);
    assert_int_equal(call(&scene, idp, MSG_FAIL, "x", NULL, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_string_equal(err.msg, "tester does not take fail from this role");
    ipc_client_free(idp);
}

static void what_comes_once_is_refused_the_second_time(void **state UNUSED)
{
    SCENE(scene);
    int fd = connect_as(&scene, PEER_IDP);
    struct ipc_client *idp = ipc_client_new(&fd, "tester");

    assert_int_equal(call(&scene, scene.client, MSG_ONCE, "", NULL, &err), 0);
    assert_refused(&scene, MSG_ONCE, "", ERR_DENIED, "once was sent already");
    /* Each channel has its own. */
    assert_int_equal(call(&scene, idp, MSG_ONCE, "", NULL, &err), 0);
    ipc_client_free(idp);
}

static void raw_send(struct scene *scene, uint16_t type, uint32_t id, size_t fd_count)
{
    struct err err = ERR_INIT;
    struct ipc_packet packet = {.type = type, .id = id, .body = span_str("")};

    for (size_t i = 0; i < fd_count; i++) {
        packet.fds.fd[i] = memfd_create("test", MFD_CLOEXEC);
        assert_true(packet.fds.fd[i] >= 0);
    }
    packet.fds.count = fd_count;
    assert_int_equal(ipc_packet_send(scene->raw_fd, &packet, &err), 1);
    ipc_packet_close(&packet);
}

static void raw_receive(struct scene *scene, struct ipc_packet *packet)
{
    static uint8_t room[IPC_PACKET_MAX];
    struct err err = ERR_INIT;

    assert_int_equal(ipc_packet_receive(scene->raw_fd, room, packet, &err), 1);
}

static void a_request_has_no_status(void **state UNUSED)
{
    struct ipc_packet packet = {.type = MSG_ECHO, .status = ERR_DENIED, .body = span_str("")};
    SCENE(scene);

    assert_int_equal(ipc_packet_send(scene.raw_fd, &packet, &err), 1);
    turn(&scene);
    raw_receive(&scene, &packet);
    assert_int_equal(packet.status, ERR_INVALID);
    assert_int_equal(scene.role.handled, 0);
}

static void descriptors_pass_both_ways(void **state UNUSED)
{
    CLEANUP(ipc_packet_close) struct ipc_packet answer = {0};
    SCENE(scene);

    raw_send(&scene, MSG_FDS, 7, IPC_FDS_MAX);
    turn(&scene);
    raw_receive(&scene, &answer);
    assert_int_equal(answer.id, 7);
    assert_true(span_eq_str(answer.body, "4"));
    assert_int_equal(answer.fds.count, IPC_FDS_MAX);
    ipc_packet_close(&answer);
}

/* That the refused descriptors are closed is seen when the scene ends. */
static void descriptors_that_nobody_takes_are_closed(void **state UNUSED)
{
    struct ipc_packet answer = {0};
    SCENE(scene);

    raw_send(&scene, MSG_ECHO, 1, 2);
    turn(&scene);
    raw_receive(&scene, &answer);
    assert_int_equal(answer.status, ERR_INVALID);
    assert_true(span_eq_str(answer.body, "echo takes no descriptors"));
    raw_send(&scene, MSG_NOT_IN_TABLE, 2, IPC_FDS_MAX);
    turn(&scene);
    raw_receive(&scene, &answer);
    assert_int_equal(answer.status, ERR_UNSUPPORTED);
    assert_int_equal(answer.fds.count, 0);
}

static void a_late_answer_reaches_its_caller(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf reply = BUF_INIT(100);
    struct epoll_event event = {.events = EPOLLIN};
    CLEANUP_FD int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct err refusal = ERR_INIT;
    uint32_t id;
    SCENE(scene);

    assert_int_equal(epoll_ctl(poll_fd, EPOLL_CTL_ADD, ipc_client_fd(scene.client), &event), 0);
    assert_int_equal(ipc_send(scene.client, MSG_LATER, span_str(""), &id, &err), 0);
    turn(&scene);
    assert_int_equal(epoll_wait(poll_fd, &event, 1, 0), 0);
    ipc_reply(&scene.role.ticket, span_str("at last"));
    assert_int_equal(epoll_wait(poll_fd, &event, 1, 1000), 1);
    assert_int_equal(ipc_wait(scene.client, id, &reply, &err), 0);
    assert_string_equal(buf_text(&reply), "at last");
    assert_int_equal(ipc_send(scene.client, MSG_LATER, span_str(""), &id, &err), 0);
    turn(&scene);
    err_set(&refusal, ERR_GONE, "compacted");
    ipc_reply_error(&scene.role.ticket, &refusal);
    assert_int_equal(ipc_wait(scene.client, id, NULL, &err), -1);
    assert_int_equal(err.code, ERR_GONE);
}

static void an_answer_to_a_dead_channel_is_dropped(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf reply = BUF_INIT(100);
    uint32_t id;
    SCENE(scene);

    assert_int_equal(ipc_send(scene.client, MSG_LATER, span_str(""), &id, &err), 0);
    turn(&scene);
    struct ipc_ticket ticket = scene.role.ticket;
    int fd = connect_as(&scene, PEER_API);
    ipc_client_reconnect(scene.client, &fd);
    turn(&scene); /* sees the old channel close */
    ipc_reply(&ticket, span_str("too late"));
    assert_int_equal(call(&scene, scene.client, MSG_ECHO, "new", &reply, &err), 0);
    assert_string_equal(buf_text(&reply), "new");
}

static void a_server_that_is_gone_is_unavailable(void **state UNUSED)
{
    uint32_t id;
    int client_fd;
    int server_fd;
    struct err err = ERR_INIT;

    assert_int_equal(ipc_pair(&client_fd, &server_fd, &err), 0);
    struct ipc_client *client = ipc_client_new(&client_fd, "tester");
    assert_int_equal(client_fd, -1);
    assert_int_equal(ipc_send(client, MSG_ECHO, span_str(""), &id, &err), 0);
    fd_close(&server_fd);
    assert_int_equal(ipc_wait(client, id, NULL, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_string_equal(err.msg, "tester is not running; try again in a moment");
    assert_int_equal(ipc_client_fd(client), -1);
    assert_int_equal(ipc_send(client, MSG_ECHO, span_str(""), &id, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    ipc_client_free(client);
    client_fd = -1;
    client = ipc_client_new(&client_fd, "tester");
    assert_int_equal(ipc_call(client, MSG_ECHO, span_str(""), NULL, NULL, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    ipc_client_free(client);
}

static void after_a_restart_calls_work_again(void **state UNUSED)
{
    SCENE(scene);
    int fd = connect_as(&scene, PEER_API);

    ipc_client_reconnect(scene.client, &fd);
    turn(&scene);
    assert_int_equal(call(&scene, scene.client, MSG_ECHO, "", NULL, &err), 0);
}

static void no_answer_in_time_is_a_timeout(void **state UNUSED)
{
    uint32_t id;
    SCENE(scene);

    ipc_client_set_timeout(scene.client, 20);
    assert_int_equal(ipc_send(scene.client, MSG_LATER, span_str(""), &id, &err), 0);
    turn(&scene);
    uint64_t start = clock_mono_ns();
    assert_int_equal(ipc_wait(scene.client, id, NULL, &err), -1);
    assert_int_equal(err.code, ERR_TIMEOUT);
    assert_string_equal(err.msg, "waiting for tester: no message came in time");
    assert_in_range((clock_mono_ns() - start) / 1000000, 15, 2000);
    /* A late answer could be taken for another's, so the channel is given up. */
    assert_int_equal(ipc_client_fd(scene.client), -1);
}

/* True when the server has closed the raw channel. */
static bool is_dropped(struct scene *scene)
{
    uint8_t byte;

    turn(scene);
    return recv(scene->raw_fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void assert_drops(const void *packet, size_t len)
{
    SCENE(scene);

    assert_int_equal(send(scene.raw_fd, packet, len, MSG_NOSIGNAL), (ssize_t)len);
    assert_true(is_dropped(&scene));
    assert_int_equal(scene.role.handled, 0);
    /* The others do not notice. */
    assert_int_equal(call(&scene, scene.client, MSG_ECHO, "", NULL, &err), 0);
}

static void who_breaks_the_protocol_loses_its_channel(void **state UNUSED)
{
    static const uint8_t short_header[] = {MSG_ECHO, 0, 0};
    static const uint8_t too_long[] = {MSG_ECHO, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0};
    static const uint8_t left_over[] = {MSG_ECHO, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 'x'};
    static const uint8_t bad_status[] = {MSG_ECHO, 0, 99, 0, 1, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t huge_length[] = {MSG_ECHO, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255};
    CLEANUP_FREE uint8_t *oversize = mem_new(IPC_PACKET_MAX + 1);

    assert_drops(short_header, sizeof(short_header));
    assert_drops(too_long, sizeof(too_long));
    assert_drops(left_over, sizeof(left_over));
    assert_drops(bad_status, sizeof(bad_status));
    assert_drops(huge_length, sizeof(huge_length));
    assert_drops(oversize, IPC_PACKET_MAX + 1);
}

static void who_does_not_read_loses_its_channel(void **state UNUSED)
{
    uint64_t start = clock_mono_ns();
    SCENE(scene);
    CLEANUP_FREE uint8_t *body = mem_new(IPC_BODY_MAX);
    struct ipc_packet packet = {.type = MSG_ECHO, .body = span_of(body, IPC_BODY_MAX)};
    int sent = 1;

    alarm(10); /* a server that waits would never end */
    for (int i = 0; i < 50 && sent == 1; i++) {
        sent = ipc_packet_send(scene.raw_fd, &packet, &err);
        if (sent == 1)
            turn(&scene);
    }
    alarm(0);
    assert_int_equal(sent, 0);
    assert_true(clock_mono_ns() - start < 2000000000);
    assert_int_equal(call(&scene, scene.client, MSG_ECHO, "", NULL, &err), 0);
}

static void an_answer_to_another_question_ends_the_channel(void **state UNUSED)
{
    struct err err = ERR_INIT;
    int client_fd;
    CLEANUP_FD int server_fd = -1;
    uint32_t id;

    assert_int_equal(ipc_pair(&client_fd, &server_fd, &err), 0);
    struct ipc_client *client = ipc_client_new(&client_fd, "tester");
    assert_int_equal(ipc_send(client, MSG_ECHO, span_str(""), &id, &err), 0);
    struct ipc_packet answer = {.id = id + 1, .body = span_str("")};
    assert_int_equal(ipc_packet_send(server_fd, &answer, &err), 1);
    assert_int_equal(ipc_wait(client, id, NULL, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_int_equal(ipc_client_fd(client), -1);
    ipc_client_free(client);
}

/* The whole way with a real process at the other end, which is killed. */
static void serve_forever(int *fd)
{
    struct err err = ERR_INIT;
    struct role role = {.handled = 0};

    if (loop_new(&role.loop, &err) < 0 ||
        ipc_server_add(role.loop, fd, PEER_API, &table, &role, &err) < 0 ||
        loop_run(role.loop, &err) < 0)
        _exit(1);
}

static void a_killed_server_fails_the_call(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf reply = BUF_INIT(100);
    struct err err = ERR_INIT;
    int client_fd;
    int server_fd;

    assert_int_equal(ipc_pair(&client_fd, &server_fd, &err), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        fd_close(&client_fd);
        serve_forever(&server_fd);
    }
    fd_close(&server_fd);
    struct ipc_client *client = ipc_client_new(&client_fd, "tester");
    CLEANUP(ipc_fds_close)
    struct ipc_fds sent = {.fd = {memfd_create("x", MFD_CLOEXEC)}, .count = 1};
    CLEANUP(ipc_fds_close) struct ipc_fds got = {.count = 0};
    assert_int_equal(ipc_call(client, MSG_ECHO, span_str("a"), &reply, NULL, &err), 0);
    assert_string_equal(buf_text(&reply), "a");
    assert_int_equal(ipc_call_fds(client, MSG_FDS, span_str(""), &sent, NULL, &got, &err), 0);
    assert_int_equal(got.count, 1);
    assert_int_equal(ipc_call_fds(client, MSG_FDS, span_str(""), &sent, NULL, NULL, &err), -1);
    assert_string_equal(err.msg, "tester sent descriptors that nobody asked for");
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(ipc_call(client, MSG_ECHO, span_str("a"), &reply, NULL, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    ipc_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_gets_its_answer),
        cmocka_unit_test(the_largest_body_passes),
        cmocka_unit_test(what_the_table_does_not_allow_is_refused),
        cmocka_unit_test(only_permitted_senders_are_heard),
        cmocka_unit_test(what_comes_once_is_refused_the_second_time),
        cmocka_unit_test(a_request_has_no_status),
        cmocka_unit_test(descriptors_pass_both_ways),
        cmocka_unit_test(descriptors_that_nobody_takes_are_closed),
        cmocka_unit_test(a_late_answer_reaches_its_caller),
        cmocka_unit_test(an_answer_to_a_dead_channel_is_dropped),
        cmocka_unit_test(a_server_that_is_gone_is_unavailable),
        cmocka_unit_test(after_a_restart_calls_work_again),
        cmocka_unit_test(no_answer_in_time_is_a_timeout),
        cmocka_unit_test(who_breaks_the_protocol_loses_its_channel),
        cmocka_unit_test(who_does_not_read_loses_its_channel),
        cmocka_unit_test(an_answer_to_another_question_ends_the_channel),
        cmocka_unit_test(a_killed_server_fails_the_call),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("ipc", tests, NULL, NULL);
}
