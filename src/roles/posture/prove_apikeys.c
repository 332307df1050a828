/* SPDX-License-Identifier: Apache-2.0 */
/* ID-4: API keys. */
#include "base/mem.h"
#include "codec/json.h"
#include "probe.h"

#include <stdlib.h>

#define OWN  "/api/v1/namespaces/" FRONT_NAMESPACE
#define KEYS "/apis/drun.io/v1/namespaces/" FRONT_NAMESPACE "/apikeys"

/* A key with this spec; NULL when there was none, which is in the evidence then. */
static char *make_key(struct proof *proof, const char *name, json_t *take_spec)
{
    CLEANUP_JSON json_t *spec = take_spec;
    struct err err = ERR_INIT;
    char *key = NULL;

    if (front_make_key(proof->front, name, spec, &key, &err) < 0)
        proof_broken(proof, &err);
    return key;
}

static void drop_key(struct proof *proof, const char *name, char *key)
{
    struct err err = ERR_INIT;

    mem_wipe(key, strlen(key));
    if (front_drop_key(proof->front, name, &err) < 0)
        proof_broken(proof, &err);
}

/* A key that holds only for calls from a network that nobody is in; one whose time is over. */
static void prove_place_and_time(struct proof *proof)
{
    CLEANUP_FREE char *narrow =
        make_key(proof, "probe-id4-narrow",
                 json_pack("{s:{s:[s], s:[s]}}", "scopes", "cidrs", "192.0.2.0/24", "verbs", "*"));
    CLEANUP_FREE char *over = make_key(
        proof, "probe-id4-over",
        json_pack("{s:s, s:{s:[s]}}", "expiresAt", "2020-01-01T00:00:00Z", "scopes", "verbs", "*"));

    if (narrow == NULL || over == NULL)
        return;
    front_expect(proof, "GET", "/v1/models", narrow, 403,
                 "a key for another network is refused from this one");
    front_expect(proof, "GET", OWN "/configmaps", narrow, 403,
                 "a key for another network is refused by the roles, too");
    front_expect(proof, "GET", "/v1/models", over, 401, "a key whose time is over is refused");
    front_expect(proof, "GET", OWN "/configmaps", over, 401,
                 "a key whose time is over is refused by the roles, too");
    drop_key(proof, "probe-id4-narrow", narrow);
    drop_key(proof, "probe-id4-over", over);
}

/* What its owner may do, and the key may not: each way out of its scope. */
static void try_to_escape(struct proof *proof, const char *key)
{
    CLEANUP_JSON json_t *config = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind",
                                            "ConfigMap", "metadata", "name", "probe-id4-escape");
    CLEANUP_JSON json_t *wide =
        json_pack("{s:s, s:s, s:{s:s}, s:{s:{s:[s]}}}", "apiVersion", "drun.io/v1", "kind",
                  "ApiKey", "metadata", "name", "probe-id4-wide", "spec", "scopes", "verbs", "*");
    unsigned status;

    front_expect(proof, "GET", OWN "/configmaps", key, 200, "a key works inside its scope");
    front_expect(proof, "GET", "/api/v1/namespaces", key, 403,
                 "a key for one namespace sees nothing outside of it");
    front_expect(proof, "GET", "/v1/models", key, 200, "a key for one namespace is a key");
    if (front_ask(proof, "POST", OWN "/configmaps", key, config, &status, NULL))
        proof_expect(proof, status == 403, "a key that may look cannot write (%u)", status);
    if (front_ask(proof, "POST", KEYS, key, wide, &status, NULL))
        proof_expect(proof, status == 403, "a key makes no other key (%u)", status);
    if (front_ask(proof, "POST", KEYS "/probe-id4-scope/rotate", key, NULL, &status, NULL))
        proof_expect(proof, status == 403, "a key does not renew itself (%u)", status);
}

/* RFC 8693: what came of it is no wider. */
static void try_to_exchange(struct proof *proof, const char *key)
{
    CLEANUP_FREE char *form =
        mem_printf("grant_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3Agrant-type%%3Atoken-exchange&"
                   "client_id=drun-cli&subject_token_type=urn%%3Adrun%%3Aparams%%3Aoauth%%3A"
                   "token-type%%3Aapi_key&subject_token=%s",
                   key);
    CLEANUP_JSON json_t *answer = NULL;
    struct err err = ERR_INIT;
    unsigned status;

    int done = front_form(proof->front, "/oauth2/token", form, &status, &answer, &err);
    mem_wipe(form, strlen(form));
    const char *token = codec_json_text(answer, "access_token", "");
    if (done < 0)
        proof_broken(proof, &err);
    else if (proof_expect(proof, status == 200, "a key is exchanged for a token (%u)", status))
        front_expect(proof, "GET", "/api/v1/namespaces", token, 403,
                     "a token that came of a key is as narrow as the key");
}

static void prove_scope(struct proof *proof)
{
    CLEANUP_FREE char *key =
        make_key(proof, "probe-id4-scope",
                 json_pack("{s:{s:[s,s], s:[s,s,s]}}", "scopes", "namespaces", FRONT_NAMESPACE,
                           "no-such-namespace", "verbs", "get", "list", "invoke"));

    if (key == NULL)
        return;
    try_to_escape(proof, key);
    try_to_exchange(proof, key);
    drop_key(proof, "probe-id4-scope", key);
}

/* Without an overlap the secret before ends at once, and the key goes on. */
static void prove_rotation(struct proof *proof)
{
    CLEANUP_FREE char *key = make_key(proof, "probe-id4-turn", json_object());
    CLEANUP_JSON json_t *made = NULL;
    unsigned status;

    if (key == NULL ||
        !front_ask(proof, "POST", KEYS "/probe-id4-turn/rotate", NULL, NULL, &status, &made))
        return;
    const char *next = json_string_value(codec_json_at(made, "status", "key", NULL));
    if (proof_expect(proof, status == 201 && next != NULL, "a key gets another secret (%u)",
                     status)) {
        front_expect(proof, "GET", "/v1/models", key, 401, "the secret before is refused");
        front_expect(proof, "GET", "/v1/models", next, 200, "the new secret is accepted");
    }
    drop_key(proof, "probe-id4-turn", key);
}

/* Shown once: neither the object nor the disk has it. */
static void prove_kept_nowhere(struct proof *proof, const char *key)
{
    static const char path[] = KEYS "/probe-id4";
    unsigned status;

    if (!front_ask(proof, "GET", path, NULL, NULL, &status, NULL))
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
    front_expect(proof, "GET", "/v1/models", key, 200, "a new API key is accepted");
    char last = key[strlen(key) - 1];
    key[strlen(key) - 1] = last == 'A' ? 'B' : 'A';
    front_expect(proof, "GET", "/v1/models", key, 401, "a key with one other character is refused");
    key[strlen(key) - 1] = last;
    prove_kept_nowhere(proof, key);
    prove_place_and_time(proof);
    prove_scope(proof);
    prove_rotation(proof);
    prove_revocation(proof, key);
    mem_wipe(key, strlen(key));
}
