/* SPDX-License-Identifier: Apache-2.0 */
/* Which outside engines there are, as api tells; and which of their Secrets changed. */
#include "base/mem.h"
#include "exporter/keeper.h"
#include "exporter/upstream.h"
#include "follow/follow.h"
#include "role/asker.h"
#include "wire/secrets.h"

#include <stdlib.h>

enum { SETTLE_MS = 1000 };

static struct upstream *find(const struct upstreams *upstreams, const char *namespace,
                             const char *name)
{
    struct upstream *upstream;

    LIST_FOREACH (upstream, &upstreams->list, entry)
        if (strcmp(upstream->namespace, namespace) == 0 && strcmp(upstream->name, name) == 0)
            return upstream;
    return NULL;
}

static void forget(struct upstreams *upstreams, struct upstream *upstream)
{
    upstream_free(upstream);
    keeper_touch(upstreams->keeper);
}

/* ------------------------------------------------------------------ orders */

static void on_begin(void *ctx)
{
    struct upstreams *upstreams = ctx;
    struct upstream *upstream;

    LIST_FOREACH (upstream, &upstreams->list, entry)
        upstream->seen = false;
}

static void on_object(void *ctx, const struct followed *followed)
{
    struct upstreams *upstreams = ctx;
    struct upstream *upstream = find(upstreams, followed->namespace, followed->name);

    if (followed->object == NULL) {
        if (upstream != NULL)
            forget(upstreams, upstream);
        return;
    }
    if (upstream == NULL)
        upstream = upstream_new(upstreams, followed->namespace, followed->name);
    upstream->seen = true;
    upstream_put(upstream, followed->object);
}

static void on_settled(void *ctx)
{
    struct upstreams *upstreams = ctx;
    struct upstream *upstream, *next;

    for (upstream = LIST_FIRST(&upstreams->list); upstream != NULL; upstream = next) {
        next = LIST_NEXT(upstream, entry);
        if (!upstream->seen)
            forget(upstreams, upstream);
        else
            upstream_tell(upstream); /* the new api may not know */
    }
}

/* ------------------------------------------------------------------ Secrets */

static void put_change_question(void *ctx, struct buf *question)
{
    const struct upstreams *upstreams = ctx;

    buf_put_u64(question, upstreams->change_epoch);
    buf_put_u64(question, upstreams->change_place);
}

static bool refers_to(const struct upstream *upstream, const char *namespace, const char *name)
{
    const json_t *ref = codec_json_at(upstream->spec, "upstream", "apiKeySecretRef", NULL);

    return ref != NULL &&
           (namespace[0] == '\0' || (strcmp(upstream->namespace, namespace) == 0 &&
                                     strcmp(codec_json_text(ref, "name", ""), name) == 0));
}

/* What is told for the first time is no change: the keys were asked for when their services came.
 */
static int take_change(void *ctx, struct span answer, struct err *err)
{
    struct upstreams *upstreams = ctx;
    struct cursor cursor = cursor_of(answer);
    bool first = upstreams->change_epoch == 0;
    struct upstream *upstream;
    char namespace[256], name[256];

    upstreams->change_epoch = cursor_u64(&cursor);
    upstreams->change_place = cursor_u64(&cursor);
    cursor_text(&cursor, namespace, sizeof(namespace));
    cursor_text(&cursor, name, sizeof(name));
    TRY(cursor_done(&cursor, "a change of a Secret", err));
    LIST_FOREACH (upstream, &upstreams->list, entry)
        if (!first && refers_to(upstream, namespace, name))
            upstream_renew_key(upstream);
    return 0;
}

/* ------------------------------------------------------------------ life */

void upstreams_on_peer(struct upstreams *upstreams, enum role_id peer)
{
    if (peer == ROLE_API)
        follow_anew(upstreams->orders);
    if (peer == ROLE_SECRETS)
        asker_anew(upstreams->changes);
}

int upstreams_start(struct exporter *exporter, struct err *err)
{
    struct upstreams *upstreams = mem_new(sizeof(*upstreams));
    const struct follow_config orders = {.name = "exporter.orders",
                                         .loop = exporter->loop,
                                         .api = role_waiting_peer(exporter->role, ROLE_API),
                                         .settle_ms = SETTLE_MS,
                                         .begin = on_begin,
                                         .take = on_object,
                                         .settled = on_settled,
                                         .ctx = upstreams};
    const struct asker_config changes = {.name = "exporter.changes",
                                         .loop = exporter->loop,
                                         .client = role_waiting_peer(exporter->role, ROLE_SECRETS),
                                         .type = SECRETS_CHANGED,
                                         .put = put_change_question,
                                         .take = take_change,
                                         .ctx = upstreams};

    exporter->upstreams = upstreams;
    upstreams->exporter = exporter;
    LIST_INIT(&upstreams->list);
    TRY(keeper_new(upstreams, &upstreams->keeper, err));
    TRY(asker_new(&changes, &upstreams->changes, err));
    return follow_new(&orders, &upstreams->orders, err);
}

void upstreams_stop(struct upstreams *upstreams)
{
    if (upstreams != NULL)
        keeper_stop(upstreams->keeper);
}

void upstreams_free(struct upstreams *upstreams)
{
    if (upstreams == NULL)
        return;
    while (!LIST_EMPTY(&upstreams->list))
        upstream_free(LIST_FIRST(&upstreams->list));
    follow_free(upstreams->orders);
    asker_free(upstreams->changes);
    keeper_free(upstreams->keeper);
    free(upstreams);
}
