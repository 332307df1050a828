/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sign.h"

#include "base/enc.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int heap(void **state UNUSED)
{
    struct err err = ERR_INIT;

    return secret_heap_init(&err);
}

static struct sign_key *generate(enum sign_alg alg)
{
    struct sign_key *key = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(sign_key_generate(alg, &key, &err), 0);
    return key;
}

/* A JWK, a signing input and a signature from an RFC. */
struct vector {
    struct sign_jwk jwk;
    const char *input;
    const char *sig;
    const char *kid; /* NULL: the RFC gives none */
};

static const struct vector vectors[] = {
    {
        /* RFC 7515 appendix A.3 */
        .jwk = {.kty = "EC",
                .crv = "P-256",
                .x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                .y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
        .input = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9"
                 "leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        .sig = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6N"
               "U1Q",
    },
    {
        /* RFC 8037 appendices A.2 to A.5 */
        .jwk = {.kty = "OKP", .crv = "Ed25519", .x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        .input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        .sig = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0"
               "KAg",
        .kid = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
    },
    {
        /* RFC 7515 appendix A.2 */
        .jwk = {.kty = "RSA",
                .n =
                    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS"
                    "2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_"
                    "7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVM"
                    "TBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFk"
                    "MLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
                .e = "AQAB"},
        .input = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9"
                 "leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        .sig =
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YK"
            "t_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBAr"
            "LIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7n"
            "oOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUP"
            "QGe77Rw",
    },
    {
        /* RFC 7638 section 3.1: a thumbprint only */
        .jwk = {.kty = "RSA",
                .n =
                    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuh"
                    "DR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6"
                    "Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn"
                    "1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls"
                    "1jF44-csFCur-kEgU8awapJzKnqDKgw",
                .e = "AQAB"},
        .kid = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
    },
};

static void keys_and_signatures_of_the_rfcs_are_understood(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        const struct vector *v = &vectors[i];
        CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;
        CLEANUP(buf_free) struct buf sig = BUF_INIT(SIGN_SIG_MAX);
        char kid[SIGN_KID_SIZE];
        struct err err = ERR_INIT;

        assert_int_equal(sign_key_from_jwk(&v->jwk, &key, &err), 0);
        sign_key_kid(key, kid);
        if (v->kid != NULL)
            assert_string_equal(kid, v->kid);
        if (v->sig == NULL)
            continue;
        assert_int_equal(enc_unbase64(ENC_BASE64URL, span_str(v->sig), &sig, &err), 0);
        assert_int_equal(sign_verify(key, span_str(v->input), buf_span(&sig), &err), 0);
        assert_int_equal(sign_verify(key, span_str("else"), buf_span(&sig), &err), -1);
        assert_int_equal(err.code, ERR_UNAUTHENTICATED);
        assert_int_equal(sign_data(key, span_str("x"), &sig, &err), -1);
        assert_int_equal(err.code, ERR_INVALID);
    }
}

static void asn1_signatures_are_verified(void **state UNUSED)
{
    /* What openssl made: a P-256 key, its signature over "hello". */
    static const struct sign_jwk jwk = {.kty = "EC",
                                        .crv = "P-256",
                                        .x = "KfQVa6L8n1xci9pz4X2zG7RJMeUO-3YIwornDgKHpgg",
                                        .y = "VHsnAUO5GiGQyHZ6pXiCQzWXFbFnuMv89IqUY6mqf10"};
    static const char hex[] =
        "30450220107de01edc3a13b217fdbdd01c0ffedb3dc5ce5e292df9c5c5d4b17c63a358a3022100edf7cc0b39e899e320eed8a8342968bb99a22de9874084c665817dd5f4a0ddc1";
    CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;
    uint8_t sig[sizeof(hex) / 2 + 1] = {0};
    struct err err = ERR_INIT;
    size_t len = (sizeof(hex) - 1) / 2;

    assert_int_equal(sign_key_from_jwk(&jwk, &key, &err), 0);
    assert_int_equal(enc_unhex(span_str(hex), sig, len, &err), 0);
    assert_int_equal(sign_verify_asn1(key, span_str("hello"), span_of(sig, len), &err), 0);
    assert_int_equal(sign_verify_asn1(key, span_str("hellO"), span_of(sig, len), &err), -1);
    assert_int_equal(err.code, ERR_UNAUTHENTICATED);
    assert_int_equal(sign_verify_asn1(key, span_str("hello"), span_of(sig, len - 1), &err), -1);
    assert_int_equal(sign_verify_asn1(key, span_str("hello"), span_of(sig, len + 1), &err), -1);
    assert_int_equal(sign_verify_asn1(key, span_str("hello"), span_of(sig, 0), &err), -1);
}

/* RFC 8032 section 7.1, test 2: Ed25519 has one signature for one message. */
static void ed25519_signs_as_its_rfc(void **state UNUSED)
{
    static const char pkcs8_hex[] =
        "302e020100300506032b657004220420"
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
    static const char sig_hex[] =
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    uint8_t pkcs8[(sizeof(pkcs8_hex) - 1) / 2];
    uint8_t want[(sizeof(sig_hex) - 1) / 2];
    CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;
    CLEANUP(buf_free) struct buf sig = BUF_INIT(SIGN_SIG_MAX);
    struct err err = ERR_INIT;

    assert_int_equal(enc_unhex(span_str(pkcs8_hex), pkcs8, sizeof(pkcs8), &err), 0);
    assert_int_equal(enc_unhex(span_str(sig_hex), want, sizeof(want), &err), 0);
    assert_int_equal(sign_key_from_pkcs8(span_of(pkcs8, sizeof(pkcs8)), &key, &err), 0);
    assert_int_equal(sign_data(key, span_str("\x72"), &sig, &err), 0);
    assert_int_equal(sig.len, sizeof(want));
    assert_memory_equal(sig.data, want, sizeof(want));
}

static void sign_and_verify(const struct sign_key *key, const struct sign_key *verifier)
{
    CLEANUP(buf_free) struct buf sig = BUF_INIT(SIGN_SIG_MAX);
    struct err err = ERR_INIT;

    assert_int_equal(sign_data(key, span_str("hello"), &sig, &err), 0);
    assert_int_equal(sig.len, sign_key_sig_len(verifier));
    assert_int_equal(sign_verify(verifier, span_str("hello"), buf_span(&sig), &err), 0);
    assert_int_equal(sign_verify(verifier, span_str("hellp"), buf_span(&sig), &err), -1);
    struct span cut = span_of(sig.data, sig.len - 1);
    assert_int_equal(sign_verify(verifier, span_str("hello"), cut, &err), -1);
    sig.data[sig.len / 2] ^= 1;
    assert_int_equal(sign_verify(verifier, span_str("hello"), buf_span(&sig), &err), -1);
    memset(sig.data, 0, sig.len);
    assert_int_equal(sign_verify(verifier, span_str("hello"), buf_span(&sig), &err), -1);
}

static void a_key_is_the_same_in_every_form(void **state UNUSED)
{
    for (int alg = SIGN_NONE + 1; alg < SIGN_ALG_COUNT; alg++) {
        CLEANUP(sign_key_free_ptr) struct sign_key *key = generate((enum sign_alg)alg);
        CLEANUP(sign_key_free_ptr) struct sign_key *stored = NULL;
        CLEANUP(sign_key_free_ptr) struct sign_key *public = NULL;
        CLEANUP(sign_key_free_ptr) struct sign_key *web = NULL;
        CLEANUP(secret_free_ptr) struct secret *pkcs8 = NULL;
        CLEANUP(buf_free) struct buf spki = BUF_INIT(SIGN_SPKI_MAX);
        char kids[4][SIGN_KID_SIZE];
        struct sign_jwk jwk;
        struct err err = ERR_INIT;

        assert_int_equal(sign_key_to_pkcs8(key, &pkcs8, &err), 0);
        assert_int_equal(sign_key_from_pkcs8(secret_span(pkcs8), &stored, &err), 0);
        assert_int_equal(sign_key_to_spki(stored, &spki, &err), 0);
        assert_int_equal(sign_key_from_spki(buf_span(&spki), &public, &err), 0);
        assert_int_equal(sign_key_to_jwk(public, &jwk, &err), 0);
        assert_int_equal(sign_key_from_jwk(&jwk, &web, &err), 0);
        assert_int_equal(sign_key_alg(web), alg);
        sign_key_kid(key, kids[0]);
        sign_key_kid(stored, kids[1]);
        sign_key_kid(public, kids[2]);
        sign_key_kid(web, kids[3]);
        for (int i = 1; i < 4; i++)
            assert_string_equal(kids[0], kids[i]);
        sign_and_verify(key, web);
        sign_and_verify(stored, public);
        assert_int_equal(sign_key_to_pkcs8(public, &pkcs8, &err), -1);
    }
}

static void refuse_jwk(struct sign_jwk jwk)
{
    struct sign_key *key = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(sign_key_from_jwk(&jwk, &key, &err), -1);
    assert_true(err.code == ERR_INVALID || err.code == ERR_UNSUPPORTED);
}

static void a_jwk_that_is_not_exact_is_refused(void **state UNUSED)
{
    const struct sign_jwk ec = vectors[0].jwk;
    const struct sign_jwk rsa = vectors[2].jwk;
    struct sign_jwk bad;

    bad = ec;
    bad.x[0] = 'g'; /* off the curve */
    refuse_jwk(bad);
    bad = ec;
    bad.y[42] = '\0'; /* short */
    refuse_jwk(bad);
    bad = ec;
    memset(bad.y, 'A', sizeof(bad.y)); /* no end */
    refuse_jwk(bad);
    bad = ec;
    memcpy(bad.crv, "P-384", 6);
    refuse_jwk(bad);
    bad = ec;
    memcpy(bad.kty, "oct", 4);
    refuse_jwk(bad);
    bad = rsa;
    memcpy(bad.e, "Aw", 3); /* 3 */
    refuse_jwk(bad);
    bad = rsa;
    bad.n[170] = '\0'; /* about 1,020 bits */
    refuse_jwk(bad);
    bad = rsa;
    memcpy(bad.e, "AAEAAQ", 7); /* a zero in front */
    refuse_jwk(bad);
}

static void other_curves_and_trailing_bytes_are_refused(void **state UNUSED)
{
    CLEANUP(sign_key_free_ptr) struct sign_key *key = generate(SIGN_ES256);
    CLEANUP(buf_free) struct buf spki = BUF_INIT(SIGN_SPKI_MAX);
    struct sign_key *other = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(sign_key_to_spki(key, &spki, &err), 0);
    buf_put_u8(&spki, 0);
    assert_int_equal(sign_key_from_spki(buf_span(&spki), &other, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    spki.len--;
    spki.data[spki.len - 1] ^= 1; /* off the curve */
    assert_int_equal(sign_key_from_spki(buf_span(&spki), &other, &err), -1);
    assert_int_equal(sign_key_from_spki(span_str(""), &other, &err), -1);
    assert_int_equal(sign_key_from_pkcs8(span_str("0"), &other, &err), -1);
}

static void algorithms_have_their_jose_names(void **state UNUSED)
{
    assert_string_equal(sign_alg_name(SIGN_EDDSA), "EdDSA");
    assert_int_equal(sign_alg_by_name(span_str("RS256")), SIGN_RS256);
    assert_int_equal(sign_alg_by_name(span_str("none")), SIGN_NONE);
    assert_int_equal(sign_alg_by_name(span_str("HS256")), SIGN_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_signatures_of_the_rfcs_are_understood),
        cmocka_unit_test(asn1_signatures_are_verified),
        cmocka_unit_test(ed25519_signs_as_its_rfc),
        cmocka_unit_test(a_key_is_the_same_in_every_form),
        cmocka_unit_test(a_jwk_that_is_not_exact_is_refused),
        cmocka_unit_test(other_curves_and_trailing_bytes_are_refused),
        cmocka_unit_test(algorithms_have_their_jose_names),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("sign", tests, heap, NULL);
}
