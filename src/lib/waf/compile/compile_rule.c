/* SPDX-License-Identifier: Apache-2.0 */
/* One rule: its targets, transformations, actions. */
#include "waf/compile/compile.h"

#include "base/mem.h"

enum { DEFAULT_STATUS = 403 };

/* ------------------------------------------------------------------ targets */

static int namespaces(struct compiler *c, const struct model_rule *rule, struct snapshot_ref *out,
                      struct err *err)
{
    out->at = snapshot_count(snapshot_writer_view(c->writer), IMAGE_NAMESPACES);
    out->count = 0;
    for (size_t i = 0; rule != NULL && i < rule->actions.count; i++) {
        const struct model_action *action = rule->actions.items[i];
        struct image_namespace record;
        if (action->kind != ACTION_XMLNS)
            continue;
        const uint8_t *equals = memchr(action->arg.p, '=', action->arg.len);
        if (equals == NULL)
            return place_err(&action->at, ERR_INVALID, err, "xmlns is written PREFIX=URI");
        size_t len = (size_t)(equals - action->arg.p);
        TRY(snapshot_writer_text(c->writer, span_of(action->arg.p, len), "a prefix", &record.prefix,
                                 err));
        TRY(snapshot_writer_text(c->writer, span_of(equals + 1, action->arg.len - len - 1),
                                 "a namespace", &record.href, err));
        snapshot_writer_add(c->writer, IMAGE_NAMESPACES, &record);
        out->count++;
    }
    return 0;
}

static int add_xpath(struct compiler *c, struct span text, const struct model_rule *rule,
                     uint32_t *out, struct err *err)
{
    const struct snapshot *view = snapshot_writer_view(c->writer);
    const struct image_xpath *known = snapshot_records(view, IMAGE_XPATHS);
    struct image_xpath record;

    TRY(namespaces(c, rule, &record.namespaces, err));
    for (uint32_t i = 0; record.namespaces.count == 0 && i < snapshot_count(view, IMAGE_XPATHS);
         i++)
        if (known[i].namespaces.count == 0 && span_eq(snapshot_text(view, known[i].text), text)) {
            *out = i;
            return 0;
        }
    TRY(snapshot_writer_text(c->writer, text, "an XPath expression", &record.text, err));
    *out = snapshot_writer_add(c->writer, IMAGE_XPATHS, &record);
    return 0;
}

int compile_target(struct compiler *c, const struct model_target *target,
                   const struct model_rule *rule, const struct place *at, struct image_target *out,
                   struct err *err)
{
    uint32_t index;

    *out = (struct image_target){.var = target->var, .flags = target->count ? IMAGE_COUNT : 0};
    if (target->selector.p == NULL)
        return 0;
    out->flags |= IMAGE_KEYED;
    out->key = compile_bytes(c, target->selector);
    if (target->var == VAR_XML) {
        TRY(add_xpath(c, target->selector, rule, &index, err));
        out->xpath = 1 + index;
    } else if (target->is_regex) {
        TRY(compile_check_regex(target->selector, at, err));
        out->pattern = 1 + compile_pattern(c, IMAGE_REGEX, 0, target->selector);
    } else if (target->var == VAR_TX) {
        out->slot = 1 + compile_slot(c, target->selector);
    }
    return 0;
}

static int add_targets(struct compiler *c, const struct model_rule *rule, bool exclude,
                       struct snapshot_ref *ref, struct err *err)
{
    struct vec found = {0};
    int result = 0;

    for (size_t i = 0; result == 0 && i < rule->targets.count; i++) {
        const struct model_target *target = rule->targets.items[i];
        struct image_target *out = arena_alloc(c->model->arena, sizeof(*out));
        if (target->exclude != exclude)
            continue;
        result = out == NULL ? arena_check(c->model->arena, "a rule", err)
                             : compile_target(c, target, rule, &rule->at, out, err);
        vec_add(&found, out);
    }
    ref->at = snapshot_count(snapshot_writer_view(c->writer), IMAGE_TARGETS);
    ref->count = (uint32_t)found.count;
    for (size_t i = 0; result == 0 && i < found.count; i++)
        snapshot_writer_add(c->writer, IMAGE_TARGETS, found.items[i]);
    vec_free(&found);
    return result;
}

/* ------------------------------------------------------------------ transformations */

