/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/body/body.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <brotli/encode.h>
#include <cmocka.h>
#include <zlib.h>

enum { OUT_MAX = 1 << 24 };

static void compress_with(int bits, struct span in, struct buf *out)
{
    z_stream zlib = {0};

    assert_int_equal(deflateInit2(&zlib, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    zlib.next_in = (Bytef *)(uintptr_t)in.p;
    zlib.avail_in = (uInt)in.len;
    size_t room = deflateBound(&zlib, in.len);
    zlib.next_out = buf_reserve(out, room);
    zlib.avail_out = (uInt)room;
    assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
    buf_commit(out, room - zlib.avail_out);
    deflateEnd(&zlib);
}

static int open_all(struct waf_inflate *inflate, const char *coding, struct span in, size_t step,
                    struct buf *out, struct err *err)
{
    int rc = waf_inflate_start(inflate, span_str(coding), err);

    for (size_t at = 0; at < in.len && rc == 0; at += step)
        rc = waf_inflate_feed(inflate, span_of(in.p + at, in.len - at < step ? in.len - at : step),
                              out, err);
    return rc == 0 ? waf_inflate_end(inflate, err) : rc;
}

static struct waf_inflate *new_inflate(unsigned ratio)
{
    struct waf_inflate_limits limits = {.out_max = 1 << 20, .ratio_max = ratio};

    return waf_inflate_new(&limits);
}

static void opens(struct waf_inflate *inflate, const char *coding, struct span in,
                  const char *wanted)
{
    for (size_t step = 1; step < 40; step += 5) {
        CLEANUP(buf_free) struct buf out = BUF_INIT(OUT_MAX);
        struct err err = ERR_INIT;
        if (open_all(inflate, coding, in, step, &out, &err) < 0)
            fail_msg("%s: %s", coding, err.msg);
        assert_string_equal(buf_text(&out), wanted);
    }
}

static void each_coding_is_opened(void **unused)
{
    CLEANUP(waf_inflate_free_ptr) struct waf_inflate *inflate = new_inflate(0);
    CLEANUP(buf_free) struct buf gzip = BUF_INIT(OUT_MAX);
    CLEANUP(buf_free) struct buf zlib = BUF_INIT(OUT_MAX);
    CLEANUP(buf_free) struct buf raw = BUF_INIT(OUT_MAX);
    const char *text = "some text, some text, some text";

    (void)unused;
    compress_with(31, span_str(text), &gzip);
    compress_with(15, span_str(text), &zlib);
    compress_with(-15, span_str(text), &raw);
    opens(inflate, "gzip", buf_span(&gzip), text);
    opens(inflate, " X-GZIP ", buf_span(&gzip), text);
    opens(inflate, "deflate", buf_span(&zlib), text);
    opens(inflate, "deflate", buf_span(&raw), text);
    opens(inflate, "identity", span_str(text), text);
    opens(inflate, "", span_str(text), text);
    uint8_t brotli[256];
    size_t brotli_len = sizeof(brotli);
    assert_true(BrotliEncoderCompress(5, 22, BROTLI_MODE_TEXT, strlen(text), (const uint8_t *)text,
                                      &brotli_len, brotli));
    opens(inflate, "br", span_of(brotli, brotli_len), text);
    opens(inflate, "gzip", span_of("", 0), "");
    compress_with(31, span_str("+"), &gzip); /* a second member */
    opens(inflate, "gzip", buf_span(&gzip), "some text, some text, some text+");
}

static void damage_is_seen(void **unused)
{
    CLEANUP(waf_inflate_free_ptr) struct waf_inflate *inflate = new_inflate(0);
    CLEANUP(buf_free) struct buf gzip = BUF_INIT(OUT_MAX);
    CLEANUP(buf_free) struct buf out = BUF_INIT(OUT_MAX);
    struct err err = ERR_INIT;

    (void)unused;
    compress_with(31, span_str("some text, some text"), &gzip);
    assert_int_equal(open_all(inflate, "gzip", span_of(gzip.data, gzip.len - 3), 99, &out, &err),
                     -1);
    assert_non_null(strstr(err.msg, "cut off"));
    gzip.data[gzip.len - 6] ^= 1;
    assert_int_equal(open_all(inflate, "gzip", buf_span(&gzip), 99, &out, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(open_all(inflate, "gzip", span_str("plain text"), 99, &out, &err), -1);
    assert_int_equal(open_all(inflate, "br", span_str("plain text"), 99, &out, &err), -1);
    assert_int_equal(open_all(inflate, "zstd", span_str("x"), 99, &out, &err), -1);
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    assert_false(waf_inflate_known(span_str("zstd")));
    assert_true(waf_inflate_known(span_str("GZip")));
}

static void a_bomb_does_not_go_off(void **unused)
{
    CLEANUP(waf_inflate_free_ptr) struct waf_inflate *large = new_inflate(0);
    CLEANUP(waf_inflate_free_ptr) struct waf_inflate *ratio = new_inflate(50);
    CLEANUP(buf_free) struct buf bomb = BUF_INIT(OUT_MAX);
    CLEANUP(buf_free) struct buf out = BUF_INIT(OUT_MAX);
    CLEANUP_FREE uint8_t *zeros = mem_new(8 << 20);
    struct err err = ERR_INIT;

    (void)unused;
    compress_with(31, span_of(zeros, 8 << 20), &bomb);
    assert_int_equal(open_all(large, "gzip", buf_span(&bomb), 1000, &out, &err), -1);
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_true(out.len < (1 << 20) + 100000);
    buf_reset(&out);
    assert_int_equal(open_all(ratio, "gzip", buf_span(&bomb), 100, &out, &err), -1);
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_true(out.len < 200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_coding_is_opened),
        cmocka_unit_test(damage_is_seen),
        cmocka_unit_test(a_bomb_does_not_go_off),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
