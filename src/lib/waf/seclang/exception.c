/* SPDX-License-Identifier: Apache-2.0 */
/* SecRuleRemove... and SecRuleUpdate...: applied to all rules when everything has been read, as v3
 * does, so it does not matter whether the rule or its exception comes first. */
#include "waf/seclang/model.h"

static bool by_id(enum exception_kind kind)
{
    return kind == EXCEPT_REMOVE_ID || kind == EXCEPT_TARGET_ID || kind == EXCEPT_ACTION_ID;
}

static int add_exception(struct model *model, enum exception_kind kind,
                         const struct lex_directive *directive, const struct lex_word *which,
                         struct err *err)
{
    struct model_exception *exception = arena_alloc(model->arena, sizeof(*exception));

    if (exception == NULL)
        return arena_check(model->arena, directive->name.at.file, err);
    exception->kind = kind;
    exception->at = which->at;
    exception->text = which->text;
    vec_add(&model->exceptions, exception);
    struct span id = which->text;
    /* "12345:1" is the second rule of a chain in v2; v3 has no such thing. */
    if (by_id(kind) && !id_range_parse(id, &exception->first, &exception->last))
        return place_err(&which->at, ERR_INVALID, err, "\"%.*s\" is neither an id nor a range",
                         SPAN_ARG(id));
    if (kind == EXCEPT_ACTION_ID)
        return actions_parse(model->arena, &directive->args[1], &exception->actions, err);
    if (kind == EXCEPT_TARGET_ID || kind == EXCEPT_TARGET_TAG || kind == EXCEPT_TARGET_MSG)
        return targets_parse(model->arena, &directive->args[1], &exception->targets, err);
    return 0;
}

/* "1 5-9 12", also within one quoted word. */
static int remove_ids(struct model *model, const struct lex_directive *directive, struct err *err)
{
    for (size_t i = 0; i < directive->arg_count; i++) {
        struct lex_word word = directive->args[i];
        struct span left = span_trim(word.text);
        while (left.len > 0) {
            size_t len = 0;
            while (len < left.len && strchr(" \t,", left.p[len]) == NULL)
                len++;
            word.text = span_of(left.p, len);
            TRY(add_exception(model, EXCEPT_REMOVE_ID, directive, &word, err));
            left = span_trim(
                span_of(left.p + len + (len < left.len), left.len - len - (len < left.len)));
        }
    }
    return 0;
}

int exception_parse(struct model *model, enum exception_kind kind,
                    const struct lex_directive *directive, struct err *err)
{
    bool updates =
        kind != EXCEPT_REMOVE_ID && kind != EXCEPT_REMOVE_TAG && kind != EXCEPT_REMOVE_MSG;

    if (updates && directive->arg_count != 2)
        return place_err(&directive->name.at, ERR_INVALID, err,
                         "%.*s needs two arguments: which rules, and what becomes of them",
                         SPAN_ARG(directive->name.text));
    if (kind == EXCEPT_REMOVE_ID)
        return remove_ids(model, directive, err);
    return add_exception(model, kind, directive, &directive->args[0], err);
}

static bool has_text(const struct vec *actions, enum action_kind kind, struct span text)
{
    for (size_t i = 0; actions != NULL && i < actions->count; i++) {
        const struct model_action *action = actions->items[i];
        if (action->kind == kind && span_eq(action->arg, text))
            return true;
    }
    return false;
}

static bool concerns(const struct model_exception *exception, const struct model_rule *rule)
{
    switch (exception->kind) {
    case EXCEPT_REMOVE_ID:
    case EXCEPT_TARGET_ID:
    case EXCEPT_ACTION_ID: return rule->id >= exception->first && rule->id <= exception->last;
    case EXCEPT_REMOVE_TAG:
    case EXCEPT_TARGET_TAG:
        return has_text(&rule->actions, ACTION_TAG, exception->text) ||
               has_text(rule->defaults, ACTION_TAG, exception->text);
    case EXCEPT_REMOVE_MSG:
    case EXCEPT_TARGET_MSG: return has_text(&rule->actions, ACTION_MSG, exception->text);
    }
    return false;
}

static int update_actions(struct model_rule *rule, const struct model_exception *exception,
                          struct err *err)
{
    for (size_t i = 0; i < exception->actions.count; i++) {
        struct model_action *action = exception->actions.items[i];
        if (action->kind == ACTION_ID || action->kind == ACTION_PHASE ||
            action->kind == ACTION_CHAIN)
            return place_err(&action->at, ERR_INVALID, err,
                             "id, phase and chain of a rule cannot be changed");
        vec_add(&rule->actions, action);
    }
    return 0;
}

static int apply(struct model_rule *rule, const struct model_exception *exception, struct err *err)
{
    switch (exception->kind) {
    case EXCEPT_REMOVE_ID:
    case EXCEPT_REMOVE_TAG:
    case EXCEPT_REMOVE_MSG: rule->removed = true; return 0;
    case EXCEPT_TARGET_ID:
    case EXCEPT_TARGET_TAG:
    case EXCEPT_TARGET_MSG:
        if (rule->unconditional)
            return 0;
        for (size_t i = 0; i < exception->targets.count; i++)
            vec_add(&rule->targets, exception->targets.items[i]);
        return 0;
    case EXCEPT_ACTION_ID: return update_actions(rule, exception, err);
    }
    return 0;
}

int exceptions_apply(struct model *model, struct err *err)
{
    for (size_t i = 0; i < model->exceptions.count; i++) {
        const struct model_exception *exception = model->exceptions.items[i];
        for (size_t j = 0; j < model->rules.count; j++) {
            struct model_rule *rule = model->rules.items[j];
            if (rule->marker == NULL && concerns(exception, rule))
                TRY(apply(rule, exception, err));
        }
    }
    return 0;
}
