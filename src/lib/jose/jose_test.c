/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enc.h"
#include "codec/json.h"
#include "jose/jose.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { NOW = 1800000000 };

static const char issuer[] = "https://drun.test";
static const struct jose_expect expect = {
    .typ = "at+jwt", .issuer = issuer, .audience = "drun", .now = NOW, .skew_sec = 30};

static struct sign_key *pair;
static struct jose_keys *keys;

static void add_public(struct jose_keys *set, const char *kid, const struct sign_key *key)
{
    CLEANUP(buf_free) struct buf spki = BUF_INIT(SIGN_SPKI_MAX);
    struct jose_key *public = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(sign_key_to_spki(key, &spki, &err), 0);
    assert_int_equal(jose_key_from_spki(kid, buf_span(&spki), &public, &err), 0);
    jose_keys_add(set, &public);
}

static int setup(void **state UNUSED)
{
    struct err err = ERR_INIT;

    assert_int_equal(secret_heap_init(&err), 0);
    assert_int_equal(sign_key_generate(SIGN_ES256, &pair, &err), 0);
    keys = jose_keys_new();
    add_public(keys, "k1", pair);
    return 0;
}

static int teardown(void **state UNUSED)
{
    sign_key_free(pair);
    jose_keys_free(keys);
    return 0;
}

static json_t *json_of(const char *text)
{
    json_t *json = NULL;
    struct err err = ERR_INIT;

    if (codec_json_parse(span_str(text), "test", &json, &err) < 0)
        fail_msg("%s", err.msg);
    return json;
}

static int sign_with(void *ctx, struct span data, struct buf *signature, struct err *err)
{
    return sign_data(ctx, data, signature, err);
}

/* A token with this very header and these claims, rightly signed. */
static void put_token(const char *header, const char *claims, struct buf *out)
{
    CLEANUP(buf_free) struct buf signature = BUF_INIT(SIGN_SIG_MAX);
    struct err err = ERR_INIT;

    enc_base64_put(ENC_BASE64URL, span_str(header), out);
    buf_put_u8(out, '.');
    enc_base64_put(ENC_BASE64URL, span_str(claims), out);
    assert_int_equal(sign_data(pair, buf_span(out), &signature, &err), 0);
    buf_put_u8(out, '.');
    enc_base64_put(ENC_BASE64URL, buf_span(&signature), out);
}

#define HEADER "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}"
#define CLAIMS "{\"iss\":\"https://drun.test\",\"aud\":[\"x\",\"drun\"],\"exp\":1800000300}"

static int verify(const char *header, const char *claims, const char *says)
{
    CLEANUP(buf_free) struct buf token = BUF_INIT(2 * JOSE_TOKEN_MAX);
    CLEANUP_JSON json_t *got = NULL;
    struct err err = ERR_INIT;

    put_token(header, claims, &token);
    int result = jose_jwt_verify(keys, buf_span(&token), &expect, &got, &err);
    if (result < 0) {
        assert_int_equal(err.code, ERR_UNAUTHENTICATED);
        if (says == NULL || strstr(err.msg, says) == NULL)
            fail_msg("%s", err.msg);
    }
    return result;
}

static void what_is_signed_verifies(void **state UNUSED)
{
    for (enum sign_alg alg = SIGN_ES256; alg < SIGN_ALG_COUNT; alg++) {
        CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;
        CLEANUP(jose_keys_free_ptr) struct jose_keys *set = jose_keys_new();
        CLEANUP(buf_free) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
        CLEANUP_JSON json_t *claims = json_of(CLAIMS);
        CLEANUP_JSON json_t *got = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(sign_key_generate(alg, &key, &err), 0);
        add_public(set, "k1", key);
        assert_int_equal(jose_jwt_sign(claims, "at+jwt", "k1", alg, sign_with, key, &token, &err),
                         0);
        assert_int_equal(jose_jwt_verify(set, buf_span(&token), &expect, &got, &err), 0);
        assert_true(json_equal(got, claims));
        token.data[token.len - 10] ^= 1;
        assert_int_equal(jose_jwt_verify(set, buf_span(&token), &expect, &got, &err), -1);
        token.data[token.len - 10] ^= 1;
        assert_int_equal(jose_jwt_verify(keys, buf_span(&token), &expect, &got, &err), -1);
    }
}

