/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Lines joined by '|'. */
static int join(void *ctx, struct span line, struct err *err)
{
    struct buf *out = ctx;

    if (span_eq_str(line, "stop"))
        return err_set(err, ERR_INVALID, "stopped");
    buf_put_span(out, line);
    buf_put_u8(out, '|');
    return 0;
}

static void lines_are_the_same_however_they_are_cut(void **state UNUSED)
{
    static const char text[] = "one\r\n\ndata: {\"a\":1}\nlast without end";
    struct err err = ERR_INIT;

    for (size_t piece = 1; piece < sizeof(text); piece++) {
        CLEANUP(buf_free) struct buf out = BUF_INIT(256);
        CLEANUP(lines_free) struct lines lines = LINES_INIT(join, &out);
        for (size_t at = 0; at < sizeof(text) - 1; at += piece) {
            size_t left = sizeof(text) - 1 - at;
            struct span bytes = span_of(text + at, left < piece ? left : piece);
            assert_int_equal(lines_add(&lines, bytes, &err), 0);
        }
        assert_string_equal(buf_text(&out), "one||data: {\"a\":1}|");
    }
}

static void who_reads_can_stop(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(256);
    CLEANUP(lines_free) struct lines lines = LINES_INIT(join, &out);
    struct err err = ERR_INIT;

    assert_int_equal(lines_add(&lines, span_str("a\nstop\nb\n"), &err), -1);
    assert_string_equal(buf_text(&out), "a|");
    assert_string_equal(err.msg, "stopped");
}

static void an_endless_line_is_refused(void **state UNUSED)
{
    static char block[1024 * 1024];
    CLEANUP(buf_free) struct buf out = BUF_INIT(256);
    CLEANUP(lines_free) struct lines lines = LINES_INIT(join, &out);
    struct err err = ERR_INIT;
    int added = 0;

    memset(block, 'x', sizeof(block));
    for (size_t i = 0; i < 5 && added == 0; i++)
        added = lines_add(&lines, span_of(block, sizeof(block)), &err);
    assert_int_equal(added, -1);
    assert_int_equal(err.code, ERR_TOO_LARGE);
}

static void events_are_data_lines(void **state UNUSED)
{
    struct span data;

    assert_true(lines_event_data(span_str("data: x"), &data));
    assert_true(span_eq_str(data, "x"));
    assert_true(lines_event_data(span_str("data:x"), &data));
    assert_true(span_eq_str(data, "x"));
    assert_true(lines_event_data(span_str("data:"), &data));
    assert_int_equal(data.len, 0);
    assert_false(lines_event_data(span_str(": comment"), &data));
    assert_false(lines_event_data(span_str("event: ping"), &data));
    assert_false(lines_event_data(span_str(""), &data));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_the_same_however_they_are_cut),
        cmocka_unit_test(who_reads_can_stop),
        cmocka_unit_test(an_endless_line_is_refused),
        cmocka_unit_test(events_are_data_lines),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
