/* SPDX-License-Identifier: Apache-2.0 */
/* A real client (curl's library is not needed: requests are written out) against the server in a
 * child. */
#include "base/fd.h"
#include "base/mem.h"
#include "http/http_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

struct service {
    struct loop *loop;
    struct http_server *server;
    struct http_stream *stream;
    const struct http_request *later;
    struct http_answer *later_answer;
    int batches;
    bool fail;
    bool put_aside;             /* what is held now */
    bool call_up;               /* what is aside */
    bool release;               /* what was called up */
    bool leave_good, leave_bad; /* what is aside */
    unsigned ticks;
    struct http_stream *steady; /* gets STEADY_BYTES with each tick */
    unsigned steady_left;
    unsigned open; /* streams that nobody has closed yet */
};

enum { STEADY_BYTES = 128 * 1024, STEADY_TICKS = 50, PIPELINED = 2000 };

static void put_pair(void *ctx, const char *name, const char *value)
{
    buf_printf(ctx, "%s=%s;", name, value);
}

static void stream_closed(void *ctx)
{
    struct service *service = ctx;

    service->stream = NULL;
}

static void steady_closed(void *ctx)
{
    struct service *service = ctx;

    service->steady = NULL;
    service->open--;
}

static void sleeper_closed(void *ctx)
{
    struct service *service = ctx;

    service->open--;
}

static void tick_steady(struct service *service)
{
    static const uint8_t bytes[STEADY_BYTES];

    if (service->steady == NULL)
        return;
    http_stream_write(service->steady, span_of(bytes, sizeof(bytes)));
    if (--service->steady_left == 0)
        http_stream_end(service->steady);
}

static void tick(void *ctx)
{
    struct service *service = ctx;

    service->ticks++;
    tick_steady(service);
    if (service->later != NULL) {
        service->later_answer->status = 202;
        buf_printf(&service->later_answer->body, "late %s", service->later->path);
        http_request_answered(service->later);
        service->later = NULL;
    }
    if (service->stream == NULL)
        return;
    http_stream_write(service->stream, span_str("tick\n"));
    if (++service->batches > 1000)
        http_stream_end(service->stream);
}

static void serve(void *ctx, const struct http_request *request, struct http_answer *answer)
{
    struct service *service = ctx;
    struct err err = ERR_INIT;
    unsigned uid = 12345;

    answer->status = 200;
    http_answer_header(answer, "X-Path", request->path);
    if (strcmp(request->path, "/stream") == 0) {
        service->stream = http_answer_stream(answer, stream_closed, service);
        http_stream_write(service->stream, span_str("first\n"));
        service->batches = 998;
    } else if (strcmp(request->path, "/steady") == 0) {
        service->steady = http_answer_stream(answer, steady_closed, service);
        service->steady_left = STEADY_TICKS;
        service->open++;
    } else if (strcmp(request->path, "/flood") == 0) {
        struct http_stream *flood = http_answer_stream(answer, sleeper_closed, service);
        service->open++;
        for (int i = 0; i < 64; i++)
            http_stream_write(flood, span_of((uint8_t[STEADY_BYTES]){0}, STEADY_BYTES));
    } else if (strcmp(request->path, "/sleep") == 0) {
        struct http_stream *sleeper = http_answer_stream(answer, sleeper_closed, service);
        service->open++;
        http_stream_write(sleeper, span_str("asleep\n"));
    } else if (strcmp(request->path, "/open") == 0) {
        buf_printf(&answer->body, "%u", service->open);
    } else if (strcmp(request->path, "/ticks") == 0) {
        buf_printf(&answer->body, "ticks %u.", service->ticks);
    } else if (strcmp(request->path, "/form") == 0) {
        if (http_request_each_form(request, put_pair, &answer->body, &err) < 0) {
            answer->status = 400;
            buf_put_str(&answer->body, err.msg);
        }
    } else if (strcmp(request->path, "/later") == 0 && service->later == NULL) {
        service->later = request;
        service->later_answer = answer;
        http_request_later(request);
    } else if (strncmp(request->path, "/aside", 6) == 0) {
        service->put_aside = true;
        buf_printf(&answer->body, "%s", request->path);
    } else if (strcmp(request->path, "/call-up") == 0) {
        service->call_up = true;
    } else if (strcmp(request->path, "/release") == 0) {
        service->release = true;
    } else if (strncmp(request->path, "/leave", 6) == 0) {
        service->leave_good = strcmp(request->path, "/leave/good") == 0;
        service->leave_bad = !service->leave_good;
    } else if (strcmp(request->path, "/who") == 0) {
        assert_int_equal(http_request_peer_uid(request, &uid, &err), 0);
        buf_printf(&answer->body, "%d", uid == getuid());
    } else {
        service->fail = strcmp(request->path, "/fail") == 0;
        buf_printf(&answer->body, "%s %zu ", request->method, request->body.len);
        http_request_each_query(request, put_pair, &answer->body);
        buf_printf(&answer->body, "%zu", http_request_query_count(request, "a"));
    }
}

