/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/federation/mapping.h"

#include "base/mem.h"
#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static json_t *parse(const char *text)
{
    json_t *value = NULL;
    struct err err = ERR_INIT;

    if (codec_json_parse(span_str(text), "test", &value, &err) < 0)
        fail_msg("%s", err.msg);
    return value;
}

static void check(const char *match, const char *template, const char *value, const char *expected)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(256);
    bool fits = mapping_apply(match, template, value, &out);

    if (expected == NULL)
        assert_false(fits);
    else
        assert_string_equal(fits ? buf_text(&out) : "(no match)", expected);
}

static void stars_stand_for_anything_and_fill_the_template(void **state UNUSED)
{
    check("*", "{0}", "alice", "alice");
    check("*", "{0}", "", "");
    check("eng-*", "engineering-{1}", "eng-core", "engineering-core");
    check("eng-*", "engineering-{1}", "sales-core", NULL);
    check("*@corp.example", "{1}", "alice@corp.example", "alice");
    check("*@corp.example", "{1}", "alice@corp.example.evil", NULL);
    check("cn=*,ou=*,*", "{2}:{1}", "cn=dev,ou=teams,dc=corp", "teams:dev");
    check("*-*", "{1}|{2}", "a-b-c", "a|b-c");
    check("**", "{1}|{2}", "abc", "|abc");
    check("admin", "platform", "admin", "platform");
    check("admin", "platform", "admins", NULL);
    check("a*", "{1}{2}{9}{x}{", "ab", "b{x}{");
    check("*a*a*a*a*b", "{0}", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL);
}

static void a_claim_is_a_name_or_a_pointer(void **state UNUSED)
{
    CLEANUP_JSON json_t *claims = parse(
        "{\"https://a.example/groups\":1,\"realm_access\":{\"roles\":[\"x\"],\"a/b\":{\"~\":2}}}");

    assert_non_null(mapping_find(claims, "https://a.example/groups"));
    assert_true(json_is_array(mapping_find(claims, "/realm_access/roles")));
    assert_string_equal(json_string_value(mapping_find(claims, "/realm_access/roles/0")), "x");
    assert_int_equal(json_integer_value(mapping_find(claims, "/realm_access/a~1b/~0")), 2);
    assert_null(mapping_find(claims, "/realm_access/roles/1"));
    assert_null(mapping_find(claims, "/realm_access/roles/x"));
    assert_null(mapping_find(claims, "/nothing/at/all"));
}

static int run(const char *spec_text, const char *claims_text, struct person *out)
{
    CLEANUP_JSON json_t *spec = parse(spec_text);
    CLEANUP_JSON json_t *claims = parse(claims_text);
    struct err err = ERR_INIT;

    *out = (struct person){.subject = ""};
    return mapping_run(spec, claims, out, &err);
}

static void without_a_mapping_the_usual_claims_count(void **state UNUSED)
{
    CLEANUP(person_free) struct person person;

    assert_int_equal(run("{}",
                         "{\"preferred_username\":\"Alice.Smith@Corp.Example\",\"name\":\"Alice\","
                         "\"email\":\"a@corp.example\",\"groups\":[\"admins\"]}",
                         &person),
                     0);
    assert_string_equal(person.user_name, "alice.smith-corp.example");
    assert_string_equal(person.display, "Alice");
    assert_string_equal(person.email, "a@corp.example");
    assert_false(person.email_verified);
    assert_int_equal(json_array_size(person.groups), 0);
}

static void groups_come_of_rules_alone_and_never_the_systems(void **state UNUSED)
{
    CLEANUP(person_free) struct person person;

    assert_int_equal(
        run("{\"mapping\":{\"groups\":["
            "{\"claim\":\"groups\",\"match\":\"*\",\"template\":\"{0}\"},"
            "{\"claim\":\"level\",\"match\":\"3\",\"template\":\"seniors\"}]}}",
            "{\"uid\":\"bob\",\"level\":3,\"groups\":[\"dev\",\"dev\",\"system:masters\","
            "\"drun:operators\",\"a/b\",\"\",7,null,{}]}",
            &person),
        0);
    CLEANUP_JSON json_t *expected = parse("[\"dev\",\"7\",\"seniors\"]");
    assert_true(json_equal(person.groups, expected));
}

static void an_address_is_verified_when_the_provider_says_so_of_it(void **state UNUSED)
{
    CLEANUP(person_free) struct person person;
    static const char claims[] =
        "{\"uid\":\"bob\",\"email\":\"b@x.example\",\"upn\":\"c@x.example\","
        "\"email_verified\":true}";

    assert_int_equal(run("{}", claims, &person), 0);
    assert_true(person.email_verified);
    person_free(&person);
    assert_int_equal(run("{\"mapping\":{\"email\":{\"claim\":\"upn\"}}}", claims, &person), 0);
    assert_string_equal(person.email, "c@x.example");
    assert_false(person.email_verified);
    person_free(&person);
    assert_int_equal(run("{\"accounts\":{\"emailsAreVerified\":true},"
                         "\"mapping\":{\"email\":{\"claim\":\"upn\"}}}",
                         claims, &person),
                     0);
    assert_true(person.email_verified);
}

static void who_has_no_name_is_nobody(void **state UNUSED)
{
    CLEANUP(person_free) struct person person;

    assert_int_equal(run("{}", "{\"sub\":\"1\"}", &person), -1);
    person_free(&person);
    assert_int_equal(run("{}", "{\"uid\":\"@@@\"}", &person), -1);
    person_free(&person);
    assert_int_equal(run("{\"mapping\":{\"userName\":{\"claim\":\"uid\",\"match\":\"x-*\","
                         "\"template\":\"{1}\"}}}",
                         "{\"uid\":\"bob\"}", &person),
                     -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stars_stand_for_anything_and_fill_the_template),
        cmocka_unit_test(a_claim_is_a_name_or_a_pointer),
        cmocka_unit_test(without_a_mapping_the_usual_claims_count),
        cmocka_unit_test(groups_come_of_rules_alone_and_never_the_systems),
        cmocka_unit_test(an_address_is_verified_when_the_provider_says_so_of_it),
        cmocka_unit_test(who_has_no_name_is_nobody),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
