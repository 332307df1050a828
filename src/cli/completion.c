/* SPDX-License-Identifier: Apache-2.0 */
/* Completion of command names and their options, made from the command table. */
#include "cli/command.h"

static void each_option(const struct cli_command *command, const char *fmt)
{
    for (const struct cli_option *option = command->options; option != NULL && option->name != NULL;
         option++)
        printf(fmt, option->name);
}

static void bash(void)
{
    printf("_drun() {\n  local cur=${COMP_WORDS[COMP_CWORD]}\n  case ${COMP_WORDS[1]} in\n");
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        if (command->hidden || command->options == NULL)
            continue;
        printf("  %s) [ $COMP_CWORD -gt 1 ] && COMPREPLY=($(compgen -W \"", command->name);
        each_option(command, "%s ");
        printf("\" -- \"$cur\")) && return ;;\n");
    }
    printf("  esac\n  [ $COMP_CWORD -eq 1 ] && COMPREPLY=($(compgen -W \"");
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++)
        if (!command->hidden)
            printf("%s ", command->name);
    printf("\" -- \"$cur\"))\n}\ncomplete -o default -F _drun drun\n");
}

static void fish(void)
{
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        if (command->hidden)
            continue;
        printf("complete -c drun -f -n __fish_use_subcommand -a %s -d '%s'\n", command->name,
               command->summary);
        for (const struct cli_option *option = command->options;
             option != NULL && option->name != NULL; option++)
            printf("complete -c drun -n '__fish_seen_subcommand_from %s' -l %s -d '%s'%s\n",
                   command->name, option->name + 2, option->doc,
                   option->value != NULL ? " -r" : "");
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
