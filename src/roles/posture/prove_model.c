/* SPDX-License-Identifier: Apache-2.0 */
/* ML-2: who may call a model; PF-3: a model answers. */
#include "base/mem.h"
#include "codec/json.h"
#include "front.h"

#include <stdlib.h>

static json_t *chat(const char *model, bool stream)
{
    return json_pack("{s:s, s:b, s:i, s:[{s:s, s:s}]}", "model", model, "stream", stream,
                     "max_tokens", 4, "messages", "role", "user", "content", "Say yes.");
}

/* The first ready model service, "ns/name", for the caller to free; NULL when there is none. */
static char *ready_service(struct proof *proof)
{
    CLEANUP_JSON json_t *list = NULL;
    struct err err = ERR_INIT;
    unsigned status;
    json_t *item;
    size_t i;

    if (front_call(proof->front, "GET", "/apis/drun.io/v1/modelservices", NULL, NULL, &status,
                   &list, &err) < 0) {
        proof_broken(proof, &err);
        return NULL;
    }
    json_array_foreach (json_object_get(list, "items"), i, item) {
        const json_t *metadata = json_object_get(item, "metadata");
        const char *phase = json_string_value(codec_json_at(item, "status", "phase", NULL));
        if (phase != NULL && strcmp(phase, "Ready") == 0)
            return mem_printf("%s/%s", codec_json_text(metadata, "namespace", ""),
                              codec_json_text(metadata, "name", ""));
    }
    return NULL;
}

/* ------------------------------------------------------------------ PF-3 */

void prove_pf3(struct proof *proof)
{
    CLEANUP_FREE char *model = ready_service(proof);
    CLEANUP_JSON json_t *request = NULL;
    CLEANUP_JSON json_t *answer = NULL;
    struct err err = ERR_INIT;
    unsigned status;

    if (model == NULL) {
        proof_degrade(proof, "no model service is ready; apply one to have it proved");
        return;
    }
    request = chat(model, false);
    if (front_call(proof->front, "POST", "/v1/chat/completions", NULL, request, &status, &answer,
                   &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    json_int_t tokens =
        json_integer_value(codec_json_at(answer, "usage", "completion_tokens", NULL));
    proof_expect(proof, status == 200 && tokens > 0,
                 "%s answers a chat completion (%u, %lld tokens)", model, status,
                 (long long)tokens);
    CLEANUP_FREE char *left = front_header(proof->front, "x-ratelimit-remaining-requests");
    proof_say(proof, "requests left in this minute: %s", left == NULL ? "no limit" : left);
}

/* ------------------------------------------------------------------ ML-2 */

/* A principal of this namespace without any binding. */
static char *stranger_token(struct proof *proof)
{
    static const char accounts[] = "/api/v1/namespaces/" FRONT_NAMESPACE "/serviceaccounts";
    CLEANUP_JSON json_t *account = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind",
                                             "ServiceAccount", "metadata", "name", "stranger");
    CLEANUP_JSON json_t *request =
        json_pack("{s:s, s:s, s:{}}", "apiVersion", "authentication.k8s.io/v1", "kind",
                  "TokenRequest", "spec");
    CLEANUP_JSON json_t *answer = NULL;
    CLEANUP_FREE char *path = mem_printf("%s/stranger/token", accounts);
    struct err err = ERR_INIT;
    unsigned status;

    if (front_call(proof->front, "POST", accounts, NULL, account, &status, NULL, &err) < 0 ||
        front_call(proof->front, "POST", path, NULL, request, &status, &answer, &err) < 0) {
        proof_broken(proof, &err);
        return NULL;
    }
    const char *token = json_string_value(codec_json_at(answer, "status", "token", NULL));
    if (token == NULL) {
        err_set(&err, ERR_UNAVAILABLE, "no service account token was given (%u): %s", status,
                codec_json_text(answer, "message", ""));
        proof_broken(proof, &err);
        return NULL;
    }
    return mem_strdup(token);
}

/* The status, and the error's code in room for the caller to free. */
static unsigned call_as(struct proof *proof, const char *token, const char *model, char **code)
{
    CLEANUP_JSON json_t *request = chat(model, false);
    CLEANUP_JSON json_t *answer = NULL;
    struct err err = ERR_INIT;
    unsigned status = 0;

    if (front_call(proof->front, "POST", "/v1/chat/completions", token, request, &status, &answer,
                   &err) < 0)
        proof_broken(proof, &err);
    const char *text = json_string_value(codec_json_at(answer, "error", "code", NULL));
    *code = mem_strdup(text == NULL ? "" : text);
    return status;
}

void prove_ml2(struct proof *proof)
{
    CLEANUP_FREE char *model = ready_service(proof);
    CLEANUP_FREE char *token = stranger_token(proof);
    CLEANUP_FREE char *code = NULL;
    CLEANUP_FREE char *other_code = NULL;

    if (token == NULL)
        return;
    unsigned unknown = call_as(proof, token, "no-such-tenant/model", &code);
    proof_expect(proof, unknown == 404, "a model that does not exist is not found (%u %s)", unknown,
                 code);
    if (model == NULL) {
        proof_degrade(proof, "no model service is ready, so only an unknown one could be called");
        return;
    }
    unsigned foreign = call_as(proof, token, model, &other_code);
    proof_expect(proof, foreign == unknown && strcmp(code, other_code) == 0,
                 "the model %s of another tenant gets the same answer (%u %s)", model, foreign,
                 other_code);
    CLEANUP_FREE char *no_code = NULL;
    unsigned nobody = call_as(proof, "", model, &no_code);
    proof_expect(proof, nobody == 401, "without a credential no model can be called (%u)", nobody);
}
