/* SPDX-License-Identifier: Apache-2.0 */
/* What clients sign: assertions of who they are (RFC 7523) and requests (RFC 9101). */
#include "idp/oauth/assertion.h"
#include "idp/oauth/exchange.h"
#include "idp/oauth/registration.h"
#include "idp/oauth/request_object.h"

#include "base/mem.h"
#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { NOW = 1800000000 };

static struct sign_key *pair;
static struct jose_keys *keys;

static int setup(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf spki = BUF_INIT(SIGN_SPKI_MAX);
    struct jose_key *key = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(secret_heap_init(&err), 0);
    assert_int_equal(sign_key_generate(SIGN_ES256, &pair, &err), 0);
    assert_int_equal(sign_key_to_spki(pair, &spki, &err), 0);
    assert_int_equal(jose_key_from_spki("k", buf_span(&spki), &key, &err), 0);
    keys = jose_keys_new();
    jose_keys_add(keys, &key);
    return 0;
}

static int teardown(void **state UNUSED)
{
    sign_key_free(pair);
    jose_keys_free(keys);
    return 0;
}

static int sign_with(void *ctx, struct span data, struct buf *signature, struct err *err)
{
    return sign_data(ctx, data, signature, err);
}

/* The text of a token with the claims of `good`, and those of `change` (single quotes for double)
 * in their place; null takes one away. */
static char *token_of(const char *good, const char *change)
{
    CLEANUP(buf_free) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    CLEANUP_FREE char *text = mem_strdup(change);
    CLEANUP_JSON json_t *claims = NULL;
    CLEANUP_JSON json_t *other = NULL;
    const char *name;
    json_t *value;
    struct err err = ERR_INIT;

    for (char *at = text; *at != '\0'; at++)
        *at = *at == '\'' ? '"' : *at;
    assert_int_equal(codec_json_parse(span_str(good), "good", &claims, &err), 0);
    assert_int_equal(codec_json_parse(span_str(text), "change", &other, &err), 0);
    json_object_foreach (other, name, value)
        if (json_is_null(value))
            json_object_del(claims, name);
        else
            json_object_set(claims, name, value);
    assert_int_equal(jose_jwt_sign(claims, "JWT", "k", SIGN_ES256, sign_with, pair, &token, &err),
                     0);
    return buf_take(&token);
}

/* ------------------------------------------------------------------ assertions */

static const char *assertion(const char *change, struct assertion *out)
{
    static const char good[] = "{\"iss\":\"app\",\"sub\":\"app\",\"aud\":\"https://drun.test\","
                               "\"jti\":\"j\",\"iat\":1800000000,\"exp\":1800000060}";
    static const char *const audiences[] = {"https://drun.test", "https://drun.test/oauth2/token",
                                            NULL};
    static struct err err;
    struct assertion_expect expect = {
        .keys = keys, .client_id = "app", .audiences = audiences, .now = NOW};
    CLEANUP_FREE char *token = token_of(good, change);
    struct assertion room;

    err_clear(&err);
    if (assertion_check(&expect, token, out == NULL ? &room : out, &err) == 0)
        return "ok";
    assert_int_equal(err.code, ERR_UNAUTHENTICATED);
    return err.msg;
}

static void says(const char *message, const char *part)
{
    if (strstr(message, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", message, part);
}

static void an_assertion_is_of_the_client_and_for_us(void **state UNUSED)
{
    struct assertion got;

    says(assertion("{}", &got), "ok");
    assert_string_equal(got.jti, "j");
    assert_int_equal(got.until, NOW + 60 + ASSERTION_SKEW_SEC);
    says(assertion("{'aud':['https://drun.test','https://drun.test/oauth2/token']}", NULL), "ok");
    says(assertion("{'aud':['https://drun.test','https://other.test']}", NULL), "aud");
    says(assertion("{'aud':[]}", NULL), "aud");
    says(assertion("{'aud':{}}", NULL), "aud");
    says(assertion("{'iss':'other'}", NULL), "iss and sub");
    says(assertion("{'sub':null}", NULL), "iss and sub");
}

static void an_assertion_holds_for_a_short_time_and_once(void **state UNUSED)
{
    says(assertion("{'exp':null}", NULL), "exp");
    says(assertion("{'exp':'1800000060'}", NULL), "exp");
    says(assertion("{'exp':1799999930}", NULL), "expired");
    says(assertion("{'exp':1800100000}", NULL), "hour");
    says(assertion("{'iat':1800000100}", NULL), "iat");
    says(assertion("{'nbf':1800000100}", NULL), "not valid yet");
    says(assertion("{'jti':null}", NULL), "jti");
    says(assertion("{'jti':''}", NULL), "jti");
    says(assertion("{'jti':7}", NULL), "jti");
}

static void the_client_is_found_before_the_signature_is(void **state UNUSED)
{
    CLEANUP_FREE char *token = token_of("{}", "{'sub':'app'}");
    char id[16];
    char small[3];

    assertion_client(token, id, sizeof(id));
    assert_string_equal(id, "app");
    assertion_client(token, small, sizeof(small));
    assert_string_equal(small, "");
    assertion_client("nonsense", id, sizeof(id));
    assert_string_equal(id, "");
}

/* ------------------------------------------------------------------ request objects */

static const char *object(const char *change, struct form *out, struct arena *arena)
{
    static const char good[] =
        "{\"iss\":\"app\",\"client_id\":\"app\",\"aud\":\"https://drun.test\",\"exp\":1800000060,"
        "\"response_type\":\"code\",\"max_age\":30,\"resource\":[\"urn:a\",\"urn:b\"],"
        "\"claims\":{\"id_token\":{}},\"state\":\"s\",\"unknown\":\"x\"}";
    static struct err err;
    struct request_object_expect expect = {
        .keys = keys, .client_id = "app", .issuer = "https://drun.test", .now = NOW};
    CLEANUP_FREE char *token = token_of(good, change);

    err_clear(&err);
    if (request_object_read(&expect, token, arena, out, &err) == 0)
        return "ok";
    assert_int_equal(err.code, ERR_INVALID);
    return err.msg;
}

static void a_request_object_becomes_the_form(void **state UNUSED)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 20);
    struct form form;

    says(object("{}", &form, arena), "ok");
    assert_string_equal(form.value[FORM_RESPONSE_TYPE], "code");
    assert_string_equal(form.value[FORM_MAX_AGE], "30");
    assert_string_equal(form.value[FORM_CLAIMS], "{\"id_token\":{}}");
    assert_int_equal(form.resource_count, 2);
    assert_string_equal(form.resource[1], "urn:b");
}