/* Those of the default action come first; t:none forgets what was before it. */
static uint32_t chain_of(struct compiler *c, const struct model_rule *rule)
{
    const struct vec *lists[2] = {rule->defaults, &rule->actions};
    uint32_t chain = 0;

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        for (size_t j = 0; lists[i] != NULL && j < lists[i]->count; j++) {
            const struct model_action *action = lists[i]->items[j];
            if (action->kind != ACTION_T)
                continue;
            chain = action->number == WAF_T_NONE
                        ? 0
                        : compile_chain_step(c, chain, (enum waf_transform)action->number);
        }
    return chain;
}

/* ------------------------------------------------------------------ actions */

static struct snapshot_ref put_actions(struct compiler *c, const struct vec *actions)
{
    struct snapshot_ref ref = {.at = snapshot_count(snapshot_writer_view(c->writer), IMAGE_ACTIONS),
                               .count = (uint32_t)actions->count};

    for (size_t i = 0; i < actions->count; i++)
        snapshot_writer_add(c->writer, IMAGE_ACTIONS, actions->items[i]);
    return ref;
}

static int collect_actions(struct compiler *c, const struct vec *from, struct vec *on_match,
                           struct vec *on_chain, struct err *err)
{
    for (size_t i = 0; from != NULL && i < from->count; i++) {
        struct image_action *out = arena_alloc(c->model->arena, sizeof(*out));
        bool early;
        bool kept;
        if (out == NULL)
            return arena_check(c->model->arena, "a rule", err);
        TRY(compile_action(c, from->items[i], out, &early, &kept, err));
        if (kept)
            vec_add(early ? on_match : on_chain, out);
    }
    return 0;
}

static int add_actions(struct compiler *c, const struct model_rule *rule, struct image_rule *out,
                       struct err *err)
{
    struct vec on_match = {0};
    struct vec on_chain = {0};
    int result = collect_actions(c, rule->defaults, &on_match, &on_chain, err);

    if (result == 0)
        result = collect_actions(c, &rule->actions, &on_match, &on_chain, err);
    out->on_match = put_actions(c, &on_match);
    out->on_chain = put_actions(c, &on_chain);
    for (size_t i = 0; i < on_chain.count; i++)
        if (((struct image_action *)on_chain.items[i])->kind >= IMAGE_CTL_ENGINE)
            out->flags |= IMAGE_CTL;
    vec_free(&on_match);
    vec_free(&on_chain);
    return result;
}

static void add_tags(struct compiler *c, const struct model_rule *rule, struct image_rule *out)
{
    const struct vec *lists[2] = {rule->defaults, &rule->actions};
    struct vec tags = {0};

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        for (size_t j = 0; lists[i] != NULL && j < lists[i]->count; j++) {
            const struct model_action *action = lists[i]->items[j];
            struct image_tag *tag = NULL;
            if (action->kind == ACTION_TAG)
                tag = arena_alloc(c->model->arena, sizeof(*tag));
            if (tag == NULL)
                continue;
            tag->parts = compile_parts(c, action->arg, NULL);
            vec_add(&tags, tag);
        }
    out->tags.at = snapshot_count(snapshot_writer_view(c->writer), IMAGE_TAGS);
    out->tags.count = (uint32_t)tags.count;
    for (size_t i = 0; i < tags.count; i++)
        snapshot_writer_add(c->writer, IMAGE_TAGS, tags.items[i]);
    vec_free(&tags);
}

static const struct model_action *last_of(const struct model_rule *rule, enum action_kind kind)
{
    const struct model_action *own = action_find(&rule->actions, kind);

    return own == NULL && rule->defaults != NULL ? action_find(rule->defaults, kind) : own;
}

static const struct model_action *last_disruptive(const struct vec *actions, bool block_too)
{
    for (size_t i = actions != NULL ? actions->count : 0; i > 0; i--) {
        const struct model_action *action = actions->items[i - 1];
        if (action_is_disruptive(action->kind) && (block_too || action->kind != ACTION_BLOCK))
            return action;
    }
    return NULL;
}

static enum image_disruptive disruptive_of(const struct model_action *action)
{
    static const enum image_disruptive allows[] = {IMAGE_DO_ALLOW, IMAGE_DO_ALLOW_PHASE,
                                                   IMAGE_DO_ALLOW_REQUEST};

