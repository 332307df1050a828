/* SPDX-License-Identifier: Apache-2.0 */
/* drun keys create|list|rotate|revoke|check: API keys. */
#include "cli/keys.h"

#include "base/mem.h"
#include "cli/kinds.h"
#include "cli/output.h"
#include "codec/json.h"
#include "opt/opt.h"

const struct cli_option cli_keys_options[] = {
    CLIENT_OPTIONS,
    OUTPUT_OPTION,
    {"--model", "PATTERN", "create: a model that it may call, \"demo/*\"; may come often"},
    {"--verb", "VERB", "create: what it may do, \"get\" (default: invoke alone); may come often"},
    {"--only-namespace", "NS", "create: a namespace that it may work in; may come often"},
    {"--cidr", "NET", "create: where it may be used from; may come often"},
    {"--user", "NAME", "create: whom it acts for (default: you); revoke: all of this user"},
    {"--service-account", "NAME", "the same for a service account of the namespace"},
    {"--expires", "TIME", "create: RFC 3339"},
    {"--overlap", "TIME",
     "rotate: how long the secret before stays good, 24h (default: not at all)"},
    {"--selector", "LABELS", "revoke: all with these labels, team=a,env!=prod"},
    {"--all", NULL, "revoke: all of the namespace"},
    {"--all-namespaces", NULL, "list, revoke: in every namespace"},
    {"--dry-run", NULL, "revoke: show what would be revoked"},
    {"--quiet", NULL, "create, rotate: print the key alone"},
    {0}};

