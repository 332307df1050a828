/* SPDX-License-Identifier: Apache-2.0 */
#include "openai/openai.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static struct openai_request request;
static struct openai_texts texts;
static struct openai_fault fault;

static int scan(enum openai_api api, const char *body, unsigned flags)
{
    struct err err = ERR_INIT;

    return openai_request_scan(api, span_str(body), flags, &texts, &request, &fault, &err);
}

static void accepts(enum openai_api api, const char *body)
{
    if (scan(api, body, 0) < 0)
        fail_msg("%s: %s", body, fault.msg);
}

static void refuses(enum openai_api api, const char *body, const char *code, const char *param)
{
    if (scan(api, body, 0) == 0)
        fail_msg("accepted: %s", body);
    if (strcmp(fault.code, code) != 0 || strcmp(fault.param, param) != 0)
        fail_msg("%s: %s at \"%s\": %s", body, fault.code, fault.param, fault.msg);
}

static void chat_is_read(void **state UNUSED)
{
    accepts(OPENAI_CHAT,
            "{\"model\":\"a\\/b\",\"messages\":[{\"role\":\"system\",\"content\":\"be\"},"
            "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hello\"},"
            "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,aGk=\"}}]},"
            "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":"
            "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
            "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"42\"}],"
            "\"temperature\":1.5,\"n\":3,\"max_tokens\":10,\"max_completion_tokens\":20,\"stream\":"
            "true,\"stream_options\":{\"include_usage\":true},\"logit_bias\":{\"1\":-100},"
            "\"stop\":[\"a\",\"b\"],\"seed\":-5,\"top_k\":40,\"tools\":[{\"type\":\"function\","
            "\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}]}");
    assert_string_equal(request.model, "a/b");
    assert_true(span_eq_str(request.model_value, "\"a\\/b\""));
    assert_int_equal(request.messages, 4);
    assert_int_equal(request.n, 3);
    assert_int_equal(request.max_tokens, 20);
    assert_true(request.stream && request.include_usage);
    assert_int_equal(request.prompt_bytes, 2 + 5 + 2 + 2 + 17);
}

/* "role/index:kind:bytes" of each, one behind the other. */
static void texts_are(const char *body, const char *wanted)
{
    static const char kinds[] = "pdo";
    char got[1024] = "";
    size_t used = 0;

    for (size_t i = 0; i < texts.count; i++) {
        const struct openai_text *text = &texts.text[i];
        used += (size_t)snprintf(got + used, sizeof(got) - used, "%s%s/%u:%c:%.*s",
                                 i > 0 ? " " : "", openai_role_name((enum openai_role)text->role),
                                 text->index, kinds[text->kind], (int)text->len, body + text->at);
    }
    assert_string_equal(got, wanted);
}

