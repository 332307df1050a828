/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit.h"

#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct audit_event model_call(void)
{
    return (struct audit_event){
        .time_ns = 1795343924123456789ULL,
        .event = span_str(AUDIT_MODEL_CALL),
        .role = span_str("gateway"),
        .outcome = AUDIT_SUCCESS,
        .status = 200,
        .actor = {.name = span_str("alice"), .source = AUDIT_SOURCE_APIKEY},
        .action = {.verb = span_str("invoke"), .namespace = span_str("a"), .name = span_str("m")},
        .user_agent = span_str("a\"b\\c\n\x01\xff\xe2\x82\xac"),
        .duration_ns = UINT64_MAX,
        .model = {.model = span_str("a/m"),
                  .output_tokens = 7,
                  .cached_tokens = 2,
                  .cost_micros = 41,
                  .currency = span_str("EUR"),
                  .streaming = true},
        .anchor_revision = UINT64_MAX,
    };
}

static void json_is_canonical_and_exact(void **state UNUSED)
{
    struct audit_event event = model_call();
    CLEANUP(buf_free) struct buf json = BUF_INIT(AUDIT_JSON_MAX);
    CLEANUP(buf_free) struct buf again = BUF_INIT(AUDIT_JSON_MAX);
    CLEANUP_JSON json_t *value = NULL;
    struct err err = ERR_INIT;

    audit_event_put_json(&event, &json);
    assert_string_equal(
        buf_text(&json),
        "{\"drun.action.name\":\"m\",\"drun.action.namespace\":\"a\","
        "\"drun.action.verb\":\"invoke\",\"drun.actor.source\":\"apikey\","
        "\"drun.anchor.revision\":\"18446744073709551615\","
        "\"drun.cost.currency\":\"EUR\",\"drun.cost.micros\":41,"
        "\"drun.duration_ns\":9007199254740991,\"drun.outcome\":\"success\","
        "\"drun.role\":\"gateway\",\"event.name\":\"drun.model.call\","
        "\"gen_ai.request.model\":\"a/m\",\"gen_ai.request.stream\":true,"
        "\"gen_ai.usage.cache_read.input_tokens\":2,"
        "\"gen_ai.usage.input_tokens\":0,\"gen_ai.usage.output_tokens\":7,"
        "\"http.response.status_code\":200,\"time_unix_nano\":\"1795343924123456789\","
        "\"user.name\":\"alice\","
        "\"user_agent.original\":\"a\\\"b\\\\c\\n\\u0001\xef\xbf\xbd\xe2\x82\xac\"}");
    /* An independent encoder of RFC 8785 gives the same bytes. */
    assert_int_equal(codec_json_parse(buf_span(&json), "record", &value, &err), 0);
    codec_json_put_canonical(value, &again);
    assert_string_equal(buf_text(&again), buf_text(&json));
}

static void both_encodings_read_back(void **state UNUSED)
{
    struct audit_event event = model_call();
    CLEANUP(buf_free) struct buf json = BUF_INIT(AUDIT_JSON_MAX);
    CLEANUP(buf_free) struct buf wire = BUF_INIT(AUDIT_EVENT_MAX);
    CLEANUP(buf_free) struct buf again = BUF_INIT(AUDIT_JSON_MAX);
    CLEANUP(buf_free) struct buf room = BUF_INIT(AUDIT_JSON_MAX);
    struct audit_event parsed;
    struct err err = ERR_INIT;

    audit_event_put_json(&event, &json);
    audit_event_put(&event, &wire);
    assert_int_equal(audit_event_parse(buf_span(&wire), &parsed, &err), 0);
    audit_event_put_json(&parsed, &again);
    assert_string_equal(buf_text(&again), buf_text(&json));
    assert_int_equal(audit_event_parse_json(buf_span(&json), &room, &parsed, &err), 0);
    assert_int_equal(parsed.model.output_tokens, 7);
    assert_int_equal(parsed.model.cost_micros, 41);
    assert_true(span_eq_str(parsed.actor.name, "alice"));
    buf_reset(&again);
    audit_event_put_json(&parsed, &again);
    assert_string_equal(buf_text(&again), buf_text(&json));
}

