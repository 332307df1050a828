/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client is told about its limits and budgets, in the words of two peoples: the headers that
 * OpenAI's clients know, for the tightest limit or rate of a minute; and RateLimit-Policy with
 * RateLimit (draft-ietf-httpapi-ratelimit-headers), for every one by its name, with its quota and
 * window, what is left of it, and when it is whole again. Names are of letters, digits, '-' and
 * '/', so that they need no escapes in the quotes.
 */
#include "gateway/module/module.h"

#include "base/num.h"

enum {
    ITEMS_MAX = 16, /* of one answer; the rest is not told */
    ITEM_MAX = 512, /* bytes */
    NAME_MAX_LEN = ITEM_MAX - 4 * NUM_DECIMAL_MAX,
    FIELDS_MAX = 8,
    NS_PER_SEC = 1000000000,
    NS_PER_MS = 1000000,
    MS_PER_SEC = 1000,
    SEC_PER_MINUTE = 60,
};

/* The values of all fields lie behind one another, each up to where the next begins. They are
 * written for every call, so nothing asks for room: there is enough for all that can come. */
struct fields {
    uint8_t *start;
    uint8_t *at;
    size_t count;
    struct {
        const char *name;
        const uint8_t *from;
    } field[FIELDS_MAX];
};

static void begin(struct fields *fields, const char *name)
{
    INVARIANT(fields->count < FIELDS_MAX);
    fields->field[fields->count].name = name;
    fields->field[fields->count++].from = fields->at;
}

static inline void put(struct fields *fields, const char *text)
{
    size_t len = strlen(text);

    memcpy(fields->at, text, len);
    fields->at += len;
}

static void put_number(struct fields *fields, uint64_t value)
{
    fields->at = num_put_decimal(fields->at, value);
}

static ngx_int_t add_headers(ngx_http_request_t *r, const struct fields *fields)
{
    size_t len = (size_t)(fields->at - fields->start);
    u_char *text = ngx_pnalloc(r->pool, len);

    if (text == NULL)
        return NGX_ERROR;
    memcpy(text, fields->start, len);
    for (size_t i = 0; i < fields->count; i++) {
        const uint8_t *from = fields->field[i].from;
        const uint8_t *to = i + 1 < fields->count ? fields->field[i + 1].from : fields->at;
        ngx_str_t value = {(size_t)(to - from), text + (from - fields->start)};
        if (gw_header_add(r, fields->field[i].name, value) != NGX_OK)
            return NGX_ERROR;
    }
    return NGX_OK;
}

/* ------------------------------------------------------------------ x-ratelimit-* */

/* "20ms", "1.500s", "6m0.000s" */
static void put_duration(struct fields *fields, uint64_t ns)
{
    uint64_t ms = (ns + NS_PER_MS - 1) / NS_PER_MS;
    uint64_t minutes = ms / MS_PER_SEC / SEC_PER_MINUTE;
    uint64_t parts = ms % MS_PER_SEC;

    if (ms < MS_PER_SEC) {
        put_number(fields, ms);
        put(fields, "ms");
        return;
    }
    if (minutes > 0) {
        put_number(fields, minutes);
        put(fields, "m");
    }
    put_number(fields, ms / MS_PER_SEC % SEC_PER_MINUTE);
    put(fields, parts < 10 ? ".00" : parts < 100 ? ".0" : ".");
    put_number(fields, parts);
    put(fields, "s");
}

/* Behind the one that refused, none was looked at. */
static size_t looked_at(const struct gw_call *call)
{
    return call->limits.verdict == LIMIT_GRANTED ? GW_LIMIT_COUNT : call->limits.which + 1;
}

/* What is told of a limit of a minute. */
struct minute {
    uint64_t limit; /* 0: none */
    uint64_t left;
    uint64_t whole_after_ns;
};

static void choose(struct minute *tightest, struct minute other)
{
    if (tightest->limit == 0 || (unsigned __int128)other.left * tightest->limit <
                                    (unsigned __int128)tightest->left * other.limit)
        *tightest = other;
}

/* The limit of a kind that has the least left, in parts of itself. */
static struct minute tightest(const struct gw_call *call, bool tokens)
{
    struct minute found = {0};

