/* SPDX-License-Identifier: Apache-2.0 */
/* drun logs MODELSERVICE: what its engine says. */
#include "base/mem.h"
#include "cli/client.h"
#include "cli/kinds.h"
#include "cli/output.h"

#include <stdlib.h>
#include <unistd.h>

const struct cli_option cli_logs_options[] = {
    CLIENT_OPTIONS,
    {"-f", NULL, "go on as it says more, until it ends"},
    {"--tail", "N", "the last N lines (default: all that is kept, 64 KiB of each run)"},
    {"--previous", NULL, "of the run before, such as one that failed"},
    {"--replica", "N", "of this one of several engines (status.readyPlaces; default: the newest)"},
    {0}};

struct logs {
    struct client_options options;
    bool follow, previous;
    const char *tail, *replica;
};

/* An engine's words are not ours: on a terminal they may not steer it. */
static int on_data(void *ctx UNUSED, unsigned status UNUSED, struct span bytes, struct err *err)
{
    CLEANUP_FREE char *text = mem_strndup((const char *)bytes.p, bytes.len);

    if (isatty(STDOUT_FILENO))
        output_harmless(text, strlen(text));
    if (fwrite(text, 1, strlen(text), stdout) < strlen(text) || fflush(stdout) != 0)
        return err_sys(err, "cannot write");
    return 0;
}

static int show(const struct logs *logs, const char *name, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    CLEANUP(fetch_answer_free) struct fetch_answer answer = FETCH_ANSWER_INIT;
    CLEANUP_FREE char *object = kinds_path(&kube_model_service, logs->options.namespace, name);
    CLEANUP_FREE char *path =
        mem_printf("%s/log?follow=%s&previous=%s%s%s%s%s", object, logs->follow ? "true" : "false",
                   logs->previous ? "true" : "false", logs->tail != NULL ? "&tailLines=" : "",
                   logs->tail != NULL ? logs->tail : "", logs->replica != NULL ? "&replica=" : "",
                   logs->replica != NULL ? logs->replica : "");
    struct client_call call = {.method = "GET",
                               .path = path,
                               .accept = "text/plain, application/json",
                               .on_data = on_data};

    TRY(client_open(&logs->options, &client, err));
    return client_call(client, &call, &answer, err);
}

static void take(void *ctx, const struct cli_args *args)
{
    struct logs *logs = ctx;

    if (strcmp(args->option, "-f") == 0)
        logs->follow = true;
    else if (strcmp(args->option, "--previous") == 0)
        logs->previous = true;
    else if (strcmp(args->option, "--tail") == 0)
        logs->tail = args->value;
    else if (strcmp(args->option, "--replica") == 0)
        logs->replica = args->value;
    else
        (void)client_take_option(&logs->options, args);
}

static bool is_count(const char *option, const char *text)
{
    if (text == NULL || (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0'))
        return true;
    fprintf(stderr, "drun logs: %s wants a number, not \"%s\"\n", option, text);
    return false;
}

int cli_logs(int argc, char **argv)
{
    struct logs logs = {.options = CLIENT_OPTIONS_INIT};
    struct cli_args args = cli_args_of("logs", argc, argv);
    struct err err = ERR_INIT;
    const char *words[1];

    enum cli_exit read = cli_read(&args, take, &logs, words, ARRAY_LEN(words));
    if (read != CLI_OK)
        return read;
    if (words[0] == NULL)
        return cli_usage("logs");
    if (!is_count("--tail", logs.tail) || !is_count("--replica", logs.replica))
        return CLI_USAGE;
    return show(&logs, words[0], &err) < 0 ? cli_fail(&err) : CLI_OK;
}
