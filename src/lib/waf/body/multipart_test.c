/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/body/body.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TYPE     "multipart/form-data; boundary=B"
#define DISPO    "Content-Disposition: form-data; "
#define FIELD(n) "--B\r\n" DISPO "name=\"" n "\"\r\n\r\n"
#define UPLOAD   "--B\r\n" DISPO "name=\"u\"; filename=\"x.txt\"\r\nContent-Type: a/b\r\n\r\n"
#define LAST     "--B--\r\n"

enum { TEXT_MAX = 1 << 20, ARENA_MAX = 1 << 22 };

static struct buf out;
static struct waf_multipart_flags flags;
static struct err err;

static void field(void *ctx, const struct waf_part *part, struct span value)
{
    (void)ctx;
    buf_printf(&out, "%.*s=%.*s\n", SPAN_ARG(part->name), SPAN_ARG(value));
}

static void file_data(void *ctx, const struct waf_part *part, struct span bytes)
{
    (void)ctx;
    (void)part;
    buf_put_span(&out, bytes);
}

static void file_end(void *ctx, const struct waf_part *part, uint64_t size)
{
    (void)ctx;
    buf_printf(&out, "<%.*s %.*s %llu", SPAN_ARG(part->name), SPAN_ARG(part->filename),
               (unsigned long long)size);
    for (size_t i = 0; i < part->header_count; i++)
        buf_printf(&out, " {%.*s}", SPAN_ARG(part->headers[i]));
    buf_put_str(&out, ">\n");
}

/* Cut into pieces of `step` bytes. */
static int run(const char *type, struct span body, size_t step, struct waf_multipart_limits limits)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(ARENA_MAX);
    struct waf_multipart_sink sink = {field, file_data, file_end, NULL};
    struct waf_multipart *mp;

    buf_reset(&out);
    err_clear(&err);
    int rc = waf_multipart_start(&mp, span_str(type), &limits, &sink, arena, &err);
    for (size_t at = 0; at < body.len && rc == 0; at += step)
        rc = waf_multipart_feed(
            mp, span_of(body.p + at, body.len - at < step ? body.len - at : step), &err);
    if (rc == 0)
        rc = waf_multipart_end(mp, &err);
    flags = waf_multipart_flags(mp);
    return rc;
}

static void takes(const char *type, const char *body, const char *result)
{
    struct waf_multipart_limits none = {0};

    for (size_t step = 1; step < 8; step++) {
        if (run(type, span_str(body), step, none) < 0)
            fail_msg("%s", err.msg);
        assert_string_equal(buf_text(&out), result);
    }
}

static void refuses(const char *type, const char *body, const char *part)
{
    struct waf_multipart_limits none = {0};

    assert_int_equal(run(type, span_str(body), 1000, none), -1);
    if (strstr(err.msg, part) == NULL)
        fail_msg("%s", err.msg);
}

static void fields_and_files_are_delivered(void **unused)
{
    (void)unused;
    takes(TYPE, FIELD("a") "1\r\n" LAST, "a=1\n");
    assert_int_equal(flags.strict_error, 0);
    assert_int_equal(flags.unmatched_boundary, 2);
    takes(TYPE, FIELD("a") "1\r\n2\n\r\n" FIELD("b") "\r\n" LAST, "a=1\r\n2\n\nb=\n");
    takes(TYPE, UPLOAD "x\r\ny\r\n" LAST,
          "x\r\ny<u x.txt 4 {" DISPO "name=\"u\"; filename=\"x.txt\"} {Content-Type: a/b}>\n");
    takes(TYPE, FIELD("a") "1\r\n--B--", "a=1\n");
    takes(TYPE, "--B\r\n" DISPO "name=\"a\"; filename=\"\"\r\n\r\n\r\n" LAST, "a=\n");
    takes(TYPE "; charset=x", FIELD("a") "1\r\n" LAST, "a=1\n");
    takes(TYPE, "", "");
}

static void names_are_unescaped(void **unused)
{
    (void)unused;
    takes(TYPE, FIELD("a\\\"\\\\b\\c") "1\r\n" LAST, "a\"\\b\\c=1\n");
    takes(TYPE, "--B\r\nCONTENT-disposition:\tform-data;name=tok\r\n\r\n1\r\n" LAST, "tok=1\n");
    takes(TYPE,
          "--B\r\n" DISPO "name=\"a\"; filename=\"q\"; filename*=utf-8''%41\r\n\r\n1\r\n" LAST,
          "1<a q 1 {" DISPO "name=\"a\"; filename=\"q\"; filename*=utf-8''%41}>\n");
}

static void each_oddity_has_its_flag(void **unused)
{
    (void)unused;
    takes("multipart/form-data; boundary=\"B\"", FIELD("a") "1\r\n" LAST, "a=1\n");
    assert_true(flags.boundary_quoted && flags.strict_error);
    takes("multipart/form-data; boundary =B", FIELD("a") "1\r\n" LAST, "a=1\n");
    assert_true(flags.boundary_whitespace);
    takes("multipart/form-data boundary=B", FIELD("a") "1\r\n" LAST, "a=1\n");
    assert_true(flags.missing_semicolon);
    takes(TYPE, "x\r\n" FIELD("a") "1\r\n" LAST, "a=1\n");
    assert_true(flags.data_before);
    takes(TYPE, FIELD("a") "1\r\n" LAST "x", "a=1\n");
    assert_true(flags.data_after);
    takes(TYPE, "--B\r\n" DISPO "\r\n name=\"a\"\r\n\r\n1\r\n" LAST, "a=1\n");
    assert_true(flags.header_folding && !flags.invalid_header_folding);
    takes(TYPE, "--B\r\n" DISPO "\r\n\vname=\"a\"\r\n\r\n1\r\n" LAST, "a=1\n");
    assert_true(flags.invalid_header_folding);
    takes(TYPE, "--B\n" DISPO "name=\"a\"\n\n1\n--B--\n", "a=1\n");
    assert_true(flags.lf_line && !flags.crlf_lf_lines);
    takes(TYPE, "--B\r\n" DISPO "name=\"a\"\n\r\n1\r\n" LAST, "a=1\n");
    assert_true(flags.crlf_lf_lines);
    takes(TYPE, "--B\r\n" DISPO "name='a'\r\n\r\n1\r\n" LAST, "a=1\n");
    assert_true(flags.invalid_quoting);
    takes(TYPE, FIELD("a") "--B\r\n1\r\n" LAST, "a=--B\r\n1\n");
    assert_true(flags.invalid_part);
}