static void claims_are_checked(void **state UNUSED)
{
#define C(rest) "{\"iss\":\"https://drun.test\",\"aud\":\"drun\"" rest "}"
    assert_int_equal(verify(HEADER, CLAIMS, NULL), 0);
    assert_int_equal(verify(HEADER, C(",\"exp\":1800000001"), NULL), 0);
    assert_int_equal(verify(HEADER, C(",\"exp\":1799999971"), NULL), 0);
    assert_int_equal(verify(HEADER, C(",\"exp\":1799999970"), "expired"), -1);
    assert_int_equal(verify(HEADER, C(""), "no exp"), -1);
    assert_int_equal(verify(HEADER, C(",\"exp\":\"1800000001\""), "no number"), -1);
    assert_int_equal(verify(HEADER, C(",\"exp\":null"), "no number"), -1);
    assert_int_equal(verify(HEADER, C(",\"exp\":1800000001,\"nbf\":1800000030"), NULL), 0);
    assert_int_equal(verify(HEADER, C(",\"exp\":1800000001,\"nbf\":1800000031"), "not valid yet"),
                     -1);
    assert_int_equal(verify(HEADER, C(",\"exp\":1800000001,\"iat\":1800000031"), "future"), -1);
    assert_int_equal(
        verify(HEADER, "{\"iss\":\"x\",\"aud\":\"drun\",\"exp\":1800000001}", "issuer"), -1);
    assert_int_equal(verify(HEADER, "{\"aud\":\"drun\",\"exp\":1800000001}", "issuer"), -1);
    assert_int_equal(verify(HEADER,
                            "{\"iss\":\"https://drun.test\",\"aud\":\"dru\",\"exp\":1800000001}",
                            "audience"),
                     -1);
    assert_int_equal(
        verify(HEADER, "{\"iss\":\"https://drun.test\",\"exp\":1800000001}", "audience"), -1);
    assert_int_equal(verify(HEADER, C(",\"exp\":1800000001,\"exp\":1900000000"), "refused"), -1);
    assert_int_equal(verify(HEADER, "[]", "no object"), -1);
    assert_int_equal(verify(HEADER, CLAIMS " x", "refused"), -1);
}

static void headers_are_checked(void **state UNUSED)
{
#define H(rest) "{\"kid\":\"k1\",\"typ\":\"at+jwt\"" rest "}"
    assert_int_equal(verify(H(",\"alg\":\"ES256\""), CLAIMS, NULL), 0);
    assert_int_equal(verify("{\"alg\":\"ES256\",\"typ\":\"Application/AT+jwt\"}", CLAIMS, NULL), 0);
    assert_int_equal(verify(H(",\"alg\":\"none\""), CLAIMS, "alg"), -1);
    assert_int_equal(verify(H(",\"alg\":\"HS256\""), CLAIMS, "alg"), -1);
    assert_int_equal(verify(H(",\"alg\":\"EdDSA\""), CLAIMS, "alg"), -1);
    assert_int_equal(verify(H(",\"alg\":\"es256\""), CLAIMS, "alg"), -1);
    assert_int_equal(verify(H(""), CLAIMS, "alg"), -1);
    assert_int_equal(verify(H(",\"alg\":\"ES256\",\"alg\":\"ES256\""), CLAIMS, "refused"), -1);
    assert_int_equal(verify(H(",\"alg\":\"ES256\",\"crit\":[]"), CLAIMS, "crit"), -1);
    assert_int_equal(verify(H(",\"alg\":\"ES256\",\"jwk\":{}"), CLAIMS, "jwk"), -1);
    assert_int_equal(verify(H(",\"alg\":\"ES256\",\"jku\":\"http://e\""), CLAIMS, "jku"), -1);
    assert_int_equal(verify("{\"alg\":\"ES256\",\"kid\":\"k1\"}", CLAIMS, "typ"), -1);
    assert_int_equal(verify("{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\"}", CLAIMS, "typ"),
                     -1);
    assert_int_equal(verify("{\"alg\":\"ES256\",\"kid\":1,\"typ\":\"at+jwt\"}", CLAIMS, "no text"),
                     -1);
    assert_int_equal(
        verify("{\"alg\":\"ES256\",\"kid\":\"k2\",\"typ\":\"at+jwt\"}", CLAIMS, "no key"), -1);
    assert_int_equal(verify("\"x\"", CLAIMS, "no object"), -1);
}

static void the_form_is_checked(void **state UNUSED)
{
    static const char *const bad[] = {
        "", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d", "e30.e30.e30", "e30.e30.", "e30=.e30.e30"};
    CLEANUP(buf_free) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    CLEANUP(buf_free) struct buf big = BUF_INIT(4 * JOSE_TOKEN_MAX);
    CLEANUP_JSON json_t *got = NULL;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = ERR_INIT;
        assert_int_equal(jose_jwt_verify(keys, span_str(bad[i]), &expect, &got, &err), -1);
        assert_int_equal(err.code, ERR_UNAUTHENTICATED);
    }
    put_token(HEADER, CLAIMS, &token);
    struct err err = ERR_INIT;
    assert_int_equal(jose_jwt_verify(keys, span_of(token.data, token.len - 1), &expect, &got, &err),
                     -1);
    /* Valid, but with the last character's unused bits set. */
    token.data[token.len - 1]++;
    assert_int_equal(jose_jwt_verify(keys, buf_span(&token), &expect, &got, &err), -1);
    buf_put_span(&big, buf_span(&token));
    while (big.len <= JOSE_TOKEN_MAX)
        buf_put_u8(&big, 'A');
    assert_int_equal(jose_jwt_verify(keys, buf_span(&big), &expect, &got, &err), -1);
    assert_non_null(strstr(err.msg, "too long"));
}

