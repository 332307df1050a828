/* SPDX-License-Identifier: Apache-2.0 */
/* drun complete kinds|namespaces|controls|models: what shells offer. It never says an error: a
 * prompt is no place for one. */
#include "base/mem.h"
#include "cli/client.h"
#include "cli/kinds.h"
#include "codec/json.h"

const struct cli_option cli_complete_options[] = {CLIENT_OPTIONS, {0}};

static void put_kinds(void)
{
    for (size_t i = 0; kube_kinds[i] != NULL; i++)
        printf("%s\n", kube_kinds[i]->plural);
}

static void put_names(const struct client_options *options, const char *path, const char *list,
                      bool by_id)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    CLEANUP_JSON json_t *answer = NULL;
    const json_t *item;
    struct err err = ERR_INIT;
    size_t i;

    if (client_open(options, &client, &err) < 0 ||
        client_json(client, "GET", path, NULL, NULL, &answer, &err) < 0)
        return;
    json_array_foreach (json_object_get(answer, list), i, item)
        printf("%s\n", by_id ? codec_json_text(item, "id", "")
                             : codec_json_text(json_object_get(item, "metadata"), "name", ""));
}

static void put_objects(const struct client_options *options, const char *name)
{
    const struct kube_kind *kind;
    struct err err = ERR_INIT;

    if (kinds_find(name, &kind, &err) < 0)
        return;
    CLEANUP_FREE char *path = kinds_path(kind, options->namespace, NULL);
    put_names(options, path, "items", false);
}

static void take(void *ctx, const struct cli_args *args)
{
    (void)client_take_option(ctx, args);
}

int cli_complete(int argc, char **argv)
{
    struct client_options options = CLIENT_OPTIONS_INIT;
    struct cli_args args = cli_args_of("complete", argc, argv);
    const char *words[2];

    enum cli_exit read = cli_read(&args, take, &options, words, ARRAY_LEN(words));
    if (read != CLI_OK || words[0] == NULL)
        return CLI_USAGE;
    if (strcmp(words[0], "kinds") == 0)
        put_kinds();
    else if (strcmp(words[0], "models") == 0)
        put_names(&options, "/v1/models", "data", true);
    else
        put_objects(&options, words[1] != NULL ? words[1] : words[0]);
    return CLI_OK;
}
