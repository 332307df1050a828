/* SPDX-License-Identifier: Apache-2.0 */
/* drun apply: makes objects, or merges into those that are there. */
#include "base/fd.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/kinds.h"
#include "cli/output.h"
#include "codec/yaml.h"

#include <fcntl.h>

const struct cli_option cli_apply_options[] = {
    CLIENT_OPTIONS,
    OUTPUT_OPTION,
    {"-f", "FILE", "YAML or JSON manifests; - reads standard input"},
    {0}};

enum { MANIFEST_MAX = 16 * 1024 * 1024 };

static int read_manifests(const char *path, json_t **out, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(MANIFEST_MAX);

    if (strcmp(path, "-") == 0)
        TRY(fd_read_all(STDIN_FILENO, "standard input", &text, err));
    else
        TRY(fd_read_file(AT_FDCWD, path, &text, err));
    return codec_yaml_parse(buf_span(&text), path, out, err);
}

static int say(const struct client_options *options, const struct kube_kind *kind, const char *name,
               const char *what, const json_t *made, struct err *err)
{
    if (strcmp(options->output, "table") != 0)
        return output_object(made, options->output, err);
    printf("%s/%s %s\n", kind->singular, name, what);
    return 0;
}

static int apply_one(struct client *client, const struct client_options *options, json_t *object,
                     struct err *err)
{
    CLEANUP_JSON json_t *made = NULL;
    const struct kube_kind *kind;
    const json_t *metadata = json_object_get(object, "metadata");
    const char *name = codec_json_text(metadata, "name", "");
    const char *namespace = codec_json_text(metadata, "namespace", options->namespace);

    TRY(kinds_of_object(codec_json_text(object, "apiVersion", ""),
                        codec_json_text(object, "kind", ""), &kind, err));
    if (name[0] == '\0')
        return err_set(err, ERR_INVALID, "an object of kind %s has no metadata.name", kind->kind);
    CLEANUP_FREE char *one = kinds_path(kind, namespace, name);
    CLEANUP_FREE char *all = kinds_path(kind, namespace, NULL);
    if (client_json(client, "PATCH", one, object, "application/merge-patch+json", &made, err) == 0)
        return say(options, kind, name, "configured", made, err);
    if (err->code != ERR_NOT_FOUND)
        return err_wrap(err, "%s/%s", kind->singular, name);
    err_clear(err);
    if (client_json(client, "POST", all, object, NULL, &made, err) < 0)
        return err_wrap(err, "%s/%s", kind->singular, name);
    return say(options, kind, name, "created", made, err);
}

static int apply(const struct client_options *options, const char *file, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    CLEANUP_JSON json_t *objects = NULL;
    json_t *object;
    size_t i;

    TRY(read_manifests(file, &objects, err));
    TRY(client_open(options, &client, err));
    json_array_foreach (objects, i, object)
        TRY(apply_one(client, options, object, err));
    return 0;
}

int cli_apply(int argc, char **argv)
{
    struct client_options options = CLIENT_OPTIONS_INIT;
    struct cli_args args = cli_args_of("apply", argc, argv);
    struct err err = ERR_INIT;
    const char *file = NULL;
    int kind;

    while ((kind = cli_next(&args)) == '-') {
        if (strcmp(args.option, "-f") == 0)
            file = args.value;
        else
            (void)client_take_option(&options, &args);
    }
    if (kind != 0 || file == NULL)
        return kind == '?' ? CLI_USAGE : cli_usage("apply");
    return apply(&options, file, &err) < 0 ? cli_fail(&err) : CLI_OK;
}