static void binary_is_refused_when_cut_or_longer(void **state UNUSED)
{
    struct audit_event event = model_call();
    CLEANUP(buf_free) struct buf wire = BUF_INIT(AUDIT_EVENT_MAX);
    struct audit_event parsed;
    struct err err = ERR_INIT;

    audit_event_put(&event, &wire);
    for (size_t len = 0; len < wire.len; len++)
        assert_int_equal(audit_event_parse(span_of(wire.data, len), &parsed, &err), -1);
    buf_put_u8(&wire, 0);
    assert_int_equal(audit_event_parse(buf_span(&wire), &parsed, &err), -1);
}

static void other_json_is_refused(void **state UNUSED)
{
    static const char *const bad[] = {
        "{}",
        "[]",
        "{\"drun.outcome\":\"success\",\"event.name\":\"x\"}",
        "{\"drun.outcome\":\"success\",\"event.name\":\"x\",\"time_unix_nano\":1}",
        "{\"drun.outcome\":\"maybe\",\"event.name\":\"x\",\"time_unix_nano\":\"1\"}",
        "{\"drun.outcome\":\"success\",\"event.name\":\"x\",\"time_unix_nano\":\"1\",\"z\":1}",
        "{\"event.name\":\"x\",\"drun.outcome\":\"success\",\"time_unix_nano\":\"1\"}",
        "{\"drun.outcome\":\"success\",\"event.name\":\"x\", \"time_unix_nano\":\"1\"}",
        "{\"drun.outcome\":\"success\",\"event.name\":7,\"time_unix_nano\":\"1\"}",
        "{\"drun.outcome\":\"success\",\"event.name\":\"x\",\"session.id\":\"\",\"time_unix_nano\":\"1\"}",
    };
    struct audit_event parsed;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(buf_free) struct buf room = BUF_INIT(AUDIT_JSON_MAX);
        assert_int_equal(audit_event_parse_json(span_str(bad[i]), &room, &parsed, &err), -1);
    }
    CLEANUP(buf_free) struct buf room = BUF_INIT(AUDIT_JSON_MAX);
    static const char good[] =
        "{\"drun.outcome\":\"success\",\"event.name\":\"x\",\"time_unix_nano\":\"1\"}";
    assert_int_equal(audit_event_parse_json(span_str(good), &room, &parsed, &err), 0);
}

static void long_texts_are_cut_between_characters(void **state UNUSED)
{
    char text[AUDIT_TEXT_MAX + 1];
    struct audit_event event = {.event = span_str("x"), .user_agent = span_of(text, sizeof(text))};
    CLEANUP(buf_free) struct buf wire = BUF_INIT(AUDIT_EVENT_MAX);
    struct audit_event parsed;
    struct err err = ERR_INIT;

    memset(text, 'a', sizeof(text));
    text[AUDIT_TEXT_MAX - 4] = '\xc3'; /* its second byte would be the first to go */
    text[AUDIT_TEXT_MAX - 3] = '\xa9';
    audit_event_put(&event, &wire);
    assert_int_equal(audit_event_parse(buf_span(&wire), &parsed, &err), 0);
    assert_int_equal(parsed.user_agent.len, AUDIT_TEXT_MAX - 1);
    assert_memory_equal(parsed.user_agent.p + AUDIT_TEXT_MAX - 5, "a\xe2\x80\xa6", 4);
}

static void the_largest_event_fits(void **state UNUSED)
{
    static char text[AUDIT_TEXT_MAX];
    struct span all = span_of(text, sizeof(text)); /* NULs: the worst case but control characters */
    CLEANUP(buf_free) struct buf wire = BUF_INIT(AUDIT_EVENT_MAX);
    CLEANUP(buf_free) struct buf json = BUF_INIT(AUDIT_JSON_MAX);
    struct err err = ERR_INIT;

    memset(text, 1, sizeof(text));
    struct audit_event event = {.event = all,
                                .role = all,
                                .reason = all,
                                .address = all,
                                .user_agent = all,
                                .request_id = all,
                                .actor = {all, all, all, all, AUDIT_SOURCE_SERVICEACCOUNT},
                                .action = {all, all, all, all, all, all},
                                .model = {.model = all},
                                .status = 65535};
    audit_event_put(&event, &wire);
    assert_int_equal(buf_check(&wire, "event", &err), 0);
    audit_event_put_json(&event, &json);
    assert_int_equal(buf_check(&json, "json", &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_canonical_and_exact),
        cmocka_unit_test(both_encodings_read_back),
        cmocka_unit_test(binary_is_refused_when_cut_or_longer),
        cmocka_unit_test(other_json_is_refused),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(the_largest_event_fits),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("audit event", tests, NULL, NULL);
}
