/* SPDX-License-Identifier: Apache-2.0 */
/* OidcClient objects as the token endpoint needs them, kept in memory; and the two built-in ones.
 */
#include "idp/idp_internal.h"

#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "idp/oauth.h"
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
    json_decref(client->redirects);
    json_decref(client->logouts);
    json_decref(client->grants);
    json_decref(client->scopes);
    json_decref(client->audiences);
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
        .grants = json_pack("[s, s]", "authorization_code", "refresh_token"),
        .scopes = json_pack("[s, s, s, s, s, s]", "openid", "profile", "email", "groups", "drun",
                            "offline_access"),
        .logouts =
            json_pack("[o, o]", json_sprintf("%s/", idp->url), json_sprintf("%s/login", idp->url)),
    };
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

static int read_object(struct idp *idp, const char *id, struct client *client, struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;

    TRY(kube_object_get(serve_kube(idp->serve), &kube_oidc_client, "", id, &object, err));
    const json_t *spec = json_object_get(object, "spec");
    *client = (struct client){
        .id = mem_strdup(id),
        .open = json_is_true(json_object_get(spec, "public")),
        .disabled = json_is_true(json_object_get(spec, "disabled")),
        .consent = json_is_true(json_object_get(spec, "consentRequired")),
        .level = auth_level_by_acr(span_str(codec_json_text(spec, "requiredAcr", ""))),
        .method = mem_strdup(codec_json_text(spec, "tokenEndpointAuthMethod", "")),
        .redirects = json_incref(json_object_get(spec, "redirectUris")),
        .logouts = json_incref(json_object_get(spec, "postLogoutRedirectUris")),
        .grants = json_incref(json_object_get(spec, "grantTypes")),
        .scopes = json_incref(json_object_get(spec, "scopes")),
        .audiences = json_incref(json_object_get(spec, "audiences")),
        .access_sec = seconds(spec, "accessTokenTtlSeconds", IDP_ACCESS_SEC),
        .refresh_sec = seconds(spec, "refreshTokenTtlSeconds", IDP_REFRESH_SEC),
    };
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

/* ------------------------------------------------------------------ who it is */

static const struct client *refuse(struct serve_request *request, bool by_header)
{
    request->event.outcome = AUDIT_DENIED;
    if (by_header)
        http_answer_header(request->answer, "WWW-Authenticate", "Basic realm=\"drun\"");
    reply_oauth(request, 401, "invalid_client", "the client is not known, or its secret is wrong");
    return NULL;
}

static bool secret_fits(const struct idp *idp, const struct client *client, const char *secret,
                        bool by_header)
{
    const char *method = by_header ? "client_secret_basic" : "client_secret_post";
    uint8_t digest[IDENTITY_DIGEST_LEN];

    if (client->open)
        return secret == NULL && strcmp(client->method, "none") == 0;
    if (secret == NULL || !client->has_secret || strcmp(client->method, method) != 0)
        return false;
    identity_key_digest(idp->pepper, span_str(secret), digest);
    return mem_equal_ct(digest, client->secret, sizeof(digest));
}

const struct client *client_of(struct idp *idp, struct serve_request *request,
                               const struct form *form)
{
    const char *header = http_request_header(request->http, "Authorization");
    const char *id = form->value[FORM_CLIENT_ID];
    const char *secret = form->value[FORM_CLIENT_SECRET];
    const struct client *client;
    struct err err = ERR_INIT;

    if (header != NULL) {
        const char *basic_id = NULL;
        if (secret != NULL) {
            reply_oauth(request, 400, "invalid_request", "the client proves itself in two ways");
            return NULL;
        }
        if (oauth_basic_parse(span_str(header), request->http->arena, &basic_id, &secret, &err) <
                0 ||
            (id != NULL && strcmp(id, basic_id) != 0))
            return refuse(request, true);
        id = basic_id;
    }
    if (id == NULL) {
        reply_oauth(request, 400, "invalid_request", "there is no client_id");
        return NULL;
    }
    reply_event(request, AUDIT_TOKEN_ISSUED, AUDIT_SOURCE_NONE, id, "");
    if (clients_get(idp->clients, id, &client, &err) < 0) {
        if (err.code == ERR_NOT_FOUND)
            return refuse(request, header != NULL);
        reply_oauth(request, 503, "temporarily_unavailable", err.msg);
        return NULL;
    }
    return secret_fits(idp, client, secret, header != NULL) ? client
                                                            : refuse(request, header != NULL);
}

/* ------------------------------------------------------------------ writes */

int client_admit(struct idp *idp UNUSED, struct kube_change *change, struct err *err)
{
    if (strncmp(change->name, "drun-", 5) == 0)
        return err_set(err, ERR_DENIED,
                       "client names that begin with drun- are the platform's own");
    return 0;
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

static int after_change(struct idp *idp, const struct kube_change *change, struct err *err)
{
    if (change->object == NULL)
        return record_delete(idp, SECRETS, change->name, err);
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
