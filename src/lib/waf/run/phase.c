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

enum outcome { DOES_NOT_MATCH, MATCHES, MAY_MATCH };

/* Of a rule that compares a variable. A target that was taken away is run_rule()'s business. */
static enum outcome compare_step(struct waf_tx *tx, const struct step *step, uint32_t index)
{
    const struct image_rule *rule = &tx->engine->rules[index];

    if (step->slots[0] == 0 || tx->removal_count > 0)
        return MAY_MATCH;
    if (!step_holds(tx, step))
        return DOES_NOT_MATCH;
    if (!step->plain)
        return MAY_MATCH;
    run_actions(tx, rule, rule->on_match);
    run_actions(tx, rule, rule->on_chain);
    return MATCHES;
}

static bool run_step(struct waf_tx *tx, const struct step *step, uint32_t index)
{
    if (tx->has_removed && bit_is_set(tx->removed, index))
        return false;
    switch (compare_step(tx, step, index)) {
    case DOES_NOT_MATCH: return false;
    case MATCHES: return true;
    default: return !is_in_no_value(tx, step) && run_rule(tx, &tx->engine->rules[index]);
    }
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
        bool matched = run_step(tx, &tx->engine->steps[i], i);
        uint32_t jump = matched ? tx->engine->rules[i].jump : 0;
        i = jump != 0 ? jump - 1 : i + 1;
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
