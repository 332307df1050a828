/* SPDX-License-Identifier: Apache-2.0 */
/* ID-1: single sign-on; ID-2: RBAC. */
#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "crypto/sign.h"
#include "probe.h"
#include "role/settings.h"

#include <stdlib.h>

/* ------------------------------------------------------------------ ID-1 */

#define AUTHORIZE "/oauth2/authorize?response_type=code&scope=openid&client_id=drun-console"
#define PKCE                                                                                       \
    "&code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

/* Right in everything but PKCE, so that its own client hears of it. */
static void prove_pkce(struct proof *proof)
{
    static const struct {
        const char *query;
        const char *what;
    } tries[] = {{"", "a sign-in without PKCE"},
                 {"&code_challenge_method=plain&code_challenge="
                  "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
                  "a sign-in whose challenge is the verifier itself"}};
    char public_url[256];
    unsigned status;

    settings_public_url(role_settings(proof->role), public_url, sizeof(public_url));
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        CLEANUP_FREE char *path =
            mem_printf(AUTHORIZE "%s&redirect_uri=%s/callback", tries[i].query, public_url);
        if (!front_ask(proof, "GET", path, "", NULL, &status, NULL))
            return;
        CLEANUP_FREE char *back = front_header(proof->front, "Location");
        bool told = back != NULL && strstr(back, "error=invalid_request") != NULL;
        proof_expect(proof, told || (status >= 400 && back == NULL), "%s is refused (%u%s)",
                     tries[i].what, status, told ? ", error=invalid_request" : "");
    }
}

/* Right in everything but where it wants to be sent. */
static void prove_authorization(struct proof *proof)
{
    static const char astray[] =
        AUTHORIZE PKCE "&redirect_uri=https%3A%2F%2Fevil.example%2Fcallback";
    unsigned status;

    if (!front_ask(proof, "GET", astray, "", NULL, &status, NULL))
        return;
    CLEANUP_FREE char *location = front_header(proof->front, "Location");
    proof_expect(proof, status >= 400 && location == NULL,
                 "a sign-in that would go back to an unregistered address is refused (%u%s%s)",
                 status, location == NULL ? "" : ", sent to ", location == NULL ? "" : location);
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
    front_expect(proof, "GET", "/api/v1/namespaces", token, 200,
                 "a token that idp gave is accepted");
    front_expect(proof, "GET", "/api/v1/namespaces", forged, 401,
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
    front_expect(proof, "GET", "/api/v1/namespaces", buf_text(&forged), 401,
                 "the same token with the public key as key of an HS256 is refused");
}

/* Everything is right but that nobody signed it (RFC 8725 section 2.1). */
static void drop_signature(struct proof *proof, const char *token, const char *kid)
{
    static const char *const signatures[][2] = {{"", "no signature"}, {"AAAA", "any signature"}};
    CLEANUP_FREE char *header =
        mem_printf("{\"alg\":\"none\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", kid);
    const char *claims = strchr(token, '.');
    const char *end = strrchr(token, '.');

    for (size_t i = 0; claims != NULL && i < ARRAY_LEN(signatures); i++) {
        CLEANUP(buf_free_wiped) struct buf forged = BUF_INIT(8192);
        CLEANUP_FREE char *what =
            mem_printf("the same token with alg \"none\" and %s is refused", signatures[i][1]);
        enc_base64_put(ENC_BASE64URL, span_str(header), &forged);
        buf_put(&forged, claims, (size_t)(end + 1 - claims));
        buf_put_str(&forged, signatures[i][0]);
        front_expect(proof, "GET", "/api/v1/namespaces", buf_text(&forged), 401, what);
    }
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
    drop_signature(proof, token, kid);
    if (key != NULL)
        confuse_algorithms(proof, token, key);
    mem_wipe(token, strlen(token));
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
    prove_pkce(proof);
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
