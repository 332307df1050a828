/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/x509.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

struct ca {
    struct sign_key *key;
    struct buf cert;
};

static int make_ca(void **state)
{
    static struct ca ca = {.cert = BUF_INIT(X509_DER_MAX)};
    struct err err = ERR_INIT;

    *state = &ca;
    if (secret_heap_init(&err) < 0 || sign_key_generate(SIGN_ES256, &ca.key, &err) < 0)
        return -1;
    return x509_ca_new(ca.key, "drun CA", 3600, &ca.cert, &err);
}

static int drop_ca(void **state)
{
    struct ca *ca = *state;

    sign_key_free(ca->key);
    buf_free(&ca->cert);
    return 0;
}

static X509 *parse(struct span der)
{
    const uint8_t *p = der.p;
    X509 *cert = d2i_X509(NULL, &p, (long)der.len);

    assert_non_null(cert);
    return cert;
}

/* What OpenSSL says as a TLS client: X509_V_OK or the reason. */
static int judge(struct span ca_der, struct span leaf_der, const char *host)
{
    X509 *ca = parse(ca_der);
    X509 *leaf = parse(leaf_der);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();

    X509_STORE_add_cert(store, ca);
    X509_STORE_CTX_init(ctx, store, leaf, NULL);
    X509_STORE_CTX_set_default(ctx, "ssl_server");
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) != 1)
        X509_VERIFY_PARAM_set1_host(param, host, 0);
    X509_verify_cert(ctx);
    int result = X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(ca);
    X509_free(leaf);
    return result;
}

static int issue(struct ca *ca, const struct sign_key *key, const char *const *names, size_t count,
                 uint32_t ttl_sec, struct buf *der, struct err *err)
{
    CLEANUP(buf_free) struct buf csr = BUF_INIT(X509_DER_MAX);
    struct x509_san sans[8];

    assert_int_equal(x509_csr_new(key, "ignored", &csr, err), 0);
    for (size_t i = 0; i < count; i++)
        TRY(x509_san_parse(names[i], &sans[i], err));
    struct x509_order order = {
        .csr_der = buf_span(&csr), .sans = sans, .san_count = count, .ttl_sec = ttl_sec};
    return x509_issue(ca->key, buf_span(&ca->cert), &order, der, err);
}

static void a_client_that_trusts_the_ca_accepts_the_names_and_no_other(void **state)
{
    static const char *const names[] = {"gpu1.example.org", "*.pods.example.org", "127.0.0.1",
                                        "2001:db8::1"};
    struct ca *ca = *state;

    for (int alg = SIGN_NONE + 1; alg < SIGN_ALG_COUNT; alg++) {
        CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;
        CLEANUP(sign_key_free_ptr) struct sign_key *in_cert = NULL;
        CLEANUP(buf_free) struct buf leaf = BUF_INIT(X509_DER_MAX);
        char kids[2][SIGN_KID_SIZE];
        struct err err = ERR_INIT;

        assert_int_equal(sign_key_generate((enum sign_alg)alg, &key, &err), 0);
        assert_int_equal(issue(ca, key, names, ARRAY_LEN(names), 600, &leaf, &err), 0);
        struct span ca_der = buf_span(&ca->cert);
        assert_int_equal(judge(ca_der, buf_span(&leaf), "gpu1.example.org"), X509_V_OK);
        assert_int_equal(judge(ca_der, buf_span(&leaf), "a.pods.example.org"), X509_V_OK);
        assert_int_equal(judge(ca_der, buf_span(&leaf), "127.0.0.1"), X509_V_OK);
        assert_int_equal(judge(ca_der, buf_span(&leaf), "2001:db8::1"), X509_V_OK);
        assert_int_equal(judge(ca_der, buf_span(&leaf), "gpu2.example.org"),
                         X509_V_ERR_HOSTNAME_MISMATCH);
        assert_int_equal(judge(ca_der, buf_span(&leaf), "ignored"), X509_V_ERR_HOSTNAME_MISMATCH);
        assert_int_equal(x509_public_key(buf_span(&leaf), &in_cert, &err), 0);
        sign_key_kid(key, kids[0]);
        sign_key_kid(in_cert, kids[1]);
        assert_string_equal(kids[0], kids[1]);
    }
}

static void a_leaf_is_no_ca_and_another_ca_is_not_trusted(void **state)
{
    static const char *const names[] = {"a.example.org"};
    struct ca *ca = *state;
    struct ca other = {.cert = BUF_INIT(X509_DER_MAX)};
    CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;
    CLEANUP(buf_free) struct buf leaf = BUF_INIT(X509_DER_MAX);
    struct err err = ERR_INIT;

    assert_int_equal(sign_key_generate(SIGN_ES256, &other.key, &err), 0);
    assert_int_equal(x509_ca_new(other.key, "drun CA", 3600, &other.cert, &err), 0);
    assert_int_equal(sign_key_generate(SIGN_ES256, &key, &err), 0);
    assert_int_equal(issue(&other, key, names, 1, 600, &leaf, &err), 0);
    assert_int_not_equal(judge(buf_span(&ca->cert), buf_span(&leaf), names[0]), X509_V_OK);
    X509 *cert = parse(buf_span(&leaf));
    X509 *ca_cert = parse(buf_span(&ca->cert));
    assert_int_equal(X509_check_ca(cert), 0);
    assert_int_equal(X509_check_ca(ca_cert), 1);
    assert_int_equal(X509_get_pathlen(ca_cert), 0);
    X509_free(cert);
    X509_free(ca_cert);
    sign_key_free(other.key);
    buf_free(&other.cert);
}

