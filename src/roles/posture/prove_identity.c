/* SPDX-License-Identifier: Apache-2.0 */
/* ID-1: single sign-on; ID-2: RBAC; ID-4: API keys. */
#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "crypto/sign.h"
#include "probe.h"
#include "role/settings.h"

#include <stdlib.h>

/* False when the request could not be made at all; that is in the evidence then. */
static bool call(struct proof *proof, const char *method, const char *path, const char *credential,
                 const json_t *body, unsigned *status, json_t **out)
{
    struct err err = ERR_INIT;

    if (front_call(proof->front, method, path, credential, body, status, out, &err) == 0)
        return true;
    proof_broken(proof, &err);
    return false;
}

static void expect_status(struct proof *proof, const char *method, const char *path,
                          const char *credential, unsigned wanted, const char *what)
{
    unsigned status;

    if (call(proof, method, path, credential, NULL, &status, NULL))
        proof_expect(proof, status == wanted, "%s (%s %s: %u)", what, method, path, status);
}

/* ------------------------------------------------------------------ ID-1 */

#define AUTHORIZE "/oauth2/authorize?response_type=code&scope=openid&client_id=drun-console"
#define PKCE                                                                                       \
    "&code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

/* The first is right in everything but where it wants to be sent; the second is right in everything
 * but PKCE, so its own client hears of it. */
static void prove_authorization(struct proof *proof)
{
    static const char astray[] =
        AUTHORIZE PKCE "&redirect_uri=https%3A%2F%2Fevil.example%2Fcallback";
    char public_url[256];
    unsigned status;

    if (!call(proof, "GET", astray, "", NULL, &status, NULL))
        return;
    CLEANUP_FREE char *location = front_header(proof->front, "Location");
    proof_expect(proof, status >= 400 && location == NULL,
                 "a sign-in that would go back to an unregistered address is refused (%u%s%s)",
                 status, location == NULL ? "" : ", sent to ", location == NULL ? "" : location);
    settings_public_url(role_settings(proof->role), public_url, sizeof(public_url));
    CLEANUP_FREE char *bare = mem_printf(AUTHORIZE "&redirect_uri=%s/callback", public_url);
    if (!call(proof, "GET", bare, "", NULL, &status, NULL))
        return;
    CLEANUP_FREE char *back = front_header(proof->front, "Location");
    bool told = back != NULL && strstr(back, "error=invalid_request") != NULL;
    proof_expect(proof, told || (status >= 400 && back == NULL),
                 "a sign-in without PKCE is refused (%u%s)", status,
                 told ? ", error=invalid_request" : "");
}

/* The published key of that name; NULL when there is none. Borrowed from keys. */
static const json_t *key_named(const json_t *keys, const char *kid)
{
    json_t *key;
    size_t i;

    json_array_foreach (json_object_get(keys, "keys"), i, key)
        if (kid[0] != '\0' && strcmp(codec_json_text(key, "kid", ""), kid) == 0)
            return key;
    return NULL;
}

static int read_header(const char *token, json_t **out, struct err *err)
{
    CLEANUP(buf_free) struct buf header = BUF_INIT(1024);

    TRY(enc_unbase64(ENC_BASE64URL, span_of(token, strcspn(token, ".")), &header, err));
    return codec_json_parse(buf_span(&header), "the token's header", out, err);
}

static void forge_signature(struct proof *proof, const char *token)
{
    CLEANUP_FREE char *forged = mem_strdup(token);
    char *at = strrchr(forged, '.');

    if (at == NULL || at[1] == '\0')
        return;
    at[1] = at[1] == 'A' ? 'B' : 'A';
    expect_status(proof, "GET", "/api/v1/namespaces", token, 200,
                  "a token that idp gave is accepted");
    expect_status(proof, "GET", "/api/v1/namespaces", forged, 401,
                  "the same token with another signature is refused");
    mem_wipe(forged, strlen(forged));
}

static int spki_of(const json_t *key, struct buf *out, struct err *err)
{
    struct sign_jwk jwk = {.kty = "EC", .crv = "P-256"};
    CLEANUP(sign_key_free_ptr) struct sign_key *parsed = NULL;

    snprintf(jwk.x, sizeof(jwk.x), "%s", codec_json_text(key, "x", ""));
    snprintf(jwk.y, sizeof(jwk.y), "%s", codec_json_text(key, "y", ""));
    TRY(sign_key_from_jwk(&jwk, &parsed, err));
    return sign_key_to_spki(parsed, out, err);
}