static void as_503(void *ctx UNUSED, const struct http_request *request, const struct err *err,
                   struct http_answer *answer)
{
    assert_non_null(request->path);
    answer->status = 503;
    buf_put_str(&answer->body, err->msg);
}

static void after_batch(void *ctx)
{
    struct service *service = ctx;
    struct err err = ERR_INIT;

    if (service->put_aside)
        http_server_put_aside(service->server);
    service->put_aside = false;
    if (service->call_up || service->leave_good || service->leave_bad)
        http_server_call_up(service->server);
    if (service->release || service->leave_good)
        http_server_release_called(service->server);
    if (service->leave_bad) {
        err_set(&err, ERR_UNAVAILABLE, "the log is full");
        http_server_fail_called(service->server, &err, as_503, NULL);
    }
    service->call_up = service->release = service->leave_good = service->leave_bad = false;
    if (service->fail) {
        err_set(&err, ERR_UNAVAILABLE, "the disk is full");
        http_server_fail(service->server, &err, as_503, NULL);
        service->fail = false;
    }
    if (http_server_release(service->server))
        http_server_wake(service->server);
}

static void run_service(int *listen_fd)
{
    struct service service = {0};
    struct err err = ERR_INIT;

    INVARIANT(loop_new(&service.loop, &err) == 0);
    INVARIANT(http_server_new(service.loop, listen_fd, serve, &service, &service.server, &err) ==
              0);
    INVARIANT(loop_add_timer(service.loop, 20, 20, tick, &service, NULL, &err) == 0);
    loop_add_batch(service.loop, after_batch, &service);
    INVARIANT(loop_run(service.loop, &err) == 0);
}

static struct sockaddr_un address;
static pid_t child;

static int start(void **state UNUSED)
{
    char dir[] = "/tmp/drun-http-XXXXXX";
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    INVARIANT(mkdtemp(dir) != NULL);
    address.sun_family = AF_UNIX;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", dir);
    INVARIANT(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 16) == 0);
    child = fork();
    if (child == 0) {
        run_service(&fd);
        _exit(0);
    }
    close(fd);
    return 0;
}

static int stop(void **state UNUSED)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    unlink(address.sun_path);
    *strrchr(address.sun_path, '/') = '\0';
    return rmdir(address.sun_path);
}

/* Sends the text and reads until the server closes. */
static void exchange(const char *text, struct buf *answer)
{
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct err err = ERR_INIT;

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(fd_write_all(fd, span_str(text), "request", &err), 0);
    assert_int_equal(fd_read_all(fd, "answer", answer, &err), 0);
}

static void requests_are_answered(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf answer = BUF_INIT(100000);

    exchange("POST /x%20y?a=1&b=%26&a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
             "Content-Length: 3\r\n\r\nabc",
             &answer);
    assert_non_null(strstr(buf_text(&answer), "HTTP/1.1 200"));
    assert_non_null(strstr(buf_text(&answer), "X-Path: /x y\r\n"));
    assert_non_null(strstr(buf_text(&answer), "\r\n\r\nPOST 3 a=1;b=&;a=;2"));
}

