/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/factors/sms.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void numbers_are_made_one_form(void **state UNUSED)
{
    static const char *const good[][2] = {
        {"+49 151 2345678", "+491512345678"},     {"0049 (151) 234-5678", "+491512345678"},
        {" +86.138.0013.8000", "+8613800138000"}, {"+12345678", "+12345678"},
        {"+123456789012345", "+123456789012345"},
    };
    static const char *const bad[] = {
        "",
        "+",
        "0151 2345678",
        "+1234567",
        "+1234567890123456",
        "+0491512345678",
        "+49 151 23x5678",
        "+49+1512345678",
        "491512345678",
        "+49151234567\r\n8",
    };
    char out[SMS_NUMBER_SIZE];

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(sms_number(good[i][0], out));
        assert_string_equal(out, good[i][1]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (sms_number(bad[i], out))
            fail_msg("%s", bad[i]);
    sms_mask("+491512345678", out);
    assert_string_equal(out, "+49…678");
}

static void bodies_are_escaped(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(1024);

    sms_put_body("{\"to\":\"{to}\",\"text\":\"{text}\",\"x\":{}}", "+491", "a \"b\"\n", &out);
    assert_string_equal(buf_text(&out),
                        "{\"to\":\"+491\",\"text\":\"a \\u0022b\\u0022\\u000a\",\"x\":{}}");
    buf_reset(&out);
    sms_put_body("To={to}&From=drun&Body={text}", "+491", "a&b=c", &out);
    assert_string_equal(buf_text(&out), "To=%2B491&From=drun&Body=a%26b%3Dc");
    assert_string_equal(sms_content_type("{}"), "application/json");
    assert_string_equal(sms_content_type("To={to}"), "application/x-www-form-urlencoded");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_made_one_form),
        cmocka_unit_test(bodies_are_escaped),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
