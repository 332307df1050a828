/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/page_words.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_the_reader_is_answered_in_his_language(void **state UNUSED)
{
    assert_int_equal(page_language_of(NULL, NULL), PAGE_ENGLISH);
    assert_int_equal(page_language_of(NULL, ""), PAGE_ENGLISH);
    assert_int_equal(page_language_of(NULL, "zh-CN,zh;q=0.9,en;q=0.8"), PAGE_CHINESE);
    assert_int_equal(page_language_of(NULL, "ZH"), PAGE_CHINESE);
    assert_int_equal(page_language_of(NULL, "fr-FR, de;q=0.9, zh-Hans;q=0.5, en;q=0.1"),
                     PAGE_CHINESE);
    assert_int_equal(page_language_of(NULL, "en-GB,zh"), PAGE_ENGLISH);
    assert_int_equal(page_language_of(NULL, "zhx,,,  ,*"), PAGE_ENGLISH);
}

static void test_what_was_chosen_comes_first(void **state UNUSED)
{
    assert_int_equal(page_language_of("zh-CN", "en"), PAGE_CHINESE);
    assert_int_equal(page_language_of("en", "zh-CN"), PAGE_ENGLISH);
    assert_int_equal(page_language_of("", "zh-CN"), PAGE_CHINESE);
    assert_int_equal(page_language_of("xx", "zh-CN"), PAGE_CHINESE);
}

static void test_nothing_is_left_unsaid(void **state UNUSED)
{
    for (enum page_says what = 0; what < SAYS_COUNT; what++)
        for (enum page_language language = 0; language < PAGE_LANGUAGES; language++)
            assert_non_null(page_word(language, what));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_reader_is_answered_in_his_language),
        cmocka_unit_test(test_what_was_chosen_comes_first),
        cmocka_unit_test(test_nothing_is_left_unsaid),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
