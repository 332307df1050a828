/* SPDX-License-Identifier: Apache-2.0 */
/* drun keys create|list|revoke: API keys. */
#include "base/mem.h"
#include "cli/client.h"
#include "cli/kinds.h"
#include "cli/output.h"
#include "codec/json.h"

const struct cli_option cli_keys_options[] = {
    CLIENT_OPTIONS,
    OUTPUT_OPTION,
    {"--model", "PATTERN", "create: a model that it may call, \"demo/*\"; may come often"},
    {"--cidr", "NET", "create: where it may be used from; may come often"},
    {"--user", "NAME", "create: whom it acts for (default: you)"},
    {"--service-account", "NAME", "create: the service account of the namespace that it acts for"},
    {"--expires", "TIME", "create: RFC 3339"},
    {"--quiet", NULL, "create: print the key alone"},
    {0}};

struct keys {
    struct client_options options;
    const char *action;
    const char *name;
    const char *user;
    const char *service_account;
    const char *expires;
    json_t *models;
    json_t *cidrs;
    bool quiet;
};

static json_t *object_of(const struct keys *keys)
{
    json_t *spec = json_object();
    json_t *scopes = json_object();

    if (json_array_size(keys->models) > 0)
        json_object_set(scopes, "models", keys->models);
    if (json_array_size(keys->cidrs) > 0)
        json_object_set(scopes, "cidrs", keys->cidrs);
    if (json_object_size(scopes) > 0)
        json_object_set(spec, "scopes", scopes);
    if (keys->user != NULL)
        json_object_set_new(spec, "user", json_string(keys->user));
    if (keys->service_account != NULL)
        json_object_set_new(spec, "serviceAccountName", json_string(keys->service_account));
    if (keys->expires != NULL)
        json_object_set_new(spec, "expiresAt", json_string(keys->expires));
    json_decref(scopes);
    return json_pack("{s:s, s:s, s:{s:s}, s:o}", "apiVersion", "drun.io/v1", "kind", "ApiKey",
                     "metadata", "name", keys->name, "spec", spec);
}

static int create(const struct keys *keys, struct client *client, const char *path, struct err *err)
{
    CLEANUP_JSON json_t *object = object_of(keys);
    CLEANUP_JSON json_t *made = NULL;

    TRY(client_json(client, "POST", path, object, NULL, &made, err));
    const char *key = json_string_value(codec_json_at(made, "status", "key", NULL));
    if (key == NULL)
        return err_set(err, ERR_INTERNAL, "the platform made the key but did not show it");
    if (strcmp(keys->options.output, "table") != 0)
        return output_object(made, keys->options.output, err);
    printf("%s\n", key);
    if (!keys->quiet)
        fprintf(stderr, "This is the only time that it is shown.\n");
    return 0;
}

static int list(const struct keys *keys, struct client *client, const char *path, struct err *err)
{
    CLEANUP(fetch_answer_free) struct fetch_answer answer = FETCH_ANSWER_INIT;
    CLEANUP_JSON json_t *body = NULL;
    bool table = strcmp(keys->options.output, "table") == 0;
    struct client_call call = {.method = "GET",
                               .path = path,
                               .accept =
                                   table ? "application/json;as=Table;v=v1;g=meta.k8s.io" : NULL};

    TRY(client_call(client, &call, &answer, err));
    TRY(codec_json_parse(buf_span(&answer.body), "the platform's answer", &body, err));
    if (!table)
        return output_object(body, keys->options.output, err);
    output_kube_table(body, false, false);
    return 0;
}

static int run(const struct keys *keys, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    const char *namespace = keys->options.namespace;
    CLEANUP_FREE char *all = kinds_path(&kube_api_key, namespace, NULL);

    TRY(client_open(&keys->options, &client, err));
    if (strcmp(keys->action, "list") == 0)
        return list(keys, client, all, err);
    if (keys->name == NULL)
        return err_set(err, ERR_INVALID, "name the key");
    if (strcmp(keys->action, "create") == 0)
        return create(keys, client, all, err);
    if (strcmp(keys->action, "revoke") != 0)
        return err_set(err, ERR_INVALID, "\"%s\" is none of create, list, revoke", keys->action);
    CLEANUP_FREE char *one = kinds_path(&kube_api_key, namespace, keys->name);
    TRY(client_json(client, "DELETE", one, NULL, NULL, NULL, err));
    printf("apikey/%s revoked\n", keys->name);
    return 0;
}

static void take_option(struct keys *keys, const struct cli_args *args)
{
    if (client_take_option(&keys->options, args))
        return;
    if (strcmp(args->option, "--model") == 0)
        json_array_append_new(keys->models, json_string(args->value));
    else if (strcmp(args->option, "--cidr") == 0)
        json_array_append_new(keys->cidrs, json_string(args->value));
    else if (strcmp(args->option, "--user") == 0)
        keys->user = args->value;
    else if (strcmp(args->option, "--service-account") == 0)
        keys->service_account = args->value;
    else if (strcmp(args->option, "--expires") == 0)
        keys->expires = args->value;
    else
        keys->quiet = true;
}

int cli_keys(int argc, char **argv)
{
    CLEANUP_JSON json_t *models = json_array();
    CLEANUP_JSON json_t *cidrs = json_array();
    struct keys keys = {.options = CLIENT_OPTIONS_INIT, .models = models, .cidrs = cidrs};
    struct cli_args args = cli_args_of("keys", argc, argv);
    struct err err = ERR_INIT;
    int kind;

    while ((kind = cli_next(&args)) > 0 && kind != '?') {
        if (kind == '-')
            take_option(&keys, &args);
        else if (keys.action == NULL)
            keys.action = args.value;
        else
            keys.name = args.value;
    }
    if (kind == '?' || keys.action == NULL)
        return kind == '?' ? CLI_USAGE : cli_usage("keys");
    return run(&keys, &err) < 0 ? cli_fail(&err) : CLI_OK;
}