static void a_request_object_is_refused(void **state UNUSED)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1 << 20);
    struct form form;

    says(object("{'iss':'other'}", &form, arena), "iss");
    says(object("{'client_id':null}", &form, arena), "client_id");
    says(object("{'aud':'https://other.test'}", &form, arena), "aud");
    says(object("{'exp':null}", &form, arena), "exp");
    says(object("{'exp':1799999000}", &form, arena), "exp");
    says(object("{'exp':1900000000}", &form, arena), "exp");
    says(object("{'sub':'app'}", &form, arena), "sub");
    says(object("{'request':'x'}", &form, arena), "another request");
    says(object("{'request_uri':'x'}", &form, arena), "another request");
    says(object("{'scope':true}", &form, arena), "scope");
    says(object("{'state':[1]}", &form, arena), "state");
    says(object("{'state':['a','b']}", &form, arena), "too often");
}

/* ------------------------------------------------------------------ rules, metadata */

static bool fits(const char *rules, const char *claims)
{
    CLEANUP_JSON json_t *list = NULL;
    CLEANUP_JSON json_t *values = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(codec_json_parse(span_str(rules), "rules", &list, &err), 0);
    assert_int_equal(codec_json_parse(span_str(claims), "claims", &values, &err), 0);
    return trusted_match(list, values) != NULL;
}

static void a_rule_fits_all_its_claims(void **state UNUSED)
{
    static const char rules[] = "[{\"subject\":\"repo:a/*:main\",\"claims\":{\"n\":\"7\","
                                "\"p\":\"true\",\"g\":\"x*\"},\"serviceAccount\":{}}]";

    assert_true(fits(rules, "{\"sub\":\"repo:a/b:main\",\"n\":7,\"p\":true,\"g\":[\"y\",\"xz\"]}"));
    assert_true(
        fits(rules, "{\"sub\":\"repo:a/:main:main\",\"n\":\"7\",\"p\":\"true\",\"g\":\"x\"}"));
    assert_false(fits(rules, "{\"sub\":\"repo:b/b:main\",\"n\":7,\"p\":true,\"g\":\"x\"}"));
    assert_false(fits(rules, "{\"sub\":\"repo:a/b:main2\",\"n\":7,\"p\":true,\"g\":\"x\"}"));
    assert_false(fits(rules, "{\"sub\":\"repo:a/b:main\",\"n\":8,\"p\":true,\"g\":\"x\"}"));
    assert_false(fits(rules, "{\"sub\":\"repo:a/b:main\",\"n\":7,\"p\":1,\"g\":\"x\"}"));
    assert_false(fits(rules, "{\"sub\":\"repo:a/b:main\",\"n\":7,\"p\":true}"));
    assert_false(fits(rules, "{\"n\":7,\"p\":true,\"g\":\"x\"}"));
    assert_false(fits("[]", "{\"sub\":\"x\"}"));
}

static void metadata_become_a_spec_and_come_back(void **state UNUSED)
{
    CLEANUP_JSON json_t *spec = NULL;
    CLEANUP_JSON json_t *back = json_object();
    struct err err = ERR_INIT;

    assert_int_equal(
        registration_read(span_str("{\"redirect_uris\":[\"https://a.test/\"],\"scope\":\"openid "
                                   "email\",\"token_endpoint_auth_method\":\"none\",\"x\":1}"),
                          &spec, &err),
        0);
    assert_true(json_is_true(json_object_get(spec, "public")));
    assert_true(json_is_true(json_object_get(spec, "consentRequired")));
    registration_put(spec, back);
    assert_string_equal(codec_json_text(back, "scope", ""), "openid email");
    assert_null(json_object_get(back, "x"));
    json_t *none = NULL;
    assert_int_equal(registration_read(span_str("{\"scope\":\"drun\"}"), &none, &err), -1);
    assert_int_equal(registration_read(span_str("{\"jwks_uri\":\"https://a\"}"), &none, &err), -1);
    assert_int_equal(registration_read(span_str("{\"redirect_uris\":[1]}"), &none, &err), -1);
    assert_int_equal(registration_read(span_str("7"), &none, &err), -1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_assertion_is_of_the_client_and_for_us),
        cmocka_unit_test(an_assertion_holds_for_a_short_time_and_once),
        cmocka_unit_test(the_client_is_found_before_the_signature_is),
        cmocka_unit_test(a_request_object_becomes_the_form),
        cmocka_unit_test(a_request_object_is_refused),
        cmocka_unit_test(a_rule_fits_all_its_claims),
        cmocka_unit_test(metadata_become_a_spec_and_come_back),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("idp assertion", tests, setup, teardown);
}
