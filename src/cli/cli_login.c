/* SPDX-License-Identifier: Apache-2.0 */
/* drun login, drun logout */
#include "base/fd.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/local.h"
#include "cli/sign_in.h"
#include "codec/json.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

const struct cli_option cli_login_options[] = {
    {"--server", "URL", "the platform (default: the one on this machine)"},
    {"--data", "DIR", "the data directory of a platform on this machine"},
    {"--ca", "FILE", "authority of the server's certificate, PEM; it is remembered"},
    {"--again", NULL, "prove who you are once more, also when the browser is signed in"},
    {"--no-browser", NULL, "print an address, take the code that it shows"},
    {0}};

enum { CODE_MAX = 4096, CA_MAX = 256 * 1024, TIMEOUT_MS = 20000 };

struct request {
    struct client_options options;
    bool no_browser;
    bool again;
};

/* ------------------------------------------------------------------ which platform */

static int read_ca(const char *path, char **out, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(CA_MAX);

    TRY(fd_read_file(AT_FDCWD, path, &text, err));
    *out = mem_strdup(buf_text(&text));
    return 0;
}

static int choose_platform(const struct client_options *options, struct login *login,
                           struct err *err)
{
    CLEANUP(local_free) struct local local = LOCAL_INIT;
    const char *server = options->server != NULL ? options->server : getenv("DRUN_SERVER");
    const char *ca = options->ca_file != NULL ? options->ca_file : getenv("DRUN_CA");

    if (server == NULL)
        TRY(local_find(local_data_dir(options->data_dir), &local, err));
    login->server = mem_strdup(server != NULL ? server : local.server);
    for (size_t len = strlen(login->server); len > 0 && login->server[len - 1] == '/';)
        login->server[--len] = '\0';
    if (ca != NULL)
        return read_ca(ca, &login->ca_pem, err);
    login->ca_pem = mem_strdup(local.ca_pem != NULL ? local.ca_pem : "");
    return 0;
}

static int get(const struct login *login, const char *url, const char *bearer, json_t **out,
               struct err *err)
{
    CLEANUP(fetch_free_ptr) struct fetch *fetch = NULL;
    CLEANUP(fetch_answer_free) struct fetch_answer answer = FETCH_ANSWER_INIT;
    CLEANUP_FREE char *auth = mem_printf("Authorization: Bearer %s", bearer);
    const char *const headers[] = {"Accept: application/json", bearer[0] != '\0' ? auth : NULL,
                                   NULL};
    struct fetch_options options = {.ca_pem = span_str(login->ca_pem), .timeout_ms = TIMEOUT_MS};
    struct fetch_request request = {.method = "GET", .url = url, .headers = headers};

    TRY(fetch_new(&options, &fetch, err));
    TRY(fetch_run(fetch, &request, &answer, err));
    if (answer.status != 200)
        return client_refusal(answer.status, buf_span(&answer.body), err);
    return codec_json_parse(buf_span(&answer.body), url, out, err);
}

/* OpenID Connect Discovery 1.0 section 4. */
static int discover(struct login *login, struct sign_in *sign_in, json_t **metadata,
                    struct err *err)
{
    CLEANUP_FREE char *url = mem_printf("%s/.well-known/openid-configuration", login->server);

    if (get(login, url, "", metadata, err) < 0)
        return err->code == ERR_DENIED
                   ? err_wrap(err, "name the authority of the server's certificate with --ca")
                   : -1;
    sign_in->issuer = mem_strdup(codec_json_text(*metadata, "issuer", ""));
    sign_in->authorize_url = mem_strdup(codec_json_text(*metadata, "authorization_endpoint", ""));
    login->token_url = mem_strdup(codec_json_text(*metadata, "token_endpoint", ""));
    login->revoke_url = mem_strdup(codec_json_text(*metadata, "revocation_endpoint", ""));
    if (sign_in->authorize_url[0] == '\0' || login->token_url[0] == '\0')
        return err_set(err, ERR_INVALID, "%s does not name its endpoints", url);
    if (strcmp(sign_in->issuer, login->server) != 0)
        return err_set(err, ERR_DENIED, "%s calls itself %s; sign in with --server %s",
                       login->server, sign_in->issuer, sign_in->issuer);
    return 0;
}

/* ------------------------------------------------------------------ the browser */

static bool has_browser(void)
{
    return getenv("DISPLAY") != NULL || getenv("WAYLAND_DISPLAY") != NULL ||
           getenv("BROWSER") != NULL;
}