    for (size_t i = tokens; i < looked_at(call); i += 2)
        if (call->asks[i].limit > 0)
            choose(&found, (struct minute){call->asks[i].limit, call->limits.remaining[i],
                                           call->limits.full_after_ns[i]});
    for (size_t i = 0; i < call->budget_count; i++) {
        const struct gw_budget *budget = &call->budgets[i];
        if (budget->rate != NULL && budget->measure == (tokens ? POLICY_TOKENS : POLICY_REQUESTS))
            choose(&found,
                   (struct minute){budget->limit, budget->answer.left, budget->whole_after_ns});
    }
    return found;
}

static void put_tightest(const struct gw_call *call, bool tokens, struct fields *fields)
{
    static const char *const names[2][3] = {
        {"x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
         "x-ratelimit-reset-requests"},
        {"x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"}};
    struct minute minute = tightest(call, tokens);

    if (minute.limit == 0)
        return;
    begin(fields, names[tokens][0]);
    put_number(fields, minute.limit);
    begin(fields, names[tokens][1]);
    put_number(fields, minute.left);
    begin(fields, names[tokens][2]);
    put_duration(fields, minute.whole_after_ns);
}

/* ------------------------------------------------------------------ RateLimit */

struct item {
    struct span name;
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
    if (items->count < ITEMS_MAX && item.name.len <= NAME_MAX_LEN)
        items->item[items->count++] = item;
}

static uint64_t seconds(uint64_t ns)
{
    return (ns + NS_PER_SEC - 1) / NS_PER_SEC;
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

    for (size_t i = 0; i < looked_at(call); i++)
        if (call->asks[i].limit > 0)
            add(items, (struct item){.name = span_str(names[i]),
                                     .quota = call->asks[i].limit,
                                     .left = answer->remaining[i],
                                     .window_sec = call->asks[i].window_ns / NS_PER_SEC,
                                     .reset_sec = seconds(answer->full_after_ns[i])});
}

static uint64_t reset_of(const struct gw_budget *budget)
{
    int64_t wait = budget->answer.ends_sec - ngx_time();

    return budget->rate != NULL ? seconds(budget->whole_after_ns) : (uint64_t)NUM_MAX(wait, 0);
}

static void add_budgets(const struct gw_call *call, struct items *items)
{
    static const uint64_t lengths[] = {
        [POLICY_MINUTE] = 60, [POLICY_HOUR] = 3600, [POLICY_DAY] = 86400, [POLICY_MONTH] = 0};

    for (size_t i = 0; i < call->budget_count; i++) {
        const struct gw_budget *budget = &call->budgets[i];
        add(items, (struct item){.name = gw_span(budget->name),
                                 .quota = budget->limit,
                                 .left = budget->answer.left,
                                 .window_sec = lengths[budget->window],
                                 .reset_sec = reset_of(budget)});
    }
}

static void put_item(struct fields *fields, const struct item *item, bool is_policy)
{
    put(fields, "\"");
    memcpy(fields->at, item->name.p, item->name.len);
    fields->at += item->name.len;
    put(fields, is_policy ? "\";q=" : "\";r=");
    put_number(fields, is_policy ? item->quota : item->left);
    if (is_policy && item->window_sec == 0)
        return;
    put(fields, is_policy ? ";w=" : ";t=");
    put_number(fields, is_policy ? item->window_sec : item->reset_sec);
}

static void put_list(const struct items *items, bool is_policy, struct fields *fields)
{
    if (items->count == 0)
        return;
    begin(fields, is_policy ? "RateLimit-Policy" : "RateLimit");
    for (size_t i = 0; i < items->count; i++) {
        if (i > 0)
            put(fields, ", ");
        put_item(fields, &items->item[i], is_policy);
    }
}

ngx_int_t gw_fields_put(ngx_http_request_t *r, const struct gw_call *call)
{
    /* One answer at a time; copied before this returns. Both lists, and the fields of the tightest.
     */
    static uint8_t room[(2 * ITEMS_MAX + FIELDS_MAX) * ITEM_MAX];
    UNINITIALIZED struct items items;
    UNINITIALIZED struct fields fields;

    if (!call->answer_limits)
        return NGX_OK;
    fields.start = fields.at = room;
    fields.count = items.count = 0;
    put_tightest(call, false, &fields);
    put_tightest(call, true, &fields);
    add_limits(call, &items);
    add_budgets(call, &items);
    put_list(&items, true, &fields);
    put_list(&items, false, &fields);
    return fields.count == 0 ? NGX_OK : add_headers(r, &fields);
}
