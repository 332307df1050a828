/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void err_says_what_and_why(void **state UNUSED)
{
    struct err err = ERR_INIT;

    errno = ENOENT;
    assert_int_equal(err_sys(&err, "cannot open %s", "/x"), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(err.sys, ENOENT);
    err_wrap(&err, "starting %s", "kms");
    assert_string_equal(err.msg, "starting kms: cannot open /x: No such file or directory");
    assert_string_equal(err_code_name(err.code), "not_found");
}

static void buf_stops_at_its_ceiling(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(4);
    struct err err = ERR_INIT;

    buf_put_str(&buf, "abcd");
    assert_int_equal(buf_check(&buf, "text", &err), 0);
    buf_put_u8(&buf, 'e');
    assert_string_equal(buf_text(&buf), "abcd");
    assert_int_equal(buf_check(&buf, "text", &err), -1);
    assert_int_equal(err.code, ERR_TOO_LARGE);
    buf_reset(&buf);
    buf_printf(&buf, "%d", 42);
    assert_string_equal(buf_text(&buf), "42");
}

static void buf_writes_decimals(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(100);

    buf_put_decimal(&buf, 0, 1);
    buf_put_u8(&buf, ' ');
    buf_put_decimal(&buf, UINT64_MAX, 1);
    buf_put_u8(&buf, ' ');
    buf_put_decimal(&buf, 7, 3);
    assert_string_equal(buf_text(&buf), "0 18446744073709551615 007");
}

static void decimals_of_every_length(void **state UNUSED)
{
    uint64_t value = 0;

    for (int digits = 1; digits <= NUM_DECIMAL_MAX; digits++) {
        const uint64_t around[] = {value, value + 1, digits < NUM_DECIMAL_MAX ? value * 10 + 9 : 0};
        for (size_t i = 0; i < ARRAY_LEN(around); i++) {
            uint8_t got[NUM_DECIMAL_MAX + 1] = {0};
            char wanted[NUM_DECIMAL_MAX + 1];
            snprintf(wanted, sizeof(wanted), "%" PRIu64, around[i]);
            assert_ptr_equal(num_put_decimal(got, around[i]), got + strlen(wanted));
            assert_string_equal((const char *)got, wanted);
        }
        value = value == 0 ? 10 : value * 10;
    }
}

static void what_is_expected_grows_once(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(300);
    struct err err = ERR_INIT;

    buf_put_str(&buf, "ab");
    buf_expect(&buf, 200);
    const uint8_t *data = buf.data;
    for (int i = 0; i < 200; i++)
        buf_put_u8(&buf, 'c');
    assert_ptr_equal(buf.data, data);
    assert_int_equal(buf.len, 202);
    /* It moves no ceiling. */
    buf_expect(&buf, SIZE_MAX);
    assert_true(buf.cap <= 301);
    assert_int_equal(buf_check(&buf, "it", &err), 0);
    buf_put(&buf, (const uint8_t[100]){0}, 100);
    assert_int_equal(buf_check(&buf, "it", &err), -1);
    buf_expect(&buf, 10);
    assert_int_equal(buf_check(&buf, "it", &err), -1);
}

static void cursor_reads_what_buf_wrote(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(100);
    struct err err = ERR_INIT;
    char text[8];

    buf_put_u16(&buf, 0xbeef);
    buf_put_u64(&buf, 1ULL << 40);
    buf_put_block(&buf, span_str("hello"));
    struct cursor cursor = cursor_of(buf_span(&buf));
    assert_int_equal(cursor_u16(&cursor), 0xbeef);
    assert_true(cursor_u64(&cursor) == 1ULL << 40);
    assert_int_equal(cursor_done(&cursor, "it", &err), -1);
    cursor_text(&cursor, text, sizeof(text));
    assert_string_equal(text, "hello");
    assert_int_equal(cursor_done(&cursor, "it", &err), 0);
    (void)cursor_u8(&cursor);
    assert_int_equal(cursor_done(&cursor, "it", &err), -1);
}

static void cursor_refuses_a_length_past_the_end(void **state UNUSED)
{
    static const uint8_t wire[] = {0xff, 0xff, 0xff, 0xff, 'x'};
    struct cursor cursor = cursor_of(span_of(wire, sizeof(wire)));

    assert_int_equal(cursor_block(&cursor).len, 0);
    assert_true(cursor.failed);
}

static void arena_refuses_past_its_ceiling(void **state UNUSED)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(10000);
    struct err err = ERR_INIT;

    assert_string_equal(arena_printf(arena, "%s-%d", "a", 1), "a-1");
    assert_non_null(arena_alloc(arena, 5000));
    assert_null(arena_alloc(arena, 9000));
    assert_int_equal(arena_check(arena, "request", &err), -1);
    size_t before = arena_bytes(arena);
    arena_reset(arena);
    assert_true(arena_bytes(arena) > 0 && arena_bytes(arena) < before);
    assert_non_null(arena_alloc_array(arena, 10, 10));
    assert_null(arena_alloc_array(arena, SIZE_MAX, 2));
}

/* Nothing of a request is in the memory of the next one. */
static void arena_pieces_are_zeroed(void **state UNUSED)
{
    enum { PIECE = 3001, ROUNDS = 3, PIECES = 50 };
    struct arena *arenas[] = {arena_new(1 << 20), arena_new_keeping(1 << 20, 100000)};
    static const uint8_t zeros[PIECE];

    for (size_t i = 0; i < ARRAY_LEN(arenas); i++) {
        for (int round = 0; round < ROUNDS; round++, arena_reset(arenas[i]))
            for (size_t n = 0; n < PIECES; n++) {
                void *piece = arena_alloc(arenas[i], PIECE - n);
                assert_non_null(piece);
                assert_memory_equal(piece, zeros, PIECE - n);
                memset(piece, 0xff, PIECE - n);
            }
        arena_free(arenas[i]);
    }
}