static void a_nul_in_the_query_is_refused(void **state UNUSED)
{
    static const char *const queries[] = {"a=1%00x", "a=%00", "a%00b=1", "%00", "b=2&a=x%00"};

    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        CLEANUP(buf_free) struct buf answer = BUF_INIT(100000);
        CLEANUP_FREE char *text =
            mem_printf("GET /x?%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", queries[i]);
        exchange(text, &answer);
        assert_non_null(strstr(buf_text(&answer), "HTTP/1.1 400"));
    }
}

static void forms_are_decoded(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf answer = BUF_INIT(100000);

    exchange("POST /form HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: "
             "application/x-www-form-urlencoded; charset=utf-8\r\nContent-Length: "
             "21\r\n\r\na=1+%2B&b&c=%e4%bd%a0",
             &answer);
    assert_non_null(strstr(buf_text(&answer), "\r\n\r\na=1 +;b=;c=\xe4\xbd\xa0;"));
    buf_reset(&answer);
    exchange("POST /form HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: "
             "application/x-www-form-urlencoded\r\nContent-Length: 5\r\n\r\na=%00",
             &answer);
    assert_non_null(strstr(buf_text(&answer), "HTTP/1.1 400"));
}

static void held_answers_can_be_turned_into_errors(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf answer = BUF_INIT(100000);

    exchange("GET /fail HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &answer);
    assert_non_null(strstr(buf_text(&answer), "HTTP/1.1 503"));
    assert_non_null(strstr(buf_text(&answer), "the disk is full"));
}

static void streams_go_on(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf answer = BUF_INIT(100000);

    exchange("GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &answer);
    assert_non_null(strstr(buf_text(&answer), "first\n"));
    assert_non_null(strstr(buf_text(&answer), "tick\n"));
}

static void large_bodies_are_refused(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf answer = BUF_INIT(100000);
    CLEANUP(buf_free) struct buf request = BUF_INIT(2 * HTTP_BODY_MAX);

    buf_printf(&request,
               "POST /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n",
               HTTP_BODY_MAX + 1);
    for (int i = 0; i < HTTP_BODY_MAX + 1; i++)
        buf_put_u8(&request, 'x');
    exchange(buf_text(&request), &answer);
    assert_non_null(strstr(buf_text(&answer), "HTTP/1.1 413"));
}

static void peer_is_known(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf answer = BUF_INIT(100000);

    exchange("GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &answer);
    assert_non_null(strstr(buf_text(&answer), "\r\n\r\n1"));
}

/* The number behind the last `word` in the text. */
static long last_number(const char *text, const char *word)
{
    long found = -1;

    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
        found = strtol(at + strlen(word), NULL, 10);
    return found;
}

static void pipelined_requests_are_all_answered_and_leave_turns_to_others(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf answer = BUF_INIT(16 * 1024 * 1024);
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct err err = ERR_INIT;
    size_t answers = 0;

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    pid_t writer = fork();
    if (writer == 0) {
        CLEANUP(buf_free) struct buf text = BUF_INIT(1024 * 1024);
        for (int i = 0; i < PIPELINED; i++)
            buf_put_str(&text, "GET /ticks HTTP/1.1\r\nHost: x\r\n\r\n");
        buf_put_str(&text, "GET /ticks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        _exit(fd_write_all(fd, buf_span(&text), "requests", &err) < 0 ? 1 : 0);
    }
    assert_int_equal(fd_read_all(fd, "answers", &answer, &err), 0);
    waitpid(writer, NULL, 0);
    for (const char *at = buf_text(&answer); (at = strstr(at, "ticks ")) != NULL; at++)
        answers++;
    assert_int_equal(answers, PIPELINED + 1);
    long first = strtol(strstr(buf_text(&answer), "ticks ") + 6, NULL, 10);
    assert_true(last_number(buf_text(&answer), "ticks ") >= first);
}

static long open_streams(void)
{
    CLEANUP(buf_free) struct buf answer = BUF_INIT(100000);

    exchange("GET /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &answer);
    return last_number(buf_text(&answer), "\r\n\r\n");
}

static bool all_streams_close(void)
{
    for (int i = 0; i < 100; i++) {
        if (open_streams() == 0)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    }
    return false;
}

static int begin(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CLEANUP_FREE char *text = mem_printf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    struct err err = ERR_INIT;

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(fd_write_all(fd, span_str(text), "request", &err), 0);
    return fd;
}

static void a_stream_that_sleeps_ends_when_its_client_is_gone(void **state UNUSED)
{
    char room[1024];
    size_t got = 0;
    int fd = begin("/sleep");

    while (got == 0 || memmem(room, got, "asleep", 6) == NULL) {
        ssize_t more = read(fd, room + got, sizeof(room) - got);
        assert_true(more > 0);
        got += (size_t)more;
    }
    assert_int_equal(open_streams(), 1);
    /* Who has nothing more to ask still listens. */
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
    assert_int_equal(open_streams(), 1);
    close(fd);
    assert_true(all_streams_close());
}

static void a_slow_reader_that_keeps_up_is_not_cut(void **state UNUSED)
{
    CLEANUP_FREE char *room = mem_new(STEADY_BYTES);
    CLEANUP_FD int fd = begin("/steady");
    size_t total = 0;

    nanosleep(&(struct timespec){.tv_nsec = 300 * 1000 * 1000}, NULL);
    while (total < 2 * STEADY_TICKS * STEADY_BYTES) {
        ssize_t got = read(fd, room, STEADY_BYTES);
        if (got < 5)
            break;
        total += (size_t)got;
        if (memcmp(room + got - 5, "0\r\n\r\n", 5) == 0)
            break;
        if (total % (4 * STEADY_BYTES) < (size_t)got)
            nanosleep(&(struct timespec){.tv_nsec = 60 * 1000 * 1000}, NULL);
    }
    assert_true(total > STEADY_TICKS * STEADY_BYTES);
    close(fd_take(&fd));
    assert_true(all_streams_close());
}

static void a_reader_that_does_not_read_is_cut(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf answer = BUF_INIT(16 * 1024 * 1024);
    CLEANUP_FD int fd = begin("/flood");
    struct err err = ERR_INIT;

    assert_int_equal(fd_read_all(fd, "answer", &answer, &err), 0);
    assert_true(answer.len > 3 * 1024 * 1024 && answer.len < 5 * 1024 * 1024);
    assert_memory_not_equal(answer.data + answer.len - 5, "0\r\n\r\n", 5);
    assert_true(all_streams_close());
}

static void a_server_can_go_while_a_stream_sleeps(void **state UNUSED)
{
    struct sockaddr_un own = address;
    struct service service = {0};
    struct err err = ERR_INIT;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    own.sun_path[strlen(own.sun_path) - 1] = 't'; /* beside the child's socket */
    assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(loop_new(&service.loop, &err), 0);
    assert_int_equal(http_server_new(service.loop, &fd, serve, &service, &service.server, &err), 0);
    loop_add_batch(service.loop, after_batch, &service);
    CLEANUP_FD int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&own, sizeof(own)), 0);
    assert_int_equal(
        fd_write_all(client, span_str("GET /sleep HTTP/1.1\r\nHost: x\r\n\r\n"), "r", &err), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(loop_turn(service.loop, 10, &err), 0);
    assert_int_equal(service.open, 1);
    http_server_free(service.server);
    assert_int_equal(service.open, 0);
    loop_free(service.loop);
    unlink(own.sun_path);
}

static void an_answer_can_come_later(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf answer = BUF_INIT(100000);

    exchange("GET /later HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &answer);
    assert_non_null(strstr(buf_text(&answer), "HTTP/1.1 202"));
    assert_non_null(strstr(buf_text(&answer), "\r\n\r\nlate /later"));
}

/* The client does not wait: the answer finds nobody, and the server goes on. */
static void a_late_answer_may_find_nobody(void **state)
{
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct err err = ERR_INIT;

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(
        fd_write_all(fd, span_str("GET /later HTTP/1.1\r\nHost: x\r\n\r\n"), "request", &err), 0);
    fd_close(&fd);
    usleep(100 * 1000);
    an_answer_can_come_later(state);
}

/* One that is put aside. */
static int begin_aside(int number)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct err err = ERR_INIT;
    char text[100];

    snprintf(text, sizeof(text), "GET /aside/%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
             number);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(fd_write_all(fd, span_str(text), "request", &err), 0);
    return fd;
}

static void end_aside(int *fd, const char *wanted)
{
    CLEANUP(buf_free) struct buf answer = BUF_INIT(100000);
    struct err err = ERR_INIT;

    assert_int_equal(fd_read_all(*fd, "answer", &answer, &err), 0);
    assert_non_null(strstr(buf_text(&answer), wanted));
    fd_close(fd);
}

/* Two that are put aside; then they leave. */
static void leave_together(const char *how, const char *first, const char *second)
{
    CLEANUP(buf_free) struct buf answer = BUF_INIT(100000);
    int fds[2] = {begin_aside(1), begin_aside(2)};

    usleep(20 * 1000); /* they may as well come together with what follows */
    for (int i = 0; i < 2; i++)
        assert_int_equal(recv(fds[i], (char[1]){0}, 1, MSG_DONTWAIT), -1);
    exchange(how, &answer);
    end_aside(&fds[0], first);
    end_aside(&fds[1], second);
}

static void answers_put_aside_leave_when_they_are_told(void **state UNUSED)
{
    leave_together("GET /leave/good HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                   "\r\n\r\n/aside/1", "\r\n\r\n/aside/2");
}

static void answers_put_aside_can_be_turned_into_errors(void **state UNUSED)
{
    leave_together("GET /leave/bad HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                   "\r\n\r\nthe log is full", "\r\n\r\nthe log is full");
}

static void tell(const char *what)
{
    CLEANUP(buf_free) struct buf answer = BUF_INIT(100000);
    char text[100];

    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", what);
    exchange(text, &answer);
}

static void what_is_put_aside_later_does_not_leave_with_what_was_called_up(void **state UNUSED)
{
    int first = begin_aside(1);

    usleep(20 * 1000);
    tell("/call-up");
    int second = begin_aside(2);
    usleep(20 * 1000);
    tell("/release");
    end_aside(&first, "\r\n\r\n/aside/1");
    assert_int_equal(recv(second, (char[1]){0}, 1, MSG_DONTWAIT), -1);
    tell("/leave/good");
    end_aside(&second, "\r\n\r\n/aside/2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered),
        cmocka_unit_test(a_nul_in_the_query_is_refused),
        cmocka_unit_test(forms_are_decoded),
        cmocka_unit_test(held_answers_can_be_turned_into_errors),
        cmocka_unit_test(streams_go_on),
        cmocka_unit_test(large_bodies_are_refused),
        cmocka_unit_test(peer_is_known),
        cmocka_unit_test(pipelined_requests_are_all_answered_and_leave_turns_to_others),
        cmocka_unit_test(a_stream_that_sleeps_ends_when_its_client_is_gone),
        cmocka_unit_test(a_slow_reader_that_keeps_up_is_not_cut),
        cmocka_unit_test(a_reader_that_does_not_read_is_cut),
        cmocka_unit_test(a_server_can_go_while_a_stream_sleeps),
        cmocka_unit_test(an_answer_can_come_later),
        cmocka_unit_test(a_late_answer_may_find_nobody),
        cmocka_unit_test(answers_put_aside_leave_when_they_are_told),
        cmocka_unit_test(answers_put_aside_can_be_turned_into_errors),
        cmocka_unit_test(what_is_put_aside_later_does_not_leave_with_what_was_called_up),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("http", tests, start, stop);
}