static void what_looks_like_a_boundary_is_flagged(void **unused)
{
    struct waf_multipart_limits none = {0};

    (void)unused;
    /* A later boundary that matches says 2 again, as ModSecurity does. */
    takes(TYPE, FIELD("a") "--C\r\n" LAST, "a=--C\n");
    assert_int_equal(flags.unmatched_boundary, 2);
    assert_int_equal(run(TYPE, span_str(FIELD("a") "x --B\r\n"), 100, none), -1);
    assert_int_equal(flags.unmatched_boundary, 1);
    assert_int_equal(flags.error, 0);
}

static void broken_bodies_are_refused(void **unused)
{
    (void)unused;
    refuses(TYPE, "x", "no boundary");
    refuses(TYPE, FIELD("a") "1\r\n", "last boundary");
    refuses(TYPE, "--B x\r\n", "follows the boundary");
    refuses(TYPE, FIELD("a") "1\r\n-- B\r\n", "white space");
    refuses("multipart/form-data; boundary=\"B\"", "--\"B\"\r\n", "quotes");
    refuses(TYPE, "--B\r\nX: y\r\n\r\n1\r\n" LAST, "no Content-Disposition");
    refuses(TYPE, "--B\r\nX\r\n", "no colon");
    refuses(TYPE, "--B\r\n: x\r\n", "no name");
    refuses(TYPE, "--B\r\n x\r\n", "blank");
    refuses(TYPE, "--B\r\nA: 1\r\na: 2\r\n", "twice");
    refuses(TYPE, "--B\r\nContent-Disposition: attachment\r\n\r\n", "form-data");
    refuses(TYPE, "--B\r\n" DISPO "name=\"a\r\n\r\n", "not closed");
    refuses(TYPE, "--B\r\n" DISPO "name=a; name=b\r\n\r\n", "twice");
    refuses(TYPE, "--B\r\n" DISPO "name=a; size=1\r\n\r\n", "another parameter");
    refuses(TYPE, "--B\r\n" DISPO "name=a; filename*=utf-8''x\r\n\r\n", "without filename");
    refuses(TYPE, "--B\r\n" DISPO "filename=a\r\n\r\n", "no name");
}

static void unusable_types_are_refused(void **unused)
{
    (void)unused;
    refuses("multipart/mixed; boundary=B", "", "not multipart/form-data");
    refuses("multipart/form-data", "", "no boundary");
    refuses("multipart/form-data; Boundary=B", "", "small letters");
    refuses("multipart/form-data; boundary=A; boundary=B", "", "several");
    refuses("multipart/form-data; charset=x; boundary=B", "", "before the boundary");
    refuses("multipart/form-data; boundary=", "", "empty");
    refuses("multipart/form-data; boundary=\"B", "", "one quote");
    refuses("multipart/form-data; boundary=a{b", "", "RFC 2046");
    assert_true(flags.error && flags.strict_error);
}

static void limits_hold(void **unused)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(TEXT_MAX);

    (void)unused;
    assert_int_equal(run(TYPE, span_str(UPLOAD "1\r\n" UPLOAD "2\r\n" LAST), 9,
                         (struct waf_multipart_limits){.files_max = 1}),
                     0);
    assert_true(flags.file_limit_exceeded);
    assert_null(strstr(buf_text(&out), "2<"));
    for (int i = 0; i < 300; i++)
        buf_printf(&body, FIELD("a") "%d\r\n", i);
    buf_put_str(&body, LAST);
    assert_int_equal(
        run(TYPE, buf_span(&body), 999, (struct waf_multipart_limits){.no_files_max = 1000}), -1);
    assert_int_equal(err.code, ERR_TOO_LARGE);
}

/* Lines longer than a piece, with a CR at the border of two. */
static void long_lines_come_whole(void **unused)
{
    struct waf_multipart_limits none = {0};

    (void)unused;
    for (size_t len = 4090; len < 4100; len++) {
        CLEANUP(buf_free) struct buf body = BUF_INIT(TEXT_MAX);
        buf_put_str(&body, UPLOAD);
        for (size_t i = 0; i < len; i++)
            buf_put_str(&body, "x");
        buf_put_str(&body, "\r\n" LAST);
        assert_int_equal(run(TYPE, buf_span(&body), 1777, none), 0);
        char wanted[32];
        snprintf(wanted, sizeof(wanted), "x<u x.txt %zu ", len);
        assert_non_null(strstr(buf_text(&out), wanted));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_and_files_are_delivered),
        cmocka_unit_test(names_are_unescaped),
        cmocka_unit_test(each_oddity_has_its_flag),
        cmocka_unit_test(what_looks_like_a_boundary_is_flagged),
        cmocka_unit_test(broken_bodies_are_refused),
        cmocka_unit_test(unusable_types_are_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(long_lines_come_whole),
    };

    out = (struct buf)BUF_INIT(TEXT_MAX);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&out);
    return failed;
}
