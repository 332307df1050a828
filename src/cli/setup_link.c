/* SPDX-License-Identifier: Apache-2.0 */
/* drun setup-link: how the first administrator gets in. */
#include "cli/client.h"
#include "cli/local.h"
#include "codec/json.h"

const struct cli_option cli_setup_link_options[] = {
    {"--data", "DIR", "the data directory of the platform (default: /var/lib/drun)"}, {0}};

static int print_link(const char *data_dir, struct err *err)
{
    CLEANUP(local_free) struct local local = LOCAL_INIT;
    CLEANUP_JSON json_t *answer = NULL;

    TRY(local_find(data_dir, &local, err));
    TRY(local_ask(&local, "/setup-link", &answer, err));
    printf("%s\n", codec_json_text(answer, "url", ""));
    return 0;
}

static void take(void *ctx, const struct cli_args *args)
{
    const char **data_dir = ctx;

    *data_dir = args->value;
}

int cli_setup_link(int argc, char **argv)
{
    struct cli_args args = cli_args_of("setup-link", argc, argv);
    const char *data_dir = NULL;
    struct err err = ERR_INIT;

    enum cli_exit read = cli_read(&args, take, &data_dir, NULL, 0);
    if (read != CLI_OK)
        return read;
    return print_link(local_data_dir(data_dir), &err) < 0 ? cli_fail(&err) : CLI_OK;
}