/* Everybody has the public key; who takes it for the key of a MAC believes everybody (RFC 8725
 * section 2.1). */
static void confuse_algorithms(struct proof *proof, const char *token, const json_t *key)
{
    CLEANUP(buf_free) struct buf spki = BUF_INIT(SIGN_SPKI_MAX);
    CLEANUP(buf_free_wiped) struct buf forged = BUF_INIT(8192);
    CLEANUP_FREE char *header = mem_printf("{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}",
                                           codec_json_text(key, "kid", ""));
    const char *claims = strchr(token, '.');
    const char *end = strrchr(token, '.');
    uint8_t mac[CRYPTO_HASH_LEN];
    struct err err = ERR_INIT;

    if (claims == NULL || spki_of(key, &spki, &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    enc_base64_put(ENC_BASE64URL, span_str(header), &forged);
    buf_put(&forged, claims, (size_t)(end - claims));
    crypto_hmac_sha256(buf_span(&spki), buf_span(&forged), mac);
    buf_put_u8(&forged, '.');
    enc_base64_put(ENC_BASE64URL, span_of(mac, sizeof(mac)), &forged);
    expect_status(proof, "GET", "/api/v1/namespaces", buf_text(&forged), 401,
                  "the same token with the public key as key of an HS256 is refused");
}

/* The token that the posture itself was given: made by a key that is published, and worth nothing
 * with any other signature. */
static void prove_signature(struct proof *proof, const json_t *keys)
{
    CLEANUP_JSON json_t *header = NULL;
    const char *own = NULL;
    struct err err = ERR_INIT;

    if (front_own_token(proof->front, &own, &err) < 0 || read_header(own, &header, &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    CLEANUP_FREE char *token = mem_strdup(own);
    const char *kid = codec_json_text(header, "kid", "");
    const json_t *key = key_named(keys, kid);
    proof_expect(proof, key != NULL, "the key that signs tokens is among the published ones (%s)",
                 kid);
    forge_signature(proof, token);
    if (key != NULL)
        confuse_algorithms(proof, token, key);
    mem_wipe(token, strlen(token));
}

static void prove_discovery(struct proof *proof)
{
    CLEANUP_JSON json_t *found = NULL;
    CLEANUP_JSON json_t *keys = NULL;
    unsigned status;

    if (!call(proof, "GET", "/.well-known/openid-configuration", "", NULL, &status, &found) ||
        !call(proof, "GET", "/oauth2/jwks", "", NULL, &status, &keys))
        return;
    const char *issuer = codec_json_text(found, "issuer", "");
    const char *token = codec_json_text(found, "token_endpoint", "");
    proof_expect(proof, issuer[0] != '\0' && strncmp(token, issuer, strlen(issuer)) == 0,
                 "discovery is consistent (issuer %s)", issuer);
    proof_expect(proof, json_array_size(json_object_get(keys, "keys")) > 0,
                 "token-signing keys are published (%zu)",
                 json_array_size(json_object_get(keys, "keys")));
    prove_signature(proof, keys);
}

static void prove_tokens(struct proof *proof)
{
    /* {"alg":"none"} . {"sub":"admin","groups":["drun:operators"],"exp":4102444800} . */
    static const char none[] =
        "eyJhbGciOiJub25lIn0."
        "eyJzdWIiOiJhZG1pbiIsImdyb3VwcyI6WyJkcnVuOm9wZXJhdG9ycyJdLCJleHAiOjQxMDI0NDQ4MDB9.";
    CLEANUP_JSON json_t *answer = NULL;
    struct err err = ERR_INIT;
    unsigned status;

    expect_status(proof, "GET", "/api/v1/namespaces", none, 401,
                  "a token with alg \"none\" is refused");
    if (front_form(proof->front, "/oauth2/token",
                   "grant_type=authorization_code&client_id=drun-console&code=AAAA&"
                   "code_verifier=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&redirect_uri=x",
                   &status, &answer, &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    proof_expect(
        proof, status == 400 && strcmp(codec_json_text(answer, "error", ""), "invalid_grant") == 0,
        "an unknown authorization code is refused: %s (%u)", codec_json_text(answer, "error", "?"),
        status);
}

void prove_id1(struct proof *proof)
{
    prove_discovery(proof);
    prove_authorization(proof);
    prove_tokens(proof);
    prove_codes(proof);
}

/* ------------------------------------------------------------------ ID-2 */

void prove_id2(struct proof *proof)
{
    CLEANUP_JSON json_t *binding =
        json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:s, s:s}, s:[{s:s, s:s, s:s}]}", "apiVersion",
                  "rbac.authorization.k8s.io/v1", "kind", "ClusterRoleBinding", "metadata", "name",
                  "drun-posture-escalation", "roleRef", "apiGroup", "rbac.authorization.k8s.io",
                  "kind", "ClusterRole", "name", "cluster-admin", "subjects", "kind", "User",
                  "name", "system:drun:posture", "apiGroup", "rbac.authorization.k8s.io");
    unsigned status;

    expect_status(proof, "GET", "/api/v1/namespaces/default/configmaps", "", 403,
                  "who is nobody may nothing");
    expect_status(proof, "GET", "/api/v1/namespaces/" FRONT_NAMESPACE "/configmaps", NULL, 200,
                  "what a binding grants is allowed");
    expect_status(proof, "GET", "/api/v1/namespaces/default/configmaps", NULL, 403,
                  "what no binding grants is refused");
    expect_status(proof, "GET", "/api/v1/namespaces/default/secrets", NULL, 403,
                  "another owner of objects decides the same");
    if (call(proof, "POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", NULL, binding,
             &status, NULL))
        proof_expect(proof, status == 403, "nobody can give himself cluster-admin (%u)", status);
}

/* ------------------------------------------------------------------ ID-4 */

/* A key that holds only for calls from a network that nobody is in. */
static void prove_scope(struct proof *proof)
{
    CLEANUP_JSON json_t *scopes = json_pack("{s:[s]}", "cidrs", "192.0.2.0/24");
    CLEANUP_FREE char *key = NULL;
    struct err err = ERR_INIT;

    if (front_make_key(proof->front, "probe-id4-narrow", scopes, &key, &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    expect_status(proof, "GET", "/v1/models", key, 403,
                  "a key for another network is refused from this one");
    mem_wipe(key, strlen(key));
    if (front_drop_key(proof->front, "probe-id4-narrow", &err) < 0)
        proof_broken(proof, &err);
}

/* Shown once: neither the object nor the disk has it. */
static void prove_kept_nowhere(struct proof *proof, const char *key)
{
    static const char path[] = "/apis/drun.io/v1/namespaces/" FRONT_NAMESPACE "/apikeys/probe-id4";
    unsigned status;

    if (!call(proof, "GET", path, NULL, NULL, &status, NULL))
        return;
    CLEANUP_FREE char *body =
        mem_strndup((const char *)front_body(proof->front).p, front_body(proof->front).len);
    proof_expect(proof, status == 200 && strstr(body, key) == NULL,
                 "the key's text is not shown a second time (%u)", status);
    proof_search_disk(proof, key, "the key's text");
}

static void prove_revocation(struct proof *proof, const char *key)
{
    struct err err = ERR_INIT;

    if (front_drop_key(proof->front, "probe-id4", &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    probe_expect_refusal(proof, key, "a revoked key");
}

void prove_id4(struct proof *proof)
{
    CLEANUP_FREE char *key = NULL;
    struct err err = ERR_INIT;

    if (front_prepare(proof->front, &err) < 0 ||
        front_make_key(proof->front, "probe-id4", NULL, &key, &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    expect_status(proof, "GET", "/v1/models", key, 200, "a new API key is accepted");
    char last = key[strlen(key) - 1];
    key[strlen(key) - 1] = last == 'A' ? 'B' : 'A';
    expect_status(proof, "GET", "/v1/models", key, 401,
                  "a key with one other character is refused");
    key[strlen(key) - 1] = last;
    prove_kept_nowhere(proof, key);
    prove_scope(proof);
    prove_revocation(proof, key);
    mem_wipe(key, strlen(key));
}
