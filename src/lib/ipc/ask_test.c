/* SPDX-License-Identifier: Apache-2.0 */
/* Questions whose answers come from the loop: a server in the same loop, answering when told to. */
#include "ipc/wire.h"

#include "base/fd.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { PEER = 3, MSG_ECHO = 1, MSG_LATER, MSG_FAIL, ANSWERS_MAX = 8, TEXT_SIZE = 80 };

struct scene {
    struct loop *loop;
    struct ipc_client *client;
    struct ipc_ticket ticket; /* of the last MSG_LATER */
    char answers[ANSWERS_MAX][TEXT_SIZE];
    enum err_code failed[ANSWERS_MAX];
    size_t count;
    bool ask_again; /* from the next answer */
};

static int on_echo(void *ctx UNUSED, struct ipc_request *request, struct buf *reply,
                   struct err *err UNUSED)
{
    buf_put_span(reply, request->body);
    return IPC_ANSWER;
}

static int on_later(void *ctx, struct ipc_request *request, struct buf *reply UNUSED,
                    struct err *err UNUSED)
{
    struct scene *scene = ctx;

    scene->ticket = request->ticket;
    return IPC_LATER;
}

static int on_fail(void *ctx UNUSED, struct ipc_request *request, struct buf *reply UNUSED,
                   struct err *err)
{
    return err_set(err, ERR_GONE, "no %.*s any more", SPAN_ARG(request->body));
}

static const struct ipc_message messages[] = {
    {MSG_ECHO, "echo", IPC_FROM(PEER), 100, 0, on_echo},
    {MSG_LATER, "later", IPC_FROM(PEER), 100, 0, on_later},
    {MSG_FAIL, "fail", IPC_FROM(PEER), 100, 0, on_fail},
    {0},
};
static const struct ipc_table table = {"tester", messages, NULL};

static int serve_fd(struct scene *scene)
{
    struct err err = ERR_INIT;
    int client_fd = -1;
    int server_fd = -1;

    assert_int_equal(ipc_pair(&client_fd, &server_fd, &err), 0);
    assert_int_equal(ipc_server_add(scene->loop, &server_fd, PEER, &table, scene, &err), 0);
    return client_fd;
}

static void scene_init(struct scene *scene)
{
    struct err err = ERR_INIT;

    *scene = (struct scene){0};
    assert_int_equal(loop_new(&scene->loop, &err), 0);
    int fd = serve_fd(scene);
    scene->client = ipc_client_new(&fd, "tester");
    assert_int_equal(ipc_client_attach(scene->client, scene->loop, &err), 0);
}

static void scene_clear(struct scene *scene)
{
    struct err err = ERR_INIT;

    ipc_client_free(scene->client);
    assert_int_equal(loop_turn(scene->loop, 1000, &err), 0); /* the server goes, too */
    loop_free(scene->loop);
}

#define SCENE(name)                                                                                \
    CLEANUP(scene_clear) struct scene name;                                                        \
    struct err err = ERR_INIT;                                                                     \
    scene_init(&(name))

static void turn(struct scene *scene)
{
    struct err err = ERR_INIT;

    assert_int_equal(loop_turn(scene->loop, 20000, &err), 0);
}

static void ask(struct scene *scene, uint16_t type, const char *body);

static void on_answer(void *ctx, struct span body, const struct err *failed)
{
    struct scene *scene = ctx;

    assert_in_range(scene->count, 0, ANSWERS_MAX - 1);
    snprintf(scene->answers[scene->count], TEXT_SIZE, "%.*s", SPAN_ARG(body));
    if (failed != NULL) {
        snprintf(scene->answers[scene->count], TEXT_SIZE, "%.70s", failed->msg);
        scene->failed[scene->count] = failed->code;
    }
    scene->count++;
    if (scene->ask_again) {
        scene->ask_again = false;
        ask(scene, MSG_ECHO, "again");
    }
}

static void ask(struct scene *scene, uint16_t type, const char *body)
{
    struct err err = ERR_INIT;

    assert_int_equal(ipc_ask(scene->client, type, span_str(body), on_answer, scene, &err), 0);
}

static void wait_for_answers(struct scene *scene, size_t count)
{
    while (scene->count < count)
        turn(scene);
    assert_int_equal(scene->count, count);
}

static void answers_come_from_the_loop(void **state UNUSED)
{
    SCENE(scene);

    ask(&scene, MSG_ECHO, "one");
    ask(&scene, MSG_FAIL, "two");
    ask(&scene, MSG_ECHO, "");
    assert_int_equal(scene.count, 0);
    wait_for_answers(&scene, 3);
    assert_string_equal(scene.answers[0], "one");
    assert_string_equal(scene.answers[1], "no two any more");
    assert_int_equal(scene.failed[1], ERR_GONE);
    assert_string_equal(scene.answers[2], "");
    assert_int_equal(scene.failed[2], ERR_NONE);
    assert_int_equal(err.code, ERR_NONE);
}

