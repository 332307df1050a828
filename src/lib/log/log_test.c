/* SPDX-License-Identifier: Apache-2.0 */
#include "log/log.h"

#include "base/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

/* What fn writes to stderr. */
static void capture(void (*fn)(void), struct buf *out)
{
    CLEANUP_FD int kept = dup(STDERR_FILENO);
    CLEANUP_FD int file = memfd_create("log", MFD_CLOEXEC);
    struct err err = ERR_INIT;

    assert_true(kept >= 0 && file >= 0);
    assert_true(dup2(file, STDERR_FILENO) >= 0);
    fn();
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    assert_int_equal(lseek(file, 0, SEEK_SET), 0);
    assert_int_equal(fd_read_all(file, "log", out, &err), 0);
}

/* One line behind its time, which changes. */
static void assert_logs(void (*fn)(void), const char *expected)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(1 << 16);

    capture(fn, &out);
    assert_memory_equal(buf_text(&out), "time=20", 7);
    const char *rest = strchr(buf_text(&out), ' ');
    assert_non_null(rest);
    assert_string_equal(rest, expected);
}

static void say_plain(void)
{
    log_event(LOG_INFO, "store.open",
              LOG_FIELDS(LOG_STR("path", "/var/lib"), LOG_STR("n", "12"),
                         LOG_STR("name", "\xc3\xbc\xe2\x82\xac")));
}

static void say_nothing_more(void)
{
    log_event(LOG_WARN, "loop.start", NULL);
}

static void say_hostile(void)
{
    log_event(LOG_INFO, "x",
              LOG_FIELDS(
                  LOG_STR("a", "line\nlevel=error role=kms"), LOG_STR("b", "\r\t\x1b[31m\x7f"),
                  LOG_STR("c", "quote\"back\\slash"), LOG_STR("d", ""), LOG_STR("e", "k=v"),
                  LOG_STR("f", "\xc2\x85\xc2\x9b\xc2\xa0\xc2"), LOG_SPAN("g", span_of("a\0b", 3))));
}

static void say_error(void)
{
    struct err err = ERR_INIT;

    err_set(&err, ERR_DENIED, "no \"key\" for you");
    log_error("kms.unwrap", &err);
}

static void say_sentence(void)
{
    log_say(LOG_WARN, "x", "%d of %s", 3, "many\n");
}

static void say_quietly(void)
{
    log_say(LOG_DEBUG, "x", "not seen");
}

static void say_much(void)
{
    char text[3 * PIPE_BUF];

    memset(text, '\n', sizeof(text));
    log_event(LOG_ERROR, "long", LOG_FIELDS(LOG_SPAN("v", span_of(text, sizeof(text)))));
    memset(text, 'a', sizeof(text));
    log_event(LOG_ERROR, "long", LOG_FIELDS(LOG_SPAN("v", span_of(text, sizeof(text)))));
}

static void an_event_is_a_line_of_fields(void **state UNUSED)
{
    assert_logs(say_plain, " level=info role=test event=store.open path=/var/lib n=12 "
                           "name=\xc3\xbc\xe2\x82\xac\n");
    assert_logs(say_nothing_more, " level=warn role=test event=loop.start\n");
    assert_logs(say_sentence, " level=warn role=test event=x msg=\"3 of many\\x0a\"\n");
    assert_logs(
        say_error,
        " level=error role=test event=kms.unwrap error=denied msg=\"no \\\"key\\\" for you\"\n");
}

static void what_could_forge_a_line_is_escaped(void **state UNUSED)
{
    assert_logs(say_hostile,
                " level=info role=test event=x a=\"line\\x0alevel=error role=kms\" "
                "b=\"\\x0d\\x09\\x1b[31m\\x7f\" c=\"quote\\\"back\\\\slash\" d=\"\" e=\"k=v\" "
                "f=\"\\xc2\\x85\\xc2\\x9b\xc2\xa0\xc2\" g=\"a\\x00b\"\n");
}

static void a_quiet_event_is_not_written(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(1 << 16);

    capture(say_quietly, &out);
    assert_int_equal(out.len, 0);
    log_init("test", LOG_DEBUG);
    capture(say_quietly, &out);
    log_init("test", LOG_INFO);
    assert_non_null(strstr(buf_text(&out), "msg=\"not seen\"\n"));
}

static void a_long_event_is_cut_to_one_whole_line(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(1 << 16);

    capture(say_much, &out);
    const char *end = strchr(buf_text(&out), '\n');
    assert_non_null(end);
    size_t first = (size_t)(end - buf_text(&out)) + 1;
    assert_in_range(first, 3000, PIPE_BUF);
    assert_memory_equal(end + 1, "time=", 5);
    assert_in_range(out.len - first, 50, PIPE_BUF);
    assert_int_equal(out.data[out.len - 1], '\n');
    assert_null(memchr(end + 1, '\n', out.len - first - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_a_line_of_fields),
        cmocka_unit_test(what_could_forge_a_line_is_escaped),
        cmocka_unit_test(a_quiet_event_is_not_written),
        cmocka_unit_test(a_long_event_is_cut_to_one_whole_line),
    };

    log_init("test", LOG_INFO);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
