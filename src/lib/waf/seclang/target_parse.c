/* SPDX-License-Identifier: Apache-2.0 */
/* "ARGS|!ARGS:/^x/|&TX:y" into targets. */
#include "waf/seclang/model.h"

struct scan {
    struct arena *arena;
    const struct lex_word *word;
    size_t at;
};

static int bad(const struct scan *scan, struct err *err, const char *what, struct span text)
{
    struct place place = lex_place(scan->word, text.p);

    return place_err(&place, ERR_INVALID, err, "%s \"%.*s\"", what, SPAN_ARG(text));
}

static bool is_end(uint8_t c)
{
    return c == '|' || c == ',';
}

/* Behind the slash that opens: to the one that closes, which is followed by the end. */
static bool take_regex(struct span text, size_t *at, struct span *out)
{
    size_t start = ++*at;

    for (; *at < text.len; ++*at) {
        if (text.p[*at] == '\\' && *at + 1 < text.len) {
            ++*at;
            continue;
        }
        if (text.p[*at] != '/')
            continue;
        size_t next = *at + 1;
        if (next == text.len || is_end(text.p[next]) || text.p[next] == '\'') {
            *out = span_of(text.p + start, *at - start);
            *at = next;
            return true;
        }
    }
    return false;
}

static int take_selector(struct scan *scan, struct model_target *target, struct err *err)
{
    struct span text = scan->word->text;
    size_t start = scan->at;
    bool quoted = start < text.len && text.p[start] == '\'';
    /* An XPath expression holds slashes and bars of its own; it ends at a bar before a name. */
    bool regex =
        target->var != VAR_XML && start + quoted < text.len && text.p[start + quoted] == '/';

    scan->at += quoted;
    if (regex) {
        target->is_regex = true;
        if (!take_regex(text, &scan->at, &target->selector))
            return bad(scan, err, "no closing slash in", span_of(text.p + start, text.len - start));
    } else {
        size_t from = scan->at;
        while (scan->at < text.len &&
               !(quoted ? text.p[scan->at] == '\'' : is_end(text.p[scan->at])))
            scan->at++;
        target->selector = span_of(text.p + from, scan->at - from);
    }
    if (quoted) {
        if (scan->at == text.len || text.p[scan->at] != '\'')
            return bad(scan, err, "no closing quote in", span_of(text.p + start, text.len - start));
        scan->at++;
    }
    if (target->selector.len == 0)
        return bad(scan, err, "no key behind the colon in", span_of(text.p, text.len));
    return 0;
}

static int check(struct scan *scan, struct model_target *target, struct span name, struct err *err)
{
    struct err why = ERR_INIT;

    if (target->selector.p != NULL && (waf_var_flags(target->var) & VAR_COLLECTION) == 0)
        return bad(scan, err, "this variable takes no key:", name);
    if (target->var == VAR_XML && target->selector.p == NULL)
        return bad(scan, err, "an XPath expression is needed, as in XML:/*, behind", name);
    if (target->var == VAR_XML && !target->exclude) {
        const char *xpath = arena_copy(scan->arena, target->selector);
        if (xpath == NULL || waf_xml_check_xpath(xpath, &why) < 0)
            return bad(scan, err, why.msg, target->selector);
    }
    return 0;
}

static int take_target(struct scan *scan, struct model_target *target, struct err *err)
{
    struct span text = scan->word->text;
    size_t start = scan->at;

    for (; scan->at < text.len && (text.p[scan->at] == '!' || text.p[scan->at] == '&'); scan->at++)
        *(text.p[scan->at] == '!' ? &target->exclude : &target->count) = true;
    size_t from = scan->at;
    while (scan->at < text.len && text.p[scan->at] != ':' && !is_end(text.p[scan->at]))
        scan->at++;
    struct span name = span_trim(span_of(text.p + from, scan->at - from));
    if (!waf_var_by_name(name, &target->var))
        return bad(scan, err, "there is no variable", name);
    if (scan->at < text.len && text.p[scan->at] == ':') {
        scan->at++;
        TRY(take_selector(scan, target, err));
    }
    if (scan->at < text.len && !is_end(text.p[scan->at]))
        return bad(scan, err, "a bar is needed behind", span_of(text.p + start, scan->at - start));
    return check(scan, target, name, err);
}

int targets_parse(struct arena *arena, const struct lex_word *word, struct vec *out,
                  struct err *err)
{
    struct scan scan = {.arena = arena, .word = word};

    for (;;) {
        struct model_target *target = arena_alloc(arena, sizeof(*target));
        if (target == NULL)
            return arena_check(arena, "a rule", err);
        TRY(take_target(&scan, target, err));
        vec_add(out, target);
        if (scan.at == word->text.len)
            return 0;
        scan.at++;
    }
}
