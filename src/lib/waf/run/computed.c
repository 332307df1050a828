/* SPDX-License-Identifier: Apache-2.0 */
/* Variables that are worked out when a rule asks for them. */
#include "waf/run/run.h"

#include "base/clock.h"
#include "base/mem.h"

struct walk {
    struct waf_tx *tx;
    const struct image_target *target;
};

static bool is_asked_for(struct waf_tx *tx, const struct image_target *target, struct span key)
{
    return target_covers(tx, target, (enum waf_var)target->var, key);
}

static void offer(struct waf_tx *tx, const struct image_target *target, struct span key,
                  struct span text)
{
    if (text.p != NULL && is_asked_for(tx, target, key))
        gather_add(tx, key, text);
}

/* TX:/key/: names of slots never change, so they are looked at once. */
static const uint64_t *slots_named(struct waf_engine *engine, struct pattern *pattern)
{
    const struct image_slot *slots = snapshot_records(engine->image, IMAGE_SLOTS);

    if (pattern->slots != NULL)
        return pattern->slots;
    pattern->slots = mem_new_array(engine->slot_count / 64 + 1, sizeof(*pattern->slots));
    for (uint32_t i = 0; i < engine->slot_count; i++)
        if (pattern_match(engine, pattern, image_bytes(engine->image, slots[i].name)) == REGEX_YES)
            bit_set(pattern->slots, i);
    return pattern->slots;
}

static void gather_slots_named(struct waf_tx *tx, const struct image_target *target)
{
    const struct image_slot *slots = snapshot_records(tx->engine->image, IMAGE_SLOTS);
    const uint64_t *named = slots_named(tx->engine, &tx->engine->patterns[target->pattern - 1]);

    for (uint32_t word = 0; word <= tx->engine->slot_count / 64; word++)
        for (uint64_t bits = named[word]; bits != 0; bits &= bits - 1) {
            uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
            if (tx->slots[slot].p != NULL)
                gather_add(tx, image_bytes(tx->engine->image, slots[slot].name), tx->slots[slot]);
        }
}

static void gather_tx(struct waf_tx *tx, const struct image_target *target)
{
    const struct image_slot *slots = snapshot_records(tx->engine->image, IMAGE_SLOTS);

    if (target->slot != 0) {
        if (tx->slots[target->slot - 1].p != NULL)
            gather_add(tx, image_bytes(tx->engine->image, target->key),
                       tx->slots[target->slot - 1]);
        return;
    }
    if (target->pattern != 0)
        gather_slots_named(tx, target);
    for (uint32_t i = 0; target->pattern == 0 && i < tx->engine->slot_count; i++)
        if (tx->slots[i].p != NULL)
            offer(tx, target, image_bytes(tx->engine->image, slots[i].name), tx->slots[i]);
    for (size_t i = 0; i < tx->tx_extra.count; i++)
        offer(tx, target, tx->tx_extra.items[i].name, tx->tx_extra.items[i].text);
}

static bool on_stored(void *ctx, struct span name, struct span text)
{
    struct walk *walk = ctx;

    if (is_asked_for(walk->tx, walk->target, name))
        gather_add(walk->tx, tx_copy(walk->tx, name), tx_copy(walk->tx, text));
    return true;
}

static void gather_stored(struct waf_tx *tx, const struct image_target *target)
{
    enum waf_var var = (enum waf_var)target->var;
    struct span collection = span_str(waf_var_name(var));
    struct walk walk = {.tx = tx, .target = target};
    struct waf_store *store = &tx->engine->store;
    struct span text;

    if (!tx->engine->has_store || tx->collection_keys[var].p == NULL)
        return;
    if ((target->flags & IMAGE_KEYED) == 0 || target->pattern != 0) {
        store->walk(store->ctx, collection, tx->collection_keys[var], on_stored, &walk);
        return;
    }
    struct span name = image_bytes(tx->engine->image, target->key);
    if (store->get(store->ctx, collection, tx->collection_keys[var], name, &text))
        gather_add(tx, name, tx_copy(tx, text));
}

static void gather_matched(struct waf_tx *tx, const struct image_target *target, bool names)
{
    for (size_t i = 0; i < tx->matched_count; i++) {
        struct span name = match_name(tx, tx->matched[i].var, tx->matched[i].key);
        offer(tx, target, name, names ? name : tx->matched[i].text);
    }
}

static void gather_rule(struct waf_tx *tx, const struct image_rule *rule,
                        const struct image_target *target)
{
    if (rule == NULL)
        return;
    const struct image_rule *first = tx->rule != NULL ? tx->rule : rule;
    offer(tx, target, span_str("id"), tx_number(tx, first->id));
    offer(tx, target, span_str("rev"), image_bytes(tx->engine->image, first->rev));
    offer(tx, target, span_str("ver"), image_bytes(tx->engine->image, first->ver));
    if (first->severity != WAF_SEVERITY_NONE)
        offer(tx, target, span_str("severity"), tx_number(tx, first->severity));
    offer(tx, target, span_str("line"), tx_number(tx, first->line));
    /* A message that names itself would never end. */
    if (first->msg.count == 1)
        offer(tx, target, span_str("msg"),
              image_bytes(tx->engine->image, tx->engine->parts[first->msg.at].text));
    if (first->logdata.count == 1)
        offer(tx, target, span_str("logdata"),
              image_bytes(tx->engine->image, tx->engine->parts[first->logdata.at].text));
}

