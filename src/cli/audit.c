/* SPDX-License-Identifier: Apache-2.0 */
/* drun audit tail|list|verify|prove|checkpoint|public-key */
#include "cli/audit.h"

#include "base/mem.h"

const struct cli_option cli_audit_options[] = {
    {"--actor", "NAME", "list, tail: of this user; \"!NAME\": of everybody else"},
    {"--event", "NAME", "list, tail: of this name, or of all that begin so: \"drun.auth.*\""},
    {"--role", "NAME", "list, tail: said by this role"},
    {"--outcome", "WHICH", "list, tail: success, denied or failure"},
    {"--since", "TIME", "list, tail: RFC 3339"},
    {"--until", "TIME", "list: RFC 3339"},
    {"--limit", "N", "list, tail: how many (default: 50, 10)"},
    {"--public-key", "FILE", "verify, prove: the log's key; without it the platform is asked"},
    {"--checkpoint", "FILE", "verify: one that was kept elsewhere, which the log must continue"},
    {"--proof", "FILE", "verify: this proof of one record, without the log"},
    {"--origin", "NAME", "verify: the log's name, when the key is PEM"},
    OUTPUT_OPTION,
    CLIENT_OPTIONS,
    {0}};

const char *const audit_filter_names[6] = {"actor", "event", "role", "outcome", "since", "until"};

static int print_text(const struct audit_command *command, const char *what, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    CLEANUP(buf_free) struct buf text = BUF_INIT(64 * 1024);

    TRY(client_open(&command->options, &client, err));
    TRY(audit_fetch_text(client, what, &text, err));
    fputs(buf_text(&text), stdout);
    return 0;
}

static void take(void *ctx, const struct cli_args *args)
{
    struct audit_command *command = ctx;
    const struct {
        const char *name;
        const char **value;
    } known[] = {{"--limit", &command->limit},
                 {"--public-key", &command->public_key},
                 {"--checkpoint", &command->checkpoint},
                 {"--proof", &command->proof},
                 {"--origin", &command->origin}};

    if (strcmp(args->option, "-n") == 0 || strcmp(args->option, "--namespace") == 0)
        command->in_namespace = true;
    if (client_take_option(&command->options, args))
        return;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i].name, args->option) == 0)
            *known[i].value = args->value;
    for (size_t i = 0; i < ARRAY_LEN(audit_filter_names); i++)
        if (strcmp(audit_filter_names[i], args->option + 2) == 0)
            command->filter[i] = args->value;
}

static int print_checkpoint(const struct audit_command *command, struct err *err)
{
    return print_text(command, "checkpoints/latest", err);
}

static int print_public_key(const struct audit_command *command, struct err *err)
{
    return print_text(command, "publickey", err);
}

/* 0: done; verify also gives 1 for a good log and 0 for a bad one. */
static const struct action {
    const char *name;
    int (*run)(const struct audit_command *command, struct err *err);
} actions[] = {
    {"list", audit_list},
    {"tail", audit_tail},
    {"verify", audit_verify_log},
    {"prove", audit_prove},
    {"checkpoint", print_checkpoint},
    {"public-key", print_public_key},
};

static const struct action *find_action(const char *name)
{
    for (size_t i = 0; name != NULL && i < ARRAY_LEN(actions); i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    return NULL;
}

int cli_audit(int argc, char **argv)
{
    struct audit_command command = {.options = CLIENT_OPTIONS_INIT};
    struct cli_args args = cli_args_of("audit", argc, argv);
    const char *words[3];
    struct err err = ERR_INIT;

    enum cli_exit read = cli_read(&args, take, &command, words, ARRAY_LEN(words));
    if (read != CLI_OK)
        return read;
    const struct action *action = find_action(words[0]);
    if (action == NULL)
        return cli_usage("audit");
    command.word = words[1];
    command.more = words[2];
    int done = action->run(&command, &err);
    if (done < 0)
        return cli_fail(&err);
    return action->run == audit_verify_log && done == 0 ? CLI_FAILED : CLI_OK;
}
