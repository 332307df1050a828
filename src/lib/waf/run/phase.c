/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of a phase, one after the other. */
#include "waf/run/run.h"

/* Patterns of most rules are in no value of a request: those rules cost one bit. */
static bool is_in_no_value(struct waf_tx *tx, const struct step *step)
{
    uint32_t partition = step->partition - 1;

    if (step->partition == 0)
        return false;
    if (tx->scanned[partition] == SCAN_NOT_YET)
        scan_partition(tx, partition);
    return step->pattern != 0 && tx->scanned[partition] == SCAN_DONE &&
           !bit_is_set(tx->active, step->pattern - 1);
}

/* The rule compares a variable that is not set, or not so. */
static bool is_not_so(struct waf_tx *tx, const struct step *step, uint32_t index)
{
    const struct waf_engine *engine = tx->engine;
    const struct image_rule *rule = &engine->rules[index];
    struct waf_op_found found;

    if (step->slot == 0)
        return false;
    struct span text = tx->slots[step->slot - 1];
    if (text.p == NULL)
        return true;
    struct span argument = image_bytes(engine->image, engine->parts[rule->argument.at].text);
    bool matches = waf_op_match((enum waf_op)rule->op, image_bytes(engine->image, rule->blob), NULL,
                                argument, text, &tx->op, &found);
    return matches == ((rule->flags & IMAGE_NEGATE) != 0);
}

static bool is_over(const struct waf_tx *tx)
{
    return tx->verdict.action >= WAF_DENY || tx->mode == ENGINE_OFF || tx->allow != ALLOW_NONE ||
           (tx->events & (WAF_EVENT_WORK_LIMIT | WAF_EVENT_MEMORY_LIMIT)) != 0;
}

static void run_rules(struct waf_tx *tx, struct snapshot_ref rules)
{
    uint32_t end = rules.at + rules.count;
    uint32_t i = rules.at;

    while (i < end && !is_over(tx)) {
        const struct step *step = &tx->engine->steps[i];
        const struct image_rule *rule = &tx->engine->rules[i];
        uint32_t next = i + 1;
        bool runs = !(tx->has_removed && bit_is_set(tx->removed, i)) && !is_not_so(tx, step, i) &&
                    !is_in_no_value(tx, step);
        if (runs && run_rule(tx, rule) && rule->jump != 0)
            next = rule->jump - 1;
        i = next;
    }
}

static bool is_allowed(struct waf_tx *tx, unsigned phase)
{
    if (tx->allow == ALLOW_ALL)
        return phase < PHASES;
    if (tx->allow == ALLOW_REQUEST)
        return phase <= 2;
    return false;
}

static void on_limit(struct waf_tx *tx)
{
    if ((tx->events & (WAF_EVENT_WORK_LIMIT | WAF_EVENT_MEMORY_LIMIT)) == 0)
        return;
    if (tx->engine->options.on_limit == WAF_LIMIT_DENY && tx->mode == ENGINE_ON &&
        tx->verdict.action < WAF_DENY)
        tx->verdict = (struct waf_verdict){.action = WAF_DENY, .status = 403};
}

const struct waf_verdict *run_phase(struct waf_tx *tx, unsigned phase)
{
    bool skipped = tx->mode == ENGINE_OFF || is_allowed(tx, phase) ||
                   (tx->verdict.action >= WAF_DENY && phase < PHASES);
    struct waf_verdict before = tx->verdict;

    tx->phase = phase;
    if (skipped)
        return &tx->verdict;
    if (tx->allow == ALLOW_PHASE || phase > 2)
        tx->allow = tx->allow == ALLOW_ALL && phase < PHASES ? ALLOW_ALL : ALLOW_NONE;
    if (phase == PHASES) /* rules that log decide nothing, and run all */
        tx->verdict.action = WAF_PASS;
    run_rules(tx, tx->engine->head->phases[phase - 1]);
    if (phase == PHASES)
        tx->verdict = before;
    on_limit(tx);
    return &tx->verdict;
}
