/* SPDX-License-Identifier: Apache-2.0 */
/* drun secrets list|get|set|rm. A value is printed only when it is asked for by its key. */
#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/kinds.h"
#include "cli/output.h"
#include "codec/json.h"

#include <fcntl.h>
#include <unistd.h>

const struct cli_option cli_secrets_options[] = {
    CLIENT_OPTIONS,
    OUTPUT_OPTION,
    {"--type", "TYPE", "set: the type of a new secret (default: Opaque)"},
    {0}};

enum { WORDS_MAX = 64, VALUE_MAX = 1024 * 1024, SECRET_TEXT_MAX = 3 * 1024 * 1024 };

struct secrets {
    struct client_options options;
    const char *type;
    struct client *client;
    const char *name;
    const char *const *words; /* behind the name; ends with NULL */
};

static char *path_of(const struct secrets *secrets, const char *name)
{
    return kinds_path(&kube_secret, secrets->options.namespace, name);
}

static bool is_table(const struct secrets *secrets)
{
    return strcmp(secrets->options.output, "table") == 0;
}

static int list(const struct secrets *secrets, struct err *err)
{
    CLEANUP(fetch_answer_free) struct fetch_answer answer = FETCH_ANSWER_INIT;
    CLEANUP_FREE char *path = path_of(secrets, NULL);
    CLEANUP_JSON json_t *body = NULL;
    struct client_call call = {
        .method = "GET",
        .path = path,
        .accept = is_table(secrets) ? "application/json;as=Table;v=v1;g=meta.k8s.io" : NULL};

    TRY(client_call(secrets->client, &call, &answer, err));
    TRY(codec_json_parse(buf_span(&answer.body), "the platform's answer", &body, err));
    if (!is_table(secrets))
        return output_object(body, secrets->options.output, err);
    output_kube_table(body, false, false);
    return 0;
}

/* ------------------------------------------------------------------ get */

static void print_keys(const json_t *data)
{
    CLEANUP_JSON json_t *header = json_pack("[s, s]", "KEY", "BYTES");
    CLEANUP_JSON json_t *rows = json_array();
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)data, key, value) {
        CLEANUP(buf_free_wiped) struct buf bytes = BUF_INIT(SECRET_TEXT_MAX);
        struct err err = ERR_INIT;
        if (enc_unbase64(ENC_BASE64, span_str(json_string_value(value)), &bytes, &err) == 0)
            json_array_append_new(rows, json_pack("[s, o]", key, json_sprintf("%zu", bytes.len)));
    }
    output_table(header, rows);
}

static int print_value(const struct secrets *secrets, const json_t *data, const char *key,
                       struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf bytes = BUF_INIT(SECRET_TEXT_MAX);
    const char *text = codec_json_text(data, key, NULL);

    if (text == NULL)
        return err_set(err, ERR_NOT_FOUND, "the secret %s has no key \"%s\"", secrets->name, key);
    TRY(enc_unbase64(ENC_BASE64, span_str(text), &bytes, err));
    return fd_write_all(STDOUT_FILENO, buf_span(&bytes), "standard output", err);
}

static int get(const struct secrets *secrets, struct err *err)
{
    CLEANUP_FREE char *path = path_of(secrets, secrets->name);
    CLEANUP_JSON json_t *object = NULL;

    TRY(client_json(secrets->client, "GET", path, NULL, NULL, &object, err));
    const json_t *data = json_object_get(object, "data");
    if (secrets->words[0] != NULL)
        return print_value(secrets, data, secrets->words[0], err);
    if (!is_table(secrets))
        return output_object(object, secrets->options.output, err);
    print_keys(data);
    return 0;
}

/* ------------------------------------------------------------------ set */

/* KEY=VALUE, KEY=@FILE, KEY=- for standard input. */
static int add_value(json_t *data, const char *word, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf value = BUF_INIT(VALUE_MAX);
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(2 * VALUE_MAX);
    const char *equals = strchr(word, '=');

    if (equals == NULL || equals == word)
        return err_set(err, ERR_INVALID,
                       "\"%.80s\" is not KEY=VALUE, KEY=@FILE or KEY=- (standard input)", word);
    CLEANUP_FREE char *key = mem_strndup(word, (size_t)(equals - word));
    if (strcmp(equals + 1, "-") == 0)
        TRY(fd_read_all(STDIN_FILENO, "standard input", &value, err));
    else if (equals[1] == '@')
        TRY(fd_read_file(AT_FDCWD, equals + 2, &value, err));
    else
        buf_put_str(&value, equals + 1);
    TRY(buf_check(&value, key, err));
    enc_base64_put(ENC_BASE64, buf_span(&value), &text);
    json_object_set_new(data, key, json_string(buf_text(&text)));
    return 0;
}

