/* SPDX-License-Identifier: Apache-2.0 */
#include "openai/meter.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/num.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CHUNK(text)                                                                                \
    "data: {\"id\":\"x\",\"choices\":[{\"delta\":{\"content\":\"" text "\"}}],\"usage\":null}"
#define USAGE                                                                                      \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":34,"              \
    "\"prompt_tokens_details\":{\"prompt_tokens\":99}}}"
#define DONE "data: [DONE]"

static struct openai_meter meter;

static void collect(void *ctx, struct span bytes)
{
    buf_put_span(ctx, bytes);
}

/* Feeds in pieces of `step` bytes. */
static void run(const char *text, size_t step, bool strip, struct buf *out)
{
    size_t len = strlen(text);

    buf_reset(out);
    openai_meter_start(&meter, OPENAI_METER_EVENTS, strip);
    for (size_t at = 0; at < len; at += step)
        openai_meter_feed(&meter, span_of(text + at, len - at < step ? len - at : step), collect,
                          out);
    openai_meter_end(&meter, false, collect, out);
}

static void streams(const char *text, const char *stripped)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(100000);

    for (size_t step = 1; step <= strlen(text); step++) {
        run(text, step, false, &out);
        assert_string_equal(buf_text(&out), text);
        assert_true(meter.known && meter.done);
        run(text, step, true, &out);
        assert_string_equal(buf_text(&out), stripped);
        assert_int_equal(meter.dropped, 1);
        assert_int_equal(meter.prompt_tokens, 12);
        assert_int_equal(meter.completion_tokens, 34);
        assert_int_equal(meter.chunks, 2);
    }
}

static void the_usage_event_is_left_out_however_it_is_cut(void **state UNUSED)
{
    streams(CHUNK("a") "\n\n" CHUNK("b\\\"]}") "\n\n" USAGE "\n\n" DONE "\n\n",
            CHUNK("a") "\n\n" CHUNK("b\\\"]}") "\n\n" DONE "\n\n");
    streams(": hello\n\n" CHUNK("a") "\r\n\r\n" CHUNK("b") "\r\n\r\n" USAGE "\r\n\r\n" DONE
                                                           "\r\n\r\n",
            ": hello\n\n" CHUNK("a") "\r\n\r\n" CHUNK("b") "\r\n\r\n" DONE "\r\n\r\n");
    streams("id: 1\n" CHUNK("a") "\r\r" CHUNK("b") "\r\revent: u\r" USAGE "\r\r" DONE "\r\r",
            "id: 1\n" CHUNK("a") "\r\r" CHUNK("b") "\r\r" DONE "\r\r");
}

static void an_event_is_never_kept_when_it_is_whole(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(100000);
    const char *whole = CHUNK("a") "\r\n\r\n";

    openai_meter_start(&meter, OPENAI_METER_EVENTS, true);
    openai_meter_feed(&meter, span_str(whole), collect, &out);
    assert_string_equal(buf_text(&out), whole);
    openai_meter_feed(&meter, span_str(CHUNK("b")), collect, &out);
    assert_string_equal(buf_text(&out), whole);
    assert_true(openai_meter_end(&meter, true, collect, &out));
    assert_string_equal(buf_text(&out), whole);
}

static void a_long_event_passes_as_it_comes(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(100000);
    static char text[3 * OPENAI_HOLD_MAX];

    memset(text, 'x', sizeof(text));
    memcpy(text, "data: {\"a\":\"", 12);
    openai_meter_start(&meter, OPENAI_METER_EVENTS, true);
    for (size_t at = 0; at < sizeof(text); at += 1000)
        openai_meter_feed(&meter, span_of(text + at, NUM_MIN(1000, sizeof(text) - at)), collect,
                          &out);
    assert_int_equal(out.len, sizeof(text));
    assert_memory_equal(out.data, text, sizeof(text));
    assert_false(openai_meter_end(&meter, true, collect, &out));
}

static void an_answer_that_is_no_stream_tells_its_usage(void **state UNUSED)
{
    const char *text =
        "{\"choices\":[{\"message\":{\"content\":\"\\\"usage\\\":{\"}}],\"usage\": "
        "{\"completion_tokens\": 7, \"total_tokens\":10,"
        "\"completion_tokens_details\":{\"cached_tokens\":9},\"prompt_tokens_details\":"
        "{\"audio\":[{\"cached_tokens\":8}], \"cached_tokens\" : 2,\"x\":1},"
        "\"prompt_tokens\" :3}, \"cached_tokens\": 5}";
    CLEANUP(buf_free) struct buf out = BUF_INIT(1000);

    for (size_t step = 1; step <= strlen(text); step++) {
        buf_reset(&out);
        openai_meter_start(&meter, OPENAI_METER_JSON, false);
        for (size_t at = 0; at < strlen(text); at += step)
            openai_meter_feed(&meter, span_of(text + at, NUM_MIN(step, strlen(text) - at)), collect,
                              &out);
        openai_meter_end(&meter, false, collect, &out);
        assert_string_equal(buf_text(&out), text);
        struct openai_usage usage = openai_meter_usage(&meter, 100, 0);
        assert_true(usage.known);
        assert_int_equal(usage.prompt_tokens, 3);
        assert_int_equal(usage.completion_tokens, 7);
        assert_int_equal(usage.cached_tokens, 2);
    }
}

static void without_a_usage_the_chunks_count(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(1000);

    run(CHUNK("a") "\n\n" CHUNK("b") "\n\n" CHUNK("c") "\n\ndata: {\"error\":{}}\n\n", 7, true,
        &out);
    struct openai_usage usage = openai_meter_usage(&meter, 9, 2);
    assert_false(usage.known);
    assert_int_equal(usage.completion_tokens, 3);
    assert_int_equal(usage.prompt_tokens, 5);
    assert_true(meter.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usage_event_is_left_out_however_it_is_cut),
        cmocka_unit_test(an_event_is_never_kept_when_it_is_whole),
        cmocka_unit_test(a_long_event_passes_as_it_comes),
        cmocka_unit_test(an_answer_that_is_no_stream_tells_its_usage),
        cmocka_unit_test(without_a_usage_the_chunks_count),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
