/* SPDX-License-Identifier: Apache-2.0 */
/* The client against a kms that answers nonsense; the real one is in roles/kms/kms_test.c. */
#include "keys/wire.h"

#include "base/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

struct nonsense {
    uint8_t byte;
    size_t len;
};

static const struct nonsense answers[] = {{0, 0}, {0, 1}, {0, 3}, {0, 500}, {0xff, 500}, {1, 77}};

struct peer {
    pid_t pid;
    struct ipc_client *kms;
};

static int answer(void *ctx, struct ipc_request *request UNUSED, struct buf *reply,
                  struct err *err UNUSED)
{
    const struct nonsense *said = ctx;

    for (size_t i = 0; i < said->len; i++)
        buf_put_u8(reply, said->byte);
    return IPC_ANSWER;
}

/* Serves for ever; the parent ends it. */
static void serve(int fd, const struct nonsense *said)
{
    static struct ipc_message messages[KMS_RESEAL + 1];
    static const struct ipc_table table = {.server = "kms", .messages = messages};
    struct loop *loop;
    struct err err = ERR_INIT;

    for (uint16_t i = 0; i < KMS_RESEAL; i++)
        messages[i] = (struct ipc_message){.type = (uint16_t)(i + 1),
                                           .name = "any",
                                           .from = IPC_FROM(0),
                                           .max_len = IPC_BODY_MAX,
                                           .handle = answer};
    if (loop_new(&loop, &err) == 0 &&
        ipc_server_add(loop, &fd, 0, &table, (void *)(uintptr_t)said, &err) == 0)
        (void)!loop_run(loop, &err);
    _exit(1);
}

static struct peer start(const struct nonsense *said)
{
    struct peer peer;
    struct err err = ERR_INIT;
    int ours;
    int theirs;

    assert_int_equal(ipc_pair(&ours, &theirs, &err), 0);
    peer.pid = fork();
    assert_true(peer.pid >= 0);
    if (peer.pid == 0) {
        fd_close(&ours);
        serve(theirs, said);
    }
    fd_close(&theirs);
    peer.kms = ipc_client_new(&ours, "kms");
    return peer;
}

static void stop(struct peer *peer)
{
    ipc_client_free(peer->kms);
    kill(peer->pid, SIGKILL);
    waitpid(peer->pid, NULL, 0);
}

static int heap(void **state UNUSED)
{
    struct err err = ERR_INIT;

    return secret_heap_init(&err);
}

static void ask_for_data_keys(struct ipc_client *kms)
{
    CLEANUP(buf_free) struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);
    struct secret *key = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(keys_data_new(kms, "api/x", &key, &wrapped, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(keys_data_open(kms, "api/x", span_str("w"), &key, &err), -1);
    assert_int_equal(keys_data_rewrap(kms, "api/x", span_str("w"), &wrapped, &err), -1);
    assert_null(key);
}

static void ask_for_signatures(struct ipc_client *kms)
{
    CLEANUP(buf_free) struct buf sig = BUF_INIT(SIGN_SIG_MAX);
    struct keys_public_list list = {0};
    struct keys_public public;
    struct err err = ERR_INIT;

    assert_int_equal(keys_sign(kms, "oidc", NULL, span_str("x"), &sig, &err), -1);
    assert_int_equal(keys_public(kms, "oidc", &public, &err), -1);
    assert_int_equal(keys_list_public(kms, "oidc", &list, &err), -1);
    assert_null(list.items);
    assert_int_equal(err.code, ERR_INVALID);
}

static void ask_for_state(struct ipc_client *kms)
{
    struct keys_event events[KEYS_EVENTS_MAX];
    struct keys_mark mark = {.boot = 3, .seq = 4};
    struct keys_status status;
    size_t count;
    struct err err = ERR_INIT;

    assert_int_equal(keys_status(kms, &status, &err), -1);
    assert_int_equal(keys_events(kms, &mark, events, &count, &err), -1);
    assert_int_equal(mark.seq, 4);
    assert_int_equal(err.code, ERR_INVALID);
}

static void an_answer_that_is_none_is_an_error(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct peer peer = start(&answers[i]);
        ask_for_data_keys(peer.kms);
        ask_for_signatures(peer.kms);
        ask_for_state(peer.kms);
        stop(&peer);
    }
}

static void a_kms_that_is_gone_is_unavailable(void **state UNUSED)
{
    int none = -1;
    struct ipc_client *kms = ipc_client_new(&none, "kms");
    struct keys_status status;
    struct err err = ERR_INIT;

    assert_int_equal(keys_status(kms, &status, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    ipc_client_free(kms);
}

static void the_version_of_a_wrapped_key_is_in_it(void **state UNUSED)
{
    uint8_t wrapped[KEYS_WRAPPED_LEN] = {KEYS_WRAPPED_FORMAT, 7, 1};

    assert_int_equal(keys_wrapped_version(span_of(wrapped, sizeof(wrapped))), 0x107);
    assert_int_equal(keys_wrapped_version(span_of(wrapped, sizeof(wrapped) - 1)), 0);
    wrapped[0]++;
    assert_int_equal(keys_wrapped_version(span_of(wrapped, sizeof(wrapped))), 0);
}

static void events_have_names(void **state UNUSED)
{
    for (int kind = 1; kind < KEYS_EVENT_KIND_COUNT; kind++)
        assert_non_null(keys_event_name((enum keys_event_kind)kind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_that_is_none_is_an_error),
        cmocka_unit_test(a_kms_that_is_gone_is_unavailable),
        cmocka_unit_test(the_version_of_a_wrapped_key_is_in_it),
        cmocka_unit_test(events_have_names),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("keys", tests, heap, NULL);
}
