/* SPDX-License-Identifier: Apache-2.0 */
#include "secrets/upstream_keys.h"

#include "audit/audit.h"
#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "wire/secrets.h"

#include <stdlib.h>

enum { REMEMBERED = 64, NAME_SIZE = 256 };

struct upstream_keys {
    struct role *role;
    struct serve *serve;
    uint64_t epoch;
    uint64_t place;   /* of the newest change */
    uint64_t durable; /* of the newest that cannot be taken back */
    struct {
        char namespace[NAME_SIZE];
        char name[NAME_SIZE];
    } changes[REMEMBERED]; /* that with place P is at P % REMEMBERED */
    bool waiting;
    uint64_t wants; /* the place behind which the exporter wants to know */
    struct ipc_ticket ticket;
};

/* ------------------------------------------------------------------ changes */

/* What may leave, and where to. */
struct purpose {
    const char *type;
    const char *text; /* for the audit log */
    bool blanks;      /* it may have them, and what is beyond ASCII */
};

static const struct purpose engine = {SECRETS_KEY_TYPE, "the key of an outside engine", false};
static const struct purpose provider = {SECRETS_PROVIDER_TYPE,
                                        "the secret for an identity provider", true};

static bool is_of(const json_t *secret, const struct purpose *purpose)
{
    return strcmp(codec_json_text(secret, "type", ""), purpose->type) == 0;
}

void upstream_keys_touch(struct upstream_keys *keys, const struct kube_change *change)
{
    if (!is_of(change->object, &engine) && !is_of(change->old, &engine))
        return;
    size_t at = ++keys->place % REMEMBERED;
    snprintf(keys->changes[at].namespace, NAME_SIZE, "%s", change->namespace);
    snprintf(keys->changes[at].name, NAME_SIZE, "%s", change->name);
}

/* False when there is nothing new. */
static bool put_change(const struct upstream_keys *keys, uint64_t behind, struct buf *out)
{
    bool known = behind <= keys->durable && keys->place - behind < REMEMBERED;
    uint64_t place = known ? behind + 1 : keys->durable;

    if (behind == keys->durable)
        return false;
    buf_put_u64(out, keys->epoch);
    buf_put_u64(out, place);
    buf_put_block(out, span_str(known ? keys->changes[place % REMEMBERED].namespace : ""));
    buf_put_block(out, span_str(known ? keys->changes[place % REMEMBERED].name : ""));
    return true;
}

/* Who comes from another epoch knows nothing of this one: that is told at once. */
static int handle_changed(void *ctx, struct ipc_request *request, struct buf *reply,
                          struct err *err)
{
    struct upstream_keys *keys = ctx;
    struct cursor cursor = cursor_of(request->body);
    uint64_t epoch = cursor_u64(&cursor);
    uint64_t place = cursor_u64(&cursor);

    TRY(cursor_done(&cursor, "the question for changes", err));
    keys->waiting = false;
    if (epoch != keys->epoch) {
        buf_put_u64(reply, keys->epoch);
        buf_put_u64(reply, keys->durable);
        buf_put_block(reply, span_str(""));
        buf_put_block(reply, span_str(""));
        return IPC_ANSWER;
    }
    if (put_change(keys, place, reply))
        return IPC_ANSWER;
    keys->waiting = true;
    keys->wants = place;
    keys->ticket = request->ticket;
    return IPC_LATER;
}

void upstream_keys_follow(struct upstream_keys *keys)
{
    CLEANUP(buf_free) struct buf reply = BUF_INIT(1024);

    keys->durable = keys->place;
    if (!keys->waiting || !put_change(keys, keys->wants, &reply))
        return;
    keys->waiting = false;
    ipc_reply(&keys->ticket, buf_span(&reply));
}

/* ------------------------------------------------------------------ one key */

static int record(struct upstream_keys *keys, const struct purpose *purpose,
                  enum audit_outcome outcome, const char *namespace, const char *name,
                  struct err *err)
{
    const struct audit_event one = {
        .event = span_str(AUDIT_SECRET_READ),
        .outcome = outcome,
        .actor = {.name = span_str("system:drun:exporter"), .source = AUDIT_SOURCE_ROLE},
        .action = {.verb = span_str("get"),
                   .resource = span_str("secrets"),
                   .namespace = span_str(namespace),
                   .name = span_str(name)},
        .reason = span_str(purpose->text),
    };

    return audit_send(role_peer(keys->role, ROLE_AUDIT), &one, 1, err);
}

static bool is_good(uint8_t byte, const struct purpose *purpose)
{
    return purpose->blanks ? byte >= ' ' && byte != 0x7f : byte >= '!' && byte <= '~';
}

static int put_value(const json_t *secret, const struct purpose *purpose, const char *key,
                     struct buf *out, struct err *err)
{
    const char *text = json_string_value(codec_json_at(secret, "data", key, NULL));
    CLEANUP(buf_free_wiped) struct buf value = BUF_INIT(SECRETS_KEY_MAX + 2);

