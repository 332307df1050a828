/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/people/breached.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* SHA-1 of "password1" is E38AD 214943DAAD1D64C102FAEC29DE4AFE9DA3D. */
static const struct breached_question password1 = {.prefix = "E38AD",
                                                   .suffix = "214943DAAD1D64C102FAEC29DE4AFE9DA3D"};

static int find(const char *answer, bool *found)
{
    struct err err = ERR_INIT;

    return breached_range_find(span_str(answer), &password1, found, &err);
}

static void the_service_hears_five_digits(void **state UNUSED)
{
    struct breached_question question;

    breached_question("password1", &question);
    assert_string_equal(question.prefix, password1.prefix);
    assert_string_equal(question.suffix, password1.suffix);
}

static void a_suffix_is_found_wherever_it_stands(void **state UNUSED)
{
    static const char *const answers[] = {
        "214943DAAD1D64C102FAEC29DE4AFE9DA3D:1",
        "214943daad1d64c102faec29de4afe9da3d:2427158\r\n",
        ("00000000000000000000000000000000000:4\r\n214943DAAD1D64C102FAEC29DE4AFE9DA3D:10\r\n"
         "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF:0\r\n"),
    };
    bool found;

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        assert_int_equal(find(answers[i], &found), 0);
        assert_true(found);
    }
}

static void padding_and_others_are_not_it(void **state UNUSED)
{
    static const char *const answers[] = {
        "",
        "214943DAAD1D64C102FAEC29DE4AFE9DA3D:0\r\n",
        "214943DAAD1D64C102FAEC29DE4AFE9DA3D:000\n",
        "214943DAAD1D64C102FAEC29DE4AFE9DA3C:7\r\n",
    };
    bool found;

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        assert_int_equal(find(answers[i], &found), 0);
        assert_false(found);
    }
}

/* A page of some portal must not pass for "not breached". */
static void another_answer_is_none(void **state UNUSED)
{
    static const char *const answers[] = {
        "<html>please sign in</html>",
        "\r\n",
        "214943DAAD1D64C102FAEC29DE4AFE9DA3D",
        "214943DAAD1D64C102FAEC29DE4AFE9DA3D:",
        "214943DAAD1D64C102FAEC29DE4AFE9DA3D:-1",
        "214943DAAD1D64C102FAEC29DE4AFE9DA3:1",
        "214943DAAD1D64C102FAEC29DE4AFE9DA3DD:1",
        "E38AD214943DAAD1D64C102FAEC29DE4AFE9DA3D:1",
        "214943DAAD1D64C102FAEC29DE4AFE9DA3G:1",
        "214943DAAD1D64C102FAEC29DE4AFE9DA3D:1\n\n",
    };
    bool found;

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
        assert_int_equal(find(answers[i], &found), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_service_hears_five_digits),
        cmocka_unit_test(a_suffix_is_found_wherever_it_stands),
        cmocka_unit_test(padding_and_others_are_not_it),
        cmocka_unit_test(another_answer_is_none),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("idp breached range", tests, NULL, NULL);
}
