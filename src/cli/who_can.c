/* SPDX-License-Identifier: Apache-2.0 */
/* drun who-can VERB KIND [NAME]: every subject that a binding gives the right, as the caller may
 * see roles and bindings. KIND/SUB asks for a subresource. */
#include "base/mem.h"
#include "cli/client.h"
#include "cli/kinds.h"
#include "cli/output.h"
#include "codec/json.h"
#include "rbac/rbac.h"

const struct cli_option cli_who_can_options[] = {CLIENT_OPTIONS, OUTPUT_OPTION, {0}};

static int load_kind(struct client *client, const struct kube_kind *kind, const char *namespace,
                     struct rbac_model *model, struct err *err)
{
    CLEANUP_FREE char *path = kinds_path(kind, namespace, NULL);
    CLEANUP_JSON json_t *list = NULL;
    json_t *item;
    size_t i;

    TRY(client_json(client, "GET", path, NULL, NULL, &list, err));
    json_array_foreach (json_object_get(list, "items"), i, item) {
        json_object_set_new(item, "apiVersion", json_string(kube_kind_api_version(kind)));
        json_object_set_new(item, "kind", json_string(kind->kind));
        TRY(rbac_model_put(model, item, err));
    }
    return 0;
}

static int load(struct client *client, const char *namespace, struct rbac_model *model,
                struct err *err)
{
    TRY(load_kind(client, &kube_cluster_role, NULL, model, err));
    TRY(load_kind(client, &kube_cluster_role_binding, NULL, model, err));
    if (namespace[0] == '\0')
        return 0;
    TRY(load_kind(client, &kube_role, namespace, model, err));
    return load_kind(client, &kube_role_binding, namespace, model, err);
}

static void print(const json_t *found)
{
    CLEANUP_JSON json_t *header = json_pack("[s, s, s, s]", "KIND", "NAME", "BINDING", "ROLE");
    CLEANUP_JSON json_t *rows = json_array();
    const json_t *one;
    size_t i;

    json_array_foreach (found, i, one) {
        json_t *binding = json_sprintf("%s/%s", codec_json_text(one, "bindingKind", ""),
                                       codec_json_text(one, "binding", ""));
        json_t *role = json_sprintf("%s/%s", codec_json_text(one, "roleKind", ""),
                                    codec_json_text(one, "role", ""));
        json_array_append_new(rows, json_pack("[s, s, o, o]", codec_json_text(one, "kind", ""),
                                              codec_json_text(one, "name", ""), binding, role));
    }
    output_table(header, rows);
}

static int ask(const struct client_options *options, const char *const words[3], bool *anybody,
               struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = rbac_model_new();
    const char *slash = strchr(words[1], '/');
    CLEANUP_FREE char *resource =
        mem_strndup(words[1], slash == NULL ? strlen(words[1]) : (size_t)(slash - words[1]));
    const struct kube_kind *kind;

    TRY(kinds_find(resource, &kind, err));
    const char *namespace = kind->namespaced ? options->namespace : "";
    struct rbac_request request = {
        .verb = span_str(words[0]),
        .api_group = span_str(kind->group),
        .resource = span_str(kind->plural),
        .subresource = span_str(slash == NULL ? "" : slash + 1),
        .namespace = span_str(namespace),
        .name = span_str(words[2] == NULL ? "" : words[2]),
    };
    TRY(client_open(options, &client, err));
    TRY(load(client, namespace, model, err));
    CLEANUP_JSON json_t *found = rbac_model_who_can(model, &request);
    *anybody = json_array_size(found) > 0;
    if (strcmp(options->output, "table") != 0)
        return output_object(found, options->output, err);
    if (*anybody)
        print(found);
    else
        fprintf(stderr, "nobody\n");
    return 0;
}

static void take(void *ctx, const struct cli_args *args)
{
    (void)client_take_option(ctx, args);
}

int cli_who_can(int argc, char **argv)
{
    struct client_options options = CLIENT_OPTIONS_INIT;
    struct cli_args args = cli_args_of("who-can", argc, argv);
    struct err err = ERR_INIT;
    const char *words[3];
    bool anybody = false;

    enum cli_exit read = cli_read(&args, take, &options, words, ARRAY_LEN(words));
    if (read != CLI_OK)
        return read;
    if (words[1] == NULL)
        return cli_usage("who-can");
    if (ask(&options, words, &anybody, &err) < 0)
        return cli_fail(&err);
    return anybody ? CLI_OK : CLI_FAILED;
}
