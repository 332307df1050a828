/* SPDX-License-Identifier: Apache-2.0 */
/* drun mfa list|add totp|remove FACTOR|recovery-codes|reset: second factors. */
#include "base/mem.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/qr.h"
#include "codec/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const struct cli_option cli_mfa_options[] = {
    CLIENT_OPTIONS,
    OUTPUT_OPTION,
    {"--user", "NAME", "list, reset: of this user, for administrators"},
    {"--code", "CODE", "add: the app's first code (default: it is asked for)"},
    {0}};

enum { QR_MAX = 64 * 1024, CODE_TRIES = 3 };

struct mfa {
    struct client_options options;
    const char *user;
    const char *code;
};

static void take_option(void *ctx, const struct cli_args *args)
{
    struct mfa *mfa = ctx;

    if (client_take_option(&mfa->options, args))
        return;
    if (strcmp(args->option, "--user") == 0)
        mfa->user = args->value;
    else
        mfa->code = args->value;
}

/* ------------------------------------------------------------------ looking */

static void add_row(json_t *rows, const char *factor, const char *id, const char *name,
                    const char *since)
{
    json_array_append_new(rows, json_pack("[s, s, s, s]", factor, id, name, since));
}

static void add_member(json_t *rows, const json_t *factors, const char *name, const char *detail)
{
    const json_t *member = json_object_get(factors, name);

    if (json_is_object(member))
        add_row(rows, name, "-", codec_json_text(member, detail, "-"),
                codec_json_text(member, "since", "-"));
}

static void print_factors(const json_t *factors)
{
    CLEANUP_JSON json_t *header = json_pack("[s, s, s, s]", "FACTOR", "ID", "NAME", "SINCE");
    CLEANUP_JSON json_t *rows = json_array();
    const json_t *left = codec_json_at(factors, "recovery", "left", NULL);
    const json_t *passkey;
    size_t i;

    add_member(rows, factors, "totp", "");
    add_member(rows, factors, "sms", "number");
    json_array_foreach (json_object_get(factors, "passkeys"), i, passkey)
        add_row(rows, "passkey", codec_json_text(passkey, "id", "-"),
                codec_json_text(passkey, "name", "-"), codec_json_text(passkey, "createdAt", "-"));
    output_table(header, rows);
    if (left != NULL)
        printf("%lld recovery codes are left.\n", (long long)json_integer_value(left));
    if (json_array_size(rows) == 0)
        fprintf(stderr,
                "No second factor is set up: `drun mfa add totp` does that, the console adds "
                "passkeys.\n");
}

static int list(const struct mfa *mfa, struct client *client, struct err *err)
{
    CLEANUP_JSON json_t *factors = NULL;
    CLEANUP_FREE char *of_user =
        mem_printf("/apis/drun.io/v1/users/%s/factors", mfa->user == NULL ? "" : mfa->user);

    TRY(client_json(client, "GET", mfa->user != NULL ? of_user : "/session/factors", NULL, NULL,
                    &factors, err));
    if (mfa->user != NULL || strcmp(mfa->options.output, "table") != 0)
        return output_object(
            factors, strcmp(mfa->options.output, "table") == 0 ? "yaml" : mfa->options.output, err);
    print_factors(factors);
    return 0;
}

/* ------------------------------------------------------------------ changing */

static void print_codes(const json_t *answer)
{
    const json_t *codes = json_object_get(answer, "recoveryCodes");
    const json_t *code;
    size_t i;

    if (json_array_size(codes) == 0)
        return;
    fprintf(stderr, "Recovery codes, each good once, for the day on which the factor is lost. This "
                    "is the only time that they are shown.\n");
    json_array_foreach (codes, i, code)
        printf("%s\n", json_string_value(code));
}

static void show_secret(const json_t *begun)
{
    CLEANUP(buf_free_wiped) struct buf picture = BUF_INIT(QR_MAX);
    const char *uri = codec_json_text(begun, "uri", "");
    struct err err = ERR_INIT;

    if (isatty(STDERR_FILENO) && qr_put(uri, &picture, &err) == 0)
        fprintf(stderr, "%s\n", buf_text(&picture));
    fprintf(stderr, "%s\nSecret: %s\n", uri, codec_json_text(begun, "secret", ""));
}

