/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/oauth/authorize_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

static struct authorize_wish wish;

/* "ok", or the error, for a client and some fields beside response_type=code. */
static const char *answer(bool open, const char *fields)
{
    json_t *grants = json_pack("[s]", "authorization_code");
    struct client client = {.open = open, .grants = grants};
    struct form form = {0};
    static char text[1024];

    snprintf(text, sizeof(text), "response_type=code&%s", fields);
    for (char *at = text; at != NULL;) {
        char *next = strchr(at, '&');
        if (next != NULL)
            *next++ = '\0';
        char *value = strchr(at, '=');
        if (value != NULL) {
            *value = '\0';
            form_put(&form, at, value + 1);
        }
        at = next;
    }
    if (strstr(fields, "response_type=") != NULL)
        form.value[FORM_RESPONSE_TYPE] = strstr(fields, "token") != NULL ? "token" : NULL;
    int result = authorize_read(&client, &form, 1000, &wish);
    json_decref(grants);
    return result == 0 ? "ok" : wish.error;
}

static void a_public_client_needs_pkce_with_s256(void **state)
{
    (void)state;
    assert_string_equal(answer(true, ""), "invalid_request");
    assert_string_equal(answer(true, "code_challenge=" CHALLENGE), "invalid_request");
    assert_string_equal(answer(true, "code_challenge=" CHALLENGE "&code_challenge_method=plain"),
                        "invalid_request");
    assert_string_equal(answer(true, "code_challenge=short&code_challenge_method=S256"),
                        "invalid_request");
    assert_string_equal(answer(true, "code_challenge_method=S256"), "invalid_request");
    assert_string_equal(answer(true, "code_challenge=" CHALLENGE "&code_challenge_method=S256"),
                        "ok");
}

static void a_confidential_client_may_use_pkce(void **state)
{
    (void)state;
    assert_string_equal(answer(false, ""), "ok");
    assert_string_equal(answer(false, "code_challenge=" CHALLENGE), "invalid_request");
    assert_string_equal(answer(false, "code_challenge_method=S256"), "invalid_request");
}

static void only_a_code_in_the_query_is_given(void **state)
{
    (void)state;
    assert_string_equal(answer(false, "response_type="), "invalid_request");
    assert_string_equal(answer(false, "response_type=token"), "unsupported_response_type");
    assert_string_equal(answer(false, "response_mode=fragment"), "invalid_request");
    assert_string_equal(answer(false, "response_mode=query"), "ok");
    assert_string_equal(answer(false, "scope=a  b"), "invalid_scope");
}

static void prompts_are_read(void **state)
{
    (void)state;
    assert_string_equal(answer(false, "prompt=none"), "ok");
    assert_true(wish.silent && !wish.anew);
    assert_string_equal(answer(false, "prompt=none login"), "invalid_request");
    assert_string_equal(answer(false, "prompt=consent login"), "ok");
    assert_true(wish.anew && wish.since == 1000);
    assert_string_equal(answer(false, "prompt=consent"), "ok");
    assert_true(!wish.anew && wish.since == 0);
}

static void an_age_says_since_when(void **state)
{
    (void)state;
    assert_string_equal(answer(false, "max_age=300"), "ok");
    assert_int_equal(wish.since, 700);
    assert_string_equal(answer(false, "max_age=0"), "ok");
    assert_int_equal(wish.since, 1000);
    assert_string_equal(answer(false, "max_age=2000"), "ok");
    assert_int_equal(wish.since, 0);
    assert_string_equal(answer(false, "max_age=-1"), "invalid_request");
    assert_string_equal(answer(false, "max_age=1e3"), "invalid_request");
    assert_string_equal(answer(false, "auth_after=900&max_age=300"), "ok");
    assert_int_equal(wish.since, 900);
    assert_string_equal(answer(false, "auth_after=1001"), "invalid_request");
}

static void a_field_that_comes_twice_is_noticed(void **state)
{
    struct form form = {0};

    (void)state;
    form_put(&form, "state", "a");
    form_put(&form, "unknown", "a");
    form_put(&form, "unknown", "b");
    assert_null(form.twice);
    form_put(&form, "state", "a");
    assert_string_equal(form.twice, "state");
}

static void an_empty_field_is_not_there(void **state)
{
    struct form form = {0};

    (void)state;
    form_put(&form, "nonce", "");
    assert_null(form.value[FORM_NONCE]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_public_client_needs_pkce_with_s256),
        cmocka_unit_test(a_confidential_client_may_use_pkce),
        cmocka_unit_test(only_a_code_in_the_query_is_given),
        cmocka_unit_test(prompts_are_read),
        cmocka_unit_test(an_age_says_since_when),
        cmocka_unit_test(a_field_that_comes_twice_is_noticed),
        cmocka_unit_test(an_empty_field_is_not_there),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
