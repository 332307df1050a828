/* SPDX-License-Identifier: Apache-2.0 */
/* Completion of commands, their options and first words, made from the command table; kinds,
 * namespaces, controls and models are asked of the platform (`drun complete`). */
#include "cli/command.h"

static void each_option(const struct cli_command *command, const char *fmt)
{
    for (const struct cli_option *option = command->options; option != NULL && option->name != NULL;
         option++)
        printf(fmt, option->name);
}

/* What the first argument of a command is: a word of "a|b|c", or a list that is asked for. */
static const char *first_words(const struct cli_command *command, char *out, size_t size)
{
    size_t len = strcspn(command->arguments, " ");

    if (strncmp(command->arguments, "KIND", 4) == 0)
        snprintf(out, size, "$(drun complete kinds 2>/dev/null)");
    else if (strncmp(command->arguments, "VERB", 4) == 0)
        snprintf(out, size, "get list watch create update patch delete invoke impersonate");
    else if (strncmp(command->arguments, "[CONTROL]", 9) == 0)
        snprintf(out, size, "$(drun complete controls 2>/dev/null)");
    else if (strncmp(command->arguments, "MODELSERVICE", 12) == 0)
        snprintf(out, size, "$(drun complete objects modelservices 2>/dev/null)");
    else if (strncmp(command->arguments, "[MODEL", 6) == 0)
        snprintf(out, size, "$(drun complete models 2>/dev/null)");
    else if (strchr(command->arguments, '|') != NULL && len < size)
        snprintf(out, size, "%.*s", (int)len, command->arguments);
    else
        return NULL;
    for (char *c = out; *c != '\0' && out[0] != '$'; c++)
        if (*c == '|')
            *c = ' ';
    return out;
}

/* What the second argument is, in the same way; ${COMP_WORDS[2]} is the first. */
static const char *second_words(const struct cli_command *command)
{
    static const struct {
        const char *arguments;
        const char *words;
    } known[] = {
        {"KIND", "$(drun complete objects \"${COMP_WORDS[2]}\" 2>/dev/null)"},
        {"VERB KIND", "$(drun complete kinds 2>/dev/null)"},
        {"list|get|set|rm", "$(drun complete objects secrets 2>/dev/null)"},
        {"create|list|rotate|revoke|check", "$(drun complete objects apikeys 2>/dev/null)"},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strncmp(command->arguments, known[i].arguments, strlen(known[i].arguments)) == 0)
            return known[i].words;
    return NULL;
}

static void bash_command(const struct cli_command *command)
{
    char words[256];

    printf("  %s)\n", command->name);
    if (command->options != NULL) {
        printf("    case $cur in -*) COMPREPLY=($(compgen -W \"");
        each_option(command, "%s ");
        printf("\" -- \"$cur\")); return ;; esac\n");
    }
    if (first_words(command, words, sizeof(words)) != NULL)
        printf("    [ $COMP_CWORD -eq 2 ] && COMPREPLY=($(compgen -W \"%s\" -- \"$cur\")) && "
               "return\n",
               words);
    const char *second = second_words(command);
    if (second != NULL)
        printf("    [ $COMP_CWORD -eq 3 ] && COMPREPLY=($(compgen -W \"%s\" -- \"$cur\")) && "
               "return\n",
               second);
    printf("    ;;\n");
}

static void bash(void)
{
    printf("_drun() {\n  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
           "  COMPREPLY=()\n"
           "  case $prev in\n"
           "  -n|--namespace) COMPREPLY=($(compgen -W "
           "\"$(drun complete namespaces 2>/dev/null)\" -- \"$cur\")); return ;;\n"
           "  -o) COMPREPLY=($(compgen -W \"table wide json yaml name\" -- \"$cur\")); return ;;\n"
           "  --data|--config|--ca|-f|--public-key|--checkpoint|--proof|--passphrase-file) "
           "return ;;\n"
           "  esac\n"
           "  if [ $COMP_CWORD -eq 1 ]; then\n    COMPREPLY=($(compgen -W \"");
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++)
        if (!command->hidden)
            printf("%s ", command->name);
    printf("\" -- \"$cur\"))\n    return\n  fi\n  case ${COMP_WORDS[1]} in\n");
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++)
        if (!command->hidden)
            bash_command(command);
    printf("  esac\n}\ncomplete -o default -F _drun drun\n");
}

/* Between single quotes. */
static void fish_quoted(const char *text)
{
    for (; *text != '\0'; text++)
        printf("%s%c", *text == '\'' || *text == '\\' ? "\\" : "", *text);
}

static void fish_option(const struct cli_command *command, const struct cli_option *option)
{
    bool is_long = option->name[1] == '-';

    printf("complete -c drun -n '__fish_seen_subcommand_from %s' -%c %s -d '", command->name,
           is_long ? 'l' : 's', option->name + (is_long ? 2 : 1));
    fish_quoted(option->doc);
    printf("'");
    if (option->value == NULL)
        printf("\n");
    else if (strcmp(option->value, "NS") == 0)
        printf(" -x -a '(drun complete namespaces 2>/dev/null)'\n");
    else if (strcmp(option->value, "FORMAT") == 0)
        printf(" -x -a 'table wide json yaml name'\n");
    else
        printf(" -r%s\n", strcmp(option->value, "FILE") == 0 || strcmp(option->value, "DIR") == 0
                              ? " -F"
                              : "");
}

static void fish_words(const struct cli_command *command)
{
    char words[256];

    const char *found = first_words(command, words, sizeof(words));
    if (found != NULL && found[0] == '$')
        /* fish writes (command) for $(command). */
        printf("complete -c drun -f -n '__fish_seen_subcommand_from %s' -a '%s'\n", command->name,
               found + 1);
    else if (found != NULL)
        printf("complete -c drun -f -n '__fish_seen_subcommand_from %s' -a '%s'\n", command->name,
               found);
}

static void fish(void)
{
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        if (command->hidden)
            continue;
        printf("complete -c drun -f -n __fish_use_subcommand -a %s -d '", command->name);
        fish_quoted(command->summary);
        printf("'\n");
        for (const struct cli_option *option = command->options;
             option != NULL && option->name != NULL; option++)
            fish_option(command, option);
        fish_words(command);
    }
}

int cli_completion(int argc, char **argv)
{
    if (argc != 2)
        return cli_usage("completion");
    if (strcmp(argv[1], "bash") == 0) {
        bash();
    } else if (strcmp(argv[1], "zsh") == 0) {
        printf("autoload -U +X bashcompinit && bashcompinit\n");
        bash();
    } else if (strcmp(argv[1], "fish") == 0) {
        fish();
    } else {
        fprintf(stderr, "drun completion: \"%s\" is none of bash, zsh, fish\n", argv[1]);
        return CLI_USAGE;
    }
    return CLI_OK;
}
