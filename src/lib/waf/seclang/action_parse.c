/* SPDX-License-Identifier: Apache-2.0 */
/* "id:1,phase:2,t:none,msg:'a, b'" into actions. */
#include "waf/seclang/model.h"

#include "base/num.h"

enum argument { ARG_NONE, ARG_MAYBE, ARG_NEEDED };

struct known_action {
    const char *name;
    enum action_kind kind;
    enum argument argument;
    const char *why; /* of ACTION_REFUSED */
};

static const struct known_action known_actions[] = {
    {"accuracy", ACTION_ACCURACY, ARG_NEEDED},
    {"allow", ACTION_ALLOW, ARG_MAYBE},
    {"append", ACTION_REFUSED, ARG_MAYBE, "answers are not changed"},
    {"auditlog", ACTION_AUDITLOG, ARG_NONE},
    {"block", ACTION_BLOCK, ARG_NONE},
    {"capture", ACTION_CAPTURE, ARG_NONE},
    {"chain", ACTION_CHAIN, ARG_NONE},
    {"ctl", ACTION_CTL, ARG_NEEDED},
    {"deny", ACTION_DENY, ARG_NONE},
    {"deprecatevar", ACTION_DEPRECATEVAR, ARG_NEEDED},
    {"drop", ACTION_DROP, ARG_NONE},
    {"exec", ACTION_REFUSED, ARG_MAYBE, "no program is run for a request; use an alert route"},
    {"expirevar", ACTION_EXPIREVAR, ARG_NEEDED},
    {"id", ACTION_ID, ARG_NEEDED},
    {"initcol", ACTION_INITCOL, ARG_NEEDED},
    {"log", ACTION_LOG, ARG_NONE},
    {"logdata", ACTION_LOGDATA, ARG_NEEDED},
    {"maturity", ACTION_MATURITY, ARG_NEEDED},
    {"msg", ACTION_MSG, ARG_NEEDED},
    {"multiMatch", ACTION_MULTIMATCH, ARG_NONE},
    {"noauditlog", ACTION_NOAUDITLOG, ARG_NONE},
    {"nolog", ACTION_NOLOG, ARG_NONE},
    {"pass", ACTION_PASS, ARG_NONE},
    {"pause", ACTION_REFUSED, ARG_MAYBE, "a worker serves others meanwhile; use a rate limit"},
    {"phase", ACTION_PHASE, ARG_NEEDED},
    {"prepend", ACTION_REFUSED, ARG_MAYBE, "answers are not changed"},
    {"proxy", ACTION_REFUSED, ARG_MAYBE, "requests are not sent elsewhere; use redirect or deny"},
    {"redirect", ACTION_REDIRECT, ARG_NEEDED},
    {"rev", ACTION_REV, ARG_NEEDED},
    {"sanitiseArg", ACTION_SANITISE, ARG_NEEDED},
    {"sanitiseMatched", ACTION_SANITISE, ARG_NONE},
    {"sanitiseMatchedBytes", ACTION_SANITISE, ARG_MAYBE},
    {"sanitiseRequestHeader", ACTION_SANITISE, ARG_NEEDED},
    {"sanitiseResponseHeader", ACTION_SANITISE, ARG_NEEDED},
    {"setenv", ACTION_SETENV, ARG_NEEDED},
    {"setrsc", ACTION_SETRSC, ARG_NEEDED},
    {"setsid", ACTION_SETSID, ARG_NEEDED},
    {"setuid", ACTION_SETUID, ARG_NEEDED},
    {"setvar", ACTION_SETVAR, ARG_NEEDED},
    {"severity", ACTION_SEVERITY, ARG_NEEDED},
    {"skip", ACTION_SKIP, ARG_NEEDED},
    {"skipAfter", ACTION_SKIPAFTER, ARG_NEEDED},
    {"status", ACTION_STATUS, ARG_NEEDED},
    {"t", ACTION_T, ARG_NEEDED},
    {"tag", ACTION_TAG, ARG_NEEDED},
    {"ver", ACTION_VER, ARG_NEEDED},
    {"xmlns", ACTION_XMLNS, ARG_NEEDED},
};

