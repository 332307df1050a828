/* SPDX-License-Identifier: Apache-2.0 */
#include "openai/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct openai_answer answer;

static void reads(const char *json, const char *wanted)
{
    struct err err = ERR_INIT;
    char got[1024] = "";
    size_t used = 0;

    if (openai_answer_scan(span_str(json), &answer, &err) < 0)
        fail_msg("%s: %s", json, err.msg);
    for (size_t i = 0; i < answer.pieces; i++) {
        const struct openai_piece *piece = &answer.piece[i];
        used += (size_t)snprintf(got + used, sizeof(got) - used, "%u:%u:%u:%.*s ",
                                 answer.choice[piece->choice].index, piece->kind, piece->part,
                                 SPAN_ARG(piece->raw));
    }
    assert_string_equal(got, wanted);
}

static void texts_of_an_answer_are_found(void **state UNUSED)
{
    reads("{\"id\":\"c\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"a\\n\"},"
          "\"index\":2,\"logprobs\":{\"content\":[]},\"finish_reason\":null}],\"model\":\"m\"}",
          "2:0:0:a\\n ");
    assert_true(answer.piece[0].escaped && answer.choice[0].finish.len == 0);
    assert_true(span_eq_str(answer.choice[0].logprobs, "{\"content\":[]}"));
    assert_true(span_eq_str(answer.id, "\"c\"") && span_eq_str(answer.model, "\"m\""));
    reads("{\"choices\":[{\"text\":\"x\",\"finish_reason\":\"stop\"},{\"text\":\"y\"}]}",
          "0:4:0:x 1:4:0:y ");
    assert_true(span_eq_str(answer.choice[0].finish, "\"stop\""));
    reads("{\"choices\":[{\"message\":{\"cont\\u0065nt\":[{\"type\":\"text\",\"text\":\"p\"}],"
          "\"reasoning_content\":\"r\",\"refusal\":\"no\",\"tool_calls\":[{\"function\":{"
          "\"arguments\":\"{}\",\"name\":\"f\"},\"index\":3,\"id\":\"i\"}]}}]}",
          "0:0:0:p 0:1:0:r 0:2:0:no 0:3:3:{} ");
    assert_true(span_eq_str(answer.call[0].name, "f") && span_eq_str(answer.call[0].id, "i"));
    reads("{\"error\":{\"message\":\"m\"}}", "");
    assert_true(answer.error);
    reads("{\"choices\":[],\"error\":null,\"usage\":{\"prompt_tokens\":1}}", "");
    assert_false(answer.error);
}

static void what_cannot_be_read_is_told(void **state UNUSED)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "{\"choices\":[{\"index\":-1}]}",
                                      "{} x",
                                      "{\"choices\":[{\"delta\":{\"content\":\"\xFF\"}}]}",
                                      "{\"choices\":[{\"index\":1.5}]}",
                                      "{\"a\":\"\\ud800\"}"};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(openai_answer_scan(span_str(bad[i]), &answer, &err), -1);
}

static bool note(void *ctx, struct span data)
{
    struct buf *out = ctx;

    buf_put_u8(out, '<');
    buf_put_span(out, data);
    buf_put_u8(out, '>');
    return true;
}

static void events_are_the_same_however_they_are_cut(void **state UNUSED)
{
    static const char stream[] = ": hi\n\ndata: a\n\ndata:b\ndata: c\n\nevent: x\r\ndata: d\r\n\r\n"
                                 "data: e\r\rid: 1\n\ndata: cut";

    for (size_t step = 1; step <= sizeof(stream); step++) {
        struct openai_events events = {0};
        CLEANUP(buf_free) struct buf out = BUF_INIT(1024);
        for (size_t at = 0; at < sizeof(stream) - 1; at += step) {
            size_t left = sizeof(stream) - 1 - at;
            assert_true(openai_events_feed(&events, span_of(stream + at, left < step ? left : step),
                                           note, &out));
        }
        assert_string_equal(buf_text(&out), "<><a><b\nc><d><e><>");
        openai_events_free(&events);
    }
}

static void an_event_has_an_end(void **state UNUSED)
{
    struct openai_events events = {0};
    CLEANUP(buf_free) struct buf out = BUF_INIT(1024);
    char block[4096];
    size_t fed = 0;

    memset(block, 'x', sizeof(block));
    while (openai_events_feed(&events, span_of(block, sizeof(block)), note, &out))
        fed += sizeof(block);
    assert_int_equal(fed, OPENAI_EVENT_MAX);
    openai_events_free(&events);
}

static void collect(void *ctx, struct span stretch)
{
    buf_put_span(ctx, stretch);
}

static void what_a_model_says_is_left_out_for_rules(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(4096);
    struct span json = span_str(
        "{\"id\":\"c\",\"choices\":[{\"logprobs\":{\"content\":[{\"token\":\"a\"}]},\"message\":{"
        "\"content\":\"a\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}],"
        "\"system_fingerprint\":\"b\"}");
    struct err err = ERR_INIT;

    assert_int_equal(openai_answer_scan(json, &answer, &err), 0);
    openai_answer_cut(json, &answer, collect, &out);
    assert_string_equal(buf_text(&out),
                        "{\"id\":\"c\",\"choices\":[{\"logprobs\":,\"message\":{\"content\":\"\","
                        "\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}],"
                        "\"system_fingerprint\":\"b\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_an_answer_are_found),
        cmocka_unit_test(what_cannot_be_read_is_told),
        cmocka_unit_test(events_are_the_same_however_they_are_cut),
        cmocka_unit_test(an_event_has_an_end),
        cmocka_unit_test(what_a_model_says_is_left_out_for_rules),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
