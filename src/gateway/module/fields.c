/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client is told about its limits and budgets, in the words of two peoples: the headers that
 * OpenAI's clients know, for the tightest limit of a minute; and RateLimit-Policy with RateLimit
 * (draft-ietf-httpapi-ratelimit-headers), for every one by its name, with its quota and window,
 * what is left of it, and when it is whole again. Names are of letters, digits, '-' and '/', so
 * that they need no escapes in the quotes.
 */
#include "gateway/module/module.h"

#include "base/num.h"

enum {
    ITEMS_MAX = 16, /* of one answer; the rest is not told */
    FIELDS_MAX = 8,
    NS_PER_SEC = 1000000000,
    NS_PER_MS = 1000000,
    MS_PER_SEC = 1000,
    SEC_PER_MINUTE = 60,
};

/* The values of all fields lie behind one another in `text`, each up to where the next begins. */
struct fields {
    struct buf text;
    size_t count;
    struct {
        const char *name;
        size_t from;
    } field[FIELDS_MAX];
};

static void begin(struct fields *fields, const char *name)
{
    INVARIANT(fields->count < FIELDS_MAX);
    fields->field[fields->count].name = name;
    fields->field[fields->count++].from = fields->text.len;
}

static ngx_int_t add_headers(ngx_http_request_t *r, const struct fields *fields)
{
    u_char *text = ngx_pnalloc(r->pool, fields->text.len);

    if (text == NULL)
        return NGX_ERROR;
    memcpy(text, fields->text.data, fields->text.len);
    for (size_t i = 0; i < fields->count; i++) {
        size_t from = fields->field[i].from;
        size_t to = i + 1 < fields->count ? fields->field[i + 1].from : fields->text.len;
        ngx_str_t value = {to - from, text + from};
        if (gw_header_add(r, fields->field[i].name, value) != NGX_OK)
            return NGX_ERROR;
    }
    return NGX_OK;
}

/* ------------------------------------------------------------------ x-ratelimit-* */

/* "20ms", "1.500s", "6m0.000s" */
static void put_duration(struct buf *out, uint64_t ns)
{
    uint64_t ms = (ns + NS_PER_MS - 1) / NS_PER_MS;
    uint64_t minutes = ms / MS_PER_SEC / SEC_PER_MINUTE;

    if (ms < MS_PER_SEC) {
        buf_put_decimal(out, ms, 1);
        buf_put_str(out, "ms");
        return;
    }
    if (minutes > 0) {
        buf_put_decimal(out, minutes, 1);
        buf_put_u8(out, 'm');
    }
    buf_put_decimal(out, ms / MS_PER_SEC % SEC_PER_MINUTE, 1);
    buf_put_u8(out, '.');
    buf_put_decimal(out, ms % MS_PER_SEC, 3);
    buf_put_u8(out, 's');
}

/* The limit of a kind that has the least left, in parts of itself; -1 when there is none. */
static int tightest(const struct gw_call *call, bool tokens)
{
    int found = -1;

    for (int i = tokens; i < GW_LIMIT_COUNT; i += 2) {
        if (call->asks[i].limit == 0)
            continue;
        bool tighter =
            found < 0 || (unsigned __int128)call->limits.remaining[i] * call->asks[found].limit <
                             (unsigned __int128)call->limits.remaining[found] * call->asks[i].limit;
        if (tighter)
            found = i;
    }
    return found;
}

static void put_tightest(const struct gw_call *call, bool tokens, struct fields *fields)
{
    static const char *const names[2][3] = {
        {"x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
         "x-ratelimit-reset-requests"},
        {"x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"}};
    int i = tightest(call, tokens);

    if (i < 0)
        return;
    begin(fields, names[tokens][0]);
    buf_put_decimal(&fields->text, call->asks[i].limit, 1);
    begin(fields, names[tokens][1]);
    buf_put_decimal(&fields->text, call->limits.remaining[i], 1);
    begin(fields, names[tokens][2]);
    put_duration(&fields->text, call->limits.full_after_ns[i]);
}

/* ------------------------------------------------------------------ RateLimit */

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

static void put_parameter(struct buf *out, const char *name, uint64_t value)
{
    buf_put_str(out, name);
    buf_put_decimal(out, value, 1);
}

static void put_item(struct buf *out, const struct item *item, bool is_policy)
{
    buf_put_u8(out, '"');
    buf_put_str(out, item->name);
    buf_put_u8(out, '"');
    if (!is_policy) {
        put_parameter(out, ";r=", item->left);
        put_parameter(out, ";t=", item->reset_sec);
        return;
    }
    put_parameter(out, ";q=", item->quota);
    if (item->window_sec > 0)
        put_parameter(out, ";w=", item->window_sec);
}

static void put_list(const struct items *items, bool is_policy, struct fields *fields)
{
    if (items->count == 0)
        return;
    begin(fields, is_policy ? "RateLimit-Policy" : "RateLimit");
    for (size_t i = 0; i < items->count; i++) {
        if (i > 0)
            buf_put_str(&fields->text, ", ");
        put_item(&fields->text, &items->item[i], is_policy);
    }
}

ngx_int_t gw_fields_put(ngx_http_request_t *r, const struct gw_call *call)
{
    static uint8_t room[ITEMS_MAX * 512]; /* one answer at a time; copied before this returns */
    UNINITIALIZED struct items items;
    UNINITIALIZED struct fields fields;

    if (!call->answer_limits)
        return NGX_OK;
    fields.text = (struct buf){.data = room, .cap = sizeof(room), .max = sizeof(room) - 1};
    fields.count = items.count = 0;
    put_tightest(call, false, &fields);
    put_tightest(call, true, &fields);
    add_limits(call, &items);
    add_budgets(call, &items);
    put_list(&items, true, &fields);
    put_list(&items, false, &fields);
    return fields.count == 0 ? NGX_OK : add_headers(r, &fields);
}
