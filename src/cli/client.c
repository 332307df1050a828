/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "cli/local.h"
#include "cli/login.h"
#include "codec/json.h"

#include <fcntl.h>
#include <stdlib.h>

enum { FILE_MAX = 256 * 1024 };

struct client {
    char *server;
    char *token;
    char *ca_pem;
    char *data_dir;
    long long token_ends;
    struct fetch_options fetch_options;
    struct fetch *fetch;
};

bool client_take_option(struct client_options *options, const struct cli_args *args)
{
    const struct {
        const char *name;
        const char **value;
    } known[] = {
        {"--server", &options->server}, {"--data", &options->data_dir},
        {"--ca", &options->ca_file},    {"--namespace", &options->namespace},
        {"-n", &options->namespace},    {"-o", &options->output},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i].name, args->option) == 0) {
            *known[i].value = args->value;
            return true;
        }
    return false;
}

/* ------------------------------------------------------------------ where and as whom */

static int read_text(const char *path, char **out, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(FILE_MAX);

    TRY(fd_read_file(AT_FDCWD, path, &text, err));
    *out = mem_strdup(buf_text(&text));
    return 0;
}

/* The platform on this machine, as its operator. */
static int use_local(struct client *client, const char *data_dir, struct err *err)
{
    CLEANUP(local_free) struct local local = LOCAL_INIT;
    CLEANUP_JSON json_t *answer = NULL;

    TRY(local_find(data_dir, &local, err));
    TRY(local_ask(&local, "/token", &answer, err));
    client->fetch_options.direct = true;
    client->data_dir = mem_strdup(data_dir);
    client->token_ends =
        clock_wall_sec() + json_integer_value(json_object_get(answer, "expires_in"));
    client->server = mem_strdup(local.server);
    client->ca_pem = mem_strdup(local.ca_pem);
    client->token = mem_strdup(codec_json_text(answer, "access_token", ""));
    return 0;
}

static void use_login(struct client *client, const struct login *login)
{
    client->token = mem_strdup(login->access_token);
    client->token_ends = login->expires_at;
    if (client->server == NULL)
        client->server = mem_strdup(login->server);
    if (client->ca_pem == NULL)
        client->ca_pem = mem_strdup(login->ca_pem);
}

static int find_login(const struct client_options *options, const char *server, struct login *login,
                      struct err *err)
{
    if (!options->only_where)
        return login_load(server, login, err);
    int found = login_peek(login, err);
    return found > 0 && server != NULL ? login_is_of(login, server) : found;
}

static int use_server(struct client *client, const struct client_options *options,
                      const char *server, struct err *err)
{
    const char *token = getenv("DRUN_TOKEN");
    const char *ca = options->ca_file != NULL ? options->ca_file : getenv("DRUN_CA");
    CLEANUP(login_free) struct login login = LOGIN_INIT;

    if (strncmp(server, "https://", 8) != 0)
        return err_set(err, ERR_INVALID, "the server must be an https:// URL, not \"%s\"", server);
    client->server = mem_strdup(server);
    if (ca != NULL)
        TRY(read_text(ca, &client->ca_pem, err));
    int signed_in = token != NULL ? 0 : find_login(options, server, &login, err);
    TRY(signed_in);
    if (signed_in > 0)
        use_login(client, &login);
    else
        client->token = mem_strdup(token == NULL ? "" : token);
    return 0;
}

static int choose(struct client *client, const struct client_options *options, struct err *err)
{
    const char *server = options->server != NULL ? options->server : getenv("DRUN_SERVER");
    CLEANUP(login_free) struct login login = LOGIN_INIT;

    if (server != NULL)
        return use_server(client, options, server, err);
    if (options->data_dir != NULL || getenv("DRUN_DATA") != NULL)
        return use_local(client, local_data_dir(options->data_dir), err);
    int signed_in = find_login(options, NULL, &login, err);
    if (signed_in < 0)
        return -1;
    if (signed_in == 0)
        return use_local(client, local_data_dir(NULL), err);
    use_login(client, &login);
    return 0;
}

int client_open(const struct client_options *options, struct client **out, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = mem_new(sizeof(*client));

    TRY(choose(client, options, err));
    client->fetch_options.ca_pem = span_str(client->ca_pem == NULL ? "" : client->ca_pem);
    TRY(fetch_new(&client->fetch_options, &client->fetch, err));
    *out = client;
    client = NULL;
    return 0;
}

