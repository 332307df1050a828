/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"

#include <string.h>

/* A token for a million units of the currency; so no cost of a call overflows. */
#define PRICE_MAX (1000LL * 1000 * 1000 * 1000)

static const struct kube_field price_fields[] = {
    {"model", KUBE_STRING,
     "The model service: namespace/name, namespace/* or *. The most specific one counts, of equal "
     "ones that of the list whose name comes first.",
     .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY, .format = KUBE_MODEL_PATTERN},
    {"input", KUBE_INT64, "Millionths of the currency for a million tokens of a prompt.",
     .flags = KUBE_REQUIRED, .min = 0, .max = PRICE_MAX},
    {"output", KUBE_INT64, "The same for an answer.", .flags = KUBE_REQUIRED, .min = 0,
     .max = PRICE_MAX},
    {"cachedInput", KUBE_INT64,
     "The same for tokens of a prompt that the engine had in its cache; by default as input.",
     .min = 0, .max = PRICE_MAX},
    {0},
};

static const struct kube_shape price_shape = {
    "io.drun.v1.Price",
    "What the tokens of a model cost.",
    price_fields,
};

static const struct kube_field spec_fields[] = {
    {"currency", KUBE_STRING,
     "What the money is called, such as EUR. It is a label: nothing is converted, and all lists of "
     "a platform have the same.",
     .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY, .max = 12},
    {"prices", KUBE_LIST, "What each model costs.", .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY,
     .shape = &price_shape, .item = KUBE_OBJECT, .list = KUBE_KEYED, .merge_key = "model",
     .max = 1024},
    {0},
};

static const struct kube_shape spec_shape = {
    "io.drun.v1.PriceListSpec",
    "The desired state of a price list.",
    spec_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "The desired state.", .shape = &spec_shape, .flags = KUBE_REQUIRED},
    {0},
};

static const struct kube_shape shape = {
    "io.drun.v1.PriceList",
    "What calls to models cost. It belongs to the platform: no namespace has one.",
    fields,
};

static json_t *prices_cell(const json_t *object, int64_t now_sec UNUSED)
{
    return kube_cell_count(json_object_get(json_object_get(object, "spec"), "prices"));
}

static const struct kube_column columns[] = {
    {"Currency", "string", "What the money is called.", "spec.currency"},
    {"Prices", "integer", "How many prices it has.", .cell = prices_cell},
    {0},
};

/* It stands in messages, records and tables as it is. */
static bool is_label(const char *text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";

    return text[strspn(text, allowed)] == '\0';
}

static void validate(const json_t *object, const json_t *old UNUSED, struct kube_causes *causes)
{
    const json_t *spec = json_object_get(object, "spec");
    const char *currency = json_string_value(json_object_get(spec, "currency"));
    const json_t *price;
    size_t i;

    if (currency != NULL && !is_label(currency))
        kube_cause(causes, "FieldValueInvalid", "spec.currency",
                   "Invalid value: must be of letters, digits and '-', such as EUR");
    json_array_foreach (json_object_get(spec, "prices"), i, price)
        if (json_integer_value(json_object_get(price, "cachedInput")) >
            json_integer_value(json_object_get(price, "input")))
            kube_cause(causes, "FieldValueInvalid", "spec.prices.cachedInput",
                       "Invalid value: must be at most input");
}

const struct kube_kind kube_price_list = {
    .group = "drun.io",
    .version = "v1",
    .kind = "PriceList",
    .plural = "pricelists",
    .singular = "pricelist",
    .categories = KUBE_NAMES("drun"),
    .verbs = KUBE_ALL_VERBS,
    .name_format = KUBE_DNS_LABEL,
    .shape = &shape,
    .columns = columns,
    .validate = validate,
};
