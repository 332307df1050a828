/* SPDX-License-Identifier: Apache-2.0 */
/* drun guard test: what the policy in force would make of a text. */
#include "base/fd.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/only_model.h"
#include "cli/output.h"
#include "codec/json.h"

#include <stdlib.h>
#include <unistd.h>

const struct cli_option cli_guard_options[] = {
    {"--answer", NULL, "as a model's answer; else as a request"},
    {"--model", "NS/NAME", "the model that it is for; needed when you may call several"},
    OUTPUT_OPTION,
    CLIENT_OPTIONS,
    {0}};

enum { TEXT_MAX = 4 * 1024 * 1024 };

struct guard_command {
    struct client_options options;
    const char *model;
    bool answer;
};

static void print_finding(const json_t *finding)
{
    fprintf(stderr, "%-20s %-10s %-8s byte %lld, %lld bytes%s\n",
            codec_json_text(finding, "detector", ""), codec_json_text(finding, "group", ""),
            codec_json_text(finding, "action", ""),
            json_integer_value(json_object_get(finding, "offset")),
            json_integer_value(json_object_get(finding, "length")),
            json_is_true(json_object_get(finding, "encoded")) ? ", encoded" : "");
}

/* What goes on is standard output, so that it can be put into a pipe. */
static int print(const struct guard_command *command, const json_t *verdict)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(64 * 1024 * 1024);
    const json_t *text = json_object_get(verdict, "text");
    const json_t *findings = json_object_get(verdict, "findings");
    const char *word = codec_json_text(verdict, "verdict", "");
    const json_t *finding;
    size_t i;

    if (strcmp(command->options.output, "json") == 0) {
        codec_json_put_pretty(verdict, &out);
        fputs(buf_text(&out), stdout);
        return strcmp(word, "blocked") == 0;
    }
    json_array_foreach (findings, i, finding)
        print_finding(finding);
    fwrite(json_string_value(text), 1, json_string_length(text), stdout);
    fflush(stdout);
    fprintf(stderr, "%s%s\n", json_string_length(text) > 0 && isatty(STDOUT_FILENO) ? "\n" : "",
            word);
    return strcmp(word, "blocked") == 0;
}

/* 1: it would be blocked. */
static int test(const struct guard_command *command, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(TEXT_MAX);
    CLEANUP_JSON json_t *verdict = NULL;
    CLEANUP_FREE char *only = NULL;

    TRY(fd_read_all(STDIN_FILENO, "the text", &text, err));
    TRY(client_open(&command->options, &client, err));
    if (command->model == NULL)
        TRY(only_model(client, &only, err));
    CLEANUP_JSON json_t *request = json_pack(
        "{s:s, s:s, s:s%}", "model", command->model != NULL ? command->model : only, "direction",
        command->answer ? "answer" : "request", "text", buf_text(&text), text.len);
    if (request == NULL)
        return err_set(err, ERR_INVALID, "the text is not UTF-8");
    TRY(client_json(client, "POST", "/v1/guard", request, "application/json", &verdict, err));
    return print(command, verdict);
}

static void take(void *ctx, const struct cli_args *args)
{
    struct guard_command *command = ctx;

    if (client_take_option(&command->options, args))
        return;
    if (strcmp(args->option, "--model") == 0)
        command->model = args->value;
    else
        command->answer = true;
}

int cli_guard(int argc, char **argv)
{
    struct guard_command command = {.options = CLIENT_OPTIONS_INIT};
    struct cli_args args = cli_args_of("guard", argc, argv);
    const char *words[1];
    struct err err = ERR_INIT;

    enum cli_exit read = cli_read(&args, take, &command, words, ARRAY_LEN(words));
    if (read != CLI_OK)
        return read;
    if (words[0] == NULL || strcmp(words[0], "test") != 0)
        return cli_usage("guard");
    int result = test(&command, &err);
    return result < 0 ? cli_fail(&err) : result > 0 ? CLI_FAILED : CLI_OK;
}