    if (text == NULL)
        return err_set(err, ERR_NOT_FOUND, "it has no value \"%.64s\"", key);
    TRY(enc_unbase64(ENC_BASE64, span_str(text), &value, err));
    TRY(buf_check(&value, "its value", err));
    while (value.len > 0 && strchr("\r\n", value.data[value.len - 1]) != NULL)
        value.len--;
    for (size_t i = 0; i < value.len; i++)
        if (!is_good(value.data[i], purpose))
            return err_set(err, ERR_INVALID, "its value \"%.64s\" has a %s", key,
                           purpose->blanks ? "control character"
                                           : "blank or a character beyond ASCII");
    if (value.len == 0 || value.len > SECRETS_KEY_MAX)
        return err_set(err, ERR_INVALID, "its value \"%.64s\" has not 1 to %d characters", key,
                       SECRETS_KEY_MAX);
    buf_put_span(out, buf_span(&value));
    return 0;
}

static int hand_out(struct upstream_keys *keys, const struct purpose *purpose,
                    const char *namespace, const char *name, const char *key, struct buf *out,
                    struct err *err)
{
    CLEANUP_JSON json_t *secret = NULL;

    TRY(kube_object_get(serve_kube(keys->serve), &kube_secret, namespace, name, &secret, err));
    if (!is_of(secret, purpose)) {
        TRY(record(keys, purpose, AUDIT_DENIED, namespace, name, err));
        return err_set(err, ERR_DENIED,
                       "it is not of the type %s, which marks what may be sent there; make it anew "
                       "with that type",
                       purpose->type);
    }
    TRY(put_value(secret, purpose, key, out, err));
    return record(keys, purpose, AUDIT_SUCCESS, namespace, name, err);
}

static int answer_key(struct upstream_keys *keys, const struct purpose *purpose,
                      const struct ipc_request *request, struct buf *reply, struct err *err)
{
    struct cursor cursor = cursor_of(request->body);
    char namespace[NAME_SIZE], name[NAME_SIZE], key[NAME_SIZE];

    cursor_text(&cursor, namespace, sizeof(namespace));
    cursor_text(&cursor, name, sizeof(name));
    cursor_text(&cursor, key, sizeof(key));
    TRY(cursor_done(&cursor, "the question for a key", err));
    if (hand_out(keys, purpose, namespace, name, key, reply, err) < 0)
        return err_wrap(err, "the Secret %s/%s", namespace, name);
    return IPC_ANSWER;
}

/* No more than whether it is there, and still the same. */
static int handle_uid(void *ctx, struct ipc_request *request, struct buf *reply, struct err *err)
{
    const struct upstream_keys *keys = ctx;
    CLEANUP_JSON json_t *object = NULL;
    struct cursor cursor = cursor_of(request->body);
    char namespace[NAME_SIZE], name[NAME_SIZE];

    cursor_text(&cursor, namespace, sizeof(namespace));
    cursor_text(&cursor, name, sizeof(name));
    TRY(cursor_done(&cursor, "a question about a Secret", err));
    if (kube_object_get(serve_kube(keys->serve), &kube_secret, namespace, name, &object, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
    }
    buf_put_str(reply, codec_json_text(json_object_get(object, "metadata"), "uid", ""));
    return IPC_ANSWER;
}

static int handle_key(void *ctx, struct ipc_request *request, struct buf *reply, struct err *err)
{
    return answer_key(ctx, &engine, request, reply, err);
}

static int handle_provider_key(void *ctx, struct ipc_request *request, struct buf *reply,
                               struct err *err)
{
    return answer_key(ctx, &provider, request, reply, err);
}

static const struct ipc_message messages[] = {
    {SECRETS_UPSTREAM_KEY, "upstream_key", IPC_FROM(ROLE_EXPORTER), 1024, 0, handle_key},
    {SECRETS_PROVIDER_KEY, "provider_key", IPC_FROM(ROLE_EXPORTER), 1024, 0, handle_provider_key},
    {SECRETS_CHANGED, "changed", IPC_FROM(ROLE_EXPORTER), 16, 0, handle_changed},
    {SECRETS_UID, "uid", IPC_FROM(ROLE_IDP), 1024, 0, handle_uid},
    {0},
};

const struct ipc_table secrets_table = {.server = "secrets", .messages = messages};

/* ------------------------------------------------------------------ life */

struct upstream_keys *upstream_keys_new(struct role *role)
{
    struct upstream_keys *keys = mem_new(sizeof(*keys));
    struct err err = ERR_INIT;

    keys->role = role;
    INVARIANT(crypto_random(&keys->epoch, sizeof(keys->epoch), &err) == 0);
    return keys;
}

void upstream_keys_serve(struct upstream_keys *keys, struct serve *serve)
{
    keys->serve = serve;
}

void upstream_keys_free_ptr(struct upstream_keys **keys)
{
    free(*keys);
}
