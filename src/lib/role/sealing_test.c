/* SPDX-License-Identifier: Apache-2.0 */
#include "role/sealing.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct sealing_status sample = {
    .state = SEALING_STATE_SEALED, .since_sec = 1795000000, .why = "by uid 0, process 4711"};

static void a_status_is_read_back_as_it_was(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(SEALING_STATUS_MAX);
    struct sealing_status again;
    struct err err = ERR_INIT;

    sealing_put_status(&sample, &body);
    assert_int_equal(sealing_get_status(buf_span(&body), &again, &err), 0);
    assert_int_equal(again.state, SEALING_STATE_SEALED);
    assert_int_equal(again.since_sec, sample.since_sec);
    assert_string_equal(again.why, sample.why);
}

static void a_status_that_is_cut_longer_or_unknown_is_refused(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(SEALING_STATUS_MAX);
    struct sealing_status out;
    struct err err = ERR_INIT;

    sealing_put_status(&sample, &body);
    for (size_t len = 0; len < body.len; len++)
        assert_int_equal(sealing_get_status(span_of(body.data, len), &out, &err), -1);
    body.data[0] = SEALING_STATE_COUNT;
    assert_int_equal(sealing_get_status(buf_span(&body), &out, &err), -1);
    assert_non_null(strstr(err.msg, "unknown state"));
    body.data[0] = SEALING_STATE_SEALED;
    buf_put_u8(&body, 0);
    assert_int_equal(sealing_get_status(buf_span(&body), &out, &err), -1);
}

static void every_state_has_a_name(void **state UNUSED)
{
    for (int i = 0; i < SEALING_STATE_COUNT; i++)
        assert_non_null(sealing_state_name((enum sealing_state)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_status_is_read_back_as_it_was),
        cmocka_unit_test(a_status_that_is_cut_longer_or_unknown_is_refused),
        cmocka_unit_test(every_state_has_a_name),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("sealing", tests, NULL, NULL);
}
