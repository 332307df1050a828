/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers): every limit and budget of
 * the call by its name, with its quota and window, what is left of it, and when it is whole again.
 * Names are of letters, digits, '-' and '/', so that they need no escapes in the quotes.
 */
#include "gateway/module/module.h"

#include "base/num.h"

#include <inttypes.h>
#include <stdio.h>

/* Of one answer; the rest is not told. */
enum { ITEMS_MAX = 16, NS_PER_SEC = 1000000000 };

struct item {
    const char *name;
    uint64_t quota;
    uint64_t left;
    uint64_t window_sec; /* 0: of no fixed length */
    uint64_t reset_sec;
};

struct items {
    struct item item[ITEMS_MAX];
    size_t count;
};

static void add(struct items *items, struct item item)
{
    if (items->count < ITEMS_MAX)
        items->item[items->count++] = item;
}

static void add_limits(const struct gw_call *call, struct items *items)
{
    static const char *const names[GW_LIMIT_COUNT] = {
        [GW_KEY_REQUESTS] = "key-requests",
        [GW_KEY_TOKENS] = "key-tokens",
        [GW_NAMESPACE_REQUESTS] = "namespace-requests",
        [GW_NAMESPACE_TOKENS] = "namespace-tokens",
        [GW_ROUTE_REQUESTS] = "model-requests",
        [GW_ROUTE_TOKENS] = "model-tokens",
    };
    const struct limit_answer *answer = &call->limits;
    bool refused = answer->verdict != LIMIT_GRANTED;

    /* Behind the one that refused, none was looked at. */
    for (size_t i = 0; i < GW_LIMIT_COUNT && !(refused && i > answer->which); i++)
        if (call->asks[i].limit > 0)
            add(items, (struct item){.name = names[i],
                                     .quota = call->asks[i].limit,
                                     .left = answer->remaining[i],
                                     .window_sec = call->asks[i].window_ns / NS_PER_SEC,
                                     .reset_sec =
                                         (answer->full_after_ns[i] + NS_PER_SEC - 1) / NS_PER_SEC});
}

static void add_budgets(const struct gw_call *call, struct items *items)
{
    static const uint64_t lengths[] = {
        [POLICY_MINUTE] = 60, [POLICY_HOUR] = 3600, [POLICY_DAY] = 86400, [POLICY_MONTH] = 0};

    for (size_t i = 0; i < call->budget_count; i++) {
        const struct gw_budget *budget = &call->budgets[i];
        int64_t wait = budget->answer.ends_sec - ngx_time();
        add(items, (struct item){.name = (const char *)budget->name.data,
                                 .quota = budget->limit,
                                 .left = budget->answer.left,
                                 .window_sec = lengths[budget->window],
                                 .reset_sec = (uint64_t)NUM_MAX(wait, 0)});
    }
}

static void put_item(struct buf *out, const struct item *item, bool is_policy)
{
    buf_printf(out, "%s\"%s\"", out->len > 0 ? ", " : "", item->name);
    if (!is_policy)
        buf_printf(out, ";r=%" PRIu64 ";t=%" PRIu64, item->left, item->reset_sec);
    else if (item->window_sec > 0)
        buf_printf(out, ";q=%" PRIu64 ";w=%" PRIu64, item->quota, item->window_sec);
    else
        buf_printf(out, ";q=%" PRIu64, item->quota);
}

static ngx_int_t put_field(ngx_http_request_t *r, const char *name, const struct items *items,
                           bool is_policy)
{
    static uint8_t room[ITEMS_MAX * 256]; /* one answer at a time; copied before this returns */
    struct buf text = {.data = room, .cap = sizeof(room), .max = sizeof(room) - 1};
    ngx_str_t value;

    for (size_t i = 0; i < items->count; i++)
        put_item(&text, &items->item[i], is_policy);
    value.len = text.len;
    value.data = ngx_pnalloc(r->pool, text.len);
    if (value.data == NULL)
        return NGX_ERROR;
    memcpy(value.data, text.data, text.len);
    return gw_header_add(r, name, value);
}

ngx_int_t gw_fields_put(ngx_http_request_t *r, const struct gw_call *call)
{
    UNINITIALIZED struct items items;

    items.count = 0;
    add_limits(call, &items);
    add_budgets(call, &items);
    if (items.count == 0)
        return NGX_OK;
    if (put_field(r, "RateLimit-Policy", &items, true) != NGX_OK)
        return NGX_ERROR;
    return put_field(r, "RateLimit", &items, false);
}