static void every_string_has_its_kind_and_role(void **state UNUSED)
{
    const char *chat =
        "{\"user\":\"u\",\"model\":\"m\",\"messages\":[{\"content\":\"hi\",\"role\":\"user\"},"
        "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":"
        "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":[{\"type\":\"text\",\"text\":"
        "\"a\\u0062\"}]},{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":"
        "{\"url\":\"data:image\\/png;base64,aGk=\"}}],\"x\":{\"y\":[\"z\",1]}}],"
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":"
        "{\"a\":{\"description\":\"b\"}}}}],\"q\":\"r\"}";
    const char *embeddings = "{\"model\":\"m\",\"input\":[\"a\",\"b\"]}";

    accepts(OPENAI_CHAT, chat);
    texts_are(chat, "/0:o:u user/0:p:hi assistant/1:o:c1 assistant/1:o:f assistant/1:p:{} "
                    "tool/2:o:c1 tool/2:p:a\\u0062 user/3:d:data:image\\/png;base64,aGk= "
                    "user/3:o:z /0:o:f /0:p:b /0:o:r");
    assert_true(texts.text[6].escaped && !texts.text[0].escaped);
    accepts(OPENAI_EMBEDDINGS, embeddings);
    texts_are(embeddings, "/0:p:a /1:p:b");
}

static void media_is_data(void **state UNUSED)
{
    static const struct {
        const char *part;
        const char *code;
    } cases[] = {
        {"{\"type\":\"image_url\",\"image_url\":{\"url\":\"ftp://a/b\"}}", "invalid_value"},
        {"{\"type\":\"image_url\",\"image_url\":{\"url\":\"file:///etc/passwd\"}}",
         "invalid_value"},
        {"{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png,x\"}}", "invalid_value"},
        {"{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:a b;base64,aGk=\"}}",
         "invalid_value"},
        {"{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:;base64,<b>\"}}", "invalid_value"},
        {"{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"?\",\"format\":\"wav\"}}",
         "invalid_value"},
        {"{\"type\":\"file\",\"file\":{\"file_data\":\"=\"}}", "invalid_value"},
        {"{\"type\":\"file\",\"file\":{\"file_data\":\"data:application/pdf;base64,JVBERg==\"}}",
         NULL},
        {"{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"aGk=\",\"format\":\"wav\"}}", NULL},
    };
    char body[512];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(body, sizeof(body),
                 "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[%s]}]}",
                 cases[i].part);
        if (cases[i].code == NULL) {
            accepts(OPENAI_CHAT, body);
            continue;
        }
        assert_int_equal(scan(OPENAI_CHAT, body, 0), -1);
        assert_string_equal(fault.code, cases[i].code);
    }
    assert_false(request.remote);
    accepts(OPENAI_CHAT, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
                         "\"image_url\",\"image_url\":{\"url\":\"https://a/b\"}}]}]}");
    assert_true(request.remote);
}

static void completions_and_embeddings_are_read(void **state UNUSED)
{
    accepts(OPENAI_COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"abc\",\"best_of\":4,\"n\":2}");
    assert_int_equal(request.n, 4);
    assert_int_equal(request.prompt_bytes, 3);
    assert_int_equal(request.messages, 1);
    accepts(OPENAI_COMPLETIONS, "{\"model\":\"m\",\"prompt\":[1,2,3]}");
    assert_int_equal(request.prompt_ids, 3);
    assert_int_equal(request.messages, 1);
    accepts(OPENAI_COMPLETIONS, "{\"model\":\"m\",\"prompt\":[[1,2],[3]]}");
    assert_int_equal(request.prompt_ids, 3);
    assert_int_equal(request.messages, 2);
    accepts(OPENAI_EMBEDDINGS, "{\"model\":\"m\",\"input\":[\"ab\",\"c\"],\"dimensions\":8}");
    assert_int_equal(request.messages, 2);
    assert_int_equal(request.prompt_bytes, 3);
    refuses(OPENAI_COMPLETIONS, "{\"model\":\"m\",\"prompt\":[1,\"a\"]}", "invalid_type",
            "prompt[1]");
    refuses(OPENAI_COMPLETIONS, "{\"model\":\"m\",\"prompt\":[[1,\"a\"]]}", "invalid_type",
            "prompt[0][1]");
    refuses(OPENAI_EMBEDDINGS, "{\"model\":\"m\",\"input\":[]}", "empty_array", "input");
    refuses(OPENAI_EMBEDDINGS, "{\"model\":\"m\",\"input\":\"\"}", "empty_string", "input");
}

static void collect(void *ctx, struct span stretch)
{
    buf_put_span(ctx, stretch);
}

static void cut_is(enum openai_api api, const char *body, const char *wanted)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(4096);
    struct openai_texts strings = {0};
    struct openai_request cut;
    struct openai_fault ignored;
    struct err err = ERR_INIT;

    if (openai_request_scan(api, span_str(body), 0, &strings, &cut, &ignored, &err) < 0)
        fail_msg("%s", err.msg);
    openai_request_cut(&cut, &strings, collect, &out);
    assert_string_equal(buf_text(&out), wanted);
    openai_texts_free(&strings);
}

