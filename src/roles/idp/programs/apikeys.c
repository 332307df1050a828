/* SPDX-License-Identifier: Apache-2.0 */
/* API keys: the text is shown in the answer to the creation; kept is its HMAC, apart from the
 * object. */
#include "idp/idp_internal.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "log/log.h"

#define KEYS "keys"

static char *record_name(const char *namespace, const char *name)
{
    return mem_printf("%s/%s", namespace, name);
}

int apikey_put_secret(struct idp *idp, const char *namespace, const char *name,
                      const json_t *record, struct err *err)
{
    CLEANUP_FREE char *key = record_name(namespace, name);

    return record_put(idp, KEYS, key, record, NULL, err);
}

int apikey_secret(struct idp *idp, const char *namespace, const char *name, json_t **out,
                  struct err *err)
{
    CLEANUP_FREE char *record = record_name(namespace, name);

    return record_get(idp, KEYS, record, out, err);
}

/* ------------------------------------------------------------------ admission */

/* A key acts as its owner: for oneself, or with the right to act as that other one. */
int apikey_check_owner(struct idp *idp, const struct kube_principal *caller, const char *namespace,
                       const json_t *object, struct err *err)
{
    CLEANUP(account_free) struct account account = {0};
    const json_t *spec = json_object_get(object, "spec");
    const char *service_account = codec_json_text(spec, "serviceAccountName", NULL);
    const char *user = codec_json_text(spec, "user", "");

    if (service_account != NULL) {
        if (idp_may_impersonate(idp, caller, "serviceaccounts", namespace, service_account))
            return 0;
        return err_set(err, ERR_DENIED, "%s has no right to impersonate the service account %s",
                       caller->name, service_account);
    }
    if (strcmp(user, caller->name) != 0 && !idp_may_impersonate(idp, caller, "users", "", user))
        return err_set(err, ERR_DENIED, "%s may make keys for itself alone", caller->name);
    if (strcmp(user, AUTH_POSTURE) == 0 && strcmp(caller->name, AUTH_POSTURE) == 0)
        return 0;
    if (account_load(idp, user, &account, err) == 0)
        return 0;
    if (err->code == ERR_NOT_FOUND)
        return err_set(err, ERR_INVALID,
                       "spec.user: there is no user %s; a key belongs to a User or, by "
                       "serviceAccountName, to a service account",
                       user);
    return -1;
}

/* A key must not make keys: what it may not do itself it could give to the next one. */
int apikey_check_credential(const struct serve_request *request, struct err *err)
{
    if (request == NULL || request->principal == NULL || request->principal->source != AUTH_API_KEY)
        return 0;
    return err_set(err, ERR_DENIED, "an API key may not make or change API keys; sign in");
}

static int check_owner(struct idp *idp, const struct kube_change *change, struct err *err)
{
    return apikey_check_owner(idp, change->principal, change->namespace, change->object, err);
}

static json_t *status_of(json_t *object)
{
    json_t *status = json_object_get(object, "status");

    if (status == NULL)
        json_object_set_new(object, "status", status = json_object());
    return status;
}

void apikey_describe(json_t *status, const char *key)
{
    json_object_set_new(status, "prefix", json_stringn(key, strlen(AUTH_KEY_PREFIX) + 4));
    json_object_set_new(status, "last4", json_string(key + AUTH_KEY_LEN - 4));
}

static int make_key(struct idp *idp, struct kube_change *change, struct err *err)
{
    char key[AUTH_KEY_SIZE];

    TRY(auth_key_generate(key, err));
    apikey_describe(status_of(change->object), key);
    snprintf(idp->shown_key, sizeof(idp->shown_key), "%s", key);
    mem_wipe(key, sizeof(key));
    return 0;
}

static bool is_disabled(const json_t *object)
{
    return json_is_true(codec_json_at(object, "spec", "disabled", NULL));
}

static void note_revoked(struct kube_change *change)
{
    char now[CLOCK_TEXT_SIZE];

    clock_format_sec(clock_wall_sec(), now);
    json_object_set_new(status_of(change->object), "revokedAt", json_string(now));
}

/* The end of a key's time; one without an end lives longest. */
static int64_t end_of(const json_t *object)
{
    const char *text = json_string_value(codec_json_at(object, "spec", "expiresAt", NULL));
    struct err err = ERR_INIT;
    int64_t sec;

    return text != NULL && clock_parse(span_str(text), &sec, &err) == 0 ? sec : INT64_MAX;
}

/* What widens a key is as good as making one. */
static bool is_wider(const struct kube_change *change)
{
    return !json_equal(codec_json_at(change->old, "spec", "scopes", NULL),
                       codec_json_at(change->object, "spec", "scopes", NULL)) ||
           (is_disabled(change->old) && !is_disabled(change->object)) ||
           end_of(change->object) > end_of(change->old);
}

