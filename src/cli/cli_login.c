/* SPDX-License-Identifier: Apache-2.0 */
/* drun login, drun logout */
#include "base/fd.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/device.h"
#include "cli/platform.h"
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
    {"--device", NULL,
     "print a code to type in at an address, and wait: for machines without a browser"},
    {0}};

enum { CODE_MAX = 4096 };

struct request {
    struct client_options options;
    bool no_browser;
    bool device;
    bool again;
};

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

    if (url[0] == '\0' || platform_get(login, url, login->access_token, &user, &err) < 0) {
        printf("signed in to %s\n", login->server);
        return;
    }
    const char *sub = codec_json_text(user, "sub", "");
    printf("signed in to %s as %s\n", login->server,
           codec_json_text(user, "preferred_username", sub));
}

static int with_code(const struct request *request, struct login *login, struct sign_in *sign_in,
                     struct err *err)
{
    TRY(sign_in_begin(sign_in, err));
    sign_in->again = request->again;
    if (request->no_browser)
        TRY(by_paste(sign_in, login->server, err));
    else
        TRY(by_browser(sign_in, err));
    return exchange(login, sign_in, err);
}

static int login(const struct request *request, struct err *err)
{
    CLEANUP(login_free) struct login login = LOGIN_INIT;
    CLEANUP(sign_in_free) struct sign_in sign_in = SIGN_IN_INIT;
    CLEANUP_JSON json_t *metadata = NULL;

    TRY(platform_choose(&request->options, &login, err));
    TRY(platform_discover(&login, &sign_in, &metadata, err));
    if (request->device)
        TRY(device_sign_in(&login, codec_json_text(metadata, "device_authorization_endpoint", ""),
                           err));
    else
        TRY(with_code(request, &login, &sign_in, err));
    TRY(login_save(&login, err));
    say_who(&login, metadata);
    return 0;
}

static void take(void *ctx, const struct cli_args *args)
{
    struct request *request = ctx;

    if (client_take_option(&request->options, args))
        return;
    request->device |= strcmp(args->option, "--device") == 0;
    request->no_browser |= strcmp(args->option, "--no-browser") == 0;
    request->again |= strcmp(args->option, "--again") == 0;
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
