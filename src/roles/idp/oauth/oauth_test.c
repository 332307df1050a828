/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/oauth/oauth.h"

#include "base/mem.h"
#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static bool valid(const char *scope)
{
    return oauth_scope_is_valid(span_str(scope));
}

static void a_scope_is_tokens_with_one_blank_between(void **state UNUSED)
{
    assert_true(valid(""));
    assert_true(valid("openid"));
    assert_true(valid("openid profile urn:a:b"));
    assert_false(valid(" openid"));
    assert_false(valid("openid "));
    assert_false(valid("openid  profile"));
    assert_false(valid("open\"id"));
    assert_false(valid("open\\id"));
    assert_false(valid("openid\tprofile"));
    assert_false(valid("\xc3\xa9"));
}

static void a_scope_has_whole_tokens_alone(void **state UNUSED)
{
    struct span scope = span_str("openid offline_access");

    assert_true(oauth_scope_has(scope, "openid"));
    assert_true(oauth_scope_has(scope, "offline_access"));
    assert_false(oauth_scope_has(scope, "offline"));
    assert_false(oauth_scope_has(scope, ""));
}

/* RFC 7636 appendix B */
static void the_verifier_of_the_rfc_fits_its_challenge(void **state UNUSED)
{
    struct span verifier = span_str("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    struct span challenge = span_str("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");

    assert_true(oauth_challenge_is_valid(challenge));
    assert_true(oauth_verifier_fits(verifier, challenge));
    assert_false(oauth_verifier_fits(challenge, challenge));
    assert_false(oauth_verifier_fits(span_of(verifier.p, 42), challenge));
    assert_false(oauth_verifier_fits(verifier, span_of(challenge.p, 42)));
    assert_false(oauth_challenge_is_valid(span_str("plain")));
    assert_false(oauth_challenge_is_valid(span_str("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM")));
}

static void a_redirect_uri_matches_character_by_character(void **state UNUSED)
{
    const char *registered = "https://app.example/callback";

    assert_true(oauth_redirect_matches(registered, registered));
    assert_false(oauth_redirect_matches(registered, "https://app.example/callback/"));
    assert_false(oauth_redirect_matches(registered, "https://app.example/callback?x=1"));
    assert_false(oauth_redirect_matches(registered, "https://app.example:443/callback"));
    assert_false(oauth_redirect_matches(registered, "https://APP.example/callback"));
    assert_false(oauth_redirect_matches(registered, "https://app.example.evil/callback"));
}

static void a_loopback_redirect_may_have_any_port(void **state UNUSED)
{
    const char *registered = "http://127.0.0.1/callback";

    assert_true(oauth_redirect_matches(registered, "http://127.0.0.1:49152/callback"));
    assert_true(oauth_redirect_matches("http://127.0.0.1:1/cb", "http://127.0.0.1:2/cb"));
    assert_true(oauth_redirect_matches("http://[::1]/cb", "http://[::1]:8080/cb"));
    assert_false(oauth_redirect_matches(registered, "http://127.0.0.1:49152/other"));
    assert_false(oauth_redirect_matches(registered, "http://127.0.0.1:/callback"));
    assert_false(oauth_redirect_matches(registered, "http://127.0.0.1:123456/callback"));
    assert_false(oauth_redirect_matches(registered, "http://127.0.0.1.evil.example/callback"));
    assert_false(oauth_redirect_matches(registered, "http://127.0.0.1:80@evil.example/callback"));
    assert_false(oauth_redirect_matches(registered, "http://localhost:80/callback"));
    assert_false(oauth_redirect_matches(registered, "https://127.0.0.1:80/callback"));
}

static void a_query_argument_is_encoded_and_appended(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf uri = BUF_INIT(256);

    buf_put_str(&uri, "https://app.example/cb");
    oauth_put_query(&uri, "state", "a b&c=\xc3\xa9");
    oauth_put_query(&uri, "iss", "x");
    assert_string_equal(buf_text(&uri), "https://app.example/cb?state=a%20b%26c%3D%C3%A9&iss=x");
}

static void basic_credentials_are_form_decoded(void **state UNUSED)
{
    struct arena *arena = arena_new(65536);
    struct err err = ERR_INIT;
    const char *id, *secret;

    /* "a%3Ab:c+d%25" */
    assert_int_equal(
        oauth_basic_parse(span_str("basic YSUzQWI6YytkJTI1"), arena, &id, &secret, &err), 0);
    assert_string_equal(id, "a:b");
    assert_string_equal(secret, "c d%");
    assert_int_equal(oauth_basic_parse(span_str("Basic YWJj"), arena, &id, &secret, &err), -1);
    assert_int_equal(oauth_basic_parse(span_str("Bearer YTpi"), arena, &id, &secret, &err), -1);
    assert_int_equal(oauth_basic_parse(span_str("Basic *"), arena, &id, &secret, &err), -1);
    /* "a:%0" and "a\0:b" */
    assert_int_equal(oauth_basic_parse(span_str("Basic YTolMA=="), arena, &id, &secret, &err), -1);
    assert_int_equal(oauth_basic_parse(span_str("Basic YQA6Yg=="), arena, &id, &secret, &err), -1);
    arena_free(arena);
}

static struct span cookie(const char *header)
{
    return oauth_cookie_find(span_str(header), "__Host-drun-session");
}

static void a_cookie_is_found_by_its_whole_name(void **state UNUSED)
{
    assert_true(span_eq_str(cookie("__Host-drun-session=abc"), "abc"));
    assert_true(span_eq_str(cookie("a=b; __Host-drun-session=abc; c=d"), "abc"));
    assert_true(span_eq_str(cookie("x__Host-drun-session=1;__Host-drun-session=2"), "2"));
    assert_null(cookie("__Host-drun-session2=abc").p);
    assert_null(cookie("__Host-drun-session").p);
    assert_null(cookie("").p);
    assert_null(cookie(";;=;").p);
}

static void a_cookie_that_comes_twice_is_none(void **state UNUSED)
{
    assert_null(cookie("__Host-drun-session=a; __Host-drun-session=b").p);
}

static void json_text_parses_back(void **state UNUSED)
{
    static const char text[] = "a\"b\\c\n\x01\x7f\xc3\xa9";
    CLEANUP(buf_free) struct buf out = BUF_INIT(256);
    CLEANUP_JSON json_t *value = NULL;
    struct err err = ERR_INIT;

    oauth_put_json(&out, span_str(text));
    assert_int_equal(codec_json_parse(buf_span(&out), "text", &value, &err), 0);
    assert_string_equal(json_string_value(value), text);
}

static void an_origin_ends_before_the_path(void **state UNUSED)
{
    assert_int_equal(oauth_origin_len("https://a:1/b"), 11);
    assert_int_equal(oauth_origin_len("https://a"), 9);
    assert_int_equal(oauth_origin_len("nonsense"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scope_is_tokens_with_one_blank_between),
        cmocka_unit_test(a_scope_has_whole_tokens_alone),
        cmocka_unit_test(the_verifier_of_the_rfc_fits_its_challenge),
        cmocka_unit_test(a_redirect_uri_matches_character_by_character),
        cmocka_unit_test(a_loopback_redirect_may_have_any_port),
        cmocka_unit_test(a_query_argument_is_encoded_and_appended),
        cmocka_unit_test(basic_credentials_are_form_decoded),
        cmocka_unit_test(a_cookie_is_found_by_its_whole_name),
        cmocka_unit_test(a_cookie_that_comes_twice_is_none),
        cmocka_unit_test(json_text_parses_back),
        cmocka_unit_test(an_origin_ends_before_the_path),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
