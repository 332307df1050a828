/* SPDX-License-Identifier: Apache-2.0 */
#include "front.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "codec/json.h"
#include "fetch/fetch.h"
#include "role/line.h"
#include "role/settings.h"
#include "wire/proofs.h"

#include <fcntl.h>

enum { TOKEN_SEC = 200, CA_MAX = 64 * 1024, TOKEN_MAX = 16 * 1024 };

struct front {
    struct role *role;
    struct role_line *idp;
    char url[256];
    struct buf ca;
    struct fetch_options options;
    struct fetch *fetch;
    struct fetch_answer answer;
    struct buf token;
    uint64_t token_until_ns;
    int64_t token_since_sec; /* wall clock: a token ends by that, and the clock may jump */
};

struct front *front_new(struct role *role, struct role_line *idp)
{
    struct front *front = mem_new(sizeof(*front));

    *front = (struct front){.role = role,
                            .idp = idp,
                            .ca = BUF_INIT(CA_MAX),
                            .answer = FETCH_ANSWER_INIT,
                            .token = BUF_INIT(TOKEN_MAX)};
    front_turn(front, SETTINGS_LISTEN);
    return front;
}

void front_turn(struct front *front, enum settings_listener which)
{
    struct opt_listen here = settings_listener_here(role_settings(front->role), which);
    char address[64];

    settings_address_text(&here, address, sizeof(address));
    snprintf(front->url, sizeof(front->url), "https://%s", address);
}

void front_free(struct front *front)
{
    if (front == NULL)
        return;
    fetch_free(front->fetch);
    fetch_answer_free(&front->answer);
    buf_free(&front->ca);
    buf_free_wiped(&front->token);
    free(front);
}

const char *front_url(const struct front *front)
{
    return front->url;
}

/* The gateway may be started later than we, and with another authority after a rotation. */
static int connect(struct front *front, struct err *err)
{
    CLEANUP_FREE char *path = mem_printf("%s/gateway/ca.pem", role_run_dir(front->role));
    CLEANUP(buf_free) struct buf ca = BUF_INIT(CA_MAX);

    TRY(fd_read_file(AT_FDCWD, path, &ca, err));
    if (front->fetch != NULL && span_eq(buf_span(&ca), buf_span(&front->ca)))
        return 0;
    fetch_free(front->fetch);
    front->fetch = NULL;
    buf_reset(&front->ca);
    buf_put_span(&front->ca, buf_span(&ca));
    front->options = (struct fetch_options){
        .ca_pem = buf_span(&front->ca), .connect_timeout_ms = 3000, .timeout_ms = 20000};
    return fetch_new(&front->options, &front->fetch, err);
}

static int own_token(struct front *front, struct err *err)
{
    int64_t age_sec = clock_wall_sec() - front->token_since_sec;

    if (front->token.len > 0 && clock_mono_ns() < front->token_until_ns && age_sec >= 0 &&
        age_sec < TOKEN_SEC)
        return 0;
    buf_reset(&front->token);
    TRY(ipc_call(role_line_client(front->idp), IDP_PROBE_TOKEN, span_of(NULL, 0), &front->token,
                 NULL, err));
    front->token_since_sec = clock_wall_sec();
    front->token_until_ns = clock_mono_ns() + TOKEN_SEC * 1000000000ULL;
    return 0;
}

static int send(struct front *front, struct fetch_request *request, const char *type,
                const char *credential, const char *more, unsigned *status, json_t **out,
                struct err *err)
{
    CLEANUP_FREE char *auth = NULL;
    CLEANUP_FREE char *content = mem_printf("Content-Type: %s", type);
    CLEANUP_FREE char *url = mem_printf("%s%s", front->url, request->url);
    const char *headers[] = {content, NULL, NULL, NULL};
    struct err ignored = ERR_INIT;

    TRY(connect(front, err));
    if (credential == NULL)
        TRY(own_token(front, err));
    if (credential == NULL || credential[0] != '\0') {
        auth = mem_printf("Authorization: Bearer %s",
                          credential != NULL ? credential : buf_text(&front->token));
        headers[1] = auth;
    }
    if (more != NULL)
        headers[auth == NULL ? 1 : 2] = more;
    request->url = url;
    request->headers = headers;
    int done = fetch_run(front->fetch, request, &front->answer, err);
    request->url = NULL;
    request->headers = NULL; /* they were of this function */
    TRY(done);
    *status = front->answer.status;
    if (out == NULL)
        return 0;
    if (codec_json_parse(buf_span(&front->answer.body), "answer", out, &ignored) < 0)
        *out = NULL;
    return 0;
}