static void prose_is_left_out_for_rules(void **state UNUSED)
{
    cut_is(OPENAI_CHAT,
           "{\"model\":\"a/b\",\"messages\":[{\"role\":\"user\",\"content\" : \"a \\\" b\"}]}",
           "{\"model\":\"a/b\",\"messages\":[{\"role\":\"user\",\"content\" : \"\"}]}");
    cut_is(OPENAI_CHAT,
           "{\"model\":\"m\",\"stop\":[\"</s>\"],\"messages\":[{\"role\":\"assistant\","
           "\"reasoning_content\":\"x\",\"name\":\"n\"}]}",
           "{\"model\":\"m\",\"stop\":[\"\"],\"messages\":[{\"role\":\"assistant\","
           "\"reasoning_content\":\"\",\"name\":\"n\"}]}");
    /* Only where the schema has prose, however a member is called. */
    cut_is(
        OPENAI_CHAT,
        "{\"model\":\"m\",\"metadata\":{\"content\":\"kept\"},\"x\":{\"prompt\":\"kept\"}," MESSAGES
        "}",
        "{\"model\":\"m\",\"metadata\":{\"content\":\"kept\"},\"x\":{\"prompt\":\"kept\"},"
        "\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}");
    cut_is(OPENAI_COMPLETIONS,
           "{\"model\":\"m\",\"prompt\":[[1,2], [3]],\"suffix\":\"s\",\"user\":\"u\"}",
           "{\"model\":\"m\",\"prompt\":[[]],\"suffix\":\"\",\"user\":\"u\"}");
    cut_is(OPENAI_EMBEDDINGS, "{\"input\":[\"a\",\"b\"],\"model\":\"m\"}",
           "{\"input\":[\"\",\"\"],\"model\":\"m\"}");
    cut_is(OPENAI_MESSAGES,
           "{\"model\":\"m\",\"max_tokens\":1,\"system\":\"a\",\"metadata\":{\"user_id\":\"u\"},"
           "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
           "{\"model\":\"m\",\"max_tokens\":1,\"system\":\"\",\"metadata\":{\"user_id\":\"u\"},"
           "\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}");
}

static void compact_is(const char *body, const char *wanted)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(4096);

    accepts(OPENAI_CHAT, body);
    openai_request_compact(&request, collect, &out);
    assert_string_equal(buf_text(&out), wanted);
}

static void blanks_between_parts_say_nothing(void **state UNUSED)
{
    static const char plain[] =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\" a \\\" b \\\\\"}],"
        "\"x\":[1,-2.5e3,null,{}]}";

    compact_is(plain, plain);
    compact_is(" \r\n{ \"model\"\t: \"m\",\n \"messages\":[ {\"role\":\"user\" ,\"content\":\" a "
               "\\\" b \\\\\" } ],\"x\":[1 , -2.5e3, null,{ }] }\n ",
               plain);
}

static void is_deterministic(enum openai_api api, const char *more, bool wanted)
{
    char body[256];

    snprintf(body, sizeof(body), "{\"model\":\"m\",%s%s}",
             api == OPENAI_EMBEDDINGS    ? "\"input\":\"x\""
             : api == OPENAI_COMPLETIONS ? "\"prompt\":\"x\""
             : api == OPENAI_TRY_GUARD   ? "\"text\":\"x\""
                                         : "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]",
             more);
    accepts(api, body);
    assert_int_equal(request.deterministic, wanted);
}

