/* SPDX-License-Identifier: Apache-2.0 */
/* drun budgets: what is used of the budgets of a namespace, or of all. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/client.h"
#include "cli/output.h"
#include "codec/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { BAR_WIDTH = 20, NEAR_PERCENT = 80, MICROS = 1000000, DAY_SEC = 86400, HOUR_SEC = 3600 };

const struct cli_option cli_budgets_options[] = {
    CLIENT_OPTIONS,           OUTPUT_OPTION, {"--all-namespaces", NULL, "those of every namespace"},
    {"-A", NULL, "the same"}, {0},
};

struct budgets_command {
    struct client_options options;
    bool all_namespaces;
};

static void take_option(void *ctx, const struct cli_args *args)
{
    struct budgets_command *command = ctx;

    if (client_take_option(&command->options, args))
        return;
    command->all_namespaces = true;
}

/* ------------------------------------------------------------------ the table */

/* How much of it: percent, over 100 when more was used than there was. */
static unsigned percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : (unsigned)NUM_MIN(part * 100.0 / (double)whole, 999.0);
}

/* What is used, what calls that run may use, the rest. */
static char *bar(uint64_t used, uint64_t reserved, uint64_t limit)
{
    static const char *const glyphs[] = {"█", "▒", "░"};
    unsigned now = percent(used, limit);
    unsigned soon = percent(used + reserved, limit);
    enum output_colour colour = now >= 100            ? OUTPUT_RED
                                : now >= NEAR_PERCENT ? OUTPUT_YELLOW
                                                      : OUTPUT_GREEN;
    CLEANUP(buf_free) struct buf out = BUF_INIT(256);

    buf_put_str(&out, output_colour(colour));
    for (unsigned i = 0; i < BAR_WIDTH; i++) {
        unsigned at = (i + 1) * 100 / BAR_WIDTH;
        buf_put_str(&out, glyphs[at <= now ? 0 : at <= soon ? 1 : 2]);
    }
    buf_put_str(&out, output_colour(OUTPUT_PLAIN));
    buf_printf(&out, " %u%%", now);
    return mem_strdup(buf_text(&out));
}

static char *amount(uint64_t value, bool is_cost)
{
    return is_cost ? mem_printf("%" PRIu64 ".%06" PRIu64, value / MICROS, value % MICROS)
                   : mem_printf("%" PRIu64, value);
}

static char *left_until(const char *ends)
{
    struct err err = ERR_INIT;
    int64_t sec;

    if (clock_parse(span_str(ends), &sec, &err) < 0)
        return mem_strdup("-");
    sec = NUM_MAX(sec - clock_wall_sec(), 0);
    if (sec >= DAY_SEC)
        return mem_printf("%" PRId64 "d%" PRId64 "h", sec / DAY_SEC, sec % DAY_SEC / HOUR_SEC);
    return sec >= HOUR_SEC ? mem_printf("%" PRId64 "h%" PRId64 "m", sec / HOUR_SEC, sec / 60 % 60)
                           : mem_printf("%" PRId64 "m%" PRId64 "s", sec / 60, sec % 60);
}

static uint64_t number(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

/* What the status says of a rule; an empty object while it says nothing. */
static const json_t *use_of(const json_t *policy, const char *rule)
{
    const json_t *use;
    size_t i;

    json_array_foreach (codec_json_at(policy, "status", "budgets", NULL), i, use)
        if (strcmp(codec_json_text(use, "name", ""), rule) == 0)
            return use;
    return NULL;
}

static char *whose(const json_t *rule, const json_t *use)
{
    const char *per = codec_json_text(rule, "per", "namespace");
    const char *owner = codec_json_text(use, "owner", "");
    uint64_t owners = number(use, "owners");

    if (owner[0] == '\0')
        return strcmp(per, "namespace") == 0 ? mem_strdup("all") : mem_printf("each %s", per);
    return owners > 1 ? mem_printf("%s (most of %" PRIu64 ")", owner, owners) : mem_strdup(owner);
}

static json_t *row_of(const json_t *policy, const json_t *rule)
{
    const json_t *metadata = json_object_get(policy, "metadata");
    const char *name = codec_json_text(rule, "name", "");
    const json_t *use = use_of(policy, name);
    bool is_cost = strcmp(codec_json_text(rule, "measure", ""), "cost") == 0;
    const char *algorithm = codec_json_text(rule, "algorithm", NULL);
    uint64_t used = number(use, "used");
    CLEANUP_FREE char *full = mem_printf("%s/%s", codec_json_text(metadata, "name", ""), name);
    CLEANUP_FREE char *used_text = amount(used, is_cost);
    CLEANUP_FREE char *limit_text = amount(number(rule, "limit"), is_cost);
    CLEANUP_FREE char *limit =
        mem_printf("%s %s a %s%s%s", limit_text, codec_json_text(rule, "measure", ""),
                   codec_json_text(rule, "window", ""), algorithm == NULL ? "" : ", ",
                   algorithm == NULL ? "" : algorithm);
    CLEANUP_FREE char *shown = bar(used, number(use, "reserved"), number(rule, "limit"));
    CLEANUP_FREE char *who = whose(rule, use);
    CLEANUP_FREE char *left = left_until(codec_json_text(use, "resetsAt", ""));

    const char *namespace = codec_json_text(metadata, "namespace", "");
    if (algorithm != NULL) /* only the gateway's answers say how much of a rate is left */
        return json_pack("[s, s, s, s, s, s, s]", namespace, full, "-", "-", limit, who, "-");
    return json_pack("[s, s, s, s, s, s, s]", namespace, full, shown, used_text, limit, who, left);
}

static void print(const json_t *list)
{
    CLEANUP_JSON json_t *header = json_pack("[s, s, s, s, s, s, s]", "NAMESPACE", "BUDGET", "USE",
                                            "USED", "LIMIT", "OF", "RESETS IN");
    CLEANUP_JSON json_t *rows = json_array();
    const json_t *policy;
    const json_t *rule;
    size_t i;
    size_t j;

    json_array_foreach (json_object_get(list, "items"), i, policy)
        json_array_foreach (codec_json_at(policy, "spec", "rules", NULL), j, rule)
            json_array_append_new(rows, row_of(policy, rule));
    if (json_array_size(rows) > 0)
        output_table(header, rows);
    else
        printf("there are no budgets here\n");
}

/* ------------------------------------------------------------------ the command */

static int run(const struct budgets_command *command, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    CLEANUP_JSON json_t *list = NULL;
    CLEANUP_FREE char *path = command->all_namespaces
                                  ? mem_strdup("/apis/drun.io/v1/limitpolicies")
                                  : mem_printf("/apis/drun.io/v1/namespaces/%s/limitpolicies",
                                               command->options.namespace);

    TRY(client_open(&command->options, &client, err));
    TRY(client_json(client, "GET", path, NULL, NULL, &list, err));
    if (strcmp(command->options.output, "table") != 0)
        return output_object(list, command->options.output, err);
    print(list);
    return 0;
}

int cli_budgets(int argc, char **argv)
{
    struct budgets_command command = {.options = CLIENT_OPTIONS_INIT};
    struct cli_args args = cli_args_of("budgets", argc, argv);
    const char *words[1] = {NULL};
    struct err err = ERR_INIT;
    enum cli_exit read = cli_read(&args, take_option, &command, words, ARRAY_LEN(words));

    if (read != CLI_OK)
        return read;
    if (words[0] != NULL)
        return cli_usage("budgets");
    return run(&command, &err) < 0 ? cli_fail(&err) : CLI_OK;
}
