/* SPDX-License-Identifier: Apache-2.0 */
/* A third of CRS's rules compare a TX variable with a number: they choose what runs at a paranoia
 * level, and set what nobody has set. They are read once, when the engine is made. */
#include "waf/run/run.h"

#include "base/mem.h"

static bool is_comparison(uint32_t op)
{
    return op == WAF_OP_EQ || op == WAF_OP_GE || op == WAF_OP_GT || op == WAF_OP_LE ||
           op == WAF_OP_LT;
}

static bool is_variable(const struct image_target *target)
{
    return target->slot != 0 && target->var == VAR_TX;
}

static bool compares_variable(const struct waf_engine *engine, const struct image_rule *rule)
{
    const struct image_target *targets = &engine->targets[rule->targets.at];
    const struct image_part *argument = &engine->parts[rule->argument.at];
    uint32_t count = rule->targets.count;

    return is_comparison(rule->op) && (count == 1 || count == 2) && is_variable(&targets[0]) &&
           is_variable(&targets[count - 1]) && rule->chain == 0 && rule->argument.count == 1 &&
           (rule->flags & (IMAGE_MULTIMATCH | IMAGE_UNCONDITIONAL)) == 0 &&
           (argument->var == IMAGE_LITERAL || (argument->var == VAR_TX && argument->slot != 0));
}

/* Texts, and TX variables. */
static bool is_of_tx(const struct waf_engine *engine, struct snapshot_ref parts)
{
    for (uint32_t i = 0; i < parts.count; i++) {
        uint32_t var = engine->parts[parts.at + i].var;
        if (var != IMAGE_LITERAL && var != VAR_TX)
            return false;
    }
    return true;
}

/* The actions ask for nothing of the match, and decide nothing. */
static bool are_plain(const struct waf_engine *engine, struct snapshot_ref actions)
{
    for (uint32_t i = 0; i < actions.count; i++) {
        const struct image_action *action = &engine->actions[actions.at + i];
        if (action->kind > IMAGE_UNSETVAR || action->var != VAR_TX ||
            !is_of_tx(engine, action->name) || !is_of_tx(engine, action->value))
            return false;
    }
    return true;
}

static bool is_plain(const struct waf_engine *engine, const struct image_rule *rule)
{
    return (rule->flags & (IMAGE_LOG | IMAGE_AUDIT | IMAGE_CAPTURE | IMAGE_CTL)) == 0 &&
           rule->disruptive == IMAGE_DO_PASS && rule->next == 0 && rule->excludes.count == 0 &&
           rule->severity == WAF_SEVERITY_NONE && are_plain(engine, rule->on_match) &&
           are_plain(engine, rule->on_chain) &&
           (rule->targets.count == 1 || rule->on_match.count == 0);
}

static void note_comparison(const struct waf_engine *engine, const struct image_rule *rule,
                            struct step *step)
{
    const struct image_part *argument = &engine->parts[rule->argument.at];

    for (uint32_t i = 0; i < rule->targets.count; i++) {
        const struct image_target *target = &engine->targets[rule->targets.at + i];
        step->slots[i] = target->slot;
        step->counts[i] = (target->flags & IMAGE_COUNT) != 0;
    }
    step->op = (uint8_t)rule->op;
    step->negate = (rule->flags & IMAGE_NEGATE) != 0;
    step->plain = is_plain(engine, rule);
    if (argument->var == VAR_TX)
        step->limit = argument->slot;
    else
        step->number = waf_op_number(image_bytes(engine->image, argument->text));
}

void find_steps(struct waf_engine *engine)
{
    engine->steps = mem_new_array(engine->rule_count + 1, sizeof(*engine->steps));
    for (uint32_t i = 0; i < engine->rule_count; i++) {
        const struct image_rule *rule = &engine->rules[i];
        struct step *step = &engine->steps[i];
        step->partition = rule->partition;
        if ((rule->flags & IMAGE_SILENT) != 0)
            step->pattern = rule->pattern;
        if (compares_variable(engine, rule))
            note_comparison(engine, rule, step);
    }
}

static bool compare(enum waf_op op, int64_t value, int64_t number)
{
    switch (op) {
    case WAF_OP_EQ: return value == number;
    case WAF_OP_GE: return value >= number;
    case WAF_OP_GT: return value > number;
    case WAF_OP_LE: return value <= number;
    default: return value < number;
    }
}

static bool holds(const struct waf_tx *tx, const struct step *step, int which, int64_t number)
{
    struct span text = tx->slots[step->slots[which] - 1];
    int64_t value;

    if (step->counts[which])
        value = text.p != NULL ? 1 : 0;
    else if (text.p == NULL)
        return false;
    else
        value = waf_op_number(text);
    return compare((enum waf_op)step->op, value, number) != step->negate;
}

bool step_holds(const struct waf_tx *tx, const struct step *step)
{
    int64_t number = step->limit != 0 ? waf_op_number(tx->slots[step->limit - 1]) : step->number;

    return holds(tx, step, 0, number) || (step->slots[1] != 0 && holds(tx, step, 1, number));
}
