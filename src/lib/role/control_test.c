/* SPDX-License-Identifier: Apache-2.0 */
#include "role/control.h"

#include "base/fd.h"
#include "base/mem.h"
#include "ipc/ipc.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct control_hello sample(void)
{
    return (struct control_hello){.role = 3,
                                  .instance = "01234567-89ab-cdef-0123-456789abcdef",
                                  .data_dir = "/var/lib/drun",
                                  .run_dir = "/run/drun-01234567",
                                  .uid = 61443,
                                  .settings = span_str("listen: 127.0.0.1:8443\n")};
}

static void a_hello_is_read_back_as_it_was(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(4096);
    struct control_hello hello = sample();
    struct control_hello again;
    struct err err = ERR_INIT;

    control_put_hello(&body, &hello);
    assert_int_equal(control_get_hello(buf_span(&body), &again, &err), 0);
    assert_int_equal(again.role, hello.role);
    assert_int_equal(again.uid, hello.uid);
    assert_string_equal(again.instance, hello.instance);
    assert_string_equal(again.data_dir, hello.data_dir);
    assert_string_equal(again.run_dir, hello.run_dir);
    assert_true(span_eq(again.settings, hello.settings));
}

static void a_hello_that_is_cut_or_longer_is_refused(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(4096);
    struct control_hello hello = sample();
    struct err err = ERR_INIT;

    control_put_hello(&body, &hello);
    for (size_t len = 0; len < body.len; len++)
        assert_int_equal(control_get_hello(span_of(body.data, len), &hello, &err), -1);
    buf_put_u8(&body, 0);
    assert_int_equal(control_get_hello(buf_span(&body), &hello, &err), -1);
}

static void a_path_that_does_not_fit_or_has_nul_is_refused(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(4096);
    struct control_hello out;
    struct err err = ERR_INIT;
    char path[600];

    memset(path, 'a', sizeof(path));
    for (int with_nul = 0; with_nul < 2; with_nul++) {
        buf_reset(&body);
        buf_put_u32(&body, 3);
        buf_put_block(&body, span_str("id"));
        buf_put_block(&body, with_nul ? span_of("/a\0b", 4) : span_of(path, 512));
        buf_put_block(&body, span_str("/run"));
        buf_put_u32(&body, 0);
        buf_put_block(&body, span_str(""));
        assert_int_equal(control_get_hello(buf_span(&body), &out, &err), -1);
    }
}

static void a_message_carries_its_descriptor(void **state UNUSED)
{
    CLEANUP_FD int ours = -1;
    CLEANUP_FD int theirs = -1;
    CLEANUP_FREE uint8_t *room = mem_new(IPC_PACKET_MAX);
    CLEANUP(ipc_packet_close) struct ipc_packet packet = {0};
    CLEANUP_FD int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct err err = ERR_INIT;

    assert_int_equal(ipc_pair(&ours, &theirs, &err), 0);
    assert_int_equal(control_send(ours, CONTROL_FD_NAMED, span_str("x"), null, &err), 1);
    assert_int_equal(control_send(ours, CONTROL_BEGIN, span_of(NULL, 0), -1, &err), 1);
    assert_int_equal(ipc_packet_receive(theirs, room, &packet, &err), 1);
    assert_int_equal(packet.type, CONTROL_FD_NAMED);
    assert_int_equal(packet.fds.count, 1);
    assert_int_equal(fcntl(packet.fds.fd[0], F_GETFD), FD_CLOEXEC);
    ipc_packet_close(&packet);
    assert_int_equal(ipc_packet_receive(theirs, room, &packet, &err), 1);
    assert_int_equal(packet.type, CONTROL_BEGIN);
    assert_int_equal(packet.fds.count, 0);
    fd_close(&theirs);
    assert_int_equal(control_send(ours, CONTROL_STOP, span_of(NULL, 0), -1, &err), 0);
}

static void a_failure_is_told_and_fit_to_be_shown(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(1024);
    struct err why = ERR_INIT;
    struct err told = ERR_INIT;
    struct err err = ERR_INIT;

    err_set(&why, ERR_DENIED, "not this one\n\033[31m");
    control_put_failure(&body, &why);
    assert_int_equal(control_get_failure(buf_span(&body), &told, &err), 0);
    assert_int_equal(told.code, ERR_DENIED);
    assert_string_equal(told.msg, "not this one??[31m");
    for (size_t len = 0; len < body.len; len++)
        assert_int_equal(control_get_failure(span_of(body.data, len), &told, &err), -1);
    body.data[0] = ERR_CODE_COUNT;
    assert_int_equal(control_get_failure(buf_span(&body), &told, &err), -1);
    body.data[0] = ERR_NONE;
    assert_int_equal(control_get_failure(buf_span(&body), &told, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_is_read_back_as_it_was),
        cmocka_unit_test(a_hello_that_is_cut_or_longer_is_refused),
        cmocka_unit_test(a_path_that_does_not_fit_or_has_nul_is_refused),
        cmocka_unit_test(a_message_carries_its_descriptor),
        cmocka_unit_test(a_failure_is_told_and_fit_to_be_shown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
