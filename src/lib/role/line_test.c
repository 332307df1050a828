/* SPDX-License-Identifier: Apache-2.0 */
/* A thread calls while the loop's thread keeps replacing the channel under it. Run it with
 * -Db_sanitize=thread to see that nothing is shared but the one descriptor. */
#include "role/line.h"

#include "base/fd.h"
#include "ipc/wire.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { CHANNELS = 200 };

static int answer(void *ctx UNUSED, struct ipc_request *request, struct buf *reply,
                  struct err *err UNUSED)
{
    buf_put_span(reply, request->body);
    return IPC_ANSWER;
}

static const struct ipc_message messages[] = {{1, "echo", IPC_FROM(1), 16, 0, answer}, {0}};
static const struct ipc_table table = {.server = "echo", .messages = messages};

struct caller {
    struct role_line *line;
    atomic_bool stop;
    atomic_uint good, bad;
};

static void *call_again_and_again(void *ctx)
{
    struct caller *caller = ctx;

    while (!atomic_load(&caller->stop)) {
        CLEANUP(buf_free) struct buf reply = BUF_INIT(16);
        struct err err = ERR_INIT;
        if (ipc_call(role_line_client(caller->line), 1, span_str("hello"), &reply, NULL, &err) ==
            0) {
            assert_true(span_eq_str(buf_span(&reply), "hello"));
            atomic_fetch_add(&caller->good, 1);
        } else {
            assert_int_equal(err.code, ERR_UNAVAILABLE);
            atomic_fetch_add(&caller->bad, 1);
        }
    }
    return NULL;
}

/* Runs the loop until `count` further calls went well. */
static void serve_some(struct loop *loop, struct caller *caller, unsigned count)
{
    unsigned wanted = atomic_load(&caller->good) + count;
    struct err err = ERR_INIT;

    while (atomic_load(&caller->good) < wanted)
        assert_int_equal(loop_turn(loop, 20, &err), 0);
}

static void a_thread_goes_on_over_new_channels(void **state UNUSED)
{
    int none = -1;
    struct ipc_client *client = ipc_client_new(&none, "echo");
    struct caller caller = {.line = role_line_new(&client)};
    struct loop *loop = NULL;
    struct err err = ERR_INIT;
    pthread_t thread;

    assert_null(client);
    assert_int_equal(loop_new(&loop, &err), 0);
    assert_int_equal(pthread_create(&thread, NULL, call_again_and_again, &caller), 0);
    for (int i = 0; i < CHANNELS; i++) {
        int client_fd = -1;
        int server_fd = -1;
        assert_int_equal(ipc_pair(&client_fd, &server_fd, &err), 0);
        assert_int_equal(ipc_server_add(loop, &server_fd, 1, &table, NULL, &err), 0);
        role_line_offer(caller.line, &client_fd);
        assert_int_equal(client_fd, -1);
        serve_some(loop, &caller, 1);
    }
    role_line_offer(caller.line, &none); /* away */
    unsigned before = atomic_load(&caller.bad);
    while (atomic_load(&caller.bad) == before)
        assert_int_equal(loop_turn(loop, 1, &err), 0);
    atomic_store(&caller.stop, true);
    pthread_join(thread, NULL);
    role_line_free(caller.line);
    loop_free(loop);
}

static void what_was_not_taken_up_is_closed(void **state UNUSED)
{
    int none = -1;
    struct ipc_client *client = ipc_client_new(&none, "echo");
    struct role_line *line = role_line_new(&client);
    struct err err = ERR_INIT;
    int first[2];
    int second[2];
    char byte;

    assert_int_equal(ipc_pair(&first[0], &first[1], &err), 0);
    assert_int_equal(ipc_pair(&second[0], &second[1], &err), 0);
    role_line_offer(line, &first[0]);
    role_line_offer(line, &second[0]);
    assert_int_equal(read(first[1], &byte, 1), 0);
    role_line_free(line);
    assert_int_equal(read(second[1], &byte, 1), 0);
    fd_close(&first[1]);
    fd_close(&second[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_goes_on_over_new_channels),
        cmocka_unit_test(what_was_not_taken_up_is_closed),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