static bool open_browser(const char *url)
{
    char opener[] = "xdg-open";
    CLEANUP_FREE char *argument = mem_strdup(url);
    char *argv[] = {opener, argument, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    bool done = posix_spawnp(&pid, opener, &actions, NULL, argv, environ) == 0 &&
                waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    posix_spawn_file_actions_destroy(&actions);
    return done;
}

static int by_browser(struct sign_in *sign_in, struct err *err)
{
    CLEANUP_FD int fd = -1;

    TRY(loopback_open(sign_in, &fd, err));
    CLEANUP_FREE char *url = sign_in_url(sign_in);
    bool opened = has_browser() && open_browser(url);
    fprintf(stderr, "%s\n\n  %s\n\n",
            opened ? "Your browser was opened at" : "Open this in a browser on this machine:", url);
    return loopback_wait(sign_in, &fd, err);
}

static int by_paste(struct sign_in *sign_in, const char *server, struct err *err)
{
    char line[CODE_MAX];

    sign_in->redirect = mem_printf("%s/cli", server);
    CLEANUP_FREE char *url = sign_in_url(sign_in);
    fprintf(stderr,
            "Open this in a browser anywhere, sign in, and copy the code it shows:\n\n"
            "  %s\n\ncode: ",
            url);
    if (fgets(line, sizeof(line), stdin) == NULL)
        return err_set(err, ERR_INVALID, "no code was given");
    line[strcspn(line, " \r\n")] = '\0';
    /* The code comes by hand: PKCE binds it to this sign-in, the state did not travel with it. */
    return sign_in_accept(sign_in, line, sign_in->state, NULL, NULL, err);
}

/* ------------------------------------------------------------------ the commands */

static int exchange(struct login *login, const struct sign_in *sign_in, struct err *err)
{
    CLEANUP_JSON json_t *answer = NULL;
    const char *const form[] = {"grant_type",    "authorization_code", "code",      sign_in->code,
                                "redirect_uri",  sign_in->redirect,    "client_id", LOGIN_CLIENT_ID,
                                "code_verifier", sign_in->verifier,    NULL};

    if (login_post(login, login->token_url, form, &answer, err) < 0)
        return err_wrap(err, "the code was not taken");
    login->refresh_token = mem_strdup("");
    return login_take_tokens(login, answer, err);
}

static void say_who(const struct login *login, const json_t *metadata)
{
    CLEANUP_JSON json_t *user = NULL;
    const char *url = codec_json_text(metadata, "userinfo_endpoint", "");
    struct err err = ERR_INIT;

    if (url[0] == '\0' || get(login, url, login->access_token, &user, &err) < 0) {
        printf("signed in to %s\n", login->server);
        return;
    }
    const char *sub = codec_json_text(user, "sub", "");
    printf("signed in to %s as %s\n", login->server,
           codec_json_text(user, "preferred_username", sub));
}

static int login(const struct request *request, struct err *err)
{
    CLEANUP(login_free) struct login login = LOGIN_INIT;
    CLEANUP(sign_in_free) struct sign_in sign_in = SIGN_IN_INIT;
    CLEANUP_JSON json_t *metadata = NULL;

    TRY(choose_platform(&request->options, &login, err));
    TRY(discover(&login, &sign_in, &metadata, err));
    TRY(sign_in_begin(&sign_in, err));
    sign_in.again = request->again;
    if (request->no_browser)
        TRY(by_paste(&sign_in, login.server, err));
    else
        TRY(by_browser(&sign_in, err));
    TRY(exchange(&login, &sign_in, err));
    TRY(login_save(&login, err));
    say_who(&login, metadata);
    return 0;
}

static void take(void *ctx, const struct cli_args *args)
{
    struct request *request = ctx;

    if (client_take_option(&request->options, args))
        return;
    if (strcmp(args->option, "--again") == 0)
        request->again = true;
    else
        request->no_browser = true;
}

int cli_login(int argc, char **argv)
{
    struct request request = {.options = CLIENT_OPTIONS_INIT};
    struct cli_args args = cli_args_of("login", argc, argv);
    const char *server[1];
    struct err err = ERR_INIT;

    enum cli_exit read = cli_read(&args, take, &request, server, ARRAY_LEN(server));
    if (read != CLI_OK)
        return read;
    if (server[0] != NULL)
        request.options.server = server[0];
    return login(&request, &err) < 0 ? cli_fail(&err) : CLI_OK;
}

int cli_logout(int argc, char **argv)
{
    struct cli_args args = cli_args_of("logout", argc, argv);
    struct err err = ERR_INIT;
    bool was_there;

    enum cli_exit read = cli_read(&args, NULL, NULL, NULL, 0);
    if (read != CLI_OK)
        return read;
    if (login_forget(&was_there, &err) < 0)
        return cli_fail(&err);
    printf("%s\n", was_there ? "signed out" : "nobody was signed in");
    return CLI_OK;
}