static json_t *object_of(const struct keys *keys)
{
    const struct {
        const char *name;
        json_t *list;
    } lists[] = {{"models", keys->models},
                 {"verbs", keys->verbs},
                 {"cidrs", keys->cidrs},
                 {"namespaces", keys->namespaces}};
    json_t *spec = json_object();
    json_t *scopes = json_object();

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (json_array_size(lists[i].list) > 0)
            json_object_set(scopes, lists[i].name, lists[i].list);
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

static int show(const struct keys *keys, json_t *made, struct err *err)
{
    const char *key = json_string_value(codec_json_at(made, "status", "key", NULL));
    const char *ends = json_string_value(codec_json_at(made, "status", "previous", "endsAt", NULL));

    if (key == NULL)
        return err_set(err, ERR_INTERNAL, "the platform made the key but did not show it");
    if (strcmp(keys->options.output, "table") != 0)
        return output_object(made, keys->options.output, err);
    printf("%s\n", key);
    if (keys->quiet)
        return 0;
    fprintf(stderr, "This is the only time that it is shown.\n");
    if (ends != NULL)
        fprintf(stderr, "The secret before is good until %s.\n", ends);
    return 0;
}

static int create(const struct keys *keys, struct err *err)
{
    CLEANUP_FREE char *path = kinds_path(&kube_api_key, keys->options.namespace, NULL);
    CLEANUP_JSON json_t *object = object_of(keys);
    CLEANUP_JSON json_t *made = NULL;

    TRY(client_json(keys->client, "POST", path, object, NULL, &made, err));
    return show(keys, made, err);
}

static int rotate(const struct keys *keys, struct err *err)
{
    CLEANUP_FREE char *one = kinds_path(&kube_api_key, keys->options.namespace, keys->name);
    CLEANUP_FREE char *path = mem_printf("%s/rotate", one);
    CLEANUP_JSON json_t *made = NULL;
    uint64_t overlap_ms = 0;

    if (keys->overlap != NULL && opt_parse_duration(keys->overlap, &overlap_ms, err) < 0)
        return err_wrap(err, "--overlap");
    CLEANUP_JSON json_t *body =
        json_pack("{s:{s:I}}", "spec", "overlapSeconds", (json_int_t)(overlap_ms / 1000));
    TRY(client_json(keys->client, "POST", path, body, NULL, &made, err));
    return show(keys, made, err);
}

static int list(const struct keys *keys, struct err *err)
{
    CLEANUP(fetch_answer_free) struct fetch_answer answer = FETCH_ANSWER_INIT;
    const char *namespace = keys->all_namespaces ? NULL : keys->options.namespace;
    CLEANUP_FREE char *path = kinds_path(&kube_api_key, namespace, NULL);
    CLEANUP_JSON json_t *body = NULL;
    bool table = strcmp(keys->options.output, "table") == 0;
    struct client_call call = {.method = "GET",
                               .path = path,
                               .accept =
                                   table ? "application/json;as=Table;v=v1;g=meta.k8s.io" : NULL};

    TRY(client_call(keys->client, &call, &answer, err));
    TRY(codec_json_parse(buf_span(&answer.body), "the platform's answer", &body, err));
    if (!table)
        return output_object(body, keys->options.output, err);
    output_kube_table(body, true, keys->all_namespaces);
    return 0;
}

static int run(struct keys *keys, const char *action, struct err *err)
{
    static const struct {
        const char *name;
        int (*run)(const struct keys *keys, struct err *err);
        bool needs_name;
    } actions[] = {
        {"create", create, true},
        {"list", list, false},
        {"rotate", rotate, true},
        {"revoke", keys_revoke, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        if (strcmp(action, actions[i].name) != 0)
            continue;
        if (actions[i].needs_name && keys->name == NULL)
            return err_set(err, ERR_INVALID, "name the key");
        TRY(client_open(&keys->options, &keys->client, err));
        return actions[i].run(keys, err);
    }
    return err_set(err, ERR_INVALID, "\"%s\" is none of create, list, rotate, revoke, check",
                   action);
}

static bool take_list(struct keys *keys, const struct cli_args *args)
{
    const struct {
        const char *option;
        json_t *list;
    } lists[] = {{"--model", keys->models},
                 {"--verb", keys->verbs},
                 {"--cidr", keys->cidrs},
                 {"--only-namespace", keys->namespaces}};

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (strcmp(args->option, lists[i].option) == 0)
            return json_array_append_new(lists[i].list, json_string(args->value)) == 0;
    return false;
}

static bool take_text(struct keys *keys, const struct cli_args *args)
{
    const struct {
        const char *option;
        const char **value;
    } texts[] = {{"--user", &keys->user},
                 {"--service-account", &keys->service_account},
                 {"--expires", &keys->expires},
                 {"--overlap", &keys->overlap},
                 {"--selector", &keys->selector}};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (strcmp(args->option, texts[i].option) == 0) {
            *texts[i].value = args->value;
            return true;
        }
    return false;
}

static void take_option(void *ctx, const struct cli_args *args)
{
    struct keys *keys = ctx;

    if (client_take_option(&keys->options, args) || take_list(keys, args) || take_text(keys, args))
        return;
    if (strcmp(args->option, "--all") == 0)
        keys->all = true;
    else if (strcmp(args->option, "--all-namespaces") == 0)
        keys->all_namespaces = true;
    else if (strcmp(args->option, "--dry-run") == 0)
        keys->dry_run = true;
    else
        keys->quiet = true;
}

static int check(struct err *err)
{
    bool found = false;

    if (keys_check(&found, err) < 0)
        return cli_fail(err);
    return found ? CLI_OK : CLI_FAILED;
}

int cli_keys(int argc, char **argv)
{
    CLEANUP_JSON json_t *models = json_array();
    CLEANUP_JSON json_t *verbs = json_array();
    CLEANUP_JSON json_t *cidrs = json_array();
    CLEANUP_JSON json_t *namespaces = json_array();
    struct keys keys = {.options = CLIENT_OPTIONS_INIT,
                        .models = models,
                        .verbs = verbs,
                        .cidrs = cidrs,
                        .namespaces = namespaces};
    struct cli_args args = cli_args_of("keys", argc, argv);
    const char *words[2] = {NULL};
    struct err err = ERR_INIT;

    enum cli_exit read = cli_read(&args, take_option, &keys, words, ARRAY_LEN(words));
    if (read != CLI_OK)
        return read;
    if (words[0] == NULL)
        return cli_usage("keys");
    if (strcmp(words[0], "check") == 0)
        return check(&err);
    keys.name = words[1];
    int result = run(&keys, words[0], &err);
    client_free(keys.client);
    return result < 0 ? cli_fail(&err) : CLI_OK;
}
