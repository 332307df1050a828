/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enc.h"
#include "base/mem.h"
#include "webauthn/webauthn_internal.h"
#include "webauthn/webauthn_vectors.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct webauthn_site site = {.rp_id = "drun.example",
                                          .origin = "https://drun.example"};

static struct webauthn_ceremony ceremony(void)
{
    return (struct webauthn_ceremony){.site = &site, .challenge = span_str(VECTOR_CHALLENGE)};
}

static void put_hex(const char *hex, struct buf *out)
{
    size_t len = strlen(hex) / 2;
    uint8_t *at = buf_reserve(out, len);
    struct err err = ERR_INIT;

    assert_non_null(at);
    assert_int_equal(enc_unhex(span_str(hex), at, len, &err), 0);
    buf_commit(out, len);
}

static const char *hex_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
        if (strcmp(vectors[i].name, name) == 0)
            return vectors[i].hex;
    fail_msg("no vector %s", name);
    return NULL;
}

static int register_it(const char *name, const struct webauthn_ceremony *how,
                       const struct webauthn_roots *roots, const char *client_data,
                       struct webauthn_credential *out, struct err *err)
{
    CLEANUP(buf_free) struct buf object = BUF_INIT(WEBAUTHN_ATTESTATION_MAX);

    put_hex(hex_of(name), &object);
    int result = webauthn_register(how, roots, span_str(client_data), buf_span(&object), out, err);
    out->id = span_of(NULL, 0); /* it points into the object */
    return result;
}

static struct webauthn_roots *read_roots(void)
{
    struct webauthn_roots *roots = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(webauthn_roots_new(span_str(vector_root_pem), &roots, &err), 0);
    return roots;
}

static void each_format_holds(void **state UNUSED)
{
    static const struct {
        const char *name, *format;
        enum webauthn_attestation alone, with_roots;
        enum sign_alg alg;
    } cases[] = {
        {"none_es256", "none", WEBAUTHN_ATTESTATION_NONE, WEBAUTHN_ATTESTATION_NONE, SIGN_ES256},
        {"none_eddsa", "none", WEBAUTHN_ATTESTATION_NONE, WEBAUTHN_ATTESTATION_NONE, SIGN_EDDSA},
        {"none_rs256", "none", WEBAUTHN_ATTESTATION_NONE, WEBAUTHN_ATTESTATION_NONE, SIGN_RS256},
        {"none_extensions", "none", WEBAUTHN_ATTESTATION_NONE, WEBAUTHN_ATTESTATION_NONE,
         SIGN_ES256},
        {"packed_self", "packed", WEBAUTHN_ATTESTATION_SELF, WEBAUTHN_ATTESTATION_SELF, SIGN_ES256},
        {"packed_x5c", "packed", WEBAUTHN_ATTESTATION_BASIC, WEBAUTHN_ATTESTATION_TRUSTED,
         SIGN_ES256},
        {"u2f", "fido-u2f", WEBAUTHN_ATTESTATION_BASIC, WEBAUTHN_ATTESTATION_TRUSTED, SIGN_ES256},
        {"apple", "apple", WEBAUTHN_ATTESTATION_BASIC, WEBAUTHN_ATTESTATION_TRUSTED, SIGN_ES256},
        {"tpm_rs256", "tpm", WEBAUTHN_ATTESTATION_BASIC, WEBAUTHN_ATTESTATION_TRUSTED, SIGN_RS256},
        {"tpm_es256", "tpm", WEBAUTHN_ATTESTATION_BASIC, WEBAUTHN_ATTESTATION_TRUSTED, SIGN_ES256},
    };
    struct webauthn_roots *roots = read_roots();
    struct webauthn_ceremony how = ceremony();

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (int with = 0; with < 2; with++) {
            struct webauthn_credential made;
            struct err err = ERR_INIT;
            if (register_it(cases[i].name, &how, with ? roots : NULL, vector_create, &made, &err) <
                0)
                fail_msg("%s: %s", cases[i].name, err.msg);
            assert_string_equal(made.format, cases[i].format);
            enum webauthn_attestation wanted = with ? cases[i].with_roots : cases[i].alone;
            if (made.attestation != wanted)
                fail_msg("%s: %s", cases[i].name, webauthn_attestation_name(made.attestation));
            assert_int_equal(sign_key_alg(made.key), cases[i].alg);
            assert_int_equal(made.sign_count, 7);
            sign_key_free(made.key);
        }
    }
    webauthn_roots_free(roots);
}