static void gather_geo(struct waf_tx *tx, const struct image_target *target)
{
    for (unsigned i = 0; i < WAF_GEO_COUNT; i++)
        offer(tx, target, span_str(waf_geo_field_name((enum waf_geo_field)i)),
              tx->op.geo_record[i]);
}

static const struct tm *now(struct waf_tx *tx)
{
    if (tx->time_sec == 0) {
        time_t sec = (time_t)clock_wall_sec();
        tx->time_sec = sec;
        localtime_r(&sec, &tx->local);
    }
    return &tx->local;
}

static void add_number(struct waf_tx *tx, int64_t number)
{
    gather_add(tx, span_str(""), tx_number(tx, number));
}

static void gather_time(struct waf_tx *tx, enum waf_var var)
{
    const struct tm *local = now(tx);
    char text[NUMBER_SIZE];

    switch (var) {
    case VAR_TIME:
        snprintf(text, sizeof(text), "%02d:%02d:%02d", local->tm_hour, local->tm_min,
                 local->tm_sec);
        gather_add(tx, span_str(""), tx_copy(tx, span_str(text)));
        break;
    case VAR_TIME_DAY: add_number(tx, local->tm_mday); break;
    case VAR_TIME_EPOCH: add_number(tx, tx->time_sec); break;
    case VAR_TIME_HOUR: add_number(tx, local->tm_hour); break;
    case VAR_TIME_MIN: add_number(tx, local->tm_min); break;
    case VAR_TIME_MON: add_number(tx, local->tm_mon + 1); break;
    case VAR_TIME_SEC: add_number(tx, local->tm_sec); break;
    case VAR_TIME_WDAY: add_number(tx, local->tm_wday); break;
    case VAR_TIME_YEAR: add_number(tx, local->tm_year + 1900); break;
    default: break;
    }
}

static void gather_last_match(struct waf_tx *tx, bool name)
{
    if (tx->matched_count == 0)
        return;
    const struct match *last = &tx->matched[tx->matched_count - 1];
    gather_add(tx, span_str(""), name ? match_name(tx, last->var, last->key) : last->text);
}

static void gather_key(struct waf_tx *tx, enum waf_var collection)
{
    if (tx->collection_keys[collection].p != NULL)
        gather_add(tx, span_str(""), tx->collection_keys[collection]);
}

static void gather_env(struct waf_tx *tx, const struct image_target *target)
{
    for (size_t i = 0; i < tx->env.count; i++)
        offer(tx, target, tx->env.items[i].name, tx->env.items[i].text);
}

void gather_computed(struct waf_tx *tx, const struct image_rule *rule,
                     const struct image_target *target)
{
    enum waf_var var = (enum waf_var)target->var;
    struct span app;

    switch (var) {
    case VAR_TX: gather_tx(tx, target); break;
    case VAR_GLOBAL:
    case VAR_IP:
    case VAR_RESOURCE:
    case VAR_SESSION:
    case VAR_USER: gather_stored(tx, target); break;
    case VAR_MATCHED_VAR: gather_last_match(tx, false); break;
    case VAR_MATCHED_VAR_NAME: gather_last_match(tx, true); break;
    case VAR_MATCHED_VARS: gather_matched(tx, target, false); break;
    case VAR_MATCHED_VARS_NAMES: gather_matched(tx, target, true); break;
    case VAR_RULE: gather_rule(tx, rule, target); break;
    case VAR_GEO: gather_geo(tx, target); break;
    case VAR_ENV: gather_env(tx, target); break;
    case VAR_DURATION: add_number(tx, (int64_t)((clock_mono_ns() - tx->start_ns) / 1000)); break;
    case VAR_HIGHEST_SEVERITY: add_number(tx, tx->highest_severity); break;
    case VAR_MODSEC_BUILD: gather_add(tx, span_str(""), span_str("030009100")); break;
    case VAR_MSC_PCRE_ERROR:
    case VAR_MSC_PCRE_LIMITS_EXCEEDED:
        add_number(tx, (tx->events & WAF_EVENT_REGEX_LIMIT) != 0);
        break;
    case VAR_SESSIONID: gather_key(tx, VAR_SESSION); break;
    case VAR_USERID: gather_key(tx, VAR_USER); break;
    case VAR_WEBAPPID:
        app = snapshot_text(tx->engine->image, tx->engine->head->web_app_id);
        if (app.len > 0)
            gather_add(tx, span_str(""), app);
        break;
    default: gather_time(tx, var); break;
    }
}
