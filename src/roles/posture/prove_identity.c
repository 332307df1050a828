/* SPDX-License-Identifier: Apache-2.0 */
/* ID-1: single sign-on; ID-2: RBAC; ID-4: API keys. */
#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "front.h"

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
}

static void prove_authorization(struct proof *proof)
{
    static const char no_pkce[] = "/oauth2/authorize?response_type=code&client_id=drun-console&"
                                  "redirect_uri=https%3A%2F%2Fevil.example%2Fcb&scope=openid";
    unsigned status;

    if (!call(proof, "GET", no_pkce, "", NULL, &status, NULL))
        return;
    CLEANUP_FREE char *location = front_header(proof->front, "Location");
    proof_expect(proof, location == NULL || strstr(location, "evil.example") != location + 8,
                 "an unregistered redirect URI is not redirected to (%u)", status);
    proof_expect(proof, status >= 400, "an authorization request without PKCE is refused (%u)",
                 status);
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
    proof_expect(proof, status >= 400, "an unknown authorization code is refused: %s (%u)",
                 codec_json_text(answer, "error", "?"), status);
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

void prove_id4(struct proof *proof)
{
    CLEANUP_FREE char *key = NULL;
    struct err err = ERR_INIT;

    if (front_prepare(proof->front, &err) < 0 ||
        front_make_key(proof->front, "probe-id4", &key, &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    expect_status(proof, "GET", "/v1/models", key, 200, "a new API key is accepted");
    char last = key[strlen(key) - 1];
    key[strlen(key) - 1] = last == 'A' ? 'B' : 'A';
    expect_status(proof, "GET", "/v1/models", key, 401,
                  "a key with one other character is refused");
    key[strlen(key) - 1] = last;
    if (front_drop_key(proof->front, "probe-id4", &err) < 0) {
        proof_broken(proof, &err);
    } else {
        int64_t ms = time_to_refusal(proof, key);
        proof_expect(proof, ms >= 0 && ms <= REVOKED_WITHIN_MS,
                     "a revoked key is refused by the gateway after %lld ms (at most %d)",
                     (long long)ms, REVOKED_WITHIN_MS);
    }
    mem_wipe(key, strlen(key));
}
