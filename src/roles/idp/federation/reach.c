/* SPDX-License-Identifier: Apache-2.0 */
/* Can the provider be reached, and does it take us? The condition Ready of an IdentityProvider:
 * looked at when the object is written, and whenever its metadata are fetched. */
#include "idp/federation/federation.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "log/log.h"

#include <stdlib.h>

static const char *reason_of(const struct err *why)
{
    switch (why == NULL ? ERR_NONE : why->code) {
    case ERR_NONE: return "Reachable";
    case ERR_UNAUTHENTICATED:
    case ERR_DENIED: return "Refused";
    case ERR_INVALID: return "Malformed";
    case ERR_NOT_FOUND: return "SecretMissing";
    default: return "Unreachable";
    }
}

static bool says_the_same(const json_t *old, const json_t *condition)
{
    return strcmp(codec_json_text(old, "reason", ""), codec_json_text(condition, "reason", "")) ==
               0 &&
           strcmp(codec_json_text(old, "message", ""), codec_json_text(condition, "message", "")) ==
               0 &&
           json_equal(json_object_get(old, "observedGeneration"),
                      json_object_get(condition, "observedGeneration"));
}

static int put(struct idp *idp, const struct provider *provider, const struct err *why,
               struct err *err)
{
    CLEANUP(provider_free) struct provider now = {.name = ""};
    char time[CLOCK_TEXT_SIZE];

    /* It may be another one by now. */
    TRY(provider_load(idp, provider->name, &now, err));
    if (strcmp(now.uid, provider->uid) != 0)
        return 0;
    const json_t *old = json_array_get(codec_json_at(now.object, "status", "conditions", NULL), 0);
    const char *status = why == NULL ? "True" : "False";
    bool turned = strcmp(codec_json_text(old, "status", ""), status) != 0;
    clock_format_sec(clock_wall_sec(), time);
    CLEANUP_JSON json_t *condition = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:O}", "type", "Ready", "status", status, "reason",
        reason_of(why), "message", why == NULL ? "it answers" : why->msg, "lastTransitionTime",
        turned ? time : codec_json_text(old, "lastTransitionTime", time), "observedGeneration",
        codec_json_at(provider->object, "metadata", "generation", NULL));
    if (condition == NULL || says_the_same(old, condition))
        return 0;
    CLEANUP_JSON json_t *whole = json_pack("{s:[O]}", "conditions", condition);
    return kube_object_put_status(serve_kube(idp->serve), &kube_identity_provider, "", now.name,
                                  whole, err);
}

void reach_report(struct idp *idp, const struct provider *provider, const struct err *why)
{
    struct err err = ERR_INIT;

    if (put(idp, provider, why, &err) < 0 && err.code != ERR_NOT_FOUND)
        log_error("idp.federation", &err);
}

/* ------------------------------------------------------------------ looking */

struct look {
    struct idp *idp;
    struct provider provider;
    reach_fn *fn; /* NULL: nobody waits */
    void *ctx;
};

static void look_end(struct look *look, const struct err *why)
{
    if (look->fn != NULL)
        look->fn(look->ctx, why);
    provider_free(&look->provider);
    free(look);
}

static void on_bound(void *ctx, const struct egress_directory *found UNUSED, const struct err *why)
{
    struct look *look = ctx;

    reach_report(look->idp, &look->provider, why);
    look_end(look, why);
}

/* As its service account. */
static int look_at_directory(struct look *look, struct err *err)
{
    const struct provider *provider = &look->provider;
    struct egress_bind bind = {.endpoint = provider_egress(provider),
                               .url = codec_json_text(provider->ldap, "url", ""),
                               .dn = codec_json_text(provider->ldap, "bindDn", ""),
                               .secret = provider_secret(provider->ldap, "passwordSecretRef")};

    return egress_bind(look->idp->egress, &bind, on_bound, look, NULL, err);
}

/* metadata.c has reported. */
static void on_metadata(void *ctx, const json_t *doc UNUSED, const struct err *why)
{
    look_end(ctx, why);
}

int reach_ask(struct idp *idp, const json_t *object, reach_fn *fn, void *ctx, struct err *err)
{
    struct look *look = mem_new(sizeof(*look));

    *look = (struct look){.idp = idp, .fn = fn, .ctx = ctx};
    provider_of(object, &look->provider);
    int result = look->provider.ldap != NULL
                     ? look_at_directory(look, err)
                     : metadata_fetch(idp->federation, &look->provider, on_metadata, look, err);
    if (result == 0)
        return 0;
    provider_free(&look->provider);
    free(look);
    return -1;
}

void reach_look(struct idp *idp, const json_t *object)
{
    struct err err = ERR_INIT;

    if (reach_ask(idp, object, NULL, NULL, &err) < 0)
        log_error("idp.federation", &err);
}
