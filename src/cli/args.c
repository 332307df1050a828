/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

static const struct cli_command *find(const char *name)
{
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    err_bug(__FILE__, __LINE__, "the command is in the table");
}

struct cli_args cli_args_of(const char *command, int argc, char **argv)
{
    return (struct cli_args){.command = find(command), .argc = argc, .argv = argv, .at = 1};
}

/* "--name value" and "--name=value" alike. */
static const struct cli_option *match(const struct cli_args *args, const char *word,
                                      const char **out_inline)
{
    const char *equals = strchr(word, '=');
    size_t len = equals == NULL ? strlen(word) : (size_t)(equals - word);

    *out_inline = equals == NULL ? NULL : equals + 1;
    for (const struct cli_option *option = args->command->options;
         option != NULL && option->name != NULL; option++)
        if (strlen(option->name) == len && strncmp(option->name, word, len) == 0)
            return option;
    return NULL;
}

static int complain(const struct cli_args *args, const char *what, const char *word)
{
    fprintf(stderr, "drun %s: %s %s; see `drun help %s`\n", args->command->name, what, word,
            args->command->name);
    return '?';
}

int cli_next(struct cli_args *args)
{
    const char *inline_value;

    if (args->at >= args->argc)
        return 0;
    const char *word = args->argv[args->at++];
    if (!args->only_arguments && strcmp(word, "--") == 0) {
        args->only_arguments = true;
        return cli_next(args);
    }
    if (args->only_arguments || word[0] != '-' || word[1] == '\0') {
        args->value = word;
        return 'a';
    }
    const struct cli_option *option = match(args, word, &inline_value);
    if (option == NULL)
        return complain(args, "there is no option", word);
    args->option = option->name;
    args->value = inline_value;
    if (option->value == NULL)
        return inline_value == NULL ? '-' : complain(args, "no value goes with", option->name);
    if (args->value == NULL && args->at < args->argc)
        args->value = args->argv[args->at++];
    return args->value != NULL ? '-' : complain(args, "a value is missing after", option->name);
}

enum cli_exit cli_read(struct cli_args *args, cli_take_fn *take, void *ctx, const char **words,
                       size_t max)
{
    size_t count = 0;
    int kind;

    for (size_t i = 0; i < max; i++)
        words[i] = NULL;
    while ((kind = cli_next(args)) > 0 && kind != '?') {
        if (kind == '-')
            take(ctx, args);
        else if (count < max)
            words[count++] = args->value;
        else
            return (enum cli_exit)cli_usage(args->command->name);
    }
    return kind == '?' ? CLI_USAGE : CLI_OK;
}

int cli_fail(const struct err *err)
{
    fprintf(stderr, "drun: %s\n", err->msg);
    switch (err->code) {
    case ERR_UNAUTHENTICATED:
    case ERR_DENIED: return CLI_DENIED;
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT: return CLI_UNREACHABLE;
    default: return CLI_FAILED;
    }
}

int cli_usage(const char *name)
{
    const struct cli_command *command = find(name);

    fprintf(stderr, "usage: drun %s%s%s%s\n", command->name,
            command->options != NULL ? " [OPTION...]" : "",
            command->arguments[0] != '\0' ? " " : "", command->arguments);
    return CLI_USAGE;
}