static void what_is_not_acceptable_is_refused(void **state UNUSED)
{
    static const struct {
        const char *name, *says;
        enum err_code code;
    } cases[] = {
        {"packed_self_bad", "signature", ERR_UNAUTHENTICATED},
        {"packed_self_alg", "another algorithm", ERR_DENIED},
        {"packed_x5c_model", "none for attestation", ERR_DENIED},
        {"packed_x5c_ou", "none for attestation", ERR_DENIED},
        {"apple_other", "another registration", ERR_DENIED},
        {"tpm_other_key", "another key", ERR_DENIED},
        {"unknown_format", "none of none", ERR_UNSUPPORTED},
        {"no_attested", "names no credential", ERR_INVALID},
        {"other_rp", "another site", ERR_DENIED},
        {"not_present", "saw nobody", ERR_DENIED},
        {"trailing", "no map of", ERR_INVALID},
        {"none_with_statement", "does not hold", ERR_INVALID},
        {"es384", "none of ES256", ERR_UNSUPPORTED},
        {"off_curve", "", ERR_INVALID},
    };
    struct webauthn_ceremony how = ceremony();

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct webauthn_credential made;
        struct err err = ERR_INIT;
        assert_int_equal(register_it(cases[i].name, &how, NULL, vector_create, &made, &err), -1);
        if (err.code != cases[i].code || strstr(err.msg, cases[i].says) == NULL)
            fail_msg("%s: %s: %s", cases[i].name, err_code_name(err.code), err.msg);
        assert_null(made.key);
    }
}

static void client_data_must_be_of_this_ceremony(void **state UNUSED)
{
    static const char head[] = "{\"type\":\"webauthn.create\",\"challenge\":\"" VECTOR_CHALLENGE
                               "\",\"origin\":\"https://drun.example\"";
    static const struct {
        const char *json, *says;
    } cases[] = {
        {vector_get, "not of type"},
        {"{\"type\":\"webauthn.create\",\"challenge\":\"AAAA\",\"origin\":\"https://drun.example\"}",
         "challenge"},
        {"{\"type\":\"webauthn.create\",\"challenge\":\"" VECTOR_CHALLENGE
         "\",\"origin\":\"https://evil.example\"}",
         "another origin"},
        {"{\"type\":\"webauthn.create\",\"challenge\":\"" VECTOR_CHALLENGE
         "\",\"origin\":\"https://drun.example\",\"crossOrigin\":true}",
         "embedded"},
        {"{\"type\":\"webauthn.create\",\"challenge\":\"" VECTOR_CHALLENGE
         "\",\"origin\":\"https://drun.example\",\"topOrigin\":\"https://x.example\"}",
         "embedded"},
        {"[]", "no JSON object"},
        {"{", "the client data:1:"},
    };
    struct webauthn_ceremony how = ceremony();

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = ERR_INIT;
        assert_int_equal(client_data_check(span_str(cases[i].json), "webauthn.create", &how, &err),
                         -1);
        if (strstr(err.msg, cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].json, err.msg);
    }
    /* Members that a browser may add harm nothing. */
    CLEANUP_FREE char *more = mem_printf("%s,\"other\":1}", head);
    struct err err = ERR_INIT;
    assert_int_equal(client_data_check(span_str(more), "webauthn.create", &how, &err), 0);
    how.challenge = span_str("");
    assert_int_equal(client_data_check(span_str(more), "webauthn.create", &how, &err), -1);
}

