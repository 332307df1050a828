/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/json.h"
#include "scim/scim.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char user_text[] =
    "{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"id\":\"2819c223\",\"externalId\":\"Bj\","
    "\"userName\":\"bjensen\",\"name\":{\"familyName\":\"O'Malley\",\"givenName\":\"Barbara\"},"
    "\"title\":\"Guide\",\"active\":true,\"meta\":{\"resourceType\":\"User\",\"lastModified\":\"2011-05-13T04:42:34Z\"},"
    "\"emails\":[{\"value\":\"bjensen@example.com\",\"type\":\"work\",\"primary\":true},"
    "{\"value\":\"babs@jensen.org\",\"type\":\"home\"}],"
    "\"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\":{\"department\":\"Tours\","
    "\"manager\":{\"value\":\"26118915\"}}}";

static json_t *user;
static struct arena *arena;

static int setup(void **state UNUSED)
{
    struct err err = ERR_INIT;

    arena = arena_new(1 << 20);
    return codec_json_parse(span_str(user_text), "user", &user, &err);
}

static int teardown(void **state UNUSED)
{
    arena_free(arena);
    json_decref(user);
    return 0;
}

static void filters_match_as_the_rfc_says(void **state UNUSED)
{
    /* The examples of RFC 7644 section 3.4.2.2 and their borders. */
    static const struct {
        const char *text;
        bool matches;
    } cases[] = {
        {"userName eq \"bjensen\"", true},
        {"USERNAME Eq \"BJENSEN\"", true},
        {"name.familyName co \"O'Malley\"", true},
        {"userName sw \"J\"", false},
        {"userName sw \"BJ\"", true},
        {"userName ew \"SEN\"", true},
        {"urn:ietf:params:scim:schemas:core:2.0:User:userName sw \"b\"", true},
        {"title pr", true},
        {"nickName pr", false},
        {"meta.lastModified gt \"2011-05-13T04:42:33Z\"", true},
        {"meta.lastModified ge \"2011-05-13T06:42:34+02:00\"", true},
        {"meta.lastModified lt \"2011-05-13T04:42:34Z\"", false},
        {"meta.lastModified le \"2011-05-13T04:42:34Z\"", true},
        {"title pr and userType eq \"Employee\"", false},
        {"title pr or userType eq \"Intern\"", true},
        {"schemas eq \"urn:ietf:params:scim:schemas:core:2.0:User\"", true},
        {"userType ne \"Employee\" and not (emails co \"example.com\" or emails.value co "
         "\"example.org\")",
         false},
        {"emails[type eq \"work\" and value co \"@example.com\"]", true},
        {"emails[type eq \"home\" and value co \"@example.com\"]", false},
        {"emails[type eq \"work\"] and emails[type eq \"home\"]", true},
        {"emails.type eq \"home\"", true},
        {"emails pr", true},
        {"phoneNumbers pr", false},
        {"active eq true", true},
        {"active eq false", false},
        {"active ne false", true},
        {"id eq \"2819C223\"", false},
        {"externalId eq \"Bj\"", true},
        {"userType eq null", true},
        {"title eq null", false},
        {"title ne null", true},
        {"userName eq \"a\" or userName eq \"bjensen\" and title eq \"x\"", false},
        {"(userName eq \"a\" or userName eq \"bjensen\") and title pr", true},
        {"not (userName eq \"a\")", true},
        {"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq \"tours\"",
         true},
        {"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq \"26118915\"",
         true},
        {"userName eq \"bj\\u0065nsen\"", true},
        {"emails.primary eq true", true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct scim_filter *filter;
        struct err err = ERR_INIT;
        if (scim_filter_parse(&scim_user, span_str(cases[i].text), arena, &filter, &err) < 0)
            fail_msg("%s: %s", cases[i].text, err.msg);
        if (scim_filter_matches(filter, user) != cases[i].matches)
            fail_msg("%s should %smatch", cases[i].text, cases[i].matches ? "" : "not ");
    }
}

static void what_is_no_filter_is_refused_with_its_column(void **state UNUSED)
{
    static const struct {
        const char *text;
        const char *why;
    } cases[] = {
        {"", "column 1"},
        {"userName", "column 9"},
        {"userName eq", "column 12"},
        {"userName xx \"a\"", "column 10"},
        {"userName eq \"a", "does not end"},
        {"userName eq 'a'", "in quotes"},
        {"nosuch eq \"a\"", "\"nosuch\""},
        {"name.nosuch eq \"a\"", "\"nosuch\""},
        {"userName eq \"a\" and", "column"},
        {"userName eq \"a\" userName", "\"and\""},
        {"(userName eq \"a\"", "\")\""},
        {"not userName eq \"a\"", "\"(\""},
        {"emails[type eq \"work\"", "\"]\""},
        {"emails[nosuch eq \"work\"]", "sub-attribute"},
        {"userName[type eq \"work\"]", "many values"},
        {"active gt true", "cannot be compared"},
        {"active eq \"true\"", "cannot be compared"},
        {"userName eq 5", "cannot be compared"},
        {"userName co null", "cannot be compared"},
        {"userName eq {\"a\":1}", "in quotes"},
        {"userName eq \"\\ud800\"", "in quotes"},
        {"((((((((((((((((((userName pr))))))))))))))))))", "nested"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct scim_filter *filter;
        struct err err = ERR_INIT;
        if (scim_filter_parse(&scim_user, span_str(cases[i].text), arena, &filter, &err) == 0)
            fail_msg("%s was taken", cases[i].text);
        assert_int_equal(err.code, ERR_INVALID);
        if (strstr(err.msg, cases[i].why) == NULL)
            fail_msg("%s: %s", cases[i].text, err.msg);
    }
}

static void a_filter_has_a_ceiling(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 16);
    const struct scim_filter *filter;
    struct err err = ERR_INIT;

    for (int i = 0; i < SCIM_TERMS_MAX; i++)
        buf_put_str(&text, "title pr or ");
    buf_put_str(&text, "title pr");
    assert_int_equal(scim_filter_parse(&scim_user, buf_span(&text), arena, &filter, &err), -1);
    while (text.len <= SCIM_FILTER_MAX)
        buf_put_str(&text, " or title pr");
    assert_int_equal(scim_filter_parse(&scim_user, buf_span(&text), arena, &filter, &err), -1);
}

static void a_filter_says_what_it_demands(void **state UNUSED)
{
    const struct scim_filter *filter;
    struct err err = ERR_INIT;

    assert_int_equal(scim_filter_parse(&scim_user, span_str("active eq true and userName eq \"x\""),
                                       arena, &filter, &err),
                     0);
    assert_string_equal(scim_filter_demands(filter, "userName"), "x");
    assert_null(scim_filter_demands(filter, "externalId"));
    assert_int_equal(scim_filter_parse(&scim_user, span_str("active eq true or userName eq \"x\""),
                                       arena, &filter, &err),
                     0);
    assert_null(scim_filter_demands(filter, "userName"));
}

static void resources_are_put_in_order(void **state UNUSED)
{
    CLEANUP_JSON json_t *a =
        json_pack("{s:s, s:{s:s}}", "userName", "Zoe", "name", "familyName", "a");
    CLEANUP_JSON json_t *b =
        json_pack("{s:s, s:[{s:s}]}", "userName", "adam", "emails", "value", "x");
    struct scim_path path;
    const char *type;
    struct err err = ERR_INIT;

    assert_int_equal(scim_path_parse(&scim_user, span_str("userName"), arena, &path, &type, &err),
                     0);
    assert_true(scim_compare(&path, a, b) > 0);
    assert_true(scim_compare(&path, b, a) < 0);
    assert_int_equal(scim_compare(&path, a, a), 0);
    assert_int_equal(
        scim_path_parse(&scim_user, span_str("name.familyName"), arena, &path, &type, &err), 0);
    assert_true(scim_compare(&path, a, b) < 0);
    assert_int_equal(scim_path_parse(&scim_user, span_str("emails"), arena, &path, &type, &err), 0);
    assert_true(scim_compare(&path, a, b) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_match_as_the_rfc_says),
        cmocka_unit_test(what_is_no_filter_is_refused_with_its_column),
        cmocka_unit_test(a_filter_has_a_ceiling),
        cmocka_unit_test(a_filter_says_what_it_demands),
        cmocka_unit_test(resources_are_put_in_order),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, setup, teardown);
}
