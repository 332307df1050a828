/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and lists of values of a transaction. */
#include "waf/run/run.h"

#include "base/num.h"

void *tx_alloc(struct waf_tx *tx, size_t size)
{
    void *piece = arena_alloc(tx->arena, size);

    if (piece == NULL)
        tx->events |= WAF_EVENT_MEMORY_LIMIT;
    return piece;
}

struct span tx_copy(struct waf_tx *tx, struct span text)
{
    char *copy = tx_alloc(tx, text.len + 1);

    if (copy == NULL)
        return span_str("");
    if (text.len > 0)
        memcpy(copy, text.p, text.len);
    return span_of(copy, text.len);
}

struct span tx_number(struct waf_tx *tx, int64_t number)
{
    char text[NUMBER_SIZE];
    char *p = text + sizeof(text);
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    do
        *--p = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (number < 0)
        *--p = '-';
    return tx_copy(tx, span_of(p, (size_t)(text + sizeof(text) - p)));
}

bool tx_grow(struct waf_tx *tx, void *items, size_t count, size_t *cap, size_t size)
{
    void **at = items;

    if (count < *cap)
        return true;
    size_t more = NUM_MAX((size_t)16, 2 * *cap);
    void *room = tx_alloc(tx, more * size);
    if (room == NULL)
        return false;
    if (count > 0)
        memcpy(room, *at, count * size);
    *at = room;
    *cap = more;
    return true;
}

bool tx_work(struct waf_tx *tx, size_t bytes)
{
    if (tx->work_left < bytes) {
        tx->work_left = 0;
        tx->events |= WAF_EVENT_WORK_LIMIT;
    } else {
        tx->work_left -= bytes;
    }
    return (tx->events & (WAF_EVENT_WORK_LIMIT | WAF_EVENT_MEMORY_LIMIT)) == 0;
}

void list_share(struct waf_tx *tx, enum waf_var var, struct value *value)
{
    struct list *list = &tx->lists[var];
    size_t cap = list->cap;

    if (value == NULL || !tx_grow(tx, &list->items, list->count, &cap, sizeof(*list->items)))
        return;
    list->cap = (uint32_t)cap;
    list->items[list->count++] = value;
}

struct value *list_add(struct waf_tx *tx, enum waf_var var, struct span key, struct span text)
{
    struct value *value = tx_alloc(tx, sizeof(*value));

    if (value == NULL)
        return NULL;
    *value = (struct value){.key = key, .text = text, .traits = traits_of(text), .is_fixed = true};
    list_share(tx, var, value);
    return value;
}

void list_set(struct waf_tx *tx, enum waf_var var, struct span text)
{
    tx->lists[var].count = 0;
    (void)list_add(tx, var, span_str(""), text);
}

void list_set_number(struct waf_tx *tx, enum waf_var var, int64_t number)
{
    if (tx->engine->uses[var])
        list_set(tx, var, tx_number(tx, number));
}

struct span list_find(const struct waf_tx *tx, enum waf_var var, const char *key)
{
    const struct list *list = &tx->lists[var];

    for (uint32_t i = 0; i < list->count; i++)
        if (span_eq_word(list->items[i]->key, key))
            return list->items[i]->text;
    return (struct span){0};
}

void tx_add_argument(struct waf_tx *tx, bool get, struct span name, struct span value)
{
    if (tx->engine->head->arguments_limit > 0 &&
        tx->lists[VAR_ARGS].count >= tx->engine->head->arguments_limit)
        return;
    struct value *one = list_add(tx, VAR_ARGS, name, value);
    struct value *key = list_add(tx, VAR_ARGS_NAMES, name, name);
    list_share(tx, get ? VAR_ARGS_GET : VAR_ARGS_POST, one);
    list_share(tx, get ? VAR_ARGS_GET_NAMES : VAR_ARGS_POST_NAMES, key);
    tx->args_size += name.len + value.len;
}

struct xpath_sink {
    struct waf_tx *tx;
    struct list *list;
};

static bool add_node(void *ctx, const struct waf_pair *pair)
{
    struct xpath_sink *sink = ctx;
    struct value *value = tx_alloc(sink->tx, sizeof(*value));
    size_t cap = sink->list->cap;

    if (value == NULL ||
        !tx_grow(sink->tx, &sink->list->items, sink->list->count, &cap, sizeof(*sink->list->items)))
        return false;
    sink->list->cap = (uint32_t)cap;
    *value = (struct value){
        .key = pair->name, .text = pair->value, .traits = traits_of(pair->value), .is_fixed = true};
    sink->list->items[sink->list->count++] = value;
    return true;
}

enum { NAMESPACES_MAX = 32 };

void xpath_load(struct waf_tx *tx, uint32_t index)
{
    const struct snapshot *image = tx->engine->image;
    const struct image_xpath *xpath =
        (const struct image_xpath *)snapshot_records(image, IMAGE_XPATHS) + index;
    const struct image_namespace *records = snapshot_records(image, IMAGE_NAMESPACES);
    struct waf_xml_ns ns[NAMESPACES_MAX];
    size_t count = NUM_MIN(xpath->namespaces.count, (uint32_t)NAMESPACES_MAX);
    struct xpath_sink sink = {.tx = tx, .list = &tx->xpaths[index]};
    struct waf_pair_sink pairs = {.pair = add_node, .ctx = &sink};
    struct err err = ERR_INIT;

    if (tx->xpath_done[index])
        return;
    tx->xpath_done[index] = true;
    for (size_t i = 0; i < count; i++) {
        const struct image_namespace *record = &records[xpath->namespaces.at + i];
        ns[i].prefix = (const char *)snapshot_text(image, record->prefix).p;
        ns[i].href = (const char *)snapshot_text(image, record->href).p;
    }
    /* The compiler has seen that it is an expression; an unknown prefix finds nothing. */
    (void)!waf_xml_select(tx->xml, (const char *)snapshot_text(image, xpath->text).p, ns, count,
                          &pairs, tx->arena, &err);
}
