/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

static int cli_help(int argc, char **argv);

/* clang-format off */
const struct cli_command cli_commands[] = {
    {"up", "", "start the platform on this machine", cli_up_options, cli_up, false},
    {"status", "", "show the platform, you, and its processes here", cli_status_options, cli_status, false},
    {"seal", "", "end every process that holds a key, until `drun unseal`", cli_seal_options, cli_seal, false},
    {"unseal", "", "start a sealed platform again", cli_unseal_options, cli_unseal, false},
    {"setup-link", "", "print the link for the first administrator", cli_setup_link_options, cli_setup_link, false},
    {"login", "[SERVER]", "sign in through a browser", cli_login_options, cli_login, false},
    {"logout", "", "end the sign-in", NULL, cli_logout, false},
    {"get", "KIND [NAME]", "show objects", cli_get_options, cli_get, false},
    {"describe", "KIND NAME", "show one object and what happened to it, for people", cli_describe_options, cli_describe, false},
    {"apply", "", "make or change objects from manifests", cli_apply_options, cli_apply, false},
    {"delete", "KIND NAME", "remove an object", cli_delete_options, cli_delete, false},
    {"can-i", "VERB KIND [NAME]", "ask whether you may", cli_can_i_options, cli_can_i, false},
    {"who-can", "VERB KIND [NAME]", "show who may, and by which binding", cli_who_can_options, cli_who_can, false},
    {"access-review", "", "show who can do what, who was last seen when, and what is stale", cli_access_review_options,
     cli_access_review, false},
    {"logs", "MODELSERVICE", "show what an engine says", cli_logs_options, cli_logs, false},
    {"secrets", "list|get|set|rm [NAME [KEY | KEY=VALUE...]]", "show, write and remove secrets", cli_secrets_options,
     cli_secrets, false},
    {"keys", "create|list|rotate|revoke|check [NAME]", "make, show, rotate and revoke API keys; find them in a text", cli_keys_options, cli_keys, false},
    {"mfa", "list|add totp|remove FACTOR|recovery-codes|reset", "show and change second factors", cli_mfa_options, cli_mfa, false},
    {"sessions", "list|revoke ID|all", "show and end sessions", cli_sessions_options, cli_sessions, false},
    {"budgets", "", "show what is used of the budgets of calls, tokens and money", cli_budgets_options, cli_budgets, false},
    {"limits", "bans|floods|unban ADDRESS", "show who is banned and where a flood runs, and end a ban", cli_limits_options, cli_limits, false},
    {"chat", "[MODEL [PROMPT]]", "talk to a model; - reads the prompt from standard input", cli_chat_options, cli_chat, false},
    {"guard", "test", "show what the guard would make of a text on standard input", cli_guard_options, cli_guard, false},
    {"posture", "[CONTROL]", "show every control and its live proof", cli_posture_options, cli_posture, false},
    {"audit", "tail|list|verify|prove|checkpoint|public-key [DIR | INDEX [DIR]]", "read, verify and prove the audit log",
     cli_audit_options, cli_audit, false},
    {"waf", "test|explain|hits [FILE | ID]", "test requests against the firewall, explain its rules, show its hits", cli_waf_options,
     cli_waf, false},
    {"kubeconfig", "", "print a kubeconfig for kubectl", cli_kubeconfig_options, cli_kubeconfig, false},
    {"credential", "", "print a credential for kubectl", cli_credential_options, cli_credential, true},
    {"completion", "bash|zsh|fish", "print a completion script for a shell", NULL, cli_completion, false},
    {"complete", "WHAT [KIND]", "print words for a completion script", cli_complete_options, cli_complete, true},
    {"man", "", "print the man page", NULL, cli_man, false},
    {"version", "", "print the version", NULL, cli_version, false},
    {"help", "[COMMAND]", "explain a command", NULL, cli_help, false},
    {"role", "NAME", "run one role; the supervisor calls this", NULL, cli_role, true},
    {0},
};
/* clang-format on */

static void print_options(const struct cli_option *options)
{
    for (const struct cli_option *option = options; option != NULL && option->name != NULL;
         option++) {
        int width = printf("  %s%s%s", option->name, option->value != NULL ? " " : "",
                           option->value != NULL ? option->value : "");
        printf("%*s%s\n", width < 28 ? 28 - width : 1, "", option->doc);
    }
}

static int print_commands(FILE *out)
{
    fprintf(out, "drun: the security plane of a shared AI compute platform\n\n"
                 "usage: drun COMMAND [ARGUMENTS]\n\n");
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++)
        if (!command->hidden)
            fprintf(out, "  %-12s %s\n", command->name, command->summary);
    fprintf(out, "\n`drun help COMMAND` explains one.\n");
    return out == stdout ? CLI_OK : CLI_USAGE;
}

static const struct cli_command *find(const char *name)
{
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}

static int cli_help(int argc, char **argv)
{
    if (argc < 2)
        return print_commands(stdout);
    const struct cli_command *command = find(argv[1]);
    if (command == NULL) {
        fprintf(stderr, "drun: there is no command \"%s\"\n", argv[1]);
        return CLI_USAGE;
    }
    printf("drun %s %s\n\n%s\n", command->name, command->arguments, command->summary);
    if (command->options != NULL) {
        printf("\n");
        print_options(command->options);
    }
    return CLI_OK;
}

int cli_version(int argc UNUSED, char **argv UNUSED)
{
    printf("drun %s\n", DRUN_VERSION);
    return CLI_OK;
}

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
const char *__asan_default_options(void);

/* Looking for leaks at the end traces the process, which a locked-down role may not: it would wait
 * for ever. The unit tests look for them. */
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

int main(int argc, char **argv)
{
    if (argc < 2)
        return print_commands(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_commands(stdout);
    if (strcmp(argv[1], "--version") == 0)
        return cli_version(0, NULL);
    const struct cli_command *command = find(argv[1]);
    if (command == NULL) {
        fprintf(stderr, "drun: there is no command \"%s\"; `drun help` lists them\n", argv[1]);
        return CLI_USAGE;
    }
    if (argc == 3 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0))
        return cli_help(2, argv);
    return command->run(argc - 1, argv + 1);
}