static void assertions_are_the_keys_own(void **state UNUSED)
{
    struct webauthn_ceremony how = ceremony();

    how.user_verification = true;
    for (size_t i = 0; i < ARRAY_LEN(assertion_vectors); i++) {
        const struct assertion_vector *v = &assertion_vectors[i];
        CLEANUP(buf_free) struct buf auth = BUF_INIT(WEBAUTHN_AUTH_DATA_MAX);
        CLEANUP(buf_free) struct buf sig = BUF_INIT(SIGN_SIG_MAX);
        struct webauthn_credential made;
        struct webauthn_assertion seen;
        struct err err = ERR_INIT;

        assert_int_equal(register_it(v->registration, &how, NULL, vector_create, &made, &err), 0);
        put_hex(v->auth_data, &auth);
        put_hex(v->signature, &sig);
        struct webauthn_response response = {.client_data = span_str(vector_get),
                                             .auth_data = buf_span(&auth),
                                             .signature = buf_span(&sig)};
        assert_int_equal(webauthn_assert(&how, made.key, &response, &seen, &err), 0);
        assert_int_equal(seen.sign_count, 9);
        assert_true(seen.user_verified && seen.backup_eligible && seen.backed_up);
        auth.data[36]++; /* the counter */
        assert_int_equal(webauthn_assert(&how, made.key, &response, &seen, &err), -1);
        assert_int_equal(err.code, ERR_DENIED);
        auth.data[36]--;
        response.client_data = span_str(vector_create);
        assert_int_equal(webauthn_assert(&how, made.key, &response, &seen, &err), -1);
        sign_key_free(made.key);
    }
}

static void flags_are_demanded(void **state UNUSED)
{
    struct webauthn_ceremony how = ceremony();
    struct err err = ERR_INIT;
    uint8_t bytes[37] = {0};
    struct auth_data data;

    CLEANUP(buf_free) struct buf object = BUF_INIT(WEBAUTHN_AUTH_DATA_MAX);
    put_hex(assertion_vectors[0].auth_data, &object);
    memcpy(bytes, object.data, sizeof(bytes));
    how.user_verification = true;
    bytes[32] = AUTH_DATA_UP;
    assert_int_equal(auth_data_parse(span_of(bytes, sizeof(bytes)), &data, &err), 0);
    assert_int_equal(auth_data_check(&data, &how, &err), -1);
    assert_non_null(strstr(err.msg, "PIN"));
    bytes[32] = AUTH_DATA_UP | AUTH_DATA_UV | AUTH_DATA_BS;
    assert_int_equal(auth_data_parse(span_of(bytes, sizeof(bytes)), &data, &err), 0);
    assert_int_equal(auth_data_check(&data, &how, &err), -1);
    assert_int_equal(auth_data_parse(span_of(bytes, sizeof(bytes) - 1), &data, &err), -1);
}

static void cbor_is_read_strictly(void **state UNUSED)
{
    static const struct {
        const char *hex;
        bool good;
    } cases[] = {
        {"a0", true},
        {"a16161f5", true},
        {"8101", true},
        {"818181818101", false}, /* too deep */
        {"9f01ff", false},
        {"bf616101ff", false},
        {"c001", false},
        {"5f4101ff", false},
        {"9bffffffffffffffff", false},
        {"5bffffffffffffffff", false},
        {"", false},
        {"ff", false},
        {"4201", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_free) struct buf bytes = BUF_INIT(64);
        put_hex(cases[i].hex, &bytes);
        struct cbor_reader reader = cbor_reader_of(buf_span(&bytes));
        struct span whole = cbor_read_whole(&reader);
        if (reader.failed == cases[i].good || (cases[i].good && whole.len != bytes.len))
            fail_msg("%s", cases[i].hex);
    }
}

static void counters_must_grow(void **state UNUSED)
{
    assert_true(webauthn_count_is_good(0, 0));
    assert_true(webauthn_count_is_good(0, 1));
    assert_true(webauthn_count_is_good(5, 6));
    assert_false(webauthn_count_is_good(5, 5));
    assert_false(webauthn_count_is_good(5, 0));
}

static void roots_must_be_certificates(void **state UNUSED)
{
    static const char *const bad[] = {"", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n"};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct webauthn_roots *roots = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(webauthn_roots_new(span_str(bad[i]), &roots, &err), -1);
        webauthn_roots_free(roots);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_format_holds),
        cmocka_unit_test(what_is_not_acceptable_is_refused),
        cmocka_unit_test(client_data_must_be_of_this_ceremony),
        cmocka_unit_test(assertions_are_the_keys_own),
        cmocka_unit_test(flags_are_demanded),
        cmocka_unit_test(cbor_is_read_strictly),
        cmocka_unit_test(counters_must_grow),
        cmocka_unit_test(roots_must_be_certificates),
    };
    struct err err = ERR_INIT;

    if (secret_heap_init(&err) < 0)
        return 1;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