static int set(const struct secrets *secrets, struct err *err)
{
    CLEANUP_FREE char *one = path_of(secrets, secrets->name);
    CLEANUP_FREE char *all = path_of(secrets, NULL);
    CLEANUP_JSON json_t *data = json_object();

    if (secrets->words[0] == NULL)
        return err_set(err, ERR_INVALID, "give KEY=VALUE, KEY=@FILE or KEY=- (standard input)");
    for (size_t i = 0; secrets->words[i] != NULL; i++)
        TRY(add_value(data, secrets->words[i], err));
    CLEANUP_JSON json_t *change = json_pack("{s:O}", "data", data);
    if (client_json(secrets->client, "PATCH", one, change, "application/merge-patch+json", NULL,
                    err) == 0) {
        printf("secret/%s configured\n", secrets->name);
        return 0;
    }
    if (err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    CLEANUP_JSON json_t *object =
        json_pack("{s:s, s:s, s:{s:s}, s:s, s:O}", "apiVersion", "v1", "kind", "Secret", "metadata",
                  "name", secrets->name, "type", secrets->type, "data", data);
    TRY(client_json(secrets->client, "POST", all, object, NULL, NULL, err));
    printf("secret/%s created\n", secrets->name);
    return 0;
}

/* ------------------------------------------------------------------ rm */

static int rm(const struct secrets *secrets, struct err *err)
{
    CLEANUP_FREE char *path = path_of(secrets, secrets->name);
    CLEANUP_JSON json_t *data = json_object();

    if (secrets->words[0] == NULL) {
        TRY(client_json(secrets->client, "DELETE", path, NULL, NULL, NULL, err));
        printf("secret/%s deleted\n", secrets->name);
        return 0;
    }
    for (size_t i = 0; secrets->words[i] != NULL; i++)
        json_object_set_new(data, secrets->words[i], json_null());
    CLEANUP_JSON json_t *change = json_pack("{s:O}", "data", data);
    TRY(client_json(secrets->client, "PATCH", path, change, "application/merge-patch+json", NULL,
                    err));
    printf("secret/%s configured\n", secrets->name);
    return 0;
}

/* ------------------------------------------------------------------ the command */

static const struct action {
    const char *name;
    size_t least, most; /* words behind it */
    int (*run)(const struct secrets *secrets, struct err *err);
} actions[] = {
    {"list", 0, 0, list},
    {"get", 1, 2, get},
    {"set", 2, WORDS_MAX, set},
    {"rm", 1, WORDS_MAX, rm},
};

static void take(void *ctx, const struct cli_args *args)
{
    struct secrets *secrets = ctx;

    if (strcmp(args->option, "--type") == 0)
        secrets->type = args->value;
    else
        (void)client_take_option(&secrets->options, args);
}

int cli_secrets(int argc, char **argv)
{
    const char *words[WORDS_MAX + 3] = {0};
    struct secrets secrets = {.options = CLIENT_OPTIONS_INIT, .type = "Opaque", .words = words + 2};
    struct cli_args args = cli_args_of("secrets", argc, argv);
    struct err err = ERR_INIT;
    size_t count = 0;

    enum cli_exit read = cli_read(&args, take, &secrets, words, WORDS_MAX + 2);
    if (read != CLI_OK)
        return read;
    while (words[count] != NULL)
        count++;
    for (size_t i = 0; count > 0 && i < ARRAY_LEN(actions); i++) {
        if (strcmp(actions[i].name, words[0]) != 0)
            continue;
        if (count - 1 < actions[i].least || count - 1 > actions[i].most)
            return cli_usage("secrets");
        secrets.name = words[1];
        int result = client_open(&secrets.options, &secrets.client, &err);
        if (result == 0)
            result = actions[i].run(&secrets, &err);
        client_free(secrets.client);
        return result < 0 ? cli_fail(&err) : CLI_OK;
    }
    return cli_usage("secrets");
}