static int read_code(char out[32], struct err *err)
{
    fprintf(stderr, "The app's code: ");
    fflush(stderr);
    if (fgets(out, 32, stdin) == NULL)
        return err_set(err, ERR_INVALID, "no code was given; nothing has changed");
    out[strcspn(out, "\r\n")] = '\0';
    return 0;
}

static int confirm(struct client *client, const char *code, json_t **done, struct err *err)
{
    CLEANUP_JSON json_t *body = json_pack("{s:s}", "code", code);

    return client_json(client, "POST", "/session/factors/totp/confirm", body, NULL, done, err);
}

/* A slip of the finger must not cost the person another scan. */
static int ask_and_confirm(struct client *client, json_t **done, struct err *err)
{
    char code[32];

    for (int tries = 1;; tries++) {
        TRY(read_code(code, err));
        if (confirm(client, code, done, err) == 0)
            return 0;
        if (err->code != ERR_INVALID || tries == CODE_TRIES || !isatty(STDIN_FILENO))
            return -1;
        fprintf(stderr, "That was not right: %s. Try the next one.\n", err->msg);
        err_clear(err);
    }
}

static int add_totp(const struct mfa *mfa, struct client *client, struct err *err)
{
    CLEANUP_JSON json_t *nothing = json_object();
    CLEANUP_JSON json_t *begun = NULL;
    CLEANUP_JSON json_t *done = NULL;

    TRY(client_json(client, "POST", "/session/factors/totp", nothing, NULL, &begun, err));
    show_secret(begun);
    if (mfa->code != NULL)
        TRY(confirm(client, mfa->code, &done, err));
    else
        TRY(ask_and_confirm(client, &done, err));
    print_codes(done);
    if (json_object_get(done, "recoveryCodes") != NULL)
        fprintf(stderr,
                "What was opened without it has ended; sign in again with `drun login --again`.\n");
    return 0;
}

static int remove_one(struct client *client, const char *what, struct err *err)
{
    bool passkey = strcmp(what, "totp") != 0 && strcmp(what, "sms") != 0;
    CLEANUP_FREE char *path = mem_printf("/session/factors/%s%s", passkey ? "passkeys/" : "", what);

    TRY(client_json(client, "DELETE", path, NULL, NULL, NULL, err));
    printf("%s removed\n", what);
    return 0;
}

static int renew_codes(struct client *client, struct err *err)
{
    CLEANUP_JSON json_t *nothing = json_object();
    CLEANUP_JSON json_t *made = NULL;

    TRY(client_json(client, "POST", "/session/factors/recovery", nothing, NULL, &made, err));
    print_codes(made);
    return 0;
}

static int reset(const struct mfa *mfa, struct client *client, struct err *err)
{
    if (mfa->user == NULL)
        return err_set(err, ERR_INVALID, "name the user with --user");
    CLEANUP_FREE char *path = mem_printf("/apis/drun.io/v1/users/%s/factors", mfa->user);
    TRY(client_json(client, "DELETE", path, NULL, NULL, NULL, err));
    printf("%s has no second factor any more, and is signed out\n", mfa->user);
    return 0;
}

static int run(const struct mfa *mfa, const char *action, const char *what, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;

    TRY(client_open(&mfa->options, &client, err));
    if (strcmp(action, "list") == 0)
        return list(mfa, client, err);
    if (strcmp(action, "recovery-codes") == 0)
        return renew_codes(client, err);
    if (strcmp(action, "reset") == 0)
        return reset(mfa, client, err);
    if (strcmp(action, "remove") == 0 && what != NULL)
        return remove_one(client, what, err);
    if (strcmp(action, "add") == 0 && what != NULL && strcmp(what, "totp") == 0)
        return add_totp(mfa, client, err);
    return err_set(err, ERR_INVALID,
                   "say list, add totp, remove FACTOR, recovery-codes or reset; passkeys are added "
                   "in the console");
}

int cli_mfa(int argc, char **argv)
{
    struct mfa mfa = {.options = CLIENT_OPTIONS_INIT};
    struct cli_args args = cli_args_of("mfa", argc, argv);
    const char *words[2] = {NULL};
    struct err err = ERR_INIT;
    enum cli_exit read = cli_read(&args, take_option, &mfa, words, ARRAY_LEN(words));

    if (read != CLI_OK)
        return read;
    if (words[0] == NULL)
        return cli_usage("mfa");
    return run(&mfa, words[0], words[1], &err) < 0 ? cli_fail(&err) : CLI_OK;
}
