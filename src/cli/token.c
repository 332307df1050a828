/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drun token: an access token, alone on a line or as an ExecCredential
 * (client.authentication.k8s.io, "Authenticating", client-go credential plugins). The sign-in of
 * `drun login` is the cache: its token is given until a minute before its end, then it is
 * refreshed. Where there is no sign-in and somebody sits at a terminal, a device code is asked for.
 */
#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/device.h"
#include "cli/login.h"
#include "cli/platform.h"
#include "codec/json.h"

#include <stdlib.h>
#include <unistd.h>

enum { TOKEN_ANSWER_MAX = 64 * 1024, TOKEN_CA_MAX = 256 * 1024 };

#define API "client.authentication.k8s.io/v1"

const struct cli_option cli_token_options[] = {
    {"--server", "URL", "the platform (default: this machine's, or that of `drun login`)"},
    {"--data", "DIR", "the data directory of a platform on this machine"},
    {"--ca", "FILE", "authority of the server's certificate, PEM"},
    {"-o", "FORM", "token (the default) or exec-credential, as kubectl wants it"},
    {0}};

struct request {
    struct client_options options;
    json_t *info; /* what kubectl says: an ExecCredential with a spec, or NULL */
};

/* ------------------------------------------------------------------ signing in at a terminal */

static bool is_attended(const struct request *request)
{
    /* kubectl keeps its standard input for itself, as in `kubectl apply -f -`. */
    if (json_is_false(codec_json_at(request->info, "spec", "interactive", NULL)))
        return false;
    return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
}

/* The authority that stands in the kubeconfig, unless --ca names another. */
static int take_ca(const struct request *request, struct login *login, struct err *err)
{
    CLEANUP(buf_free) struct buf pem = BUF_INIT(TOKEN_CA_MAX);
    const char *data = json_string_value(
        codec_json_at(request->info, "spec", "cluster", "certificate-authority-data", NULL));

    if (data == NULL || login->ca_pem[0] != '\0')
        return 0;
    if (enc_unbase64(ENC_BASE64, span_str(data), &pem, err) < 0)
        return err_wrap(err, "the kubeconfig's certificate-authority-data");
    free(login->ca_pem);
    login->ca_pem = mem_strdup(buf_text(&pem));
    return 0;
}

/* One sign-in is kept; it is not given up for another platform unasked. */
static int check_place(const char *server, struct err *err)
{
    CLEANUP(login_free) struct login kept = LOGIN_INIT;

    int found = login_peek(&kept, err);
    if (found <= 0 || login_is_of(&kept, server))
        return found < 0 ? -1 : 0;
    return err_set(err, ERR_UNAUTHENTICATED,
                   "you are signed in to %s, not to %s; `drun login %s` signs in there instead",
                   kept.server, server, server);
}

static int sign_in_here(const struct request *request, const char *server, struct err *err)
{
    CLEANUP(login_free) struct login login = LOGIN_INIT;
    CLEANUP(sign_in_free) struct sign_in sign_in = SIGN_IN_INIT;
    CLEANUP_JSON json_t *metadata = NULL;

    TRY(check_place(server, err));
    TRY(platform_choose(&request->options, &login, err));
    TRY(take_ca(request, &login, err));
    TRY(platform_discover(&login, &sign_in, &metadata, err));
    fprintf(stderr, "Nobody is signed in to %s.\n", login.server);
    TRY(device_sign_in(&login, codec_json_text(metadata, "device_authorization_endpoint", ""),
                       err));
    return login_save(&login, err);
}

static int open_signed_in(const struct request *request, struct client **out, struct err *err)
{
    const char *server =
        request->options.server != NULL ? request->options.server : getenv("DRUN_SERVER");

    if (client_open(&request->options, out, err) == 0) {
        if (client_token(*out)[0] != '\0')
            return 0;
        client_free(*out);
        *out = NULL;
        err_set(err, ERR_UNAUTHENTICATED, "nobody is signed in to %s; `drun login %s` does that",
                server, server);
    }
    if (err->code != ERR_UNAUTHENTICATED || server == NULL || !is_attended(request))
        return -1;
    err_clear(err);
    TRY(sign_in_here(request, server, err));
    return client_open(&request->options, out, err);
}

/* ------------------------------------------------------------------ the command */

/* In the version that was asked for. kubectl asks again when the time is over, which is when the
 * sign-in is refreshed. */
static int put_credential(const struct request *request, const struct client *client)
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(TOKEN_ANSWER_MAX);
    CLEANUP_JSON json_t *answer = json_pack(
        "{s:s, s:s, s:{s:s}}", "apiVersion", codec_json_text(request->info, "apiVersion", API),
        "kind", "ExecCredential", "status", "token", client_token(client));
    char until[CLOCK_TEXT_SIZE];

    if (client_token_ends(client) > 0) {
        clock_format_sec(client_token_ends(client) - LOGIN_EARLY_SEC, until);
        json_object_set_new(json_object_get(answer, "status"), "expirationTimestamp",
                            json_string(until));
    }
    codec_json_put(answer, &text);
    printf("%s\n", buf_text(&text));
    return CLI_OK;
}

static int read_info(struct request *request, struct err *err)
{
    const char *text = getenv("KUBERNETES_EXEC_INFO");

    if (text == NULL)
        return 0;
    return codec_json_parse(span_str(text), "KUBERNETES_EXEC_INFO", &request->info, err);
}

static int run(struct request *request, bool exec, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;

    if (exec)
        TRY(read_info(request, err));
    TRY(open_signed_in(request, &client, err));
    if (exec)
        return put_credential(request, client);
    printf("%s\n", client_token(client));
    return CLI_OK;
}

static void take(void *ctx, const struct cli_args *args)
{
    struct request *request = ctx;

    (void)client_take_option(&request->options, args);
}

static int token(int argc, char **argv, const char *form)
{
    struct request request = {.options = CLIENT_OPTIONS_INIT};
    struct cli_args args = cli_args_of("token", argc, argv);
    struct err err = ERR_INIT;

    request.options.output = form;
    enum cli_exit read = cli_read(&args, take, &request, NULL, 0);
    if (read != CLI_OK)
        return read;
    bool exec = strcmp(request.options.output, "exec-credential") == 0;
    if (!exec && strcmp(request.options.output, "token") != 0)
        return cli_usage("token");
    int done = run(&request, exec, &err);
    json_decref(request.info);
    return done < 0 ? cli_fail(&err) : done;
}

int cli_token(int argc, char **argv)
{
    return token(argc, argv, "token");
}

/* What kubeconfigs of before call it. */
int cli_credential(int argc, char **argv)
{
    return token(argc, argv, "exec-credential");
}
