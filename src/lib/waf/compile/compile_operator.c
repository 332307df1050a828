/* SPDX-License-Identifier: Apache-2.0 */
/* Operators and their arguments. */
#include "waf/compile/compile.h"
#include "waf/compile/phrases.h"

#include "base/mem.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

int compile_check_regex(struct span pattern, const struct place *at, struct err *err)
{
    int code;
    PCRE2_SIZE where;
    pcre2_code *re =
        pcre2_compile(pattern.p, pattern.len, PCRE2_DOTALL | PCRE2_MULTILINE, &code, &where, NULL);
    PCRE2_UCHAR why[128];

    if (re != NULL) {
        pcre2_code_free(re);
        return 0;
    }
    pcre2_get_error_message(code, why, sizeof(why));
    return place_err(at, ERR_INVALID, err, "the pattern is wrong at its character %zu: %s",
                     where + 1, (const char *)why);
}

/* ------------------------------------------------------------------ phrases */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The content of @pm between bars is hex: "a|0d 0a|b". Returns the phrase in the arena. */
static struct span unescape(struct arena *arena, struct span text)
{
    uint8_t *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    bool hex = false;
    int high = -1;

    if (out == NULL || memchr(text.p, '|', text.len) == NULL)
        return text;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == '|') {
            hex = !hex;
            continue;
        }
        if (!hex) {
            out[len++] = text.p[i];
            continue;
        }
        int digit = hex_digit(text.p[i]);
        if (digit < 0)
            continue;
        if (high >= 0)
            out[len++] = (uint8_t)(high << 4 | digit);
        high = high >= 0 ? -1 : digit;
    }
    return hex ? text : span_of(out, len);
}

struct phrase_list {
    struct span *items;
    size_t count;
    size_t cap;
};

static void add_phrase(struct phrase_list *list, struct span phrase)
{
    if (list->count == list->cap) {
        list->cap = list->cap == 0 ? 64 : 2 * list->cap;
        list->items = mem_resize_array(list->items, list->cap, sizeof(*list->items));
    }
    list->items[list->count++] = phrase;
}

static void words_of(struct compiler *c, struct span text, struct phrase_list *list)
{
    size_t i = 0;
    struct span all = unescape(c->model->arena, text);

    while (i < all.len) {
        while (i < all.len && is_blank(all.p[i]))
            i++;
        size_t start = i;
        while (i < all.len && !is_blank(all.p[i]))
            i++;
        if (i > start)
            add_phrase(list, span_of(all.p + start, i - start));
    }
}

/* A phrase a line; those that begin with # and empty ones are left out. */
static void lines_of(struct compiler *c, struct span text, struct phrase_list *list)
{
    while (text.len > 0) {
        const uint8_t *end = memchr(text.p, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.p) : text.len;
        struct span line = span_trim(span_of(text.p, len));

        if (line.len > 0 && line.p[0] != '#')
            add_phrase(list, unescape(c->model->arena, line));
        text = span_of(text.p + len + (end != NULL), text.len - len - (end != NULL));
    }
}

static const char *dir_of_rule(struct compiler *c, const struct model_rule *rule)
{
    const char *slash = strrchr(rule->at.file, '/');

    if (slash == NULL)
        return ".";
    return arena_copy(
        c->model->arena,
        span_of(rule->at.file, slash == rule->at.file ? 1 : (size_t)(slash - rule->at.file)));
}

static int files_of(struct compiler *c, const struct model_rule *rule, struct phrase_list *list,
                    struct err *err)
{
    struct span left = rule->argument;

    while ((left = span_trim(left)).len > 0) {
        size_t len = 0;
        while (len < left.len && !is_blank(left.p[len]))
            len++;
        const char *path = lex_path(c->model->arena, dir_of_rule(c, rule), span_of(left.p, len));
        struct span text;
        struct err why = ERR_INIT;
        if (path == NULL || lex_read_file(c->model->arena, path, WAF_SOURCE_MAX, &text, &why) < 0)
            return place_err(&rule->argument_at, ERR_NOT_FOUND, err, "%s", why.msg);
        lines_of(c, text, list);
        left = span_of(left.p + len, left.len - len);
    }
    return 0;
}

static int compile_phrases(struct compiler *c, const struct model_rule *rule,
                           struct image_rule *out, struct err *err)
{
    struct phrase_list list = {0};
    int result = 0;

    if (rule->op == WAF_OP_PM_FROM_FILE)
        result = files_of(c, rule, &list, err);
    else
        words_of(c, rule->argument, &list);
    if (result == 0 && list.count == 0)
        result = place_err(&rule->argument_at, ERR_INVALID, err, "there is no phrase to look for");
    if (result == 0) {
        buf_reset(&c->scratch);
        phrases_build(list.items, list.count, &c->scratch);
        out->pattern = 1 + compile_pattern(c, IMAGE_PHRASES, out->chain, buf_span(&c->scratch));
        result = buf_check(&c->scratch, "the phrases", err);
    }
    free(list.items);
    return result;
}

/* ------------------------------------------------------------------ all */

static int compile_regex(struct compiler *c, const struct model_rule *rule, struct image_rule *out,
                         struct err *err)
{
    if ((out->flags & IMAGE_MACRO) != 0)
        return 0;
    TRY(compile_check_regex(rule->argument, &rule->argument_at, err));
    out->pattern = 1 + compile_pattern(c, IMAGE_REGEX, out->chain, rule->argument);
    return 0;
}

/* CRS 3 asks a block list in the DNS, where that was switched on. No request waits for the network
 * here: the rule never matches, and its author is told. */
static void never_matches(struct compiler *c, const struct model_rule *rule, const char *why,
                          struct image_rule *out)
{
    struct err err = ERR_INIT;

    out->op = WAF_OP_NO_MATCH;
    out->flags &= ~(uint32_t)IMAGE_NEGATE;
    place_err(&rule->argument_at, ERR_UNSUPPORTED, &err, "this rule will never match: %s", why);
    if (c->options->warn != NULL)
        c->options->warn(c->options->warn_ctx, err.msg);
}

int compile_operator(struct compiler *c, const struct model_rule *rule, struct image_rule *out,
                     struct err *err)
{
    struct err why = ERR_INIT;
    bool regex = rule->op == WAF_OP_RX || rule->op == WAF_OP_RX_GLOBAL;
    bool has_macros = false;

    out->op = rule->op;
    if (regex || waf_op_expands_macros(rule->op))
        out->argument = compile_parts(c, rule->argument, &has_macros);
    out->flags |= has_macros ? IMAGE_MACRO : 0;
    if (regex)
        return compile_regex(c, rule, out, err);
    if (rule->op == WAF_OP_PM || rule->op == WAF_OP_PM_FROM_FILE)
        return compile_phrases(c, rule, out, err);
    if (out->argument.count == 0)
        out->argument = compile_parts(c, rule->argument, NULL);
    buf_reset(&c->scratch);
    if (waf_op_prepare(rule->op, rule->argument, dir_of_rule(c, rule), &c->scratch, &why) < 0) {
        if (rule->op == WAF_OP_RBL && why.code == ERR_UNSUPPORTED) {
            never_matches(c, rule, why.msg, out);
            return 0;
        }
        return place_err(&rule->argument_at, why.code, err, "@%s: %s", waf_op_name(rule->op),
                         why.msg);
    }
    out->blob = compile_aligned(c, buf_span(&c->scratch));
    return 0;
}
