/* SPDX-License-Identifier: Apache-2.0 */
/* drun limits bans|floods|unban ADDRESS: what the gateway does about sources that send too much. */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/output.h"
#include "codec/json.h"

#include <inttypes.h>
#include <stdio.h>

#define BANS "/apis/limits.drun.io/v1/bans"

const struct cli_option cli_limits_options[] = {CLIENT_OPTIONS, OUTPUT_OPTION, {0}};

static void take_option(void *ctx, const struct cli_args *args)
{
    (void)client_take_option(ctx, args);
}

static void put_left(const char *until, char *out, size_t size)
{
    struct err err = ERR_INIT;
    int64_t sec;

    if (clock_parse(span_str(until), &sec, &err) < 0)
        snprintf(out, size, "-");
    else
        snprintf(out, size, "%" PRId64 "s", sec - clock_wall_sec());
}

static void print_bans(const json_t *answer)
{
    CLEANUP_JSON json_t *header = json_pack("[s, s, s, s]", "ADDRESS", "AGE", "LEFT", "TOO MANY");
    CLEANUP_JSON json_t *rows = json_array();
    const json_t *kernel = codec_json_at(answer, "status", "kernel", NULL);
    const char *why = codec_json_text(kernel, "reason", "");
    const json_t *item;
    size_t i;

    json_array_foreach (json_object_get(answer, "items"), i, item) {
        const json_t *spec = json_object_get(item, "spec");
        char age[OUTPUT_AGE_SIZE];
        char left[OUTPUT_AGE_SIZE];
        output_age(codec_json_text(json_object_get(item, "metadata"), "creationTimestamp", ""),
                   clock_wall_sec(), age);
        put_left(codec_json_text(spec, "until", ""), left, sizeof(left));
        json_array_append_new(rows, json_pack("[s, s, s, s]", codec_json_text(spec, "address", "-"),
                                              age, left, codec_json_text(spec, "reason", "-")));
    }
    if (json_array_size(rows) > 0)
        output_table(header, rows);
    else
        printf("nobody is banned\n");
    printf("in the kernel: %s%s%s\n", codec_json_text(kernel, "state", "unknown"),
           why[0] != '\0' ? ", " : "", why);
}

static void print_floods(const json_t *answer)
{
    CLEANUP_JSON json_t *header =
        json_pack("[s, s, s, s]", "CLASS", "LEVEL", "PER SECOND", "USUAL");
    CLEANUP_JSON json_t *rows = json_array();
    const json_t *item;
    size_t i;

    json_array_foreach (codec_json_at(answer, "status", "floods", NULL), i, item) {
        char rate[24];
        char usual[24];
        snprintf(rate, sizeof(rate), "%lld",
                 (long long)json_integer_value(json_object_get(item, "perSecond")));
        snprintf(usual, sizeof(usual), "%lld",
                 (long long)json_integer_value(json_object_get(item, "usual")));
        json_array_append_new(rows, json_pack("[s, s, s, s]", codec_json_text(item, "class", "-"),
                                              codec_json_text(item, "level", "-"), rate, usual));
    }
    output_table(header, rows);
}

static int show(const struct client_options *options, bool bans, struct client *client,
                struct err *err)
{
    CLEANUP_JSON json_t *answer = NULL;

    TRY(client_json(client, "GET", BANS, NULL, NULL, &answer, err));
    if (strcmp(options->output, "table") != 0)
        return output_object(answer, options->output, err);
    if (bans)
        print_bans(answer);
    else
        print_floods(answer);
    return 0;
}

static int end(struct client *client, const char *address, struct err *err)
{
    CLEANUP_FREE char *path = mem_printf(BANS "/%.*s", (int)strcspn(address, "/"), address);

    TRY(client_json(client, "DELETE", path, NULL, NULL, NULL, err));
    printf("%s is no longer banned\n", address);
    return 0;
}

static int run(const struct client_options *options, const char *action, const char *address,
               struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;

    TRY(client_open(options, &client, err));
    if (strcmp(action, "unban") == 0 && address != NULL)
        return end(client, address, err);
    if (address == NULL && (strcmp(action, "bans") == 0 || strcmp(action, "floods") == 0))
        return show(options, strcmp(action, "bans") == 0, client, err);
    return err_set(err, ERR_INVALID, "say bans, floods or unban ADDRESS");
}

int cli_limits(int argc, char **argv)
{
    struct client_options options = CLIENT_OPTIONS_INIT;
    struct cli_args args = cli_args_of("limits", argc, argv);
    const char *words[2] = {NULL};
    struct err err = ERR_INIT;
    enum cli_exit read = cli_read(&args, take_option, &options, words, ARRAY_LEN(words));

    if (read != CLI_OK)
        return read;
    if (words[0] == NULL)
        return cli_usage("limits");
    return run(&options, words[0], words[1], &err) < 0 ? cli_fail(&err) : CLI_OK;
}
