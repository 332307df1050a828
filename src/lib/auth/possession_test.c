/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth_test.h"
#include "base/enc.h"
#include "crypto/x509.h"
#include "jose/dpop.h"

static int sign_with(void *ctx, struct span data, struct buf *signature, struct err *err)
{
    return sign_data(ctx, data, signature, err);
}

/* A token with this `cnf`; takes it. */
static char *token_of(struct world *world, json_t *binding)
{
    CLEANUP(buf_free) struct buf token = BUF_INIT(AUTH_TOKEN_MAX);
    CLEANUP_JSON json_t *claims = json_pack(
        "{s:s, s:s, s:I, s:I, s:s, s:s, s:o*}", "iss", issuer, "aud", "drun", "exp",
        (json_int_t)NOW + 300, "iat", (json_int_t)NOW, "sub", "u-2", "jti", "t-1", "cnf", binding);
    struct err err = ERR_INIT;

    if (jose_jwt_sign(claims, "at+jwt", "k1", SIGN_ES256, sign_with, world->pair, &token, &err) < 0)
        fail_msg("%s", err.msg);
    return buf_take(&token);
}

static char *proof_of(struct sign_key *key, const char *token, const char *jti)
{
    CLEANUP(buf_free) struct buf spki = BUF_INIT(SIGN_SPKI_MAX);
    CLEANUP(buf_free) struct buf part = BUF_INIT(DPOP_PROOF_MAX);
    CLEANUP(buf_free) struct buf text = BUF_INIT(DPOP_PROOF_MAX);
    CLEANUP(buf_free) struct buf signature = BUF_INIT(SIGN_SIG_MAX);
    CLEANUP(jose_key_free_ptr) struct jose_key *public = NULL;
    char hash[SIGN_KID_SIZE];
    json_t *jwk = NULL;
    struct err err = ERR_INIT;

    dpop_hash_text(span_str(token), hash);
    assert_int_equal(sign_key_to_spki(key, &spki, &err), 0);
    assert_int_equal(jose_key_from_spki("", buf_span(&spki), &public, &err), 0);
    assert_int_equal(jose_key_to_jwk(public, &jwk, &err), 0);
    CLEANUP_JSON json_t *header =
        json_pack("{s:s, s:s, s:o}", "typ", "dpop+jwt", "alg", "ES256", "jwk", jwk);
    CLEANUP_JSON json_t *claims =
        json_pack("{s:s, s:s, s:s, s:I, s:s}", "jti", jti, "htm", "GET", "htu",
                  "https://drun.test/api/v1/namespaces", "iat", (json_int_t)NOW, "ath", hash);
    codec_json_put(header, &part);
    enc_base64_put(ENC_BASE64URL, buf_span(&part), &text);
    buf_put_u8(&text, '.');
    buf_reset(&part);
    codec_json_put(claims, &part);
    enc_base64_put(ENC_BASE64URL, buf_span(&part), &text);
    assert_int_equal(sign_data(key, buf_span(&text), &signature, &err), 0);
    buf_put_u8(&text, '.');
    enc_base64_put(ENC_BASE64URL, buf_span(&signature), &text);
    return buf_take(&text);
}

/* NULL when it is accepted, or what the error says. */
static const char *come(struct world *world, const char *scheme, const char *token,
                        const char *proof, const char *path)
{
    static struct err err;
    CLEANUP_FREE char *header = mem_printf("%s %s", scheme, token);
    struct auth_input input = {.authorization = span_str(header),
                               .proof = span_str(proof),
                               .method = "GET",
                               .path = path,
                               .now = NOW};
    struct auth_principal principal;

    err_clear(&err);
    return auth_check(world->auth, &input, &principal, &err) == 0 ? NULL : err.msg;
}

