/* SPDX-License-Identifier: Apache-2.0 */
/* OidcClient objects as the token endpoint needs them, kept in memory; and the two built-in ones.
 */
#include "idp/idp_internal.h"

#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "idp/oauth/device_grant.h"
#include "idp/oauth/oauth.h"
#include "jose/jose.h"
#include "log/log.h"

#include <stdlib.h>
#include <sys/queue.h>

enum { BUCKETS = 256, CACHED_MAX = 4096 };

struct entry {
    struct client client;
    SLIST_ENTRY(entry) entry;
};

SLIST_HEAD(bucket, entry);

struct clients {
    struct idp *idp;
    struct bucket buckets[BUCKETS];
    size_t count;
    struct bucket passing; /* not to be kept: read from what is not durable yet */
};

static void entry_free(struct entry *entry)
{
    struct client *client = &entry->client;

    free(client->id);
    free(client->method);
    jose_keys_free(client->keys);
    json_decref(client->redirects);
    json_decref(client->logouts);
    json_decref(client->grants);
    json_decref(client->scopes);
    json_decref(client->audiences);
    json_decref(client->spec);
    mem_wipe(client->secret, sizeof(client->secret));
    free(entry);
}

static void empty(struct bucket *bucket)
{
    while (!SLIST_EMPTY(bucket)) {
        struct entry *entry = SLIST_FIRST(bucket);
        SLIST_REMOVE_HEAD(bucket, entry);
        entry_free(entry);
    }
}

struct clients *clients_new(struct idp *idp)
{
    struct clients *clients = mem_new(sizeof(*clients));

    clients->idp = idp;
    return clients;
}

static void forget_all(struct clients *clients)
{
    for (size_t i = 0; i < BUCKETS; i++)
        empty(&clients->buckets[i]);
    clients->count = 0;
}

void clients_free(struct clients *clients)
{
    if (clients == NULL)
        return;
    forget_all(clients);
    empty(&clients->passing);
    free(clients);
}

static struct bucket *bucket_of(struct clients *clients, const char *id)
{
    uint32_t hash = 2166136261U;

    for (const char *at = id; *at != '\0'; at++)
        hash = (hash ^ (uint8_t)*at) * 16777619U;
    return &clients->buckets[hash % BUCKETS];
}

void clients_touch(struct clients *clients, const char *id)
{
    struct bucket *bucket = bucket_of(clients, id);
    struct entry *entry;

    SLIST_FOREACH(entry, bucket, entry)
    {
        if (strcmp(entry->client.id, id) != 0)
            continue;
        SLIST_REMOVE(bucket, entry, entry, entry);
        entry_free(entry);
        clients->count--;
        return;
    }
}

/* ------------------------------------------------------------------ the built-in clients */

static struct entry *built_in(const struct idp *idp, const char *id)
{
    bool console = strcmp(id, "drun-console") == 0;
    struct entry *entry;

    if (!console && strcmp(id, "drun-cli") != 0)
        return NULL;
    entry = mem_new(sizeof(*entry));
    entry->client = (struct client){
        .id = mem_strdup(id),
        .open = true,
        .method = mem_strdup("none"),
        .access_sec = IDP_ACCESS_SEC,
        .refresh_sec = IDP_REFRESH_SEC,
        .id_alg = SIGN_ES256,
        .grants = json_pack("[s, s]", "authorization_code", "refresh_token"),
        .scopes = json_pack("[s, s, s, s, s, s]", "openid", "profile", "email", "groups", "drun",
                            "offline_access"),
        .logouts =
            json_pack("[o, o]", json_sprintf("%s/", idp->url), json_sprintf("%s/login", idp->url)),
    };
    if (!console) {
        json_array_append_new(entry->client.grants, json_string(DEVICE_GRANT));
        json_array_append_new(entry->client.grants,
                              json_string("urn:ietf:params:oauth:grant-type:token-exchange"));
    }
    if (console)
        entry->client.redirects = json_pack("[o]", json_sprintf("%s/callback", idp->url));
    else
        entry->client.redirects =
            json_pack("[s, s, o]", "http://127.0.0.1/callback", "http://[::1]/callback",
                      json_sprintf("%s/cli", idp->url));
    return entry;
}

/* ------------------------------------------------------------------ objects */