void client_free(struct client *client)
{
    if (client == NULL)
        return;
    fetch_free(client->fetch);
    if (client->token != NULL)
        mem_wipe(client->token, strlen(client->token));
    free(client->token);
    free(client->server);
    free(client->ca_pem);
    free(client->data_dir);
    free(client);
}

void client_free_ptr(struct client **client)
{
    client_free(*client);
}

const char *client_server(const struct client *client)
{
    return client->server;
}

const char *client_token(const struct client *client)
{
    return client->token;
}

long long client_token_ends(const struct client *client)
{
    return client->token_ends;
}

const char *client_data_dir(const struct client *client)
{
    return client->data_dir;
}

const char *client_ca(const struct client *client)
{
    return client->ca_pem == NULL ? "" : client->ca_pem;
}

/* ------------------------------------------------------------------ requests */

static enum err_code code_of(unsigned status)
{
    switch (status) {
    case 400:
    case 422: return ERR_INVALID;
    case 401: return ERR_UNAUTHENTICATED;
    case 403: return ERR_DENIED;
    case 404: return ERR_NOT_FOUND;
    case 409: return ERR_CONFLICT;
    case 410: return ERR_GONE;
    case 413: return ERR_TOO_LARGE;
    case 429: return ERR_LIMITED;
    case 502:
    case 503: return ERR_UNAVAILABLE;
    case 504: return ERR_TIMEOUT;
    default: return ERR_INTERNAL;
    }
}

int client_refusal(unsigned status, struct span answer, struct err *err)
{
    CLEANUP_JSON json_t *body = NULL;
    struct err ignored = ERR_INIT;
    const char *text = NULL;

    if (codec_json_parse(answer, "answer", &body, &ignored) == 0) {
        text = codec_json_text(body, "message", NULL);
        if (text == NULL)
            text = json_string_value(codec_json_at(body, "error", "message", NULL));
        if (text == NULL)
            text = codec_json_text(body, "error_description", NULL);
        if (text == NULL)
            text = codec_json_text(body, "detail", codec_json_text(body, "title", NULL));
    }
    err_set(err, code_of(status), "%s", text != NULL ? text : "");
    if (text == NULL)
        err_set(err, code_of(status), "the platform answered %u", status);
    if (status == 401)
        err_wrap(err, "not signed in; `drun login` does that");
    return -1;
}

/* What a refused request says is collected, also when the answer was to go on. */
struct streaming {
    const struct client_call *call;
    struct fetch_answer *answer;
};

static int on_stream(void *ctx, unsigned status, struct span bytes, struct err *err)
{
    struct streaming *streaming = ctx;

    if (status < 400)
        return streaming->call->on_data(streaming->call->ctx, status, bytes, err);
    buf_put_span(&streaming->answer->body, bytes);
    return 0;
}

int client_call(struct client *client, const struct client_call *call, struct fetch_answer *answer,
                struct err *err)
{
    CLEANUP_FREE char *url = mem_printf("%s%s", client->server, call->path);
    CLEANUP_FREE char *auth = mem_printf("Authorization: Bearer %s", client->token);
    CLEANUP_FREE char *type = mem_printf(
        "Content-Type: %s", call->content_type != NULL ? call->content_type : "application/json");
    CLEANUP_FREE char *accept =
        mem_printf("Accept: %s", call->accept != NULL ? call->accept : "application/json");
    const char *const headers[] = {type, accept, client->token[0] != '\0' ? auth : NULL, NULL};
    struct streaming streaming = {.call = call, .answer = answer};
    struct fetch_request request = {.method = call->method,
                                    .url = url,
                                    .headers = headers,
                                    .body = call->body,
                                    .on_data = call->on_data != NULL ? on_stream : NULL,
                                    .ctx = &streaming};

    TRY(fetch_run(client->fetch, &request, answer, err));
    return answer->status >= 400 ? client_refusal(answer->status, buf_span(&answer->body), err) : 0;
}

int client_json(struct client *client, const char *method, const char *path, const json_t *body,
                const char *content_type, json_t **out, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(FETCH_BODY_MAX);
    CLEANUP(fetch_answer_free) struct fetch_answer answer = FETCH_ANSWER_INIT;
    struct client_call call = {.method = method, .path = path, .content_type = content_type};

    if (body != NULL)
        codec_json_put(body, &text);
    call.body = buf_span(&text);
    TRY(client_call(client, &call, &answer, err));
    if (out == NULL)
        return 0;
    *out = NULL;
    if (answer.body.len == 0)
        return 0;
    return codec_json_parse(buf_span(&answer.body), "the platform's answer", out, err);
}
