/* SPDX-License-Identifier: Apache-2.0 */
/* Actions of a rule that matched. */
#include "waf/run/run.h"

static void set_variable(struct waf_tx *tx, const struct image_rule *rule,
                         const struct image_action *action, struct span text)
{
    enum waf_var var = (enum waf_var)action->var;
    struct waf_store *store = &tx->engine->store;
    struct span collection = span_str(waf_var_name(var));

    if (var == VAR_TX && action->slot != 0) {
        tx_var_set(tx, (struct span){0}, action->slot, text);
        return;
    }
    struct span name = expand(tx, rule, action->name);
    if (var == VAR_TX) {
        tx_var_set(tx, name, 0, text);
        return;
    }
    if (!tx->engine->has_store || tx->collection_keys[var].p == NULL)
        return;
    if (text.p == NULL)
        store->unset(store->ctx, collection, tx->collection_keys[var], name);
    else
        store->set(store->ctx, collection, tx->collection_keys[var], name, text);
}

static struct span get_variable(struct waf_tx *tx, const struct image_rule *rule,
                                const struct image_action *action)
{
    enum waf_var var = (enum waf_var)action->var;
    struct waf_store *store = &tx->engine->store;
    struct span text = {0};

    if (var == VAR_TX && action->slot != 0)
        return tx_var_get(tx, (struct span){0}, action->slot);
    struct span name = expand(tx, rule, action->name);
    if (var == VAR_TX)
        return tx_var_get(tx, name, 0);
    if (tx->engine->has_store && tx->collection_keys[var].p != NULL &&
        store->get(store->ctx, span_str(waf_var_name(var)), tx->collection_keys[var], name, &text))
        return text;
    return (struct span){0};
}

static void add_to_variable(struct waf_tx *tx, const struct image_rule *rule,
                            const struct image_action *action, bool minus)
{
    int64_t more = to_number(expand(tx, rule, action->value));
    int64_t now = to_number(get_variable(tx, rule, action));

    set_variable(tx, rule, action, tx_number(tx, minus ? now - more : now + more));
}

static void expire(struct waf_tx *tx, const struct image_rule *rule,
                   const struct image_action *action)
{
    enum waf_var var = (enum waf_var)action->var;
    struct waf_store *store = &tx->engine->store;
    int64_t seconds = to_number(expand(tx, rule, action->value));

    /* A TX variable ends with its transaction anyway. */
    if (var != VAR_TX && tx->engine->has_store && tx->collection_keys[var].p != NULL)
        store->expire(store->ctx, span_str(waf_var_name(var)), tx->collection_keys[var],
                      expand(tx, rule, action->name), seconds);
}

static void remove_rules(struct waf_tx *tx, const struct image_action *action)
{
    const uint32_t *indexes = tx->engine->indexes + action->indexes.at;

    tx->has_removed = true;
    for (uint32_t i = 0; i < action->indexes.count; i++)
        bit_set(tx->removed, indexes[i]);
}

static void remove_target(struct waf_tx *tx, const struct image_action *action)
{
    if (!tx_grow(tx, &tx->removals, tx->removal_count, &tx->removal_cap, sizeof(*tx->removals)))
        return;
    tx->removals[tx->removal_count++] = (struct removal){
        .indexes = action->indexes, .target = &tx->engine->targets[action->target - 1]};
}

static void set_processor(struct waf_tx *tx, uint32_t which)
{
    static const char *const names[] = {"URLENCODED", "MULTIPART", "JSON", "XML"};

    if (which >= ARRAY_LEN(names))
        return;
    tx->processor = (enum processor)which;
    tx->processor_forced = true;
    list_set(tx, VAR_REQBODY_PROCESSOR, span_str(names[which]));
}

static void run_action(struct waf_tx *tx, const struct image_rule *rule,
                       const struct image_action *action)
{
    switch ((enum image_action_kind)action->kind) {
    case IMAGE_SETVAR: set_variable(tx, rule, action, expand(tx, rule, action->value)); break;
    case IMAGE_ADDVAR: add_to_variable(tx, rule, action, false); break;
    case IMAGE_SUBVAR: add_to_variable(tx, rule, action, true); break;
    case IMAGE_UNSETVAR: set_variable(tx, rule, action, (struct span){0}); break;
    case IMAGE_EXPIREVAR: expire(tx, rule, action); break;
    case IMAGE_INITCOL: tx->collection_keys[action->var] = expand(tx, rule, action->value); break;
    case IMAGE_SETENV:
        extras_set(tx, &tx->env, expand(tx, rule, action->name), expand(tx, rule, action->value));
        break;
    case IMAGE_CTL_ENGINE: tx->mode = action->number; break;
    case IMAGE_CTL_REQUEST_BODY_ACCESS: tx->request_access = action->number != 0; break;
    case IMAGE_CTL_RESPONSE_BODY_ACCESS: tx->response_access = action->number != 0; break;
    case IMAGE_CTL_REQUEST_BODY_LIMIT: tx->request_limit = action->number; break;
    case IMAGE_CTL_RESPONSE_BODY_LIMIT: tx->response_limit = action->number; break;
    case IMAGE_CTL_PROCESSOR: set_processor(tx, action->number); break;
    case IMAGE_CTL_FORCE_BODY: tx->force_body = action->number != 0; break;
    case IMAGE_CTL_AUDIT: tx->audit_off = action->number == 0; break;
    case IMAGE_CTL_REMOVE_RULES: remove_rules(tx, action); break;
    case IMAGE_CTL_REMOVE_TARGET: remove_target(tx, action); break;
    case IMAGE_ACTION_KIND_COUNT: break;
    }
}

void run_actions(struct waf_tx *tx, const struct image_rule *rule, struct snapshot_ref actions)
{
    for (uint32_t i = 0; i < actions.count; i++)
        run_action(tx, rule, &tx->engine->actions[actions.at + i]);
}

static void decide(struct waf_tx *tx, const struct image_rule *rule, enum waf_action action)
{
    tx->verdict = (struct waf_verdict){.action = action, .status = rule->status, .rule = rule->id};
    if (action == WAF_REDIRECT)
        tx->verdict.redirect = expand(tx, rule, rule->redirect);
}

void run_disruptive(struct waf_tx *tx, const struct image_rule *rule)
{
    if (tx->mode != ENGINE_ON)
        return;
    switch ((enum image_disruptive)rule->disruptive) {
    case IMAGE_DO_PASS: break;
    case IMAGE_DO_ALLOW:
        tx->allow = ALLOW_ALL;
        decide(tx, rule, WAF_ALLOW);
        break;
    case IMAGE_DO_ALLOW_PHASE: tx->allow = ALLOW_PHASE; break;
    case IMAGE_DO_ALLOW_REQUEST: tx->allow = ALLOW_REQUEST; break;
    case IMAGE_DO_DENY: decide(tx, rule, WAF_DENY); break;
    case IMAGE_DO_DROP: decide(tx, rule, WAF_DROP); break;
    case IMAGE_DO_REDIRECT: decide(tx, rule, WAF_REDIRECT); break;
    }
}