static const char *const severities[] = {"EMERGENCY", "ALERT",  "CRITICAL", "ERROR",
                                         "WARNING",   "NOTICE", "INFO",     "DEBUG"};

static int number(const struct model_action *action, unsigned min, unsigned max, unsigned *out,
                  struct err *err)
{
    struct err why = ERR_INIT;
    uint64_t value;

    if (num_parse_u64(action->arg, min, max, "its number", &value, &why) < 0)
        return place_err(&action->at, ERR_INVALID, err, "%s", why.msg);
    *out = (unsigned)value;
    return 0;
}

static int word(struct model_action *action, const char *const *words, size_t count,
                const char *what, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (words[i] != NULL && span_eq_word(action->arg, words[i])) {
            action->number = (unsigned)i;
            return 0;
        }
    return place_err(&action->at, ERR_INVALID, err, "there is no %s \"%.*s\"", what,
                     SPAN_ARG(action->arg));
}

static int phase(struct model_action *action, struct err *err)
{
    static const char *const names[] = {NULL, NULL, "request", NULL, "response", "logging"};

    if (action->arg.len == 1 && action->arg.p[0] >= '0' && action->arg.p[0] <= '9')
        return number(action, 1, PHASES, &action->number, err);
    return word(action, names, ARRAY_LEN(names), "phase", err);
}

static int severity(struct model_action *action, struct err *err)
{
    if (action->arg.len == 1 && action->arg.p[0] >= '0' && action->arg.p[0] <= '9')
        return number(action, 0, ARRAY_LEN(severities) - 1, &action->number, err);
    return word(action, severities, ARRAY_LEN(severities), "severity", err);
}

static int transformation(struct model_action *action, struct err *err)
{
    enum waf_transform kind;

    if (!waf_transform_by_name(action->arg, &kind))
        return place_err(&action->at, ERR_INVALID, err, "there is no transformation \"%.*s\"",
                         SPAN_ARG(action->arg));
    action->number = kind;
    return 0;
}

static int allow(struct model_action *action, struct err *err)
{
    static const char *const kinds[] = {"", "phase", "request"};

    return word(action, kinds, ARRAY_LEN(kinds), "kind of allow", err);
}

static int read_argument(struct model_action *action, struct err *err)
{
    switch (action->kind) {
    case ACTION_ID: return number(action, 1, UINT32_MAX, &action->number, err);
    case ACTION_PHASE: return phase(action, err);
    case ACTION_SEVERITY: return severity(action, err);
    case ACTION_T: return transformation(action, err);
    case ACTION_STATUS: return number(action, 100, 599, &action->number, err);
    case ACTION_SKIP: return number(action, 1, 1000000, &action->number, err);
    case ACTION_ACCURACY:
    case ACTION_MATURITY: return number(action, 0, 9, &action->number, err);
    case ACTION_ALLOW: return allow(action, err);
    default: return 0;
    }
}

static const struct known_action *find_action(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(known_actions); i++)
        if (span_eq_word(name, known_actions[i].name))
            return &known_actions[i];
    return NULL;
}

/* To the quote that closes; \' inside is a quote. */
static int take_quoted(struct arena *arena, const struct lex_word *list, size_t *at,
                       struct span *out, struct err *err)
{
    struct span text = list->text;
    size_t start = *at;
    char *copy = arena_alloc(arena, text.len - *at + 1);
    size_t len = 0;

