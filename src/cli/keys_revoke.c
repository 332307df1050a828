/* SPDX-License-Identifier: Apache-2.0 */
/* drun keys revoke: one key, or all that selectors fit. */
#include "cli/keys.h"

#include "base/enc.h"
#include "base/mem.h"
#include "cli/kinds.h"
#include "codec/json.h"

enum { PATH_MAX_LEN = 8192 };

static int revoke_one(const struct keys *keys, struct err *err)
{
    CLEANUP_FREE char *path = kinds_path(&kube_api_key, keys->options.namespace, keys->name);
    CLEANUP_FREE char *dry = mem_printf("%s?dryRun=All", path);

    TRY(client_json(keys->client, "DELETE", keys->dry_run ? dry : path, NULL, NULL, NULL, err));
    printf("apikey/%s revoked%s\n", keys->name, keys->dry_run ? " (dry run)" : "");
    return 0;
}

/* The collection of a namespace (NULL: of all) with the selectors. */
static int put_path(const struct keys *keys, const char *namespace, struct buf *out,
                    struct err *err)
{
    CLEANUP_FREE char *path = kinds_path(&kube_api_key, namespace, NULL);
    char before = '?';

    buf_put_str(out, path);
    if (keys->selector != NULL) {
        buf_printf(out, "%clabelSelector=", before);
        enc_percent_put(keys->selector, out);
        before = '&';
    }
    if (keys->user != NULL || keys->service_account != NULL) {
        CLEANUP_FREE char *field =
            keys->user != NULL ? mem_printf("spec.user=%s", keys->user)
                               : mem_printf("spec.serviceAccountName=%s", keys->service_account);
        buf_printf(out, "%cfieldSelector=", before);
        enc_percent_put(field, out);
        before = '&';
    }
    if (keys->dry_run)
        buf_printf(out, "%cdryRun=All", before);
    return buf_check(out, "the selectors", err);
}

/* Of a namespace, all in one request. */
static int revoke_in(const struct keys *keys, const char *namespace, size_t *count, struct err *err)
{
    CLEANUP(buf_free) struct buf path = BUF_INIT(PATH_MAX_LEN);
    CLEANUP_JSON json_t *gone = NULL;
    const json_t *item;
    size_t i;

    TRY(put_path(keys, namespace, &path, err));
    TRY(client_json(keys->client, "DELETE", buf_text(&path), NULL, NULL, &gone, err));
    json_array_foreach (json_object_get(gone, "items"), i, item) {
        printf("apikey/%s revoked in %s%s\n",
               json_string_value(codec_json_at(item, "metadata", "name", NULL)), namespace,
               keys->dry_run ? " (dry run)" : "");
        ++*count;
    }
    return 0;
}

/* Namespaces in which there is one. */
static int find_namespaces(const struct keys *keys, json_t *out, struct err *err)
{
    CLEANUP(buf_free) struct buf path = BUF_INIT(PATH_MAX_LEN);
    CLEANUP_JSON json_t *list = NULL;
    struct keys look = *keys;
    const json_t *item;
    size_t i;

    look.dry_run = false;
    TRY(put_path(&look, NULL, &path, err));
    TRY(client_json(keys->client, "GET", buf_text(&path), NULL, NULL, &list, err));
    json_array_foreach (json_object_get(list, "items"), i, item)
        json_object_set_new(out,
                            json_string_value(codec_json_at(item, "metadata", "namespace", NULL)),
                            json_true());
    return 0;
}

static int revoke_many(const struct keys *keys, struct err *err)
{
    CLEANUP_JSON json_t *namespaces = json_object();
    const char *namespace;
    json_t *value UNUSED;
    size_t count = 0;

    if (keys->all_namespaces)
        TRY(find_namespaces(keys, namespaces, err));
    else
        json_object_set_new(namespaces, keys->options.namespace, json_true());
    json_object_foreach (namespaces, namespace, value)
        TRY(revoke_in(keys, namespace, &count, err));
    if (count == 0)
        fprintf(stderr, "no key fits\n");
    return 0;
}

int keys_revoke(const struct keys *keys, struct err *err)
{
    bool selects = keys->selector != NULL || keys->user != NULL || keys->service_account != NULL;

    if (keys->name != NULL && (keys->all || selects || keys->all_namespaces))
        return err_set(err, ERR_INVALID, "name a key, or say which by options, not both");
    if (keys->user != NULL && keys->service_account != NULL)
        return err_set(err, ERR_INVALID, "--user or --service-account, not both");
    if (keys->name != NULL)
        return revoke_one(keys, err);
    if (!keys->all && !selects)
        return err_set(
            err, ERR_INVALID,
            "name the key, or say which: --user, --service-account, --selector or --all");
    return revoke_many(keys, err);
}
