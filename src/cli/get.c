/* SPDX-License-Identifier: Apache-2.0 */
/* drun get, drun delete */
#include "base/mem.h"
#include "cli/client.h"
#include "cli/kinds.h"
#include "cli/output.h"
#include "codec/json.h"

const struct cli_option cli_get_options[] = {
    CLIENT_OPTIONS, OUTPUT_OPTION, {"-A", NULL, "of every namespace"}, {0}};
const struct cli_option cli_delete_options[] = {
    CLIENT_OPTIONS,
    {"-o", "FORMAT", "table says what was done; name, json and yaml name the object"},
    {0}};

#define TABLE_TYPE "application/json;as=Table;v=v1;g=meta.k8s.io"

struct target {
    struct client_options options;
    bool everywhere;
    const char *kind;
    const char *name;
};

/* KIND NAME, or KIND/NAME. */
static int take_argument(struct target *target, char *value)
{
    char *slash = strchr(value, '/');

    if (target->kind == NULL && slash != NULL) {
        *slash = '\0';
        target->kind = value;
        target->name = slash + 1;
    } else if (target->kind == NULL) {
        target->kind = value;
    } else if (target->name == NULL) {
        target->name = value;
    } else {
        return -1;
    }
    return 0;
}

static int read_target(struct target *target, const char *command, int argc, char **argv)
{
    struct cli_args args = cli_args_of(command, argc, argv);
    int kind;

    while ((kind = cli_next(&args)) > 0 && kind != '?') {
        if (kind == '-' && strcmp(args.option, "-A") == 0)
            target->everywhere = true;
        else if (kind == '-')
            (void)client_take_option(&target->options, &args);
        else if (take_argument(target, (char *)(uintptr_t)args.value) < 0)
            return cli_usage(command);
    }
    if (kind == '?')
        return CLI_USAGE;
    /* "pods/" would name the whole collection. */
    if (target->name != NULL && target->name[0] == '\0')
        return cli_usage(command);
    return target->kind == NULL ? cli_usage(command) : CLI_OK;
}

static int print_table(struct client *client, const struct target *target,
                       const struct kube_kind *kind, const char *path, struct err *err)
{
    CLEANUP(fetch_answer_free) struct fetch_answer answer = FETCH_ANSWER_INIT;
    CLEANUP_JSON json_t *table = NULL;
    struct client_call call = {.method = "GET", .path = path, .accept = TABLE_TYPE};

    TRY(client_call(client, &call, &answer, err));
    TRY(codec_json_parse(buf_span(&answer.body), "the platform's answer", &table, err));
    if (json_array_size(json_object_get(table, "rows")) == 0)
        fprintf(stderr, "there is no %s here\n", kind->singular);
    else
        output_kube_table(table, strcmp(target->options.output, "wide") == 0,
                          target->everywhere && kind->namespaced);
    return 0;
}

static int get(const struct target *target, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    CLEANUP_JSON json_t *object = NULL;
    const struct kube_kind *kind;

    TRY(kinds_find(target->kind, &kind, err));
    TRY(client_open(&target->options, &client, err));
    CLEANUP_FREE char *path =
        kinds_path(kind, target->everywhere ? NULL : target->options.namespace, target->name);
    if (strcmp(target->options.output, "table") == 0 || strcmp(target->options.output, "wide") == 0)
        return print_table(client, target, kind, path, err);
    TRY(client_json(client, "GET", path, NULL, NULL, &object, err));
    return output_object(object, target->options.output, err);
}

int cli_get(int argc, char **argv)
{
    struct target target = {.options = CLIENT_OPTIONS_INIT};
    struct err err = ERR_INIT;

    int exit_code = read_target(&target, "get", argc, argv);
    if (exit_code != CLI_OK)
        return exit_code;
    return get(&target, &err) < 0 ? cli_fail(&err) : CLI_OK;
}

static int delete (const struct target *target, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    const struct kube_kind *kind;

    TRY(kinds_find(target->kind, &kind, err));
    TRY(client_open(&target->options, &client, err));
    CLEANUP_FREE char *path = kinds_path(kind, target->options.namespace, target->name);
    TRY(client_json(client, "DELETE", path, NULL, NULL, NULL, err));
    if (strcmp(target->options.output, "table") == 0) {
        printf("%s/%s deleted\n", kind->singular, target->name);
        return 0;
    }
    CLEANUP_JSON json_t *gone =
        json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", kube_kind_api_version(kind), "kind",
                  kind->kind, "metadata", "name", target->name);
    return output_object(gone, target->options.output, err);
}

int cli_delete(int argc, char **argv)
{
    struct target target = {.options = CLIENT_OPTIONS_INIT};
    struct err err = ERR_INIT;

    int exit_code = read_target(&target, "delete", argc, argv);
    if (exit_code != CLI_OK)
        return exit_code;
    if (target.name == NULL)
        return cli_usage("delete");
    return delete (&target, &err) < 0 ? cli_fail(&err) : CLI_OK;
}
