/* SPDX-License-Identifier: Apache-2.0 */
#include "follow/follow.h"

#include "base/mem.h"
#include "role/asker.h"
#include "wire/orders.h"

#include <stdlib.h>

static const uint64_t never_ms = 1ULL << 40;

struct follow {
    struct follow_config config;
    struct asker *asker;
    struct loop_source *settle;
    uint64_t epoch;
    uint64_t place;
    bool settled;
};

static void put_question(void *ctx, struct buf *question)
{
    const struct follow *follow = ctx;

    buf_put_u64(question, follow->epoch);
    buf_put_u64(question, follow->place);
}

static void begin(struct follow *follow, uint64_t epoch)
{
    follow->epoch = epoch;
    follow->settled = false;
    follow->config.begin(follow->config.ctx);
}

static int take_answer(void *ctx, struct span answer, struct err *err)
{
    CLEANUP_JSON json_t *told = NULL;
    struct follow *follow = ctx;
    struct cursor cursor = cursor_of(answer);
    uint64_t epoch = cursor_u64(&cursor);
    uint64_t place = cursor_u64(&cursor);
    struct span text = cursor_bytes(&cursor, cursor.left);

    TRY(cursor_done(&cursor, "an order", err));
    TRY(codec_json_parse(text, "an order", &told, err));
    if (epoch != follow->epoch)
        begin(follow, epoch);
    follow->place = place;
    json_t *object = json_object_get(told, "object");
    const struct followed followed = {.kind = codec_json_text(told, "kind", ""),
                                      .namespace = codec_json_text(told, "namespace", ""),
                                      .name = codec_json_text(told, "name", ""),
                                      .object = json_is_object(object) ? object : NULL};
    follow->config.take(follow->config.ctx, &followed);
    if (!follow->settled)
        loop_rearm(follow->settle, follow->config.settle_ms, 0);
    return 0;
}

/* api answers at once as long as it has something. */
static void on_settle(void *ctx)
{
    struct follow *follow = ctx;

    follow->settled = asker_waits(follow->asker);
    if (follow->settled)
        follow->config.settled(follow->config.ctx);
    else
        loop_rearm(follow->settle, follow->config.settle_ms, 0);
}

void follow_anew(struct follow *follow)
{
    asker_anew(follow->asker);
}

int follow_new(const struct follow_config *config, struct follow **out, struct err *err)
{
    struct follow *follow = mem_new(sizeof(*follow));
    const struct asker_config asker = {.name = config->name,
                                       .loop = config->loop,
                                       .client = config->api,
                                       .type = API_NEXT,
                                       .put = put_question,
                                       .take = take_answer,
                                       .ctx = follow};

    follow->config = *config;
    *out = follow;
    TRY(loop_add_timer(config->loop, never_ms, 0, on_settle, follow, &follow->settle, err));
    return asker_new(&asker, &follow->asker, err);
}

void follow_free(struct follow *follow)
{
    if (follow == NULL)
        return;
    asker_free(follow->asker);
    free(follow);
}