static struct jose_keys *one_key(const char *jwk)
{
    CLEANUP_JSON json_t *json = json_of(jwk);
    struct jose_keys *set = jose_keys_new();
    struct jose_key *key = NULL;
    struct err err = ERR_INIT;

    if (jose_key_from_jwk(json, &key, &err) < 0)
        fail_msg("%s", err.msg);
    jose_keys_add(set, &key);
    return set;
}

static void verifies_payload(const char *jwk, const char *token, const char *payload)
{
    CLEANUP(jose_keys_free_ptr) struct jose_keys *set = one_key(jwk);
    CLEANUP(buf_free) struct buf got = BUF_INIT(JOSE_TOKEN_MAX);
    struct err err = ERR_INIT;

    if (jose_jws_verify(set, span_str(token), NULL, &got, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(buf_text(&got), payload);
}

static void the_vectors_of_rfc_7515_and_8037_verify(void **state UNUSED)
{
    static const char claims[] = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n "
                                 "\"http://example.com/is_root\":true}";

    /* RFC 7515 appendix A.3 */
    verifies_payload("{\"kty\":\"EC\",\"crv\":\"P-256\","
                     "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                     "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
                     "eyJhbGciOiJFUzI1NiJ9."
                     "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
                     "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
                     "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
                     "pmWQxfKTUJqPP3-Kg6NU1Q",
                     claims);
    /* RFC 7515 appendix A.2 */
    verifies_payload(
        "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddx"
        "HmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2j"
        "Z47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg6"
        "65xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2et"
        "hFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"}",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
        "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XO"
        "iZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f"
        "_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDw"
        "usC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWyw"
        "lVmtVrBp0igcN_IoypGlUPQGe77Rw",
        claims);
    /* RFC 8037 appendix A.4 */
    verifies_payload("{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
                     "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
                     "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
                     "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt"
                     "9g7sVvpAr_MuM0KAg",
                     "Example of Ed25519 signing");
}

static void a_key_of_another_kind_does_not_verify(void **state UNUSED)
{
    /* The token of RFC 7515 appendix A.1: HS256. With the public key as the HMAC's secret an
     * implementation that believes the token would be fooled. */
    static const char token[] =
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAs"
        "DQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1g"
        "FWFOEjXk";
    CLEANUP(buf_free) struct buf got = BUF_INIT(JOSE_TOKEN_MAX);
    struct err err = ERR_INIT;

    assert_int_equal(jose_jws_verify(keys, span_str(token), NULL, &got, &err), -1);
    assert_non_null(strstr(err.msg, "alg"));
    assert_int_equal(got.len, 0);
}

static void a_key_set_leaves_out_what_it_cannot_use(void **state UNUSED)
{
    CLEANUP_JSON json_t *jwks =
        json_of("{\"keys\":["
                "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a\","
                "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
                "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"b\",\"use\":\"enc\","
                "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
                "{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AA\",\"y\":\"AA\"},"
                "{\"kty\":\"oct\"}]}");
    CLEANUP(jose_keys_free_ptr) struct jose_keys *set = NULL;
    CLEANUP(jose_keys_free_ptr) struct jose_keys *none = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(jose_keys_from_jwks(jwks, &set, &err), 0);
    assert_int_equal(jose_keys_count(set), 1);
    assert_non_null(jose_keys_find(set, "a"));
    json_object_set_new(json_array_get(json_object_get(jwks, "keys"), 0), "d", json_string("AA"));
    assert_int_equal(jose_keys_from_jwks(jwks, &none, &err), -1);
    assert_non_null(strstr(err.msg, "private member \"d\""));
}

static void keys_come_out_as_they_went_in(void **state UNUSED)
{
    CLEANUP_JSON json_t *jwk = NULL;
    CLEANUP(jose_key_free_ptr) struct jose_key *again = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(jose_key_to_jwk(jose_keys_find(keys, "k1"), &jwk, &err), 0);
    assert_string_equal(codec_json_text(jwk, "alg", ""), "ES256");
    assert_string_equal(codec_json_text(jwk, "kid", ""), "k1");
    assert_null(json_object_get(jwk, "d"));
    assert_int_equal(jose_key_from_jwk(jwk, &again, &err), 0);
    assert_int_equal(jose_key_alg(again), SIGN_ES256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_signed_verifies),
        cmocka_unit_test(claims_are_checked),
        cmocka_unit_test(headers_are_checked),
        cmocka_unit_test(the_form_is_checked),
        cmocka_unit_test(the_vectors_of_rfc_7515_and_8037_verify),
        cmocka_unit_test(a_key_of_another_kind_does_not_verify),
        cmocka_unit_test(a_key_set_leaves_out_what_it_cannot_use),
        cmocka_unit_test(keys_come_out_as_they_went_in),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("jose", tests, setup, teardown);
}