    switch (action->kind) {
    case ACTION_ALLOW: return allows[action->number];
    case ACTION_DENY: return IMAGE_DO_DENY;
    case ACTION_DROP: return IMAGE_DO_DROP;
    case ACTION_REDIRECT: return IMAGE_DO_REDIRECT;
    default: return IMAGE_DO_PASS;
    }
}

static void set_disruptive(struct compiler *c, const struct model_rule *rule,
                           struct image_rule *out)
{
    const struct model_action *action = last_disruptive(&rule->actions, true);
    const struct model_action *status = last_of(rule, ACTION_STATUS);

    /* block is what the default action says; a rule that says nothing passes, as in v3. */
    if (action != NULL && action->kind == ACTION_BLOCK)
        action = last_disruptive(rule->defaults, false);
    out->disruptive = action != NULL ? disruptive_of(action) : IMAGE_DO_PASS;
    out->status = status != NULL                         ? status->number
                  : out->disruptive == IMAGE_DO_REDIRECT ? 302
                                                         : DEFAULT_STATUS;
    if (out->disruptive == IMAGE_DO_REDIRECT)
        out->redirect = compile_parts(c, action->arg, NULL);
}

/* What the last action that speaks of logging says; 0: none does. nolog is noauditlog, too. */
static int log_word(const struct vec *actions, bool audit)
{
    for (size_t i = actions != NULL ? actions->count : 0; i > 0; i--) {
        const struct model_action *action = actions->items[i - 1];
        switch (action->kind) {
        case ACTION_LOG: return 1;
        case ACTION_NOLOG: return -1;
        case ACTION_AUDITLOG:
            if (audit)
                return 1;
            break;
        case ACTION_NOAUDITLOG:
            if (audit)
                return -1;
            break;
        default: break;
        }
    }
    return 0;
}

/* A rule that says nothing does as the default action; where that is silent, it logs. */
static bool logs(const struct model_rule *rule, bool audit)
{
    int own = log_word(&rule->actions, audit);

    return (own != 0 ? own : log_word(rule->defaults, audit)) >= 0;
}

static unsigned number_of(const struct model_rule *rule, enum action_kind kind, unsigned otherwise)
{
    const struct model_action *action = last_of(rule, kind);

    return action != NULL ? action->number : otherwise;
}

static struct span text_of(const struct model_rule *rule, enum action_kind kind)
{
    const struct model_action *action = last_of(rule, kind);

    return action != NULL ? action->arg : span_str("");
}

static void set_flags(const struct model_rule *rule, struct image_rule *out)
{
    out->flags |= (rule->negate ? IMAGE_NEGATE : 0) |
                  (rule->unconditional ? IMAGE_UNCONDITIONAL : 0) |
                  (last_of(rule, ACTION_CAPTURE) != NULL ? IMAGE_CAPTURE : 0) |
                  (last_of(rule, ACTION_MULTIMATCH) != NULL ? IMAGE_MULTIMATCH : 0) |
                  (logs(rule, false) ? IMAGE_LOG : 0) | (logs(rule, true) ? IMAGE_AUDIT : 0);
}

int compile_rule(struct compiler *c, const struct model_rule *rule, struct image_rule *out,
                 struct err *err)
{
    out->id = rule->id;
    out->line = rule->at.line;
    out->phase = rule->phase;
    out->severity = number_of(rule, ACTION_SEVERITY, WAF_SEVERITY_NONE);
    out->maturity = number_of(rule, ACTION_MATURITY, WAF_NOT_SET);
    out->accuracy = number_of(rule, ACTION_ACCURACY, WAF_NOT_SET);
    set_flags(rule, out);
    set_disruptive(c, rule, out);
    out->chain = chain_of(c, rule);
    TRY(add_targets(c, rule, false, &out->targets, err));
    TRY(add_targets(c, rule, true, &out->excludes, err));
    TRY(compile_operator(c, rule, out, err));
    TRY(add_actions(c, rule, out, err));
    add_tags(c, rule, out);
    out->msg = compile_parts(c, text_of(rule, ACTION_MSG), NULL);
    out->logdata = compile_parts(c, text_of(rule, ACTION_LOGDATA), NULL);
    out->ver = compile_bytes(c, text_of(rule, ACTION_VER));
    out->rev = compile_bytes(c, text_of(rule, ACTION_REV));
    out->file = compile_bytes(c, span_str(rule->at.file));
    out->text = compile_bytes(c, rule->text);
    return arena_check(c->model->arena, "the rules", err);
}