static void numbers_are_strict(void **state UNUSED)
{
    static const char *const bad[] = {
        "", "-1", "+1", " 1", "1 ", "01", "1e3", "70000", "99999999999999999999999"};
    struct err err = ERR_INIT;
    uint64_t value;

    assert_int_equal(num_parse_u64(span_str("65535"), 1, 65535, "port", &value, &err), 0);
    assert_int_equal(value, 65535);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(num_parse_u64(span_str(bad[i]), 1, 65535, "port", &value, &err), -1);
}

static void base64_follows_rfc_4648(void **state UNUSED)
{
    static const char *const vectors[][3] = {{"", "", ""},
                                             {"f", "Zg==", "Zg"},
                                             {"fo", "Zm8=", "Zm8"},
                                             {"foo", "Zm9v", "Zm9v"},
                                             {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
                                             {"\xfb\xff", "+/8=", "-_8"}};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
        for (int kind = 0; kind < 2; kind++) {
            CLEANUP(buf_free) struct buf text = BUF_INIT(100);
            CLEANUP(buf_free) struct buf bytes = BUF_INIT(100);
            enc_base64_put(kind, span_str(vectors[i][0]), &text);
            assert_string_equal(buf_text(&text), vectors[i][1 + kind]);
            assert_int_equal(enc_unbase64(kind, buf_span(&text), &bytes, &err), 0);
            assert_string_equal(buf_text(&bytes), vectors[i][0]);
        }
}

static void base64_refuses_what_is_not_canonical(void **state UNUSED)
{
    static const char *const bad[] = {"Zg", "Zg=", "Zh==", "Z===", "Zm9v\n", "====", "Zm 9v"};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(buf_free) struct buf bytes = BUF_INIT(100);
        assert_int_equal(enc_unbase64(ENC_BASE64, span_str(bad[i]), &bytes, &err), -1);
    }
}

static void times_are_read_and_written(void **state UNUSED)
{
    static const char *const bad[] = {"2026-02-30T00:00:00Z", "2026-11-22", "2026-11-22T10:38:44",
                                      "2026-13-01T00:00:00Z", "2026-11-22T10:38:44.Z"};
    char text[CLOCK_TEXT_SIZE];
    struct err err = ERR_INIT;
    int64_t sec;

    clock_format_sec(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    clock_format_ns(1795343924123456789ULL, text);
    assert_string_equal(text, "2026-11-22T10:38:44.123456Z");
    assert_int_equal(clock_parse(span_str("2026-11-22T12:38:44.5+02:00"), &sec, &err), 0);
    assert_int_equal(sec, 1795343924);
    assert_int_equal(clock_parse(span_str("2016-12-31T23:59:60Z"), &sec, &err), 0);
    assert_int_equal(sec, 1483228800);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(clock_parse(span_str(bad[i]), &sec, &err), -1);
}

static void files_are_replaced_whole(void **state UNUSED)
{
    char dir[] = "/tmp/drun-base-XXXXXX";
    CLEANUP(buf_free) struct buf text = BUF_INIT(5);
    CLEANUP(buf_free) struct buf small = BUF_INIT(4);
    struct err err = ERR_INIT;
    struct stat st;

    assert_non_null(mkdtemp(dir));
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, dir, &err);
    assert_int_equal(fd_replace_file(dir_fd, "f", 0600, span_str("first"), true, &err), 0);
    assert_int_equal(fd_replace_file(dir_fd, "f", 0600, span_str("again"), false, &err), 0);
    assert_int_equal(fd_read_file(dir_fd, "f", &text, &err), 0);
    assert_string_equal(buf_text(&text), "again");
    assert_int_equal(fd_read_file(dir_fd, "f", &small, &err), -1);
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_int_equal(fstatat(dir_fd, "f.new", &st, 0), -1);
    assert_int_equal(fd_remove_tree(dir, &err), 0);
    assert_int_equal(stat(dir, &st), -1);
    assert_int_equal(fd_remove_tree(dir, &err), 0);
}

static void secrets_are_random_and_compared_whole(void **state UNUSED)
{
    CLEANUP(secret_free_ptr) struct secret *a = NULL;
    CLEANUP(secret_free_ptr) struct secret *b = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(secret_heap_init(&err), 0);
    assert_int_equal(secret_random(32, &a, &err), 0);
    assert_int_equal(secret_random(32, &b, &err), 0);
    assert_false(secret_equal(a, b));
    CLEANUP(secret_free_ptr) struct secret *copy = secret_copy(secret_span(a));
    assert_true(secret_equal(a, copy));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_says_what_and_why),
        cmocka_unit_test(buf_stops_at_its_ceiling),
        cmocka_unit_test(buf_writes_decimals),
        cmocka_unit_test(decimals_of_every_length),
        cmocka_unit_test(what_is_expected_grows_once),
        cmocka_unit_test(cursor_reads_what_buf_wrote),
        cmocka_unit_test(cursor_refuses_a_length_past_the_end),
        cmocka_unit_test(arena_refuses_past_its_ceiling),
        cmocka_unit_test(arena_pieces_are_zeroed),
        cmocka_unit_test(numbers_are_strict),
        cmocka_unit_test(base64_follows_rfc_4648),
        cmocka_unit_test(base64_refuses_what_is_not_canonical),
        cmocka_unit_test(times_are_read_and_written),
        cmocka_unit_test(files_are_replaced_whole),
        cmocka_unit_test(secrets_are_random_and_compared_whole),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
