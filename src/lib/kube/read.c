/* SPDX-License-Identifier: Apache-2.0 */
/* get and list. */
#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "base/num.h"
#include "kube/kube_internal.h"

enum { CONTINUE_SEC = 15 * 60, CONTINUE_MAX = 8192 };

int kube_do_get(struct kube_call *call)
{
    json_t *object;

    TRY(kube_load(call, &object, NULL));
    kube_respond(call, 200, object);
    return 0;
}

/* ------------------------------------------------------------------ continue tokens */

static void token_mac(const struct kube_call *call, struct span payload,
                      uint8_t mac[CRYPTO_HASH_LEN])
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(2 * CONTINUE_MAX);
    const char *space = kube_scope(call);

    buf_put_block(&bytes, span_str(kube_kind_resource(call->kind)));
    buf_put_block(&bytes, span_str(space != NULL ? space : "/"));
    buf_put_block(&bytes, payload);
    crypto_hmac_sha256(span_of(call->server->continue_key, CRYPTO_KEY_LEN), buf_span(&bytes), mac);
}

/* Time, revision, where to go on; and an HMAC over them, the resource and the namespace. */
static json_t *token_new(const struct kube_call *call, int64_t revision, const char *from)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(CONTINUE_MAX);
    CLEANUP(buf_free) struct buf text = BUF_INIT(2 * CONTINUE_MAX);
    uint8_t mac[CRYPTO_HASH_LEN];

    buf_put_u64(&bytes, (uint64_t)clock_wall_sec());
    buf_put_u64(&bytes, (uint64_t)revision);
    buf_put_block(&bytes, span_str(from));
    token_mac(call, buf_span(&bytes), mac);
    buf_put(&bytes, mac, sizeof(mac));
    enc_base64_put(ENC_BASE64URL, buf_span(&bytes), &text);
    return json_string(buf_text(&text));
}

static int token_expired(struct kube_call *call)
{
    return kube_refuse_expired(call,
                               "The provided continue parameter is too old to display a consistent "
                               "list result. You must start a new list without the continue "
                               "parameter.");
}

static int token_read(struct kube_call *call, const char *text, struct kube_walk *walk)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(CONTINUE_MAX);
    struct err err = ERR_INIT;
    uint8_t mac[CRYPTO_HASH_LEN];

    if (strlen(text) > CONTINUE_MAX ||
        enc_unbase64(ENC_BASE64URL, span_str(text), &bytes, &err) < 0 || bytes.len < sizeof(mac))
        return kube_refuse_bad(call, "continue key is not valid");
    struct span payload = span_of(bytes.data, bytes.len - sizeof(mac));
    token_mac(call, payload, mac);
    /* A token of an earlier process fails here too. */
    if (!mem_equal_ct(mac, bytes.data + payload.len, sizeof(mac)))
        return token_expired(call);
    struct cursor cursor = cursor_of(payload);
    int64_t made = (int64_t)cursor_u64(&cursor);
    walk->revision = (int64_t)cursor_u64(&cursor);
    walk->from = arena_copy(call->arena, cursor_block(&cursor));
    if (cursor_done(&cursor, "the token", &err) < 0 || walk->from == NULL ||
        clock_wall_sec() - made > CONTINUE_SEC)
        return token_expired(call);
    return 0;
}

/* ------------------------------------------------------------------ list */

static int collect(void *ctx, json_t *object, struct err *err UNUSED)
{
    json_array_append(ctx, object);
    return 0;
}

static int by_name(const void *left, const void *right)
{
    const json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;
    int order = strcmp(kube_namespace_of(a), kube_namespace_of(b));

    return order != 0 ? order : strcmp(kube_name_of(a), kube_name_of(b));
}

/* The storage's order means nothing to people. */
static void sort(json_t *items)
{
    size_t count = json_array_size(items);
    CLEANUP_FREE json_t **sorted = mem_new_array(count + 1, sizeof(json_t *));

    for (size_t i = 0; i < count; i++)
        sorted[i] = json_incref(json_array_get(items, i));
    qsort(sorted, count, sizeof(json_t *), by_name);
    json_array_clear(items);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(items, sorted[i]);
}

static int read_limit(struct kube_call *call, struct kube_walk *walk)
{
    const char *limit = kube_query(call, "limit"), *token = kube_query(call, "continue");
    struct err err = ERR_INIT;
    uint64_t number = 0;

    if (limit[0] != '\0' &&
        num_parse_u64(span_str(limit), 0, INT32_MAX, "limit", &number, &err) < 0)
        return kube_refuse_bad(call, "%s", err.msg);
    walk->limit = number;
    return token[0] != '\0' ? token_read(call, token, walk) : 0;
}

/* A list from now is never older than a revision that was really given out. */
static int check_revision(struct kube_call *call)
{
    const struct kube_storage *storage = call->server->config.storage;
    const char *text = kube_query(call, "resourceVersion");
    struct err err = ERR_INIT;
    uint64_t wanted;

    if (text[0] == '\0')
        return 0;
    if (num_parse_u64(span_str(text), 0, INT64_MAX, "resourceVersion", &wanted, &err) < 0)
        return kube_refuse(call, 400, "BadRequest", NULL,
                           "Invalid value: \"%.32s\": resourceVersion must be a number", text);
    if ((int64_t)wanted <= storage->revision(storage->ctx))
        return 0;
    return kube_refuse(call, 504, "Timeout", NULL,
                       "Too large resource version: %.32s, current: %lld", text,
                       (long long)storage->revision(storage->ctx));
}

int kube_do_list(struct kube_call *call)
{
    struct kube_walk walk = {0};
    json_t *items = json_array();
    struct err err = ERR_INIT;
    char name[128];

    snprintf(name, sizeof(name), "%sList", call->kind->kind);
    json_t *list =
        kube_keep(call, json_pack("{s:s, s:s, s:{}, s:o}", "kind", name, "apiVersion",
                                  kube_kind_api_version(call->kind), "metadata", "items", items));
    TRY(kube_walk_select(call, &walk));
    TRY(read_limit(call, &walk));
    TRY(check_revision(call));
    if (kube_walk(call->server, &walk, collect, items, &err) < 0)
        return err.code == ERR_INVALID && walk.from != NULL ? token_expired(call)
                                                            : kube_refuse_err(call, &err);
    sort(items);
    kube_set_revision(list, walk.revision);
    if (walk.next != NULL)
        json_object_set_new(kube_meta(list), "continue", token_new(call, walk.revision, walk.next));
    kube_respond(call, 200, list);
    return 0;
}