static void parameters_say_whether_the_answer_is_the_same_each_time(void **state UNUSED)
{
    static const char *const never[] = {
        "",
        ",\"temperature\":null",
        ",\"temperature\":0.01",
        ",\"temperature\":1",
        ",\"top_p\":0",
        ",\"seed\":7",
        ",\"temperature\":0,\"n\":2",
        ",\"n\":2,\"temperature\":0",
        ",\"metadata\":{\"temperature\":\"0\"}",
        ",\"x\":{\"temperature\":0}",
    };

    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        is_deterministic(OPENAI_CHAT, never[i], false);
    is_deterministic(OPENAI_CHAT, ",\"temperature\":0", true);
    is_deterministic(OPENAI_CHAT, ",\"temperature\":0.0,\"n\":1,\"stream\":true", true);
    is_deterministic(OPENAI_CHAT, ",\"temp\\u0065rature\":0e0", true);
    is_deterministic(OPENAI_COMPLETIONS, ",\"temperature\":0", true);
    is_deterministic(OPENAI_COMPLETIONS, ",\"temperature\":0,\"best_of\":2", false);
    is_deterministic(OPENAI_COMPLETIONS, "", false);
    is_deterministic(OPENAI_EMBEDDINGS, "", true);
    is_deterministic(OPENAI_MESSAGES, ",\"max_tokens\":9,\"temperature\":0", true);
    is_deterministic(OPENAI_MESSAGES, ",\"max_tokens\":9", false);
    is_deterministic(OPENAI_COUNT_TOKENS, "", false);
    is_deterministic(OPENAI_TRY_GUARD, "", false);
}

static void a_fault_names_its_place(void **state UNUSED)
{
    static const struct {
        const char *body;
        const char *code;
        const char *param;
    } cases[] = {
        {"[]", "invalid_type", ""},
        {"{}", "missing_required_parameter", "model"},
        {"{\"model\":\"m\"}", "missing_required_parameter", "messages"},
        {"{\"model\":null," MESSAGES "}", "invalid_type", "model"},
        {"{\"model\":\"\"," MESSAGES "}", "empty_string", "model"},
        {"{\"model\":\"a\\u0001\"," MESSAGES "}", "invalid_value", "model"},
        {"{\"model\":\"m\",\"messages\":[]}", "empty_array", "messages"},
        {"{\"model\":\"m\",\"messages\":{}}", "invalid_type", "messages"},
        {"{\"model\":\"m\",\"messages\":[1]}", "invalid_type", "messages[0]"},
        {"{\"model\":\"m\",\"messages\":[{\"content\":\"\"}]}", "missing_required_parameter",
         "messages[0].role"},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\"},{\"role\":\"root\"}]}",
         "invalid_value", "messages[1].role"},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\"}]}", "missing_required_parameter",
         "messages[0].content"},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":null}]}",
         "missing_required_parameter", "messages[0].content"},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}",
         "missing_required_parameter", "messages[0].tool_call_id"},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}",
         "missing_required_parameter", "messages[0].content[0].text"},
        {"{\"model\":\"m\",\"temperature\":2.1," MESSAGES "}", "number_above_max_value",
         "temperature"},
        {"{\"model\":\"m\",\"temperature\":-1," MESSAGES "}", "number_below_min_value",
         "temperature"},
        {"{\"model\":\"m\",\"temperature\":\"1\"," MESSAGES "}", "invalid_type", "temperature"},
        {"{\"model\":\"m\",\"n\":1.0," MESSAGES "}", "invalid_type", "n"},
        {"{\"model\":\"m\",\"n\":0," MESSAGES "}", "number_below_min_value", "n"},
        {"{\"model\":\"m\",\"max_tokens\":-1," MESSAGES "}", "number_below_min_value",
         "max_tokens"},
        {"{\"model\":\"m\",\"stream\":1," MESSAGES "}", "invalid_type", "stream"},
        {"{\"model\":\"m\",\"stop\":[\"\",\"\",\"\",\"\",\"\"]," MESSAGES "}",
         "array_above_max_length", "stop"},
        {"{\"model\":\"m\",\"logit_bias\":{\"x\":101}," MESSAGES "}", "number_above_max_value",
         "logit_bias.x"},
        {"{\"model\":\"m\",\"response_format\":{\"type\":\"json_schema\"}," MESSAGES "}",
         "missing_required_parameter", "response_format.json_schema"},
        {"{\"model\":\"m\",\"tools\":[{\"type\":\"function\"}]," MESSAGES "}",
         "missing_required_parameter", "tools[0].function"},
        {"{\"model\":\"m\",\"stream_options\":{}," MESSAGES "}", "invalid_value", "stream_options"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        refuses(OPENAI_CHAT, cases[i].body, cases[i].code, cases[i].param);
}