#define SECRETS "clientsecrets"

static int read_secret(struct idp *idp, struct client *client, struct err *err)
{
    CLEANUP_JSON json_t *record = NULL;

    if (record_get(idp, SECRETS, client->id, &record, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return 0;
    }
    TRY(enc_unhex(span_str(codec_json_text(record, "digest", "")), client->secret,
                  sizeof(client->secret), err));
    client->has_secret = true;
    return 0;
}

static uint32_t seconds(const json_t *spec, const char *name, uint32_t otherwise)
{
    int64_t value = record_number(spec, name);

    return value > 0 ? (uint32_t)value : otherwise;
}

static bool flag(const json_t *spec, const char *name)
{
    return json_is_true(json_object_get(spec, name));
}

/* Its own public keys, for assertions and request objects. */
static int read_keys(struct client *client, struct err *err)
{
    const json_t *jwks = json_object_get(client->spec, "jwks");

    return jwks == NULL ? 0 : jose_keys_from_jwks(jwks, &client->keys, err);
}

static int read_object(struct idp *idp, const char *id, struct client *client, struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;

    TRY(kube_object_get(serve_kube(idp->serve), &kube_oidc_client, "", id, &object, err));
    json_t *spec = json_object_get(object, "spec");
    *client = (struct client){
        .id = mem_strdup(id),
        .open = flag(spec, "public"),
        .disabled = flag(spec, "disabled"),
        .consent = flag(spec, "consentRequired"),
        .level = auth_level_by_acr(span_str(codec_json_text(spec, "requiredAcr", ""))),
        .dpop_bound = flag(spec, "dpopBoundAccessTokens"),
        .cert_bound = flag(spec, "certificateBoundAccessTokens"),
        .must_push = flag(spec, "requirePushedAuthorizationRequests"),
        .must_sign = flag(spec, "requireSignedRequestObject"),
        .id_alg =
            sign_alg_by_name(span_str(codec_json_text(spec, "idTokenSignedResponseAlg", "ES256"))),
        .spec = json_incref(spec),
        .method = mem_strdup(codec_json_text(spec, "tokenEndpointAuthMethod", "")),
        .redirects = json_incref(json_object_get(spec, "redirectUris")),
        .logouts = json_incref(json_object_get(spec, "postLogoutRedirectUris")),
        .grants = json_incref(json_object_get(spec, "grantTypes")),
        .scopes = json_incref(json_object_get(spec, "scopes")),
        .audiences = json_incref(json_object_get(spec, "audiences")),
        .access_sec = seconds(spec, "accessTokenTtlSeconds", IDP_ACCESS_SEC),
        .refresh_sec = seconds(spec, "refreshTokenTtlSeconds", IDP_REFRESH_SEC),
    };
    TRY(read_keys(client, err));
    return read_secret(idp, client, err);
}

static int load(struct clients *clients, const char *id, struct entry **out, struct err *err)
{
    struct entry *entry = built_in(clients->idp, id);

    if (entry == NULL) {
        entry = mem_new(sizeof(*entry));
        if (read_object(clients->idp, id, &entry->client, err) < 0) {
            entry_free(entry);
            return -1;
        }
    }
    *out = entry;
    if (store_needs_flush(clients->idp->store)) {
        SLIST_INSERT_HEAD(&clients->passing, entry, entry);
        return 0;
    }
    if (clients->count >= CACHED_MAX)
        forget_all(clients);
    SLIST_INSERT_HEAD(bucket_of(clients, id), entry, entry);
    clients->count++;
    return 0;
}

int clients_get(struct clients *clients, const char *id, const struct client **out, struct err *err)
{
    struct entry *entry;

    empty(&clients->passing);
    SLIST_FOREACH(entry, bucket_of(clients, id), entry)
    if (strcmp(entry->client.id, id) == 0)
        break;
    if (id[0] == '\0' || strlen(id) > OAUTH_ID_MAX)
        return err_set(err, ERR_NOT_FOUND, "the client is not known");
    if (entry == NULL)
        TRY(load(clients, id, &entry, err));
    if (entry->client.disabled)
        return err_set(err, ERR_NOT_FOUND, "the client is disabled");
    *out = &entry->client;
    return 0;
}

/* ------------------------------------------------------------------ what a client may */

static bool has_text(const json_t *list, struct span text)
{
    const json_t *item;
    size_t i;

    json_array_foreach (list, i, item)
        if (span_eq(span_of(json_string_value(item), json_string_length(item)), text))
            return true;
    return false;
}

bool client_may(const struct client *client, const char *grant)
{
    return has_text(client->grants, span_str(grant));
}

bool client_may_scope(const struct client *client, const char *scope)
{
    return has_text(client->scopes, span_str(scope));
}

const char *client_text(const struct client *client, const char *name)
{
    return codec_json_text(client->spec, name, "");
}

bool client_redirects_to(const struct client *client, const char *uri)
{
    const json_t *item;
    size_t i;

    json_array_foreach (client->redirects, i, item)
        if (oauth_redirect_matches(json_string_value(item), uri))
            return true;
    return false;
}

void client_put_scope(const struct client *client, struct span wanted, struct buf *out)
{
    struct span one;

    while (oauth_scope_next(&wanted, &one)) {
        if (!has_text(client->scopes, one))
            continue;
        if (out->len > 0)
            buf_put_u8(out, ' ');
        buf_put_span(out, one);
    }
}

/* ------------------------------------------------------------------ writes */

/* Keys that cannot be read would only be noticed when the client comes. */
static int check_keys(const json_t *object, struct err *err)
{
    CLEANUP(jose_keys_free_ptr) struct jose_keys *keys = NULL;
    const json_t *jwks = json_object_get(json_object_get(object, "spec"), "jwks");

    if (jwks == NULL || jose_keys_from_jwks(jwks, &keys, err) == 0)
        return 0;
    err->code = ERR_INVALID;
    return err_wrap(err, "spec.jwks");
}

int client_admit(struct idp *idp UNUSED, struct kube_change *change, struct err *err)
{
    if (strncmp(change->name, "drun-", 5) == 0)
        return err_set(err, ERR_DENIED,
                       "client names that begin with drun- are the platform's own");
    return check_keys(change->object, err);
}

static bool wants_secret(const json_t *object)
{
    const char *method =
        codec_json_text(json_object_get(object, "spec"), "tokenEndpointAuthMethod", "");

    return strncmp(method, "client_secret_", 14) == 0;
}

/* A new secret, shown in this answer and never again. */
static int make_secret(struct idp *idp, const struct kube_change *change, struct err *err)
{
    uint8_t digest[IDENTITY_DIGEST_LEN];
    char secret[IDP_SECRET_SIZE];
    char hex[2 * IDENTITY_DIGEST_LEN + 1];

    TRY(idp_random(secret, err));
    identity_key_digest(idp->pepper, span_str(secret), digest);
    enc_hex(span_of(digest, sizeof(digest)), hex);
    CLEANUP_JSON json_t *record = json_pack("{s:s}", "digest", hex);
    TRY(record_put(idp, SECRETS, change->name, record, NULL, err));
    json_t *status = json_object_get(change->object, "status");
    if (status == NULL)
        json_object_set_new(change->object, "status", status = json_object());
    json_object_set_new(status, "clientSecret", json_string(secret));
    mem_wipe(secret, sizeof(secret));
    return 0;
}

int client_rotate(struct idp *idp, const char *name, json_t *object, struct err *err)
{
    struct kube_change change = {.name = name, .object = object};

    if (!wants_secret(object))
        return err_set(err, ERR_CONFLICT, "%s has no secret: it proves itself in another way",
                       name);
    TRY(make_secret(idp, &change, err));
    clients_touch(idp->clients, name);
    return 0;
}

static int after_change(struct idp *idp, const struct kube_change *change, struct err *err)
{
    if (change->object == NULL) {
        TRY(record_delete(idp, REGISTRATIONS, change->name, err));
        return record_delete(idp, SECRETS, change->name, err);
    }
    if (wants_secret(change->object) && (change->old == NULL || !wants_secret(change->old)))
        return make_secret(idp, change, err);
    return 0;
}

void client_changed(struct idp *idp, const struct kube_change *change)
{
    struct err err = ERR_INIT;

    if (after_change(idp, change, &err) < 0)
        log_error("idp.client", &err);
    clients_touch(idp->clients, change->name);
}
