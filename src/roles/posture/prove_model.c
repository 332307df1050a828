/* SPDX-License-Identifier: Apache-2.0 */
/* ML-1: only the right file becomes a model; ML-2: who may call one; PF-3: a model answers. */
#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "front.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

static json_t *chat(const char *model, bool stream)
{
    return json_pack("{s:s, s:b, s:i, s:[{s:s, s:s}]}", "model", model, "stream", stream,
                     "max_tokens", 4, "messages", "role", "user", "content", "Say yes.");
}

/* The first ready model service with an engine here, "ns/name", for the caller to free; NULL when
 * there is none. An outside engine is not called: each call of it may cost something. */
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
        bool here = codec_json_at(item, "spec", "engine", NULL) != NULL;
        if (here && phase != NULL && strcmp(phase, "Ready") == 0)
            return mem_printf("%s/%s", codec_json_text(metadata, "namespace", ""),
                              codec_json_text(metadata, "name", ""));
    }
    return NULL;
}

/* ------------------------------------------------------------------ PF-3 */

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;

    for (; (text = strstr(text, word)) != NULL; text += strlen(word))
        count++;
    return count;
}

static void prove_stream(struct proof *proof, const char *model)
{
    CLEANUP_JSON json_t *request = chat(model, true);
    struct err err = ERR_INIT;
    unsigned status;

    if (front_call(proof->front, "POST", "/v1/chat/completions", NULL, request, &status, NULL,
                   &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    struct span body = front_body(proof->front);
    CLEANUP_FREE char *text = mem_strndup((const char *)body.p, body.len);
    size_t events = count_of(text, "data: ");
    proof_expect(proof, status == 200 && events >= 2 && strstr(text, "data: [DONE]") != NULL,
                 "the same as a stream comes in pieces and is ended (%u, %zu events)", status,
                 events);
}

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
    prove_stream(proof, model);
    CLEANUP_FREE char *left = front_header(proof->front, "x-ratelimit-remaining-requests");
    proof_say(proof, "requests left in this minute: %s", left == NULL ? "no limit" : left);
}

/* ------------------------------------------------------------------ ML-1 */

#define MODELS "/apis/drun.io/v1/namespaces/" FRONT_NAMESPACE "/models"

enum { DIGEST_TEXT_SIZE = 72, WAIT_MS = 8000, LOOK_MS = 50 };

static bool put_model(struct proof *proof, const char *name, const char *path, const char *digest)
{
    CLEANUP_JSON json_t *object =
        json_pack("{s:s, s:s, s:{s:s}, s:{s:{s:s, s:s, s:s}}}", "apiVersion", "drun.io/v1", "kind",
                  "Model", "metadata", "name", name, "spec", "artifact", "path", path, "format",
                  "gguf", "digest", digest);
    CLEANUP_FREE char *one = mem_printf(MODELS "/%s", name);
    struct err err = ERR_INIT;
    unsigned status;

    if (front_call(proof->front, "DELETE", one, NULL, NULL, &status, NULL, &err) < 0 ||
        front_call(proof->front, "POST", MODELS, NULL, object, &status, NULL, &err) < 0) {
        proof_broken(proof, &err);
        return false;
    }
    return proof_expect(proof, status == 201, "the Model %s is made (%u)", name, status);
}

/* The phase in which the model comes to rest, and why; both for the caller to free. */
static char *wait_for_model(struct proof *proof, const char *name, char **reason)
{
    CLEANUP_FREE char *one = mem_printf(MODELS "/%s", name);
    unsigned status;

    for (int waited = 0; waited < WAIT_MS; waited += LOOK_MS) {
        CLEANUP_JSON json_t *object = NULL;
        struct err err = ERR_INIT;
        if (front_call(proof->front, "GET", one, NULL, NULL, &status, &object, &err) < 0) {
            proof_broken(proof, &err);
            break;
        }
        const json_t *state = json_object_get(object, "status");
        const char *phase = codec_json_text(state, "phase", "");
        if (strcmp(phase, "Ready") == 0 || strcmp(phase, "Failed") == 0) {
            const json_t *first = json_array_get(json_object_get(state, "conditions"), 0);
            *reason = mem_strdup(codec_json_text(first, "reason", ""));
            return mem_strdup(phase);
        }
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
    }
    *reason = mem_strdup("no verdict in time");
    return mem_strdup("");
}

static void try_digest(struct proof *proof, const char *name, const char *path, const char *digest,
                       const char *wanted, const char *what)
{
    CLEANUP_FREE char *reason = NULL;
    CLEANUP_FREE char *one = mem_printf(MODELS "/%s", name);
    struct err err = ERR_INIT;
    unsigned status;

    if (!put_model(proof, name, path, digest))
        return;
    CLEANUP_FREE char *phase = wait_for_model(proof, name, &reason);
    bool as_wanted = strcmp(phase, wanted) == 0 &&
                     (strcmp(wanted, "Failed") != 0 || strcmp(reason, "DigestMismatch") == 0);
    proof_expect(proof, as_wanted, "%s (%s: %s)", what, phase[0] == '\0' ? "nothing" : phase,
                 reason);
    if (front_call(proof->front, "DELETE", one, NULL, NULL, &status, NULL, &err) < 0)
        proof_broken(proof, &err);
}

void prove_ml1(struct proof *proof)
{
    CLEANUP_FREE char *dir = mem_printf("%s/models", role_own_run_dir(proof->role));
    CLEANUP_FREE char *path = mem_printf("%s/probe.gguf", dir);
    CLEANUP_FD int dir_fd = -1;
    char digest[DIGEST_TEXT_SIZE] = "sha256:";
    uint8_t bytes[64];
    uint8_t hash[CRYPTO_HASH_LEN];
    struct err err = ERR_INIT;

    if (crypto_random(bytes, sizeof(bytes), &err) < 0 || fd_make_dirs(dir, 0750, &err) < 0 ||
        (dir_fd = fd_open_dir(AT_FDCWD, dir, &err)) < 0 ||
        fd_replace_file(dir_fd, "probe.gguf", 0640, span_of(bytes, sizeof(bytes)), false, &err) <
            0) {
        proof_broken(proof, &err);
        return;
    }
    crypto_sha256(span_of(bytes, sizeof(bytes)), hash);
    enc_hex(span_of(hash, sizeof(hash)), digest + strlen(digest));
    try_digest(proof, "probe-right", path, digest, "Ready",
               "a file that has the digest of its Model is taken");
    bytes[0] ^= 1;
    if (fd_replace_file(dir_fd, "probe.gguf", 0640, span_of(bytes, sizeof(bytes)), false, &err) <
        0) {
        proof_broken(proof, &err);
        return;
    }
    try_digest(proof, "probe-changed", path, digest, "Failed",
               "the same file with one changed bit is refused");
    bytes[0] ^= 1;
    digest[strlen(digest) - 1] = digest[strlen(digest) - 1] == '0' ? '1' : '0';
    if (fd_replace_file(dir_fd, "probe.gguf", 0640, span_of(bytes, sizeof(bytes)), false, &err) <
        0) {
        proof_broken(proof, &err);
        return;
    }
    try_digest(proof, "probe-wrong", path, digest, "Failed",
               "the file under a digest of one other digit is refused");
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

/* A key of somebody who may call the model, narrowed to another one. */
static void prove_narrow_key(struct proof *proof, const char *model, unsigned unknown)
{
    CLEANUP_JSON json_t *spec = json_pack("{s:{s:[s]}}", "scopes", "models", "no-such-tenant/*");
    CLEANUP_FREE char *key = NULL;
    CLEANUP_FREE char *code = NULL;
    struct err err = ERR_INIT;

    if (front_make_key(proof->front, "probe-ml2", spec, &key, &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    unsigned status = call_as(proof, key, model, &code);
    proof_expect(proof, status == unknown,
                 "a key that is narrowed to other models gets the same answer (%u %s)", status,
                 code);
    mem_wipe(key, strlen(key));
    if (front_drop_key(proof->front, "probe-ml2", &err) < 0)
        proof_broken(proof, &err);
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
    prove_narrow_key(proof, model, unknown);
    CLEANUP_FREE char *no_code = NULL;
    unsigned nobody = call_as(proof, "", model, &no_code);
    proof_expect(proof, nobody == 401, "without a credential no model can be called (%u)", nobody);
}