static void names_come_once_however_they_are_written(void **state UNUSED)
{
    refuses(OPENAI_CHAT, "{\"model\":\"m\",\"mod\\u0065l\":\"x\"," MESSAGES "}",
            "duplicate_parameter", "model");
    refuses(OPENAI_CHAT, "{\"model\":\"m\",\"x\":1,\"\\u0078\":2," MESSAGES "}",
            "duplicate_parameter", "\\u0078");
    refuses(
        OPENAI_CHAT,
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"content\":\"b\"}]}",
        "duplicate_parameter", "messages[0].content");
    accepts(OPENAI_CHAT, "{\"mod\\u0065l\":\"m\"," MESSAGES "}");
    assert_string_equal(request.model, "m");
}

static void unknown_parameters_pass_or_not(void **state UNUSED)
{
    accepts(OPENAI_CHAT, "{\"model\":\"m\",\"min_p\":{\"a\":[1,2]}," MESSAGES "}");
    assert_int_equal(
        scan(OPENAI_CHAT, "{\"model\":\"m\",\"min_p\":1," MESSAGES "}", OPENAI_REFUSE_UNKNOWN), -1);
    assert_string_equal(fault.code, "unknown_parameter");
    assert_string_equal(fault.param, "min_p");
}

static void only_json_is_json(void **state UNUSED)
{
    static const char *const good[] = {"{}",
                                       "[]",
                                       "0",
                                       "-0",
                                       "1e5",
                                       "1.5E-7",
                                       "\"\"",
                                       "null",
                                       " 1 ",
                                       "[1,[2,{}]]",
                                       "\"\\ud83d\\ude00\"",
                                       "\"\xF0\x9F\x98\x80\"",
                                       "9223372036854775807",
                                       "-9223372036854775808",
                                       "\"\x7F\""};
    static const char *const bad[] = {"",
                                      "{",
                                      "[1,]",
                                      "{\"a\":1,}",
                                      "01",
                                      "1.",
                                      "+1",
                                      ".5",
                                      "1e",
                                      "nul",
                                      "truE",
                                      "'a'",
                                      "\"\\x\"",
                                      "\"\t\"",
                                      "1 2",
                                      "{\"a\"}",
                                      "{1:2}",
                                      "\"\\u0000\"",
                                      "\"\\ud800\"",
                                      "\"\\udc00\"",
                                      "\"\xC0\x80\"",
                                      "\"\xED\xA0\x80\"",
                                      "\"\xF4\x90\x80\x80\"",
                                      "\"\xFF\"",
                                      "\xEF\xBB\xBF{}",
                                      "NaN",
                                      "9223372036854775808",
                                      "1e400",
                                      "\"a",
                                      "\"\\ud800\\u0041\"",
                                      "-",
                                      "[1 2]",
                                      "\"\xE2\x82\""};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (openai_json_check(span_str(good[i]), &err) < 0)
            fail_msg("%s: %s", good[i], err.msg);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (openai_json_check(span_str(bad[i]), &err) == 0)
            fail_msg("accepted: %s", bad[i]);
}

static void nesting_is_bounded(void **state UNUSED)
{
    struct err err = ERR_INIT;
    char text[2 * OPENAI_DEPTH_MAX + 3];

    for (int depth = OPENAI_DEPTH_MAX; depth <= OPENAI_DEPTH_MAX + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        assert_int_equal(openai_json_check(span_of(text, 2 * (size_t)depth), &err),
                         depth > OPENAI_DEPTH_MAX ? -1 : 0);
    }
}

