/* SPDX-License-Identifier: Apache-2.0 */
/* Actions that run: variables, collections, ctl. */
#include "waf/compile/compile.h"

#include "base/num.h"

static int bad(const struct model_action *action, struct err *err, const char *what)
{
    return place_err(&action->at, ERR_INVALID, err, "%s: \"%.*s\"", what, SPAN_ARG(action->arg));
}

static bool split(struct span text, char at, struct span *head, struct span *tail)
{
    const uint8_t *p = text.len > 0 ? memchr(text.p, at, text.len) : NULL;

    *head = text;
    *tail = span_of(text.p + text.len, 0);
    if (p == NULL)
        return false;
    *head = span_of(text.p, (size_t)(p - text.p));
    *tail = span_of(p + 1, text.len - head->len - 1);
    return true;
}

/* "tx.name": which collection, and the name, with its macros. */
static int set_name(struct compiler *c, const struct model_action *action, struct span text,
                    struct image_action *out, struct err *err)
{
    struct span collection;
    struct span name;
    enum waf_var var;
    bool has_macros;

    if (!split(text, '.', &collection, &name) || name.len == 0)
        return bad(action, err, "a variable is written COLLECTION.NAME");
    if (!waf_var_by_name(span_trim(collection), &var) ||
        (var != VAR_TX && (waf_var_flags(var) & VAR_PERSISTENT) == 0))
        return bad(action, err, "this collection cannot be changed");
    out->var = var;
    out->name = compile_parts(c, name, &has_macros);
    if (var == VAR_TX && !has_macros)
        out->slot = 1 + compile_slot(c, name);
    return 0;
}

static int setvar(struct compiler *c, const struct model_action *action, struct image_action *out,
                  struct err *err)
{
    struct span name;
    struct span value;

    out->kind = IMAGE_SETVAR;
    if (action->arg.p[0] == '!') {
        out->kind = IMAGE_UNSETVAR;
        return set_name(c, action, span_of(action->arg.p + 1, action->arg.len - 1), out, err);
    }
    if (!split(action->arg, '=', &name, &value))
        value = span_str("1");
    else if (value.len > 0 && (value.p[0] == '+' || value.p[0] == '-')) {
        out->kind = value.p[0] == '+' ? IMAGE_ADDVAR : IMAGE_SUBVAR;
        value = span_of(value.p + 1, value.len - 1);
    }
    out->value = compile_parts(c, value, NULL);
    return set_name(c, action, span_trim(name), out, err);
}

static int expirevar(struct compiler *c, const struct model_action *action,
                     struct image_action *out, struct err *err)
{
    struct span name;
    struct span value;

    if (!split(action->arg, '=', &name, &value))
        return bad(action, err, "expirevar is written COLLECTION.NAME=SECONDS");
    out->kind = IMAGE_EXPIREVAR;
    out->value = compile_parts(c, value, NULL);
    return set_name(c, action, span_trim(name), out, err);
}

static int initcol(struct compiler *c, const struct model_action *action, struct image_action *out,
                   struct err *err)
{
    struct span name;
    struct span value;
    enum waf_var var;

    if (!split(action->arg, '=', &name, &value) || !waf_var_by_name(span_trim(name), &var) ||
        (waf_var_flags(var) & VAR_PERSISTENT) == 0)
        return bad(action, err,
                   "initcol is written COLLECTION=KEY, with ip, global, session, "
                   "user or resource");
    out->kind = IMAGE_INITCOL;
    out->var = var;
    out->value = compile_parts(c, value, NULL);
    return 0;
}

static void set_id(struct compiler *c, const struct model_action *action, enum waf_var var,
                   struct image_action *out)
{
    out->kind = IMAGE_INITCOL;
    out->var = var;
    out->value = compile_parts(c, action->arg, NULL);
}

static int setenv_action(struct compiler *c, const struct model_action *action,
                         struct image_action *out, struct err *err)
{
    struct span name;
    struct span value;

    if (!split(action->arg, '=', &name, &value) || name.len == 0)
        return bad(action, err, "setenv is written NAME=VALUE");
    out->kind = IMAGE_SETENV;
    out->name = compile_parts(c, name, NULL);
    out->value = compile_parts(c, value, NULL);
    return 0;
}

