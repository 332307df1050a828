/* SPDX-License-Identifier: Apache-2.0 */
/* SecRule, SecAction, SecDefaultAction and SecMarker. */
#include "waf/seclang/model.h"

#include "base/mem.h"

enum { DEFAULT_PHASE = 2 };

static int take_operator(const struct lex_word *word, struct model_rule *rule, struct err *err)
{
    struct span text = span_trim(word->text);

    rule->argument_at = word->at;
    rule->op = WAF_OP_RX;
    if (text.len > 0 && text.p[0] == '!') {
        rule->negate = true;
        text = span_trim(span_of(text.p + 1, text.len - 1));
    }
    if (text.len == 0 || text.p[0] != '@') {
        /* What is no operator is a pattern, with the blanks that it has. */
        rule->argument = rule->negate ? text : word->text;
        return 0;
    }
    size_t len = 1;
    while (len < text.len && text.p[len] != ' ' && text.p[len] != '\t')
        len++;
    if (!waf_op_by_name(span_of(text.p + 1, len - 1), &rule->op))
        return place_err(&word->at, ERR_INVALID, err, "there is no operator \"%.*s\"", (int)len,
                         (const char *)text.p);
    rule->argument = span_of(text.p + len, text.len - len);
    while (rule->argument.len > 0 && (rule->argument.p[0] == ' ' || rule->argument.p[0] == '\t'))
        rule->argument = span_of(rule->argument.p + 1, rule->argument.len - 1);
    if (rule->argument.len == 0 && waf_op_arity(rule->op) == WAF_OP_ARG_REQUIRED)
        return place_err(&word->at, ERR_INVALID, err, "the operator @%s needs an argument",
                         waf_op_name(rule->op));
    return 0;
}

static int check_id(struct model *model, struct model_rule *rule, struct err *err)
{
    const struct model_action *id = action_find(&rule->actions, ACTION_ID);

    if (id == NULL)
        return place_err(&rule->at, ERR_INVALID, err, "the rule has no id; add id:NUMBER");
    rule->id = id->number;
    for (size_t i = 0; i < model->rules.count; i++) {
        const struct model_rule *other = model->rules.items[i];
        if (other->marker == NULL && other->id == rule->id)
            return place_err(&id->at, ERR_EXISTS, err, "id %u is taken already, at %s:%u", rule->id,
                             other->at.file, other->at.line);
    }
    return 0;
}

static int check_chained(const struct model_rule *rule, struct err *err)
{
    for (size_t i = 0; i < rule->actions.count; i++) {
        const struct model_action *action = rule->actions.items[i];
        bool of_starter = action->kind == ACTION_ID || action->kind == ACTION_PHASE ||
                          action->kind == ACTION_SKIP || action->kind == ACTION_SKIPAFTER ||
                          (action_is_disruptive(action->kind) && action->kind != ACTION_BLOCK &&
                           action->kind != ACTION_PASS);
        if (of_starter)
            return place_err(&action->at, ERR_INVALID, err,
                             "this action belongs to the first rule of the chain");
    }
    return 0;
}

static void link_chain(struct model *model, struct model_rule *rule)
{
    bool chains = action_find(&rule->actions, ACTION_CHAIN) != NULL;

    model->open_chain = chains ? rule : NULL;
}

static struct model_rule *new_rule(struct model *model, const struct lex_directive *directive)
{
    struct model_rule *rule = arena_alloc(model->arena, sizeof(*rule));

    if (rule != NULL) {
        rule->at = directive->name.at;
        rule->text = directive->text;
        rule->argument = span_str("");
    }
    return rule;
}

/* Takes the rule, whatever becomes of it. */
static int add_rule(struct model *model, struct model_rule *rule, struct err *err)
{
    struct model_rule *parent = model->open_chain;

    if (parent != NULL) {
        parent->next = rule;
        rule->phase = parent->phase;
        rule->defaults = parent->defaults;
        link_chain(model, rule);
        return check_chained(rule, err);
    }
    const struct model_action *phase = action_find(&rule->actions, ACTION_PHASE);
    int result = check_id(model, rule, err);
    rule->phase = phase != NULL ? phase->number : DEFAULT_PHASE;
    rule->defaults = model->defaults[rule->phase - 1];
    vec_add(&model->rules, rule);
    link_chain(model, rule);
    return result;
}

int rule_parse(struct model *model, const struct lex_directive *directive, struct err *err)
{
    struct model_rule *rule = new_rule(model, directive);

    if (rule == NULL)
        return arena_check(model->arena, directive->name.at.file, err);
    int result = targets_parse(model->arena, &directive->args[0], &rule->targets, err);
    if (result == 0)
        result = take_operator(&directive->args[1], rule, err);
    if (result == 0 && directive->arg_count > 2)
        result = actions_parse(model->arena, &directive->args[2], &rule->actions, err);
    if (result < 0) {
        vec_free(&rule->targets);
        vec_free(&rule->actions);
        return -1;
    }
    return add_rule(model, rule, err);
}

int action_directive_parse(struct model *model, const struct lex_directive *directive,
                           struct err *err)
{
    struct model_rule *rule = new_rule(model, directive);

    if (rule == NULL)
        return arena_check(model->arena, directive->name.at.file, err);
    rule->unconditional = true;
    rule->op = WAF_OP_UNCONDITIONAL_MATCH;
    if (actions_parse(model->arena, &directive->args[0], &rule->actions, err) < 0) {
        vec_free(&rule->actions);
        return -1;
    }
    return add_rule(model, rule, err);
}

static int check_default(const struct model_action *action, struct err *err)
{
    switch (action->kind) {
    case ACTION_ID:
    case ACTION_CHAIN:
    case ACTION_SKIP:
    case ACTION_SKIPAFTER:
    case ACTION_MSG:
    case ACTION_LOGDATA:
    case ACTION_SEVERITY:
        return place_err(&action->at, ERR_INVALID, err,
                         "this action cannot be a default: it belongs to one rule");
    default: return 0;
    }
}

static int check_defaults(const struct lex_directive *directive, const struct vec *actions,
                          unsigned *out, struct err *err)
{
    const struct model_action *phase = action_find(actions, ACTION_PHASE);
    bool disruptive = false;

    for (size_t i = 0; i < actions->count; i++) {
        const struct model_action *action = actions->items[i];
        TRY(check_default(action, err));
        disruptive |= action_is_disruptive(action->kind) && action->kind != ACTION_BLOCK;
    }
    if (phase == NULL || !disruptive)
        return place_err(&directive->name.at, ERR_INVALID, err,
                         "SecDefaultAction needs a phase and one of pass, deny, drop, redirect");
    *out = phase->number;
    return 0;
}

int default_action_parse(struct model *model, const struct lex_directive *directive,
                         struct err *err)
{
    struct vec *actions = arena_alloc(model->arena, sizeof(*actions));
    unsigned phase = 0;

    if (actions == NULL)
        return arena_check(model->arena, directive->name.at.file, err);
    vec_add(&model->kept, actions);
    TRY(actions_parse(model->arena, &directive->args[0], actions, err));
    TRY(check_defaults(directive, actions, &phase, err));
    model->defaults[phase - 1] = actions;
    return 0;
}

int marker_parse(struct model *model, const struct lex_directive *directive, struct err *err)
{
    struct model_rule *rule = new_rule(model, directive);

    if (rule != NULL)
        rule->marker = arena_copy(model->arena, directive->args[0].text);
    TRY(arena_check(model->arena, directive->name.at.file, err));
    vec_add(&model->rules, rule);
    return 0;
}
