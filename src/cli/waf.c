/* SPDX-License-Identifier: Apache-2.0 */
/* drun waf: what the firewall would do, what a rule is, what it met. The first two are drun-waf's,
 * which has the rule engine; it lies beside this binary. */
#include "auth/auth.h"
#include "base/mem.h"
#include "cli/audit.h"
#include "cli/command.h"
#include "cli/local.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct cli_option cli_waf_options[] = {
    {"--rules", "FILE|DIR|PATTERN", "test, explain: these rules, between drun's own; many times"},
    {"--paranoia", "LEVEL", "test: with --rules, the level of CRS (default: 1)"},
    {"--namespace", "NAME", "test: as if a model of this namespace were called"},
    {"--service", "NS/NAME", "test: as if this model service were called"},
    {"--answer", "FILE", "test: and what is said to this answer to it"},
    {"--data", "DIR", "without --rules: the platform here whose rules in force are meant"},
    {"--limit", "N", "hits: how many (default: 50)"},
    {"-o", "FORMAT", "hits: table, json or yaml"},
    {0}};

enum { ARGS_MAX = 128 };

struct waf_command {
    const char *args[ARGS_MAX]; /* for drun-waf, or for `drun audit` */
    size_t count;
    const char *data;
    bool has_rules;
};

static void add(struct waf_command *command, const char *arg)
{
    if (command->count < ARGS_MAX - 4)
        command->args[command->count++] = arg;
}

static void take(void *ctx, const struct cli_args *args)
{
    struct waf_command *command = ctx;

    if (strcmp(args->option, "--data") == 0) {
        command->data = args->value;
        return;
    }
    command->has_rules = command->has_rules || strcmp(args->option, "--rules") == 0;
    add(command, args->option);
    add(command, args->value);
}

static char *find_tool(void)
{
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

    self[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash != NULL)
        *slash = '\0';
    return mem_printf("%s/drun-waf", self);
}

/* Gives the exit code only when it could not be run. */
static int run_tool(struct waf_command *command, const char *what, const char *word)
{
    CLEANUP_FREE char *tool = find_tool();
    CLEANUP_FREE char *image = NULL;
    struct local local = LOCAL_INIT;
    struct err err = ERR_INIT;

    if (!command->has_rules) {
        if (local_find(local_data_dir(command->data), &local, &err) < 0)
            return cli_fail(&err);
        image = mem_printf("%s/waf/waf.snap", local.run_dir);
        local_free(&local);
        add(command, "--image");
        add(command, image);
    }
    add(command, word);
    command->args[command->count] = NULL;
    command->args[0] = "drun-waf";
    command->args[1] = what;
    execv(tool, (char *const *)(uintptr_t)command->args);
    err_set(&err, ERR_UNAVAILABLE, "cannot run %s: %s", tool, strerror(errno));
    return cli_fail(&err);
}

/* `drun audit list --event drun.waf.hit`, with what else was said; without what the platform does
 * to itself to see that it is refused. */
static int show_hits(struct waf_command *command)
{
    add(command, "--event");
    add(command, "drun.waf.hit");
    add(command, "--actor");
    add(command, "!" AUTH_POSTURE);
    if (command->data != NULL) {
        add(command, "--data");
        add(command, command->data);
    }
    command->args[0] = "audit";
    command->args[1] = "list";
    command->args[command->count] = NULL;
    return cli_audit((int)command->count, (char **)(uintptr_t)command->args);
}

int cli_waf(int argc, char **argv)
{
    struct waf_command command = {.count = 2};
    struct cli_args args = cli_args_of("waf", argc, argv);
    const char *words[2];

    enum cli_exit read = cli_read(&args, take, &command, words, 2);
    if (read != CLI_OK)
        return read;
    if (words[0] != NULL && strcmp(words[0], "hits") == 0 && words[1] == NULL)
        return show_hits(&command);
    bool known =
        words[0] != NULL && (strcmp(words[0], "test") == 0 || strcmp(words[0], "explain") == 0);
    if (!known || words[1] == NULL)
        return cli_usage("waf");
    return run_tool(&command, words[0], words[1]);
}
