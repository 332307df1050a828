/* SPDX-License-Identifier: Apache-2.0 */
/* drun describe KIND NAME: one object and what happened to it, for people. */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/kinds.h"
#include "cli/output.h"
#include "codec/json.h"
#include "codec/yaml.h"

const struct cli_option cli_describe_options[] = {CLIENT_OPTIONS, {0}};

enum { TEXT_MAX = 64 * 1024 * 1024 };

static void put_fact(struct buf *out, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0')
        buf_printf(out, "%-13s %s\n", name, value);
}

static void put_map(struct buf *out, const char *name, const json_t *map)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)map, key, value) {
        CLEANUP(buf_free) struct buf text = BUF_INIT(TEXT_MAX);
        if (json_is_string(value))
            buf_put_str(&text, json_string_value(value));
        else
            codec_json_put(value, &text);
        buf_printf(out, "%-13s %s=%s\n", name, key, buf_text(&text));
        name = "";
    }
}

static void put_names(struct buf *out, const char *name, const json_t *list)
{
    const json_t *one;
    size_t i;

    json_array_foreach (list, i, one) {
        if (json_is_string(one))
            put_fact(out, name, json_string_value(one));
        else
            buf_printf(out, "%-13s %s/%s\n", name, codec_json_text(one, "kind", ""),
                       codec_json_text(one, "name", ""));
        name = "";
    }
}

static void put_metadata(struct buf *out, const json_t *object)
{
    const json_t *metadata = json_object_get(object, "metadata");
    const char *created = codec_json_text(metadata, "creationTimestamp", "");
    char age[OUTPUT_AGE_SIZE];

    output_age(created, clock_wall_sec(), age);
    put_fact(out, "Name:", codec_json_text(metadata, "name", ""));
    put_fact(out, "Namespace:", codec_json_text(metadata, "namespace", ""));
    put_map(out, "Labels:", json_object_get(metadata, "labels"));
    put_map(out, "Annotations:", json_object_get(metadata, "annotations"));
    buf_printf(out, "%-13s %s (%s ago)\n", "Created:", created, age);
    put_fact(out, "Deleted:", codec_json_text(metadata, "deletionTimestamp", ""));
    put_names(out, "Finalizers:", json_object_get(metadata, "finalizers"));
    put_names(out, "Owned by:", json_object_get(metadata, "ownerReferences"));
}

/* What is in a secret stays there. */
static void hide_values(json_t *object)
{
    static const char *const names[] = {"data", "stringData"};
    const char *key;
    json_t *value;
    void *next;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        json_object_foreach_safe(json_object_get(object, names[i]), next, key, value)
        {
            const char *text = json_string_value(value);
            size_t len = text == NULL ? 0 : strlen(text);
            size_t padding = len >= 2 ? (text[len - 1] == '=') + (text[len - 2] == '=') : 0;
            json_object_set_new(json_object_get(object, names[i]), key,
                                json_sprintf("%zu bytes", len / 4 * 3 - padding));
        }
}

static void put_conditions(struct buf *out, const json_t *conditions)
{
    const json_t *one;
    size_t i;
    char age[OUTPUT_AGE_SIZE];

    if (json_array_size(conditions) > 0)
        buf_put_str(out, "conditions:\n");
    json_array_foreach (conditions, i, one) {
        output_age(codec_json_text(one, "lastTransitionTime", ""), clock_wall_sec(), age);
        buf_printf(out, "  %-16s %-8s %-5s %s: %s\n", codec_json_text(one, "type", ""),
                   codec_json_text(one, "status", ""), age, codec_json_text(one, "reason", ""),
                   codec_json_text(one, "message", ""));
    }
}

static void put_rest(struct buf *out, json_t *object)
{
    static const char *const done[] = {"apiVersion", "kind", "metadata"};
    json_t *status = json_object_get(object, "status");
    json_t *conditions = json_incref(json_object_get(status, "conditions"));

    for (size_t i = 0; i < ARRAY_LEN(done); i++)
        json_object_del(object, done[i]);
    json_object_del(status, "conditions");
    if (json_object_size(status) == 0)
        json_object_del(object, "status");
    if (json_object_size(object) > 0) {
        buf_put_str(out, "\n");
        codec_yaml_put(object, out);
    }
    put_conditions(out, conditions);
    json_decref(conditions);
}

static int put_events(struct client *client, const char *namespace, const char *uid,
                      struct buf *out, struct err *err)
{
    CLEANUP_FREE char *path = kinds_path(&kube_event_kind, namespace, NULL);
    CLEANUP_JSON json_t *list = NULL;
    const json_t *one;
    size_t i, count = 0;
    char age[OUTPUT_AGE_SIZE];

    TRY(client_json(client, "GET", path, NULL, NULL, &list, err));
    json_array_foreach (json_object_get(list, "items"), i, one) {
        if (strcmp(codec_json_text(json_object_get(one, "involvedObject"), "uid", ""), uid) != 0)
            continue;
        buf_put_str(out, count++ == 0 ? "events:\n" : "");
        output_age(codec_json_text(one, "lastTimestamp", ""), clock_wall_sec(), age);
        buf_printf(out, "  %-8s %-5s %s: %s\n", codec_json_text(one, "type", ""), age,
                   codec_json_text(one, "reason", ""), codec_json_text(one, "message", ""));
    }
    return 0;
}

static int describe(const struct client_options *options, const char *kind_name, const char *name,
                    struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    CLEANUP(buf_free) struct buf out = BUF_INIT(TEXT_MAX);
    CLEANUP_JSON json_t *object = NULL;
    const struct kube_kind *kind;
    struct err ignored = ERR_INIT;

    TRY(kinds_find(kind_name, &kind, err));
    TRY(client_open(options, &client, err));
    CLEANUP_FREE char *path = kinds_path(kind, options->namespace, name);
    TRY(client_json(client, "GET", path, NULL, NULL, &object, err));
    CLEANUP_FREE char *uid =
        mem_strdup(codec_json_text(json_object_get(object, "metadata"), "uid", ""));
    if (kind == &kube_secret)
        hide_values(object);
    put_metadata(&out, object);
    put_rest(&out, object);
    /* Who may see the object need not be allowed to see events. */
    if (kind->namespaced && put_events(client, options->namespace, uid, &out, &ignored) < 0)
        buf_printf(&out, "events: not shown: %s\n", ignored.msg);
    TRY(buf_check(&out, "the description", err));
    output_harmless((char *)out.data, out.len);
    fputs(buf_text(&out), stdout);
    return 0;
}

static void take(void *ctx, const struct cli_args *args)
{
    (void)client_take_option(ctx, args);
}

int cli_describe(int argc, char **argv)
{
    struct client_options options = CLIENT_OPTIONS_INIT;
    struct cli_args args = cli_args_of("describe", argc, argv);
    struct err err = ERR_INIT;
    const char *words[2];

    enum cli_exit read = cli_read(&args, take, &options, words, ARRAY_LEN(words));
    if (read != CLI_OK)
        return read;
    if (words[0] == NULL)
        return cli_usage("describe");
    CLEANUP_FREE char *kind = mem_strdup(words[0]);
    char *slash = strchr(kind, '/');
    const char *name = words[1];
    if (slash != NULL && name == NULL) {
        *slash = '\0';
        name = slash + 1;
    }
    if (name == NULL || name[0] == '\0')
        return cli_usage("describe");
    return describe(&options, kind, name, &err) < 0 ? cli_fail(&err) : CLI_OK;
}
