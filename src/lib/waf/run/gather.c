/* SPDX-License-Identifier: Apache-2.0 */
/* From targets to values. */
#include "waf/run/run.h"

static bool key_fits(struct waf_tx *tx, const struct image_target *target, struct span key)
{
    if ((target->flags & IMAGE_KEYED) == 0)
        return true;
    if (target->pattern == 0)
        return span_eq_nocase(key, image_bytes(tx->engine->image, target->key));
    (void)tx_work(tx, key.len);
    return pattern_match(tx->engine, &tx->engine->patterns[target->pattern - 1], key) == REGEX_YES;
}

/* ARGS holds what is in ARGS_GET and ARGS_POST; excluding it there excludes it here, as in v2. */
bool target_covers(struct waf_tx *tx, const struct image_target *target, enum waf_var var,
                   struct span key)
{
    return target->var == (uint32_t)var && key_fits(tx, target, key);
}

static bool is_excluded(struct waf_tx *tx, const struct image_rule *rule, enum waf_var var,
                        struct span key)
{
    const struct image_target *excludes = tx->engine->targets + rule->excludes.at;

    for (uint32_t i = 0; i < rule->excludes.count; i++)
        if (target_covers(tx, &excludes[i], var, key))
            return true;
    return false;
}

static bool contains(const uint32_t *indexes, struct snapshot_ref ref, uint32_t index)
{
    uint32_t low = ref.at;
    uint32_t high = ref.at + ref.count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (indexes[middle] == index)
            return true;
        if (indexes[middle] < index)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* By ctl:ruleRemoveTarget...; it is the first rule of a chain that is named, and meant with all. */
static bool is_removed(struct waf_tx *tx, const struct image_rule *rule, enum waf_var var,
                       struct span key)
{
    uint32_t index = (uint32_t)(rule - tx->engine->rules);

    for (size_t i = 0; i < tx->removal_count; i++)
        if (contains(tx->engine->indexes, tx->removals[i].indexes, index) &&
            target_covers(tx, tx->removals[i].target, var, key))
            return true;
    return false;
}

static void keep(struct waf_tx *tx, struct value *value)
{
    if (value == NULL ||
        !tx_grow(tx, &tx->gathered, tx->gathered_count, &tx->gathered_cap, sizeof(*tx->gathered)))
        return;
    tx->gathered[tx->gathered_count++] = value;
}

void gather_add(struct waf_tx *tx, struct span key, struct span text)
{
    struct value *value = tx_alloc(tx, sizeof(*value));

    if (value == NULL)
        return;
    *value = (struct value){.key = key, .text = text, .traits = traits_of(text)};
    keep(tx, value);
}

static void gather_list(struct waf_tx *tx, const struct image_target *target,
                        const struct list *list, bool keyed)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (!keyed || key_fits(tx, target, list->items[i]->key))
            keep(tx, list->items[i]);
}

/* Takes out again what the rule does not want to see. */
static void leave_out(struct waf_tx *tx, const struct image_rule *rule, enum waf_var var,
                      size_t from)
{
    size_t kept = from;

    for (size_t i = from; i < tx->gathered_count; i++) {
        struct span key = tx->gathered[i]->key;
        if (!is_excluded(tx, rule, var, key) && !is_removed(tx, rule, var, key))
            tx->gathered[kept++] = tx->gathered[i];
    }
    tx->gathered_count = kept;
}

static void count(struct waf_tx *tx, const struct image_target *target, size_t from)
{
    struct span number = tx_number(tx, (int64_t)(tx->gathered_count - from));
    struct span key = image_bytes(tx->engine->image, target->key);

    tx->gathered_count = from;
    gather_add(tx, key, number);
}

size_t gather(struct waf_tx *tx, const struct image_rule *rule, const struct image_target *target)
{
    size_t from = tx->gathered_count;
    enum waf_var var = (enum waf_var)target->var;

    if (target->xpath != 0) {
        if (tx->xml != NULL)
            xpath_load(tx, target->xpath - 1);
        gather_list(tx, target, &tx->xpaths[target->xpath - 1], false);
    } else if ((waf_var_flags(var) & VAR_FIXED) != 0) {
        gather_list(tx, target, &tx->lists[var], (target->flags & IMAGE_KEYED) != 0);
    } else {
        gather_computed(tx, rule, target);
    }
    if (rule->excludes.count > 0 || tx->removal_count > 0)
        leave_out(tx, rule, var, from);
    if ((target->flags & IMAGE_COUNT) != 0)
        count(tx, target, from);
    return from;
}

struct span variable_first(struct waf_tx *tx, const struct image_rule *rule, enum waf_var var,
                           uint32_t slot, struct span key)
{
    size_t from = tx->gathered_count;
    struct span found = {0};

    if (var == VAR_TX && key.len > 0)
        return tx_var_get(tx, key, slot);
    if ((waf_var_flags(var) & VAR_FIXED) != 0) {
        const struct list *list = &tx->lists[var];
        for (uint32_t i = 0; i < list->count; i++)
            if (key.len == 0 || span_eq_nocase(list->items[i]->key, key))
                return list->items[i]->text;
        return found;
    }
    struct image_target target = {.var = var};
    gather_computed(tx, rule, &target);
    for (size_t i = from; i < tx->gathered_count && found.p == NULL; i++)
        if (key.len == 0 || span_eq_nocase(tx->gathered[i]->key, key))
            found = tx->gathered[i]->text;
    tx->gathered_count = from;
    return found;
}