/* Go's x509 refuses every other TRUE than 0xff. */
static void constraints_are_der(void **state)
{
    static const uint8_t expected[] = {0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x00};
    struct ca *ca = *state;
    X509 *cert = parse(buf_span(&ca->cert));
    X509_EXTENSION *found =
        X509_get_ext(cert, X509_get_ext_by_NID(cert, NID_basic_constraints, -1));
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(found);

    assert_int_equal(ASN1_STRING_length(value), sizeof(expected));
    assert_memory_equal(ASN1_STRING_get0_data(value), expected, sizeof(expected));
    X509_free(cert);
}

static void a_leaf_ends_in_time_and_never_after_its_ca(void **state)
{
    static const char *const names[] = {"a.example.org"};
    struct ca *ca = *state;
    CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;
    CLEANUP(buf_free) struct buf soon = BUF_INIT(X509_DER_MAX);
    CLEANUP(buf_free) struct buf late = BUF_INIT(X509_DER_MAX);
    struct err err = ERR_INIT;
    int64_t ca_end;
    int64_t end;

    assert_int_equal(sign_key_generate(SIGN_EDDSA, &key, &err), 0);
    assert_int_equal(issue(ca, key, names, 1, 600, &soon, &err), 0);
    assert_int_equal(issue(ca, key, names, 1, 999999, &late, &err), 0);
    assert_int_equal(x509_not_after(buf_span(&ca->cert), &ca_end, &err), 0);
    assert_int_equal(x509_not_after(buf_span(&soon), &end, &err), 0);
    assert_in_range(end, clock_wall_sec() + 590, clock_wall_sec() + 600);
    assert_int_equal(x509_not_after(buf_span(&late), &end, &err), 0);
    assert_int_equal(end, ca_end);
    assert_int_equal(issue(ca, key, names, 0, 600, &late, &err), -1);
    assert_int_equal(issue(ca, key, names, 1, 0, &late, &err), -1);
}

static void a_request_must_be_signed_by_its_own_key(void **state)
{
    struct ca *ca = *state;
    CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;
    CLEANUP(buf_free) struct buf csr = BUF_INIT(X509_DER_MAX);
    CLEANUP(buf_free) struct buf leaf = BUF_INIT(X509_DER_MAX);
    struct x509_san san;
    struct err err = ERR_INIT;

    assert_int_equal(sign_key_generate(SIGN_ES256, &key, &err), 0);
    assert_int_equal(x509_csr_new(key, "x", &csr, &err), 0);
    assert_int_equal(x509_san_parse("a.example.org", &san, &err), 0);
    for (size_t i = 0; i < csr.len; i++) {
        struct x509_order order = {
            .csr_der = buf_span(&csr), .sans = &san, .san_count = 1, .ttl_sec = 60};
        csr.data[i] ^= 0x04;
        assert_int_equal(x509_issue(ca->key, buf_span(&ca->cert), &order, &leaf, &err), -1);
        csr.data[i] ^= 0x04;
    }
    struct x509_order cut = {
        .csr_der = span_of(csr.data, csr.len - 1), .sans = &san, .san_count = 1, .ttl_sec = 60};
    assert_int_equal(x509_issue(ca->key, buf_span(&ca->cert), &cut, &leaf, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
}

static void pem_and_der_are_one_certificate(void **state)
{
    struct ca *ca = *state;
    CLEANUP(buf_free) struct buf pem = BUF_INIT(X509_PEM_MAX);
    CLEANUP(buf_free) struct buf der = BUF_INIT(X509_DER_MAX);
    struct err err = ERR_INIT;

    assert_int_equal(x509_to_pem(buf_span(&ca->cert), &pem, &err), 0);
    assert_true(span_has_prefix(buf_span(&pem), "-----BEGIN CERTIFICATE-----\n"));
    assert_int_equal(x509_from_pem(buf_span(&pem), &der, &err), 0);
    assert_true(span_eq(buf_span(&der), buf_span(&ca->cert)));
    assert_int_equal(x509_from_pem(span_str("no"), &der, &err), -1);
    assert_int_equal(x509_from_pem(span_str(""), &der, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
}

static void names_are_dns_names_or_addresses(void **state UNUSED)
{
    static const char *const good[] = {"localhost",         "a-b.example.org", "*.example.org",
                                       "xn--bcher.example", "10.0.0.1",        "::1",
                                       "3com.example"};
    static const char *const bad[] = {"",           ".",         "a..b",  "-a.org",    "a-.org",
                                      "a.org.",     "*",         "*.",    "a.*.org",   "**.a.org",
                                      "a b.org",    "a/b",       "1.2.3", "1.2.3.4.5", "a,DNS:evil",
                                      "user@a.org", "10.0.0.1/8"};
    struct x509_san san;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_int_equal(x509_san_parse(good[i], &san, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(x509_san_parse(bad[i], &san, &err), -1);
        assert_int_equal(err.code, ERR_INVALID);
    }
    assert_int_equal(x509_san_parse("10.0.0.1", &san, &err), 0);
    assert_int_equal(san.kind, X509_SAN_IP);
    san.kind = X509_SAN_DNS;
    assert_int_equal(x509_san_check(&san, &err), -1);
    san.kind = 0;
    assert_int_equal(x509_san_check(&san, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_trusts_the_ca_accepts_the_names_and_no_other),
        cmocka_unit_test(a_leaf_is_no_ca_and_another_ca_is_not_trusted),
        cmocka_unit_test(constraints_are_der),
        cmocka_unit_test(a_leaf_ends_in_time_and_never_after_its_ca),
        cmocka_unit_test(a_request_must_be_signed_by_its_own_key),
        cmocka_unit_test(pem_and_der_are_one_certificate),
        cmocka_unit_test(names_are_dns_names_or_addresses),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("x509", tests, make_ca, drop_ca);
}
