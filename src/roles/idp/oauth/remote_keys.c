/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/oauth/remote_keys.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "log/log.h"

#include <stdlib.h>
#include <sys/queue.h>

#define COLLECTION "remotekeys"

struct waiter {
    remote_keys_fn *fn;
    void *ctx;
    SLIST_ENTRY(waiter) entry;
};

struct entry {
    struct remote_keys *remote;
    char *uri;
    struct jose_keys *keys; /* NULL: never seen */
    int64_t fetched_at, tried_at;
    bool busy;
    SLIST_HEAD(waiter_list, waiter) waiters; /* for the end of the fetch */
    SLIST_ENTRY(entry) entry;
};

struct remote_keys {
    struct idp *idp;
    SLIST_HEAD(remote_keys_list, entry) entries;
    size_t count;
};

struct remote_keys *remote_keys_new(struct idp *idp)
{
    struct remote_keys *remote = mem_new(sizeof(*remote));

    remote->idp = idp;
    return remote;
}

void remote_keys_free(struct remote_keys *remote)
{
    if (remote == NULL)
        return;
    while (!SLIST_EMPTY(&remote->entries)) {
        struct entry *entry = SLIST_FIRST(&remote->entries);
        SLIST_REMOVE_HEAD(&remote->entries, entry);
        while (!SLIST_EMPTY(&entry->waiters)) {
            struct waiter *waiter = SLIST_FIRST(&entry->waiters);
            SLIST_REMOVE_HEAD(&entry->waiters, entry);
            free(waiter);
        }
        jose_keys_free(entry->keys);
        free(entry->uri);
        free(entry);
    }
    free(remote);
}

/* ------------------------------------------------------------------ what is kept */

static void load(struct entry *entry)
{
    CLEANUP_JSON json_t *record = NULL;
    char id[IDP_ID_SIZE];
    struct err err = ERR_INIT;

    idp_id_of(entry->uri, id);
    if (record_get(entry->remote->idp, COLLECTION, id, &record, &err) < 0)
        return;
    if (jose_keys_from_jwks(json_object_get(record, "jwks"), &entry->keys, &err) == 0)
        entry->fetched_at = record_number(record, "at");
}

static int keep(struct entry *entry, json_t *jwks, struct err *err)
{
    struct jose_keys *keys = NULL;
    char id[IDP_ID_SIZE];

    TRY(jose_keys_from_jwks(jwks, &keys, err));
    jose_keys_free(entry->keys);
    entry->keys = keys;
    entry->fetched_at = clock_wall_sec();
    idp_id_of(entry->uri, id);
    CLEANUP_JSON json_t *record =
        json_pack("{s:O, s:I}", "jwks", jwks, "at", (json_int_t)entry->fetched_at);
    return record_put(entry->remote->idp, COLLECTION, id, record, NULL, err);
}

static struct entry *entry_of(struct remote_keys *remote, const char *uri)
{
    struct entry *entry;

    SLIST_FOREACH(entry, &remote->entries, entry)
    if (strcmp(entry->uri, uri) == 0)
        return entry;
    if (remote->count >= REMOTE_MAX)
        return NULL;
    entry = mem_new(sizeof(*entry));
    entry->remote = remote;
    entry->uri = mem_strdup(uri);
    SLIST_INSERT_HEAD(&remote->entries, entry, entry);
    remote->count++;
    load(entry);
    return entry;
}

/* ------------------------------------------------------------------ fetching */

static int take(struct entry *entry, const struct egress_answer *answer, struct err *err)
{
    CLEANUP_JSON json_t *jwks = NULL;

    if (answer->status != 200)
        return err_set(err, ERR_INVALID, "the answer is %u", answer->status);
    TRY(codec_json_parse(answer->body, "the JWK set", &jwks, err));
    return keep(entry, jwks, err);
}

/* Each once; who waits anew from in there waits for the next fetch. */
static void wake(struct entry *entry)
{
    struct waiter_list all = entry->waiters;

    SLIST_INIT(&entry->waiters);
    while (!SLIST_EMPTY(&all)) {
        struct waiter *waiter = SLIST_FIRST(&all);
        SLIST_REMOVE_HEAD(&all, entry);
        waiter->fn(waiter->ctx);
        free(waiter);
    }
}

static void on_answer(void *ctx, const struct egress_answer *answer, const struct err *why)
{
    struct entry *entry = ctx;
    struct err err = ERR_INIT;

    entry->busy = false;
    if (why != NULL)
        err = *why;
    if (why != NULL || take(entry, answer, &err) < 0) {
        (void)err_wrap(&err, "the keys at %.200s", entry->uri);
        log_error("idp.jwks", &err);
    }
    wake(entry);
}

int remote_keys_await(struct remote_keys *remote, const char *uri, remote_keys_fn *fn, void *ctx)
{
    struct entry *entry = entry_of(remote, uri);

    if (entry == NULL || !entry->busy)
        return -1;
    struct waiter *waiter = mem_new(sizeof(*waiter));
    *waiter = (struct waiter){.fn = fn, .ctx = ctx};
    SLIST_INSERT_HEAD(&entry->waiters, waiter, entry);
    return 0;
}

static void fetch(struct entry *entry, const struct remote_source *source)
{
    static const char *const headers[] = {"Accept: application/jwk-set+json, application/json",
                                          NULL};
    struct egress_request request = {.endpoint = {.name = source->owner,
                                                  .ca_pem = span_str(source->ca_pem),
                                                  .private_network = source->private_network},
                                     .method = "GET",
                                     .url = source->uri,
                                     .headers = headers};
    struct err err = ERR_INIT;

    if (entry->busy || clock_wall_sec() < entry->tried_at + REMOTE_RETRY_SEC)
        return;
    entry->tried_at = clock_wall_sec();
    if (egress_fetch(entry->remote->idp->egress, &request, on_answer, entry, NULL, &err) < 0)
        log_error("idp.jwks", &err);
    else
        entry->busy = true;
}

int remote_keys_find(struct remote_keys *remote, const struct remote_source *source,
                     const char *token, const struct jose_keys **out, struct err *err)
{
    struct entry *entry = entry_of(remote, source->uri);
    char kid[JOSE_KID_MAX + 1];

    if (entry == NULL)
        return err_set(err, ERR_LIMITED, "too many key sets are known already");
    int64_t age = clock_wall_sec() - entry->fetched_at;
    bool usable = entry->keys != NULL && age < REMOTE_STALE_SEC;
    bool known =
        usable && (!jose_jwt_kid(span_str(token), kid) || jose_keys_find(entry->keys, kid) != NULL);
    if (!known || age >= REMOTE_FRESH_SEC)
        fetch(entry, source);
    if (!usable || (!known && entry->busy))
        return err_set(err, ERR_UNAVAILABLE,
                       "the keys at %.200s are not there yet; try again in a moment", source->uri);
    *out = entry->keys;
    return 0;
}