static void an_answer_may_ask_again(void **state UNUSED)
{
    SCENE(scene);

    scene.ask_again = true;
    ask(&scene, MSG_ECHO, "first");
    wait_for_answers(&scene, 2);
    assert_string_equal(scene.answers[1], "again");
    assert_int_equal(err.code, ERR_NONE);
}

/* The call gets its own answer; the one that came before it is told by the loop. */
static void a_call_between_takes_nobodys_answer(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf reply = BUF_INIT(100);
    uint32_t id;
    SCENE(scene);

    ask(&scene, MSG_ECHO, "asked");
    assert_int_equal(ipc_send(scene.client, MSG_ECHO, span_str("called"), &id, &err), 0);
    while (scene.count == 0)
        turn(&scene);
    assert_int_equal(ipc_wait(scene.client, id, &reply, &err), 0);
    assert_string_equal(buf_text(&reply), "called");
    ask(&scene, MSG_LATER, "");
    turn(&scene);
    buf_reset(&reply);
    assert_int_equal(ipc_send(scene.client, MSG_LATER, span_str(""), &id, &err), 0);
    ipc_reply(&scene.ticket, span_str("asked"));
    struct ipc_ticket call = scene.ticket;
    call.id = id;
    ipc_reply(&call, span_str("called"));
    assert_int_equal(ipc_wait(scene.client, id, &reply, &err), 0);
    assert_string_equal(buf_text(&reply), "called");
    assert_int_equal(scene.count, 1);
    wait_for_answers(&scene, 2);
    assert_string_equal(scene.answers[1], "asked");
}

static void what_was_asked_can_be_waited_for(void **state UNUSED)
{
    SCENE(scene);

    ask(&scene, MSG_LATER, "");
    turn(&scene);
    ipc_reply(&scene.ticket, span_str("at last"));
    ipc_ask_settle(scene.client, &scene.client); /* not its own */
    assert_int_equal(scene.count, 0);
    ipc_ask_settle(scene.client, &scene);
    assert_int_equal(scene.count, 1);
    assert_string_equal(scene.answers[0], "at last");
    ipc_ask_settle(scene.client, &scene);
    assert_int_equal(scene.count, 1);
    assert_int_equal(err.code, ERR_NONE);
}

static void a_server_that_is_started_again_fails_what_was_asked(void **state UNUSED)
{
    SCENE(scene);

    ask(&scene, MSG_LATER, "");
    turn(&scene);
    int fd = serve_fd(&scene);
    ipc_client_reconnect(scene.client, &fd);
    ask(&scene, MSG_ECHO, "new");
    wait_for_answers(&scene, 2);
    assert_int_equal(scene.failed[0], ERR_UNAVAILABLE);
    assert_string_equal(scene.answers[0], "tester is not running; try again in a moment");
    assert_string_equal(scene.answers[1], "new");
    assert_int_equal(err.code, ERR_NONE);
}

static void without_a_server_nothing_is_asked(void **state UNUSED)
{
    SCENE(scene);
    int none = -1;

    ask(&scene, MSG_LATER, "");
    ipc_client_reconnect(scene.client, &none);
    assert_int_equal(ipc_ask(scene.client, MSG_ECHO, span_str(""), on_answer, &scene, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    ipc_ask_settle(scene.client, &scene);
    assert_int_equal(scene.count, 1);
    assert_int_equal(scene.failed[0], ERR_UNAVAILABLE);
}

static void no_answer_in_time_gives_the_channel_up(void **state UNUSED)
{
    SCENE(scene);

    ipc_client_set_timeout(scene.client, 20);
    ask(&scene, MSG_LATER, "");
    wait_for_answers(&scene, 1);
    assert_int_equal(scene.failed[0], ERR_UNAVAILABLE);
    assert_int_equal(ipc_client_fd(scene.client), -1);
    assert_int_equal(err.code, ERR_NONE);
}

static void a_client_that_goes_tells_nobody(void **state UNUSED)
{
    SCENE(scene);

    ask(&scene, MSG_LATER, "");
    turn(&scene);
    ask(&scene, MSG_ECHO, "");
    assert_int_equal(scene.count, 0);
    assert_int_equal(err.code, ERR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_from_the_loop),
        cmocka_unit_test(an_answer_may_ask_again),
        cmocka_unit_test(a_call_between_takes_nobodys_answer),
        cmocka_unit_test(what_was_asked_can_be_waited_for),
        cmocka_unit_test(a_server_that_is_started_again_fails_what_was_asked),
        cmocka_unit_test(without_a_server_nothing_is_asked),
        cmocka_unit_test(no_answer_in_time_gives_the_channel_up),
        cmocka_unit_test(a_client_that_goes_tells_nobody),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