int apikey_admit(struct idp *idp, struct kube_change *change, struct err *err)
{
    mem_wipe(idp->shown_key, sizeof(idp->shown_key));
    if (change->object == NULL)
        return 0;
    TRY(apikey_check_credential(serve_current(idp->serve), err));
    if (change->old == NULL) {
        TRY(check_owner(idp, change, err));
        return make_key(idp, change, err);
    }
    if (is_wider(change))
        TRY(check_owner(idp, change, err));
    if (is_disabled(change->object) && !is_disabled(change->old))
        note_revoked(change);
    return 0;
}

/* ------------------------------------------------------------------ one's own */

static bool is_own(struct idp *idp, const struct kube_attributes *ask)
{
    CLEANUP_JSON json_t *object = NULL;
    struct err err = ERR_INIT;

    return kube_object_get(serve_kube(idp->serve), &kube_api_key, ask->namespace, ask->name,
                           &object, &err) == 0 &&
           strcmp(codec_json_text(json_object_get(object, "spec"), "user", ""),
                  ask->principal->name) == 0;
}

static bool is_collection_verb(const char *verb)
{
    return strcmp(verb, "list") == 0 || strcmp(verb, "watch") == 0 ||
           strcmp(verb, "deletecollection") == 0;
}

bool apikey_narrow(void *ctx, struct serve_request *request, const struct kube_attributes *ask)
{
    struct idp *idp = ctx;

    if (ask->resource == NULL || strcmp(ask->resource, "apikeys") != 0 ||
        ask->subresource[0] != '\0' ||
        !idp_may_self(idp, ask->principal, ask->verb, ask->group, "apikeys", ask->namespace))
        return false;
    if (strcmp(ask->verb, "create") == 0)
        return true; /* admission asks for whom */
    if (!is_collection_verb(ask->verb))
        return is_own(idp, ask);
    request->only = arena_printf(request->http->arena, "spec.user=%s", ask->principal->name);
    return request->only != NULL;
}

/* ------------------------------------------------------------------ after the write */

static int keep_digest(struct idp *idp, const struct kube_change *change, const char *name,
                       struct err *err)
{
    CLEANUP(account_free) struct account account = {0};
    const char *user = codec_json_text(json_object_get(change->object, "spec"), "user", "");
    uint8_t digest[IDENTITY_DIGEST_LEN];
    char hex[2 * IDENTITY_DIGEST_LEN + 1];

    if (user[0] != '\0' && strcmp(user, AUTH_POSTURE) != 0)
        TRY(account_load(idp, user, &account, err));
    identity_key_digest(idp->pepper, span_str(idp->shown_key), digest);
    enc_hex(span_of(digest, sizeof(digest)), hex);
    CLEANUP_JSON json_t *record =
        json_pack("{s:s, s:s}", "digest", hex, "uid", account.uid == NULL ? "" : account.uid);
    TRY(record_put(idp, KEYS, name, record, NULL, err));
    json_object_set_new(status_of(change->object), "key", json_string(idp->shown_key));
    return 0;
}

/* The record of the request; of many that end at once each has one of its own, besides. */
static void record_end(struct serve_request *request, const struct kube_change *change)
{
    struct audit_event event = request->event;

    if (!span_eq_str(event.action.verb, "deletecollection")) {
        request->event.event = span_str(AUDIT_KEY_REVOKED);
        return;
    }
    event.event = span_str(AUDIT_KEY_REVOKED);
    event.action.verb = span_str("delete");
    event.action.namespace = span_str(change->namespace);
    event.action.name = span_str(change->name);
    event.address = span_str(serve_address(request));
    serve_record(request->serve, &event);
}

static int after_change(struct idp *idp, const struct kube_change *change, struct err *err)
{
    CLEANUP_FREE char *name = record_name(change->namespace, change->name);
    struct serve_request *request = serve_current(idp->serve);

    if (request != NULL && change->old == NULL)
        request->event.event = span_str(AUDIT_KEY_CREATED);
    if (change->object == NULL) {
        if (request != NULL)
            record_end(request, change);
        return record_delete(idp, KEYS, name, err);
    }
    if (request != NULL && is_disabled(change->object) && !is_disabled(change->old))
        request->event.event = span_str(AUDIT_KEY_REVOKED);
    return change->old == NULL ? keep_digest(idp, change, name, err) : 0;
}

void apikey_changed(struct idp *idp, const struct kube_change *change)
{
    const char *uid = codec_json_text(json_object_get(change->old, "metadata"), "uid", "");
    struct err err = ERR_INIT;

    if (after_change(idp, change, &err) < 0 ||
        (change->old != NULL && exchange_end_key(idp, uid, &err) < 0))
        log_error("idp.apikey", &err);
    mem_wipe(idp->shown_key, sizeof(idp->shown_key));
    publish_touch(idp->publish, &kube_api_key, change->namespace, change->name);
}
