/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenID Connect providers say about themselves (OpenID Connect Discovery), for an hour. */
#include "idp/federation/federation.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "log/log.h"

#include <stdlib.h>
#include <sys/queue.h>

enum { FRESH_SEC = 3600, KNOWN_MAX = 256 };

struct known {
    char *name; /* of the IdentityProvider */
    json_t *doc;
    int64_t at;
    SLIST_ENTRY(known) entry;
};

struct federation {
    struct idp *idp;
    SLIST_HEAD(known_list, known) all;
    size_t count;
};

struct federation *federation_new(struct idp *idp)
{
    struct federation *federation = mem_new(sizeof(*federation));

    federation->idp = idp;
    return federation;
}

static void drop(struct federation *federation, struct known *known)
{
    SLIST_REMOVE(&federation->all, known, known, entry);
    federation->count--;
    json_decref(known->doc);
    free(known->name);
    free(known);
}

void federation_free(struct federation *federation)
{
    if (federation == NULL)
        return;
    while (!SLIST_EMPTY(&federation->all))
        drop(federation, SLIST_FIRST(&federation->all));
    free(federation);
}

static struct known *find(const struct federation *federation, const char *name)
{
    struct known *known;

    SLIST_FOREACH(known, &federation->all, entry)
    if (strcmp(known->name, name) == 0)
        return known;
    return NULL;
}

void metadata_forget(struct federation *federation, const char *name)
{
    struct known *known = find(federation, name);

    if (known != NULL)
        drop(federation, known);
}

const json_t *metadata_now(struct federation *federation, const struct provider *provider)
{
    const struct known *known = find(federation, provider->name);

    /* The object may have changed while they were being fetched. */
    return known != NULL && clock_wall_sec() < known->at + FRESH_SEC &&
                   strcmp(codec_json_text(known->doc, "issuer", ""),
                          codec_json_text(provider->oidc, "issuer", "")) == 0
               ? known->doc
               : NULL;
}

static void keep(struct federation *federation, const char *name, json_t *doc)
{
    metadata_forget(federation, name);
    if (federation->count >= KNOWN_MAX)
        return;
    struct known *known = mem_new(sizeof(*known));
    *known =
        (struct known){.name = mem_strdup(name), .doc = json_incref(doc), .at = clock_wall_sec()};
    SLIST_INSERT_HEAD(&federation->all, known, entry);
    federation->count++;
}

/* ------------------------------------------------------------------ fetching */

struct call {
    struct federation *federation;
    struct provider provider;
    metadata_fn *fn;
    void *ctx;
};

static void call_free(struct call *call)
{
    provider_free(&call->provider);
    free(call);
}

/* Each endpoint that is needed, over TLS; the issuer must be the one that was asked (section 4.3),
 * else one provider could speak for another. */
static int check(const struct provider *provider, const json_t *doc, struct err *err)
{
    static const char *const needed[] = {"authorization_endpoint", "token_endpoint", "jwks_uri",
                                         NULL};
    const char *issuer = codec_json_text(provider->oidc, "issuer", "");

    if (strcmp(codec_json_text(doc, "issuer", ""), issuer) != 0)
        return err_set(err, ERR_INVALID,
                       "its metadata are those of another issuer, \"%.128s\" instead of \"%.128s\"",
                       codec_json_text(doc, "issuer", ""), issuer);
    for (const char *const *name = needed; *name != NULL; name++)
        if (strncmp(codec_json_text(doc, *name, ""), "https://", 8) != 0)
            return err_set(err, ERR_INVALID, "its metadata have no %s with https", *name);
    return 0;
}

static int take(struct call *call, const struct egress_answer *answer, json_t **doc,
                struct err *err)
{
    if (answer->status != 200)
        return err_set(err, ERR_UNAVAILABLE, "its metadata: the answer is %u", answer->status);
    TRY(codec_json_parse(answer->body, "its metadata", doc, err));
    TRY(check(&call->provider, *doc, err));
    keep(call->federation, call->provider.name, *doc);
    return 0;
}

static void on_answer(void *ctx, const struct egress_answer *answer, const struct err *why)
{
    struct call *call = ctx;
    CLEANUP_JSON json_t *doc = NULL;
    struct err err = ERR_INIT;

    if (why != NULL)
        err = *why;
    if (why == NULL && take(call, answer, &doc, &err) == 0) {
        reach_report(call->federation->idp, &call->provider, NULL);
        call->fn(call->ctx, doc, NULL);
    } else {
        (void)err_wrap(&err, "%s", call->provider.endpoint);
        log_error("idp.federation", &err);
        reach_report(call->federation->idp, &call->provider, &err);
        call->fn(call->ctx, NULL, &err);
    }
    call_free(call);
}

int metadata_fetch(struct federation *federation, const struct provider *provider, metadata_fn *fn,
                   void *ctx, struct err *err)
{
    static const char *const headers[] = {"Accept: application/json", NULL};
    const char *issuer = codec_json_text(provider->oidc, "issuer", "");
    size_t len = strlen(issuer);
    struct call *call = mem_new(sizeof(*call));

    while (len > 0 && issuer[len - 1] == '/')
        len--;
    CLEANUP_FREE char *url = mem_printf("%.*s/.well-known/openid-configuration", (int)len, issuer);
    struct egress_request request = {
        .endpoint = provider_egress(provider), .method = "GET", .url = url, .headers = headers};
    *call = (struct call){.federation = federation, .fn = fn, .ctx = ctx};
    provider_copy(provider, &call->provider);
    if (egress_fetch(federation->idp->egress, &request, on_answer, call, NULL, err) == 0)
        return 0;
    call_free(call);
    return -1;
}
