/* SPDX-License-Identifier: Apache-2.0 */
/* ID-1: single sign-on; ID-2: RBAC. */
#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "front.h"
#include "role/settings.h"

#include <stdlib.h>

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

    if (!front_ask(proof, "GET", astray, "", NULL, &status, NULL))
        return;
    CLEANUP_FREE char *location = front_header(proof->front, "Location");
    proof_expect(proof, status >= 400 && location == NULL,
                 "a sign-in that would go back to an unregistered address is refused (%u%s%s)",
                 status, location == NULL ? "" : ", sent to ", location == NULL ? "" : location);
    settings_public_url(role_settings(proof->role), public_url, sizeof(public_url));
    CLEANUP_FREE char *bare = mem_printf(AUTHORIZE "&redirect_uri=%s/callback", public_url);
    if (!front_ask(proof, "GET", bare, "", NULL, &status, NULL))
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
    front_expect(proof, "GET", "/api/v1/namespaces", token, 200,
                 "a token that idp gave is accepted");
    front_expect(proof, "GET", "/api/v1/namespaces", forged, 401,
                 "the same token with another signature is refused");
    mem_wipe(forged, strlen(forged));
}

static void prove_discovery(struct proof *proof)
{
    CLEANUP_JSON json_t *found = NULL;
    CLEANUP_JSON json_t *keys = NULL;
    unsigned status;

    if (!front_ask(proof, "GET", "/.well-known/openid-configuration", "", NULL, &status, &found) ||
        !front_ask(proof, "GET", "/oauth2/jwks", "", NULL, &status, &keys))
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

    front_expect(proof, "GET", "/api/v1/namespaces", none, 401,
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

    front_expect(proof, "GET", "/api/v1/namespaces/default/configmaps", "", 403,
                 "who is nobody may nothing");
    front_expect(proof, "GET", "/api/v1/namespaces/" FRONT_NAMESPACE "/configmaps", NULL, 200,
                 "what a binding grants is allowed");
    front_expect(proof, "GET", "/api/v1/namespaces/default/configmaps", NULL, 403,
                 "what no binding grants is refused");
    front_expect(proof, "GET", "/api/v1/namespaces/default/secrets", NULL, 403,
                 "another owner of objects decides the same");
    if (front_ask(proof, "POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", NULL,
                  binding, &status, NULL))
        proof_expect(proof, status == 403, "nobody can give himself cluster-admin (%u)", status);
}
