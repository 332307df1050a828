/* SPDX-License-Identifier: Apache-2.0 */
#include "jose/dpop.h"

#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { NOW = 1800000000 };

static const char *const origins[] = {"https://drun.test:8443", "https://drun.test:8444", NULL};
static struct sign_key *pair;
static json_t *jwk;

static int setup(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf spki = BUF_INIT(SIGN_SPKI_MAX);
    CLEANUP(jose_key_free_ptr) struct jose_key *public = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(secret_heap_init(&err), 0);
    assert_int_equal(sign_key_generate(SIGN_ES256, &pair, &err), 0);
    assert_int_equal(sign_key_to_spki(pair, &spki, &err), 0);
    assert_int_equal(jose_key_from_spki("", buf_span(&spki), &public, &err), 0);
    assert_int_equal(jose_key_to_jwk(public, &jwk, &err), 0);
    return 0;
}

static int teardown(void **state UNUSED)
{
    sign_key_free(pair);
    json_decref(jwk);
    return 0;
}

static json_t *good_header(void)
{
    return json_pack("{s:s, s:s, s:O}", "typ", "dpop+jwt", "alg", "ES256", "jwk", jwk);
}

static json_t *good_claims(void)
{
    return json_pack("{s:s, s:s, s:s, s:i}", "jti", "one", "htm", "POST", "htu",
                     "https://drun.test:8443/oauth2/token", "iat", NOW);
}

/* Takes both values. NULL when it is good, or what the error says. */
static const char *verify(json_t *header, json_t *claims, struct span access_token,
                          struct dpop_proof *out)
{
    static struct err err;
    CLEANUP(buf_free) struct buf text = BUF_INIT(DPOP_PROOF_MAX * 4);
    CLEANUP(buf_free) struct buf part = BUF_INIT(DPOP_PROOF_MAX * 4);
    CLEANUP(buf_free) struct buf signature = BUF_INIT(SIGN_SIG_MAX);
    struct dpop_expect expect = {.method = "POST",
                                 .origins = origins,
                                 .path = "/oauth2/token",
                                 .access_token = access_token,
                                 .now = NOW};
    struct dpop_proof room;

    err_clear(&err);
    codec_json_put(header, &part);
    enc_base64_put(ENC_BASE64URL, buf_span(&part), &text);
    buf_put_u8(&text, '.');
    buf_reset(&part);
    codec_json_put(claims, &part);
    enc_base64_put(ENC_BASE64URL, buf_span(&part), &text);
    json_decref(header);
    json_decref(claims);
    assert_int_equal(sign_data(pair, buf_span(&text), &signature, &err), 0);
    buf_put_u8(&text, '.');
    enc_base64_put(ENC_BASE64URL, buf_span(&signature), &text);
    if (dpop_verify(&expect, buf_span(&text), out == NULL ? &room : out, &err) == 0)
        return NULL;
    assert_int_equal(err.code, ERR_UNAUTHENTICATED);
    return err.msg;
}