static void says(const char *message, const char *part)
{
    if (message == NULL || strstr(message, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", message == NULL ? "(accepted)" : message, part);
}

static void a_token_of_a_key_needs_a_proof_of_it(void **state)
{
    static const char path[] = "/api/v1/namespaces";
    struct world *world = *state;
    CLEANUP(sign_key_free_ptr) struct sign_key *own = NULL;
    CLEANUP(sign_key_free_ptr) struct sign_key *other = NULL;
    char kid[SIGN_KID_SIZE];
    struct err err = ERR_INIT;

    publish(world, new_builder(world, world->pair));
    assert_int_equal(sign_key_generate(SIGN_ES256, &own, &err), 0);
    assert_int_equal(sign_key_generate(SIGN_ES256, &other, &err), 0);
    sign_key_kid(own, kid);
    CLEANUP_FREE char *token = token_of(world, json_pack("{s:s}", "jkt", kid));
    CLEANUP_FREE char *plain = token_of(world, NULL);
    CLEANUP_FREE char *proof = proof_of(own, token, "a");
    CLEANUP_FREE char *next = proof_of(own, token, "b");
    CLEANUP_FREE char *stolen = proof_of(other, token, "c");
    CLEANUP_FREE char *unbound = proof_of(own, plain, "d");
    assert_null(come(world, "DPoP", token, proof, path));
    says(come(world, "DPoP", token, proof, path), "used before");
    says(come(world, "DPoP", token, next, "/api/v1/pods"), "htu");
    assert_null(come(world, "dpop", token, next, path));
    says(come(world, "Bearer", token, next, path), "as \"DPoP\"");
    says(come(world, "DPoP", token, stolen, path), "another key");
    says(come(world, "DPoP", token, "", path), "no DPoP proof");
    says(come(world, "DPoP", plain, unbound, path), "bound to no key");
    says(come(world, "DPoP", world->key, unbound, path), "");
    assert_null(come(world, "Bearer", plain, "", path));
}

static void a_binding_that_is_not_known_is_refused(void **state)
{
    struct world *world = *state;
    CLEANUP_FREE char *strange = token_of(world, json_pack("{s:s}", "kid", "x"));
    CLEANUP_FREE char *none = token_of(world, json_pack("[]"));

    publish(world, new_builder(world, world->pair));
    says(come(world, "Bearer", strange, "", "/"), "cnf");
    says(come(world, "Bearer", none, "", "/"), "cnf");
}

static void escape(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++)
        buf_printf(out, "%%%02X", text.p[i]);
}

static void a_token_of_a_certificate_needs_it(void **state)
{
    struct world *world = *state;
    CLEANUP(buf_free) struct buf der = BUF_INIT(X509_DER_MAX);
    CLEANUP(buf_free) struct buf pem = BUF_INIT(X509_PEM_MAX);
    CLEANUP(buf_free) struct buf escaped = BUF_INIT(3 * X509_PEM_MAX);
    char hash[SIGN_KID_SIZE];
    struct auth_principal principal;
    struct err err = ERR_INIT;

    publish(world, new_builder(world, world->pair));
    assert_int_equal(x509_ca_new(world->pair, "me", 3600, &der, &err), 0);
    assert_int_equal(x509_to_pem(buf_span(&der), &pem, &err), 0);
    escape(buf_span(&pem), &escaped);
    dpop_hash_text(buf_span(&der), hash);
    CLEANUP_FREE char *token = token_of(world, json_pack("{s:s}", "x5t#S256", hash));
    CLEANUP_FREE char *header = mem_printf("Bearer %s", token);
    struct auth_input input = {
        .authorization = span_str(header), .certificate = buf_span(&escaped), .now = NOW};
    assert_int_equal(auth_check(world->auth, &input, &principal, &err), 0);
    input.certificate.len--;
    assert_int_equal(auth_check(world->auth, &input, &principal, &err), -1);
    input.certificate.len = 0;
    assert_int_equal(auth_check(world->auth, &input, &principal, &err), -1);
    says(err.msg, "certificate");
    input.only_looking = true;
    assert_int_equal(auth_check(world->auth, &input, &principal, &err), 0);
}

static void what_was_seen_is_not_forgotten_too_soon(void **state UNUSED)
{
    struct auth_replay *replay = auth_replay_new();
    uint8_t id[CRYPTO_HASH_LEN] = {0};
    struct err err = ERR_INIT;

    for (uint32_t i = 1; i <= 5000; i++) {
        memcpy(id, &i, sizeof(i));
        assert_int_equal(auth_replay_check(replay, id, NOW, &err), 0);
    }
    for (uint32_t i = 1; i <= 5000; i++) {
        memcpy(id, &i, sizeof(i));
        assert_int_equal(auth_replay_check(replay, id, NOW + AUTH_REPLAY_SEC - 1, &err), -1);
        assert_int_equal(err.code, ERR_UNAUTHENTICATED);
        assert_int_equal(auth_replay_check(replay, id, NOW + AUTH_REPLAY_SEC, &err), -1);
    }
    memset(id, 0xee, sizeof(id));
    assert_int_equal(auth_replay_check(replay, id, NOW + 3 * AUTH_REPLAY_SEC, &err), 0);
    assert_int_equal(auth_replay_check(replay, id, NOW + 4 * AUTH_REPLAY_SEC, &err), -1);
    assert_int_equal(auth_replay_check(replay, id, NOW + 6 * AUTH_REPLAY_SEC, &err), 0);
    auth_replay_free(replay);
}

static void a_full_memory_refuses(void **state UNUSED)
{
    struct auth_replay *replay = auth_replay_new();
    uint8_t id[CRYPTO_HASH_LEN] = {0};
    struct err err = ERR_INIT;

    for (uint32_t i = 1; i <= AUTH_REPLAY_MAX; i++) {
        memcpy(id, &i, sizeof(i));
        if (auth_replay_check(replay, id, NOW, &err) < 0)
            fail_msg("%s", err.msg);
    }
    memset(id, 0xff, sizeof(id));
    assert_int_equal(auth_replay_check(replay, id, NOW, &err), -1);
    assert_int_equal(err.code, ERR_LIMITED);
    auth_replay_free(replay);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_WORLD(a_token_of_a_key_needs_a_proof_of_it),
        WITH_WORLD(a_binding_that_is_not_known_is_refused),
        WITH_WORLD(a_token_of_a_certificate_needs_it),
        cmocka_unit_test(what_was_seen_is_not_forgotten_too_soon),
        cmocka_unit_test(a_full_memory_refuses),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("auth possession", tests, NULL, NULL);
}
