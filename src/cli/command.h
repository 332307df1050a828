/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The drun command. Each subcommand is one line of the table in main.c and one function in a file
 * of its own. The table makes the help, the shell completion and the man page.
 *
 * Exit codes: 0 done; 1 it failed, or the answer is no; 2 the command line is wrong; 3 not signed
 * in or not allowed; 4 the platform cannot be reached.
 */
#ifndef DRUN_CLI_COMMAND_H
#define DRUN_CLI_COMMAND_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum cli_exit { CLI_OK, CLI_FAILED, CLI_USAGE, CLI_DENIED, CLI_UNREACHABLE };

struct cli_option {
    const char *name;  /* "--data" */
    const char *value; /* "DIR"; NULL for a switch */
    const char *doc;
};

struct cli_command {
    const char *name;
    const char *arguments;             /* "KIND [NAME]", or "" */
    const char *summary;               /* one line */
    const struct cli_option *options;  /* ends with a zeroed one; NULL for none */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; gives an enum cli_exit */
    bool hidden;
};

/* The whole table, ending with a zeroed line. */
extern const struct cli_command cli_commands[];

int cli_up(int argc, char **argv);
int cli_get(int argc, char **argv);
int cli_apply(int argc, char **argv);
int cli_delete(int argc, char **argv);
int cli_can_i(int argc, char **argv);
int cli_describe(int argc, char **argv);
int cli_who_can(int argc, char **argv);
int cli_access_review(int argc, char **argv);
int cli_logs(int argc, char **argv);
int cli_secrets(int argc, char **argv);
int cli_keys(int argc, char **argv);
int cli_kubeconfig(int argc, char **argv);
int cli_credential(int argc, char **argv);
int cli_role(int argc, char **argv);
int cli_version(int argc, char **argv);
int cli_completion(int argc, char **argv);
int cli_complete(int argc, char **argv);
int cli_login(int argc, char **argv);
int cli_logout(int argc, char **argv);
int cli_posture(int argc, char **argv);
int cli_audit(int argc, char **argv);
int cli_chat(int argc, char **argv);
int cli_guard(int argc, char **argv);
int cli_setup_link(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_seal(int argc, char **argv);
int cli_unseal(int argc, char **argv);
int cli_man(int argc, char **argv);
int cli_mfa(int argc, char **argv);
int cli_sessions(int argc, char **argv);
int cli_budgets(int argc, char **argv);
int cli_limits(int argc, char **argv);
int cli_waf(int argc, char **argv);

extern const struct cli_option cli_up_options[];
extern const struct cli_option cli_get_options[];
extern const struct cli_option cli_apply_options[];
extern const struct cli_option cli_delete_options[];
extern const struct cli_option cli_can_i_options[];
extern const struct cli_option cli_describe_options[];
extern const struct cli_option cli_who_can_options[];
extern const struct cli_option cli_access_review_options[];
extern const struct cli_option cli_logs_options[];
extern const struct cli_option cli_secrets_options[];
extern const struct cli_option cli_keys_options[];
extern const struct cli_option cli_kubeconfig_options[];
extern const struct cli_option cli_credential_options[];
extern const struct cli_option cli_complete_options[];
extern const struct cli_option cli_login_options[];
extern const struct cli_option cli_posture_options[];
extern const struct cli_option cli_audit_options[];
extern const struct cli_option cli_chat_options[];
extern const struct cli_option cli_guard_options[];
extern const struct cli_option cli_setup_link_options[];
extern const struct cli_option cli_status_options[];
extern const struct cli_option cli_seal_options[];
extern const struct cli_option cli_unseal_options[];
extern const struct cli_option cli_mfa_options[];
extern const struct cli_option cli_sessions_options[];
extern const struct cli_option cli_budgets_options[];
extern const struct cli_option cli_limits_options[];
extern const struct cli_option cli_waf_options[];

/*
 * Walks the arguments of one command. cli_next() gives '-' for an option of the command's table
 * (its name in `option`, its value in `value`), 'a' for an argument (in `value`), 0 at the end, and
 * '?' after it has said on stderr what is wrong.
 */
struct cli_args {
    const struct cli_command *command;
    int argc;
    char **argv;
    int at;
    bool only_arguments; /* after "--" */
    const char *option;
    const char *value;
};

struct cli_args cli_args_of(const char *command, int argc, char **argv);
int cli_next(struct cli_args *args);

/* Walks a whole command line: each option goes to `take`, which may be NULL when there are none;
 * at most `max` arguments go to `words`, the rest stay NULL. CLI_OK, or CLI_USAGE when it has said
 * what is wrong. */
typedef void cli_take_fn(void *ctx, const struct cli_args *args);
enum cli_exit cli_read(struct cli_args *args, cli_take_fn *take, void *ctx, const char **words,
                       size_t max);

/* Says the error on stderr and gives the exit code that fits it. */
int cli_fail(const struct err *err);
int cli_usage(const char *command);

#endif
