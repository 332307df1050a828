/* SPDX-License-Identifier: Apache-2.0 */
/* ID-1: single sign-on; ID-2: RBAC; ID-4: API keys. */
#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "front.h"
#include "role/settings.h"

#include <stdlib.h>
#include <time.h>

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

/* The token that the posture itself was given: made by a key that is published, and worth nothing
 * with one other character in its signature. */
static void prove_signature(struct proof *proof, const json_t *keys)
{
    CLEANUP(buf_free) struct buf header = BUF_INIT(1024);
    CLEANUP_JSON json_t *parsed = NULL;
    const char *token = NULL;
    struct err err = ERR_INIT;
    bool published = false;
    json_t *key;
    size_t i;

    if (front_own_token(proof->front, &token, &err) < 0 ||
        enc_unbase64(ENC_BASE64URL, span_of(token, strcspn(token, ".")), &header, &err) < 0 ||
        codec_json_parse(buf_span(&header), "the token's header", &parsed, &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    const char *kid = codec_json_text(parsed, "kid", "");
    json_array_foreach (json_object_get(keys, "keys"), i, key)
        published =
            published || (kid[0] != '\0' && strcmp(codec_json_text(key, "kid", ""), kid) == 0);
    proof_expect(proof, published, "the key that signs tokens is among the published ones (%s)",
                 kid);
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
    prove_sign_in(proof);
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

enum { REVOKED_WITHIN_MS = 100, POLL_US = 2000, POLL_MAX = 1000 };

/* Milliseconds until the key is refused; -1 when it never is. */
static int64_t time_to_refusal(struct proof *proof, const char *key)
{
    uint64_t began = clock_mono_ns();
    unsigned status;

    for (int i = 0; i < POLL_MAX; i++) {
        if (!call(proof, "GET", "/v1/models", key, NULL, &status, NULL))
            return -1;
        if (status == 401)
            return (int64_t)((clock_mono_ns() - began) / 1000000);
        nanosleep(&(struct timespec){.tv_nsec = POLL_US * 1000L}, NULL);
    }
    return -1;
}

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
    int64_t ms = time_to_refusal(proof, key);
    if (ms < 0)
        proof_expect(proof, false, "a revoked key is refused (%d calls later it was not)",
                     POLL_MAX);
    else
        proof_expect(proof, ms <= REVOKED_WITHIN_MS,
                     "a revoked key is refused by the gateway after %lld ms (at most %d)",
                     (long long)ms, REVOKED_WITHIN_MS);
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