/* ------------------------------------------------------------------ ctl */

enum ctl_argument {
    CTL_ON_OFF,
    CTL_ENGINE,
    CTL_AUDIT,
    CTL_NUMBER,
    CTL_PROCESSOR,
    CTL_IDS,
    CTL_TAG,
    CTL_MSG,
    CTL_ID_TARGET,
    CTL_TAG_TARGET,
    CTL_MSG_TARGET,
    CTL_IGNORED, /* of the debug and audit logs' files, which are not written here */
};

struct ctl {
    const char *name;
    enum image_action_kind kind;
    enum ctl_argument argument;
};

static const struct ctl ctls[] = {
    {"auditEngine", IMAGE_CTL_AUDIT, CTL_AUDIT},
    {"auditLogParts", IMAGE_CTL_AUDIT, CTL_IGNORED},
    {"debugLogLevel", IMAGE_CTL_AUDIT, CTL_IGNORED},
    {"forceRequestBodyVariable", IMAGE_CTL_FORCE_BODY, CTL_ON_OFF},
    {"requestBodyAccess", IMAGE_CTL_REQUEST_BODY_ACCESS, CTL_ON_OFF},
    {"requestBodyLimit", IMAGE_CTL_REQUEST_BODY_LIMIT, CTL_NUMBER},
    {"requestBodyProcessor", IMAGE_CTL_PROCESSOR, CTL_PROCESSOR},
    {"responseBodyAccess", IMAGE_CTL_RESPONSE_BODY_ACCESS, CTL_ON_OFF},
    {"responseBodyLimit", IMAGE_CTL_RESPONSE_BODY_LIMIT, CTL_NUMBER},
    {"ruleEngine", IMAGE_CTL_ENGINE, CTL_ENGINE},
    {"ruleRemoveById", IMAGE_CTL_REMOVE_RULES, CTL_IDS},
    {"ruleRemoveByTag", IMAGE_CTL_REMOVE_RULES, CTL_TAG},
    {"ruleRemoveByMsg", IMAGE_CTL_REMOVE_RULES, CTL_MSG},
    {"ruleRemoveTargetById", IMAGE_CTL_REMOVE_TARGET, CTL_ID_TARGET},
    {"ruleRemoveTargetByTag", IMAGE_CTL_REMOVE_TARGET, CTL_TAG_TARGET},
    {"ruleRemoveTargetByMsg", IMAGE_CTL_REMOVE_TARGET, CTL_MSG_TARGET},
};

