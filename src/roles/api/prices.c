/* SPDX-License-Identifier: Apache-2.0 */
/* PriceLists as what the policy snapshot says of each model. */
#include "api/api_internal.h"

#include "base/mem.h"
#include "codec/json.h"

#include <stdlib.h>

struct prices {
    json_t *lists; /* by name */
};

static const char *name_of(const json_t *list)
{
    return codec_json_text(json_object_get(list, "metadata"), "name", "");
}

static const char *currency_of(const json_t *list)
{
    return codec_json_text(json_object_get(list, "spec"), "currency", "");
}

static int collect(void *ctx, const json_t *object, struct err *err UNUSED)
{
    json_t *lists = ctx;
    size_t at = 0;

    while (at < json_array_size(lists) &&
           strcmp(name_of(json_array_get(lists, at)), name_of(object)) < 0)
        at++;
    json_array_insert_new(lists, at, json_deep_copy(object));
    return 0;
}

int prices_read(struct kube_server *kube, struct prices **out, struct err *err)
{
    *out = mem_new(sizeof(**out));
    (*out)->lists = json_array();
    return kube_object_each(kube, &kube_price_list, NULL, collect, (*out)->lists, err);
}

void prices_free_ptr(struct prices **prices)
{
    if (*prices == NULL)
        return;
    json_decref((*prices)->lists);
    free(*prices);
}

/* How closely a pattern names the model: 3 it alone, 2 its namespace, 1 all; 0 not at all. */
static int closeness(const char *pattern, const char *namespace, const char *service)
{
    size_t len = strlen(namespace);

    if (strcmp(pattern, "*") == 0)
        return 1;
    if (strncmp(pattern, namespace, len) != 0 || pattern[len] != '/')
        return 0;
    if (strcmp(pattern + len + 1, "*") == 0)
        return 2;
    return strcmp(pattern + len + 1, service) == 0 ? 3 : 0;
}

static uint64_t rate(const json_t *price, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(price, name));
}

static struct policy_price_in price_of(const json_t *list, const json_t *price)
{
    bool has_cached = json_object_get(price, "cachedInput") != NULL;

    return (struct policy_price_in){
        .currency = currency_of(list),
        .rates = {.input = rate(price, "input"),
                  .cached_input = rate(price, has_cached ? "cachedInput" : "input"),
                  .output = rate(price, "output")},
    };
}

void prices_of(const struct prices *prices, const char *namespace, const char *service,
               struct policy_price_in *out)
{
    const json_t *list;
    const json_t *price;
    int best = 0;
    size_t i;
    size_t j;

    *out = (struct policy_price_in){0};
    json_array_foreach (prices->lists, i, list) {
        json_array_foreach (codec_json_at(list, "spec", "prices", NULL), j, price) {
            int close = closeness(codec_json_text(price, "model", ""), namespace, service);
            if (close > best) {
                best = close;
                *out = price_of(list, price);
            }
        }
    }
}

/* ------------------------------------------------------------------ admission */

struct other {
    const struct kube_change *change;
    const char *currency;
};

static int compare(void *ctx, const json_t *object, struct err *err)
{
    const struct other *other = ctx;

    if (strcmp(name_of(object), other->change->name) == 0 ||
        strcmp(currency_of(object), other->currency) == 0)
        return 0;
    return err_set(err, ERR_INVALID,
                   "spec.currency is %s, but the list %s has %s; budgets add up what all models "
                   "cost, so all lists must have the same",
                   other->currency, name_of(object), currency_of(object));
}

int prices_admit(struct kube_server *kube, const struct kube_change *change, struct err *err)
{
    struct other other = {.change = change, .currency = currency_of(change->object)};

    return kube_object_each(kube, &kube_price_list, NULL, compare, &other, err);
}
