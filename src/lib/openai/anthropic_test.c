/* SPDX-License-Identifier: Apache-2.0 */
#include "openai/anthropic.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HEAD         "{\"model\":\"m\",\"max_tokens\":5,"
#define HI           "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define SAYS(blocks) HEAD "\"messages\":[{\"role\":\"user\",\"content\":[" blocks "]}]}"

static struct openai_request request;
static struct openai_fault fault;

static int scan(enum openai_api api, const char *body)
{
    struct err err = ERR_INIT;

    return openai_request_scan(api, span_str(body), 0, NULL, &request, &fault, &err);
}

static void becomes(const char *body, const char *wanted)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;

    if (scan(OPENAI_MESSAGES, body) < 0)
        fail_msg("%s: %s", body, fault.msg);
    assert_int_equal(anthropic_to_openai(span_str(body), span_str("e"), &out, &err), 0);
    assert_string_equal(buf_text(&out), wanted);
    if (scan(OPENAI_CHAT, buf_text(&out)) < 0)
        fail_msg("%s: %s", buf_text(&out), fault.msg);
}

static void refuses(const char *body, const char *code, const char *param)
{
    if (scan(OPENAI_MESSAGES, body) == 0)
        fail_msg("accepted: %s", body);
    if (strcmp(fault.code, code) != 0 || strcmp(fault.param, param) != 0)
        fail_msg("%s: %s at \"%s\": %s", body, fault.code, fault.param, fault.msg);
}

static void requests_become_ours(void **state UNUSED)
{
    becomes(HEAD HI "}", "{\"model\":\"e\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
                         "\"max_tokens\":5}");
    becomes(HEAD HI ",\"system\":\"s\",\"stream\":true,\"thinking\":{\"type\":\"disabled\"},"
                    "\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}}",
            "{\"model\":\"e\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
            "{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":5,\"stream\":true,"
            "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}},"
            "\"stream_options\":{\"include_usage\":true}}");
    becomes(
        SAYS("{\"type\":\"tool_result\",\"tool_use_id\":\"t\"},"
             "{\"type\":\"tool_result\",\"tool_use_id\":\"u\",\"content\":\"x\"}"),
        "{\"model\":\"e\",\"messages\":[{\"role\":\"tool\",\"tool_call_id\":\"t\",\"content\":"
        "\"\"},{\"role\":\"tool\",\"tool_call_id\":\"u\",\"content\":\"x\"}],\"max_tokens\":5}");
    becomes(
        SAYS("{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\","
             "\"data\":\"aGk=\"}}"),
        "{\"model\":\"e\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
        "\"image_url\":{\"url\":\"data:image/png;base64,aGk=\"}}]}],\"max_tokens\":5}");
}

static void what_is_wrong_has_a_place(void **state UNUSED)
{
    refuses("{\"model\":\"m\"," HI "}", "missing_required_parameter", "max_tokens");
    refuses(HEAD HI ",\"temperature\":1.5}", "number_above_max_value", "temperature");
    refuses(HEAD HI ",\"n\":2}", "unknown_parameter", "n");
    refuses(HEAD "\"messages\":[{\"role\":\"system\",\"content\":\"x\"}]}", "invalid_value",
            "messages[0].role");
    refuses(SAYS("{\"type\":\"document\",\"source\":{}}"), "invalid_value",
            "messages[0].content[0].type");
    refuses(SAYS("{\"type\":\"tool_use\",\"id\":\"x\"}"), "missing_required_parameter",
            "messages[0].content[0].name");
    refuses(SAYS("{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\","
                 "\"data\":\"data:image/png;base64,aGk=\"}}"),
            "invalid_value", "messages[0].content[0].source.data");
    refuses(HEAD HI ",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"w\"}]}",
            "invalid_value", "tools[0].type");
}

static void a_remote_picture_is_told(void **state UNUSED)
{
    assert_int_equal(scan(OPENAI_MESSAGES, SAYS("{\"type\":\"image\",\"source\":{\"type\":\"url\","
                                                "\"url\":\"https://a/b\"}}")),
                     0);
    assert_true(request.remote);
}

static void counting_needs_no_ceiling(void **state UNUSED)
{
    assert_int_equal(scan(OPENAI_COUNT_TOKENS, "{\"model\":\"m\"," HI "}"), 0);
    assert_int_equal(scan(OPENAI_COUNT_TOKENS, HEAD HI "}"), -1);
}

static void the_guard_can_be_asked(void **state UNUSED)
{
    assert_int_equal(
        scan(OPENAI_TRY_GUARD, "{\"model\":\"m\",\"direction\":\"answer\",\"text\":\"t\"}"), 0);
    assert_true(request.for_answers);
    assert_int_equal(scan(OPENAI_TRY_GUARD, "{\"model\":\"m\",\"text\":\"\"}"), 0);
    assert_false(request.for_answers);
    assert_int_equal(scan(OPENAI_TRY_GUARD, "{\"model\":\"m\",\"text\":1}"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_become_ours),     cmocka_unit_test(what_is_wrong_has_a_place),
        cmocka_unit_test(a_remote_picture_is_told), cmocka_unit_test(counting_needs_no_ceiling),
        cmocka_unit_test(the_guard_can_be_asked),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