    if (copy == NULL)
        return arena_check(arena, "a rule", err);
    for (++*at; *at < text.len && text.p[*at] != '\''; ++*at) {
        if (text.p[*at] == '\\' && *at + 1 < text.len && text.p[*at + 1] == '\'')
            ++*at;
        copy[len++] = (char)text.p[*at];
    }
    if (*at == text.len) {
        struct place place = lex_place(list, text.p + start);
        return place_err(&place, ERR_INVALID, err, "this quote is never closed");
    }
    ++*at;
    *out = span_of(copy, len);
    return 0;
}

static int take_value(struct arena *arena, const struct lex_word *list, size_t *at,
                      struct span *out, struct err *err)
{
    struct span text = list->text;

    while (*at < text.len && text.p[*at] == ' ')
        ++*at;
    if (*at < text.len && text.p[*at] == '\'')
        return take_quoted(arena, list, at, out, err);
    size_t start = *at;
    while (*at < text.len && text.p[*at] != ',')
        ++*at;
    *out = span_trim(span_of(text.p + start, *at - start));
    return 0;
}

static int check_argument(const struct known_action *known, const struct model_action *action,
                          bool has_value, struct err *err)
{
    if (known->kind == ACTION_REFUSED)
        return place_err(&action->at, ERR_UNSUPPORTED, err, "the action %s is not supported: %s",
                         known->name, known->why);
    if (known->argument == ARG_NONE && has_value)
        return place_err(&action->at, ERR_INVALID, err, "the action %s takes no argument",
                         known->name);
    if (known->argument == ARG_NEEDED && (!has_value || action->arg.len == 0))
        return place_err(&action->at, ERR_INVALID, err, "the action %s needs an argument",
                         known->name);
    return 0;
}

static int take_action(struct arena *arena, const struct lex_word *list, size_t *at,
                       struct model_action *action, struct err *err)
{
    struct span text = list->text;
    size_t start = *at;

    while (*at < text.len && text.p[*at] != ',' && text.p[*at] != ':')
        ++*at;
    struct span name = span_trim(span_of(text.p + start, *at - start));
    const struct known_action *known = find_action(name);
    action->at = lex_place(list, name.p);
    if (known == NULL)
        return place_err(&action->at, ERR_INVALID, err, "there is no action \"%.*s\"",
                         SPAN_ARG(name));
    bool has_value = *at < text.len && text.p[*at] == ':';
    action->kind = known->kind;
    action->arg = span_str("");
    if (has_value) {
        ++*at;
        TRY(take_value(arena, list, at, &action->arg, err));
    }
    TRY(check_argument(known, action, has_value, err));
    return read_argument(action, err);
}

static void skip_blanks(struct span text, size_t *at)
{
    while (*at < text.len && (text.p[*at] == ' ' || text.p[*at] == '\t'))
        ++*at;
}

int actions_parse(struct arena *arena, const struct lex_word *list, struct vec *out,
                  struct err *err)
{
    size_t at = 0;

    for (;;) {
        skip_blanks(list->text, &at);
        if (at == list->text.len)
            return 0;
        struct model_action *action = arena_alloc(arena, sizeof(*action));
        if (action == NULL)
            return arena_check(arena, "a rule", err);
        TRY(take_action(arena, list, &at, action, err));
        vec_add(out, action);
        skip_blanks(list->text, &at);
        if (at < list->text.len && list->text.p[at] != ',') {
            struct place place = lex_place(list, list->text.p + at);
            return place_err(&place, ERR_INVALID, err, "a comma is needed between actions");
        }
        at += at < list->text.len;
    }
}

const struct model_action *action_find(const struct vec *actions, enum action_kind kind)
{
    for (size_t i = actions->count; i > 0; i--) {
        const struct model_action *action = actions->items[i - 1];
        if (action->kind == kind)
            return action;
    }
    return NULL;
}

bool action_is_disruptive(enum action_kind kind)
{
    return kind == ACTION_ALLOW || kind == ACTION_BLOCK || kind == ACTION_DENY ||
           kind == ACTION_DROP || kind == ACTION_PASS || kind == ACTION_REDIRECT;
}
