/* SPDX-License-Identifier: Apache-2.0 */
/* drun access-review: who can do what, through which binding, and who was last seen when. Grants
 * come from the platform in one answer; people, keys and service accounts are joined to them here.
 */
#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "cli/access.h"
#include "cli/client.h"
#include "cli/kinds.h"
#include "cli/output.h"
#include "codec/json.h"
#include "opt/opt.h"

#include <stdlib.h>

#define REPORT "/apis/authorization.drun.io/v1/accessreport"

const struct cli_option cli_access_review_options[] = {
    {"--server", "URL", "the platform (default: this machine's, or that of `drun login`)"},
    {"--data", "DIR", "the data directory of a platform on this machine"},
    {"--ca", "FILE", "authority of the server's certificate, PEM"},
    {"--namespace", "NS", "this namespace alone (default: all)"},
    {"-n", "NS", "the same"},
    {"-o", "FORMAT", "table, json or csv"},
    {"--stale", "TIME", "what was not used for so long is stale (default: 90d)"},
    {0}};

struct options {
    struct client_options client;
    const char *stale;
};

static void take_option(void *ctx, const struct cli_args *args)
{
    struct options *options = ctx;

    if (!client_take_option(&options->client, args))
        options->stale = args->value;
}

/* NULL when the caller may not; that is no failure. */
static int read_list(struct client *client, const struct kube_kind *kind, const char *namespace,
                     json_t **out, struct err *err)
{
    CLEANUP_FREE char *path = kinds_path(kind, namespace, NULL);
    CLEANUP_JSON json_t *list = NULL;

    if (client_json(client, "GET", path, NULL, NULL, &list, err) < 0) {
        if (err->code != ERR_DENIED)
            return -1;
        err_clear(err);
        return 0;
    }
    *out = json_incref(json_object_get(list, "items"));
    return 0;
}

static int read_all(struct client *client, const char *namespace, struct access_source *source,
                    struct err *err)
{
    CLEANUP(buf_free) struct buf path = BUF_INIT(2048);

    buf_put_str(&path, REPORT);
    if (namespace != NULL) {
        buf_put_str(&path, "?namespace=");
        enc_percent_put(namespace, &path);
    }
    TRY(buf_check(&path, "the namespace", err));
    TRY(client_json(client, "GET", buf_text(&path), NULL, NULL, &source->report, err));
    TRY(read_list(client, &kube_user, NULL, &source->users, err));
    TRY(read_list(client, &kube_group, NULL, &source->groups, err));
    TRY(read_list(client, &kube_api_key, namespace, &source->keys, err));
    return read_list(client, &kube_service_account, namespace, &source->accounts, err);
}

static void source_free(struct access_source *source)
{
    json_decref(source->report);
    json_decref(source->users);
    json_decref(source->groups);
    json_decref(source->keys);
    json_decref(source->accounts);
}

static int run(const struct options *options, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    CLEANUP(source_free) struct access_source source = {.now_sec = clock_wall_sec()};
    const char *format = options->client.output;
    uint64_t stale_ms = 0;

    if (strcmp(format, "table") != 0 && strcmp(format, "json") != 0 && strcmp(format, "csv") != 0)
        return err_set(err, ERR_INVALID, "-o %s: say table, json or csv", format);
    if (opt_parse_duration(options->stale, &stale_ms, err) < 0)
        return err_wrap(err, "--stale");
    source.stale_sec = (int64_t)(stale_ms / 1000);
    TRY(client_open(&options->client, &client, err));
    TRY(read_all(client, options->client.namespace, &source, err));
    CLEANUP_JSON json_t *review = access_review(&source);
    if (strcmp(format, "json") == 0)
        return output_object(review, "json", err);
    if (strcmp(format, "csv") == 0)
        access_print_csv(review);
    else
        access_print_table(review);
    return 0;
}

int cli_access_review(int argc, char **argv)
{
    struct options options = {.client = {.output = "table"}, .stale = "90d"};
    struct cli_args args = cli_args_of("access-review", argc, argv);
    struct err err = ERR_INIT;
    enum cli_exit read = cli_read(&args, take_option, &options, NULL, 0);

    if (read != CLI_OK)
        return read;
    return run(&options, &err) < 0 ? cli_fail(&err) : CLI_OK;
}