static void says(const char *message, const char *part)
{
    if (message == NULL || strstr(message, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", message == NULL ? "(accepted)" : message, part);
}

static const char *with_claim(const char *name, json_t *value)
{
    json_t *claims = good_claims();

    if (value == NULL)
        json_object_del(claims, name);
    else
        json_object_set_new(claims, name, value);
    return verify(good_header(), claims, span_of("", 0), NULL);
}

static const char *with_header(const char *name, json_t *value)
{
    json_t *header = good_header();

    if (value == NULL)
        json_object_del(header, name);
    else
        json_object_set_new(header, name, value);
    return verify(header, good_claims(), span_of("", 0), NULL);
}

static void a_good_proof_names_its_key(void **state UNUSED)
{
    struct dpop_proof proof;
    struct dpop_proof other;
    char kid[SIGN_KID_SIZE];
    json_t *claims = good_claims();

    assert_null(verify(good_header(), good_claims(), span_of("", 0), &proof));
    sign_key_kid(pair, kid);
    assert_string_equal(proof.jkt, kid);
    assert_string_equal(proof.nonce, "");
    json_object_set_new(claims, "jti", json_string("two"));
    json_object_set_new(claims, "nonce", json_string("of ours"));
    assert_null(verify(good_header(), claims, span_of("", 0), &other));
    assert_memory_not_equal(proof.id, other.id, sizeof(proof.id));
    assert_string_equal(other.nonce, "of ours");
}

static void claims_are_checked(void **state UNUSED)
{
    says(with_claim("htm", json_string("GET")), "htm");
    says(with_claim("htm", NULL), "htm");
    says(with_claim("htu", NULL), "htu");
    says(with_claim("htu", json_string("https://drun.test:8443/oauth2/par")), "htu");
    says(with_claim("htu", json_string("http://drun.test:8443/oauth2/token")), "htu");
    says(with_claim("iat", NULL), "iat");
    says(with_claim("iat", json_string("1800000000")), "iat");
    says(with_claim("iat", json_integer(NOW - 61)), "iat");
    says(with_claim("iat", json_integer(NOW + 61)), "iat");
    says(with_claim("jti", NULL), "jti");
    says(with_claim("jti", json_string("")), "jti");
    says(with_claim("nonce", json_integer(1)), "nonce");
    assert_null(with_claim("iat", json_integer(NOW - 59)));
    assert_null(with_claim("htu", json_string("https://DRUN.test:8444/oauth2/token?x=1#y")));
}

static void headers_are_checked(void **state UNUSED)
{
    json_t *private = json_deep_copy(jwk);

    json_object_set_new(private, "d", json_string("AAAA"));
    says(with_header("typ", json_string("JWT")), "typ");
    says(with_header("typ", NULL), "typ");
    says(with_header("alg", json_string("none")), "alg");
    says(with_header("alg", json_string("HS256")), "alg");
    says(with_header("alg", json_string("EdDSA")), "alg");
    says(with_header("jwk", NULL), "jwk");
    says(with_header("jwk", json_string("{}")), "jwk");
    says(with_header("jwk", private), "jwk");
    says(with_header("crit", json_pack("[s]", "exp")), "crit");
    says(with_header("x5c", json_pack("[s]", "AAAA")), "x5c");
}

static void another_key_did_not_sign_it(void **state UNUSED)
{
    CLEANUP(sign_key_free_ptr) struct sign_key *other = NULL;
    struct sign_key *own = pair;
    struct err err = ERR_INIT;

    assert_int_equal(sign_key_generate(SIGN_ES256, &other, &err), 0);
    pair = other;
    const char *message = verify(good_header(), good_claims(), span_of("", 0), NULL);
    pair = own;
    says(message, "signature");
}

static void the_access_token_is_bound(void **state UNUSED)
{
    struct span token = span_str("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU");
    json_t *claims = good_claims();

    /* The token and the hash of RFC 9449 section 7.1. */
    json_object_set_new(claims, "ath", json_string("fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"));
    assert_null(verify(good_header(), claims, token, NULL));
    says(verify(good_header(), good_claims(), token, NULL), "ath");
}

static void urls_compare_without_their_encoding(void **state UNUSED)
{
    assert_true(dpop_url_fits("https://drun.test:8443/a/b", origins, "/a/b"));
    assert_true(dpop_url_fits("https://drun.test:8443/a%2Fb%7e", origins, "/a/b~"));
    assert_true(dpop_url_fits("https://drun.test:8443", origins, "/"));
    assert_false(dpop_url_fits("https://drun.test:8443/a/b/", origins, "/a/b"));
    assert_false(dpop_url_fits("https://drun.test:8443/a", origins, "/a/b"));
    assert_false(dpop_url_fits("https://drun.test:84439/a", origins, "/a"));
    assert_false(dpop_url_fits("https://drun.test:8443.evil/a", origins, "/a"));
    assert_false(dpop_url_fits("https://drun.test:8443@evil/a", origins, "/a"));
    assert_false(dpop_url_fits("https://drun.test:8443/a%00b", origins, "/a"));
    assert_false(dpop_url_fits("", origins, "/a"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_proof_names_its_key),
        cmocka_unit_test(claims_are_checked),
        cmocka_unit_test(headers_are_checked),
        cmocka_unit_test(another_key_did_not_sign_it),
        cmocka_unit_test(the_access_token_is_bound),
        cmocka_unit_test(urls_compare_without_their_encoding),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("dpop", tests, setup, teardown);
}