int front_call(struct front *front, const char *method, const char *path, const char *credential,
               const json_t *body, unsigned *status, json_t **out, struct err *err)
{
    return front_visit(front, method, path, credential, NULL, body, status, out, err);
}

int front_visit(struct front *front, const char *method, const char *path, const char *credential,
                const char *header, const json_t *body, unsigned *status, json_t **out,
                struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(1024 * 1024);
    struct fetch_request request = {.method = method, .url = path};

    if (body != NULL)
        codec_json_put(body, &text);
    request.body = buf_span(&text);
    return send(front, &request, "application/json", credential, header, status, out, err);
}

const char *front_headers(const struct front *front)
{
    return buf_text(&front->answer.headers);
}

int front_form(struct front *front, const char *path, const char *form, unsigned *status,
               json_t **out, struct err *err)
{
    struct fetch_request request = {.method = "POST", .url = path, .body = span_str(form)};

    return send(front, &request, "application/x-www-form-urlencoded", "", NULL, status, out, err);
}

char *front_header(struct front *front, const char *name)
{
    return fetch_answer_header(&front->answer, name);
}

struct span front_body(const struct front *front)
{
    return buf_span(&front->answer.body);
}

int front_own_token(struct front *front, const char **token, struct err *err)
{
    TRY(own_token(front, err));
    *token = buf_text(&front->token);
    return 0;
}

static int refused(const char *what, unsigned status, const json_t *body, struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "%s was answered %u: %s", what, status,
                   codec_json_text(body, "message", "without a reason"));
}

/* The object is made, or is there already. */
static int make(struct front *front, const char *path, const json_t *object, json_t **made,
                struct err *err)
{
    CLEANUP_JSON json_t *answer = NULL;
    unsigned status;

    TRY(front_call(front, "POST", path, NULL, object, &status, &answer, err));
    if (status != 201 && status != 409)
        return refused(path, status, answer, err);
    if (made != NULL)
        *made = json_incref(answer);
    return 0;
}

int front_prepare(struct front *front, struct err *err)
{
    CLEANUP_JSON json_t *answer = NULL;
    unsigned status;

    TRY(front_call(front, "GET", "/api/v1/namespaces/" FRONT_NAMESPACE, NULL, NULL, &status,
                   &answer, err));
    return status == 200 ? 0 : refused("the namespace " FRONT_NAMESPACE, status, answer, err);
}

int front_make_key(struct front *front, const char *name, const json_t *spec, char **key,
                   struct err *err)
{
    CLEANUP_JSON json_t *made = NULL;
    CLEANUP_JSON json_t *object = json_pack("{s:s, s:s, s:{s:s}, s:{}}", "apiVersion", "drun.io/v1",
                                            "kind", "ApiKey", "metadata", "name", name, "spec");

    if (spec != NULL)
        json_object_set(object, "spec", (json_t *)(uintptr_t)spec);
    TRY(front_drop_key(front, name, err));
    TRY(make(front, "/apis/drun.io/v1/namespaces/" FRONT_NAMESPACE "/apikeys", object, &made, err));
    const char *text = json_string_value(codec_json_at(made, "status", "key", NULL));
    if (text == NULL)
        return err_set(err, ERR_UNAVAILABLE, "the new API key was not shown");
    *key = mem_strdup(text);
    return 0;
}

int front_drop_key(struct front *front, const char *name, struct err *err)
{
    CLEANUP_FREE char *path =
        mem_printf("/apis/drun.io/v1/namespaces/" FRONT_NAMESPACE "/apikeys/%s", name);
    CLEANUP_JSON json_t *answer = NULL;
    unsigned status;

    TRY(front_call(front, "DELETE", path, NULL, NULL, &status, &answer, err));
    return status == 200 || status == 404 ? 0 : refused(path, status, answer, err);
}

bool front_ask(struct proof *proof, const char *method, const char *path, const char *credential,
               const json_t *body, unsigned *status, json_t **out)
{
    struct err err = ERR_INIT;

    if (front_call(proof->front, method, path, credential, body, status, out, &err) == 0)
        return true;
    proof_broken(proof, &err);
    return false;
}

void front_expect(struct proof *proof, const char *method, const char *path, const char *credential,
                  unsigned wanted, const char *what)
{
    unsigned status;

    if (front_ask(proof, method, path, credential, NULL, &status, NULL))
        proof_expect(proof, status == wanted, "%s (%s %s: %u)", what, method, path, status);
}