static void edited(const char *body, const char *wanted)
{
    struct openai_edits edits = {.count = 0};
    char out[512];

    accepts(OPENAI_CHAT, body);
    openai_edits_force_usage(&edits, &request);
    openai_edits_set_model(&edits, &request, span_str("\"engine\""));
    size_t len = openai_edits_len(&edits, strlen(body));
    assert_true(len < sizeof(out));
    openai_edits_apply(&edits, span_str(body), (uint8_t *)out);
    out[len] = '\0';
    assert_string_equal(out, wanted);
    accepts(OPENAI_CHAT, out);
    assert_true(request.include_usage);
    assert_string_equal(request.model, "engine");
}

static void usage_is_asked_for_whatever_the_client_says(void **state UNUSED)
{
    edited(
        "{ \"model\":\"m\",\"stream\":true," MESSAGES "}",
        "{ \"stream_options\":{\"include_usage\":true},\"model\":\"engine\",\"stream\":true," MESSAGES
        "}");
    edited(
        "{\"stream_options\":null,\"model\":\"m\",\"stream\":true," MESSAGES "}",
        "{\"stream_options\":{\"include_usage\":true},\"model\":\"engine\",\"stream\":true," MESSAGES
        "}");
    edited(
        "{\"model\":\"m\",\"stream\":true,\"stream_options\":{ }," MESSAGES "}",
        "{\"model\":\"engine\",\"stream\":true,\"stream_options\":{\"include_usage\":true }," MESSAGES
        "}");
    edited(
        "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"x\":1}," MESSAGES "}",
        "{\"model\":\"engine\",\"stream\":true,\"stream_options\":{\"include_usage\":true,\"x\":1}," MESSAGES
        "}");
    edited(
        "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\": false}," MESSAGES
        "}",
        "{\"model\":\"engine\",\"stream\":true,\"stream_options\":{\"include_usage\": true}," MESSAGES
        "}");
}

static void an_answer_gets_a_ceiling(void **state UNUSED)
{
    static const char *const bodies[] = {
        "{\"model\":\"m\",\"stream\":true," MESSAGES "}",
        "{\"max_tokens\":null,\"stream\":true,\"model\":\"m\"," MESSAGES "}"};
    char out[512];

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct openai_edits edits = {.count = 0};
        accepts(OPENAI_CHAT, bodies[i]);
        assert_false(request.max_tokens_given);
        openai_edits_set_model(&edits, &request, span_str("\"x\""));
        openai_edits_force_usage(&edits, &request);
        openai_edits_set_max_tokens(&edits, &request, 77);
        size_t len = openai_edits_len(&edits, strlen(bodies[i]));
        openai_edits_apply(&edits, span_str(bodies[i]), (uint8_t *)out);
        out[len] = '\0';
        accepts(OPENAI_CHAT, out);
        assert_true(request.max_tokens_given && request.include_usage);
        assert_int_equal(request.max_tokens, 77);
    }
}

static void errors_are_those_of_the_api(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(1000);

    openai_error_put("no \"x\"\n\xFF", "invalid_request_error", "messages[0]", NULL, &out);
    assert_string_equal(buf_text(&out),
                        "{\"error\":{\"message\":\"no \\\"x\\\"\\u000a\xEF\xBF\xBD\",\"type\":"
                        "\"invalid_request_error\",\"param\":\"messages[0]\",\"code\":null}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chat_is_read),
        cmocka_unit_test(every_string_has_its_kind_and_role),
        cmocka_unit_test(media_is_data),
        cmocka_unit_test(completions_and_embeddings_are_read),
        cmocka_unit_test(prose_is_left_out_for_rules),
        cmocka_unit_test(blanks_between_parts_say_nothing),
        cmocka_unit_test(parameters_say_whether_the_answer_is_the_same_each_time),
        cmocka_unit_test(a_fault_names_its_place),
        cmocka_unit_test(names_come_once_however_they_are_written),
        cmocka_unit_test(unknown_parameters_pass_or_not),
        cmocka_unit_test(only_json_is_json),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(usage_is_asked_for_whatever_the_client_says),
        cmocka_unit_test(an_answer_gets_a_ceiling),
        cmocka_unit_test(errors_are_those_of_the_api),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