static int choose(const struct model_action *action, struct span value, const char *const *words,
                  size_t count, struct image_action *out, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (span_eq_word(value, words[i])) {
            out->number = (uint32_t)i;
            return 0;
        }
    return bad(action, err, "this value of ctl is not known");
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

static bool is_meant(const struct model_rule *rule, enum ctl_argument by, struct span text,
                     uint32_t first, uint32_t last)
{
    switch (by) {
    case CTL_IDS:
    case CTL_ID_TARGET: return rule->id >= first && rule->id <= last;
    case CTL_TAG:
    case CTL_TAG_TARGET:
        return has_text(&rule->actions, ACTION_TAG, text) ||
               has_text(rule->defaults, ACTION_TAG, text);
    default: return has_text(&rule->actions, ACTION_MSG, text);
    }
}

static int which_rules(struct compiler *c, const struct model_action *action, enum ctl_argument by,
                       struct span text, struct image_action *out, struct err *err)
{
    uint32_t first = 1;
    uint32_t last = 0;

    if ((by == CTL_IDS || by == CTL_ID_TARGET) && !id_range_parse(text, &first, &last))
        return bad(action, err, "neither an id nor a range");
    out->indexes.at = snapshot_count(snapshot_writer_view(c->writer), IMAGE_INDEXES);
    for (uint32_t i = 0; i < c->flat.count; i++) {
        const struct model_rule *rule = c->flat.items[i];
        if (rule->id == 0 || !is_meant(rule, by, text, first, last))
            continue;
        snapshot_writer_add(c->writer, IMAGE_INDEXES, &i);
        out->indexes.count++;
    }
    return 0;
}

static int remove_target(struct compiler *c, const struct model_action *action,
                         enum ctl_argument by, struct span value, struct image_action *out,
                         struct err *err)
{
    struct lex_word word = {.at = action->at};
    struct vec targets = {0};
    struct image_target target;
    struct span which;

    if (!split(value, ';', &which, &word.text) || word.text.len == 0)
        return bad(action, err, "this ctl is written RULES;TARGET");
    TRY(which_rules(c, action, by, which, out, err));
    int result = targets_parse(c->model->arena, &word, &targets, err);
    if (result == 0 && targets.count != 1)
        result = bad(action, err, "one target is needed");
    if (result == 0)
        result = compile_target(c, targets.items[0], NULL, &action->at, &target, err);
    if (result == 0)
        out->target = 1 + snapshot_writer_add(c->writer, IMAGE_TARGETS, &target);
    vec_free(&targets);
    return result;
}

static int ctl_argument(struct compiler *c, const struct ctl *known,
                        const struct model_action *action, struct span value,
                        struct image_action *out, struct err *err)
{
    static const char *const on_off[] = {"Off", "On"};
    static const char *const engines[] = {"Off", "On", "DetectionOnly"};
    static const char *const audits[] = {"Off", "On", "RelevantOnly"};
    static const char *const processors[] = {"URLENCODED", "MULTIPART", "JSON", "XML"};
    struct err why = ERR_INIT;
    uint64_t number;

    switch (known->argument) {
    case CTL_ON_OFF: return choose(action, value, on_off, ARRAY_LEN(on_off), out, err);
    case CTL_ENGINE: return choose(action, value, engines, ARRAY_LEN(engines), out, err);
    case CTL_AUDIT: return choose(action, value, audits, ARRAY_LEN(audits), out, err);
    case CTL_PROCESSOR: return choose(action, value, processors, ARRAY_LEN(processors), out, err);
    case CTL_NUMBER:
        if (num_parse_u64(value, 0, UINT32_MAX, "the limit", &number, &why) < 0)
            return bad(action, err, why.msg);
        out->number = (uint32_t)number;
        return 0;
    case CTL_IDS:
    case CTL_TAG:
    case CTL_MSG: return which_rules(c, action, known->argument, value, out, err);
    case CTL_ID_TARGET:
    case CTL_TAG_TARGET:
    case CTL_MSG_TARGET: return remove_target(c, action, known->argument, value, out, err);
    case CTL_IGNORED: return 0;
    }
    return 0;
}

static int ctl(struct compiler *c, const struct model_action *action, struct image_action *out,
               bool *kept, struct err *err)
{
    struct span name;
    struct span value;

    if (!split(action->arg, '=', &name, &value))
        return bad(action, err, "ctl is written ctl:OPTION=VALUE");
    for (size_t i = 0; i < ARRAY_LEN(ctls); i++) {
        if (!span_eq_word(name, ctls[i].name))
            continue;
        out->kind = ctls[i].kind;
        *kept = ctls[i].argument != CTL_IGNORED;
        return ctl_argument(c, &ctls[i], action, value, out, err);
    }
    return bad(action, err, "there is no such ctl");
}

int compile_action(struct compiler *c, const struct model_action *action, struct image_action *out,
                   bool *on_match, bool *kept, struct err *err)
{
    /* In their order, when their rule has matched; ctl waits for the whole chain. */
    *on_match = action->kind != ACTION_CTL;
    *kept = true;
    switch (action->kind) {
    case ACTION_SETVAR: return setvar(c, action, out, err);
    case ACTION_EXPIREVAR: return expirevar(c, action, out, err);
    case ACTION_INITCOL: return initcol(c, action, out, err);
    case ACTION_SETSID: set_id(c, action, VAR_SESSION, out); return 0;
    case ACTION_SETUID: set_id(c, action, VAR_USER, out); return 0;
    case ACTION_SETRSC: set_id(c, action, VAR_RESOURCE, out); return 0;
    case ACTION_SETENV: return setenv_action(c, action, out, err);
    case ACTION_CTL: return ctl(c, action, out, kept, err);
    default: *kept = false; return 0;
    }
}
