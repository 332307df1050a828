/* SPDX-License-Identifier: Apache-2.0 */
/* A rule against its values, and those chained to it. */
#include "waf/run/run.h"

#include "base/num.h"

struct found {
    size_t at;
    size_t len;
    struct span capture; /* of an operator that names what TX.0 becomes */
    bool is_regex;       /* engine->found has the groups */
};

/* ------------------------------------------------------------------ operators */

static bool regex(struct waf_tx *tx, enum regex_result result, struct found *found)
{
    const PCRE2_SIZE *pairs = pcre2_get_ovector_pointer(tx->engine->found);

    if (result == REGEX_LIMIT)
        tx->events |= WAF_EVENT_REGEX_LIMIT;
    if (result != REGEX_YES)
        return false;
    *found = (struct found){.at = pairs[0], .len = pairs[1] - pairs[0], .is_regex = true};
    if (pairs[1] < pairs[0]) /* \K in a lookahead */
        found->len = 0;
    return true;
}

/* With a macro the pattern is known only now; few rules have one. */
static bool regex_macro(struct waf_tx *tx, const struct image_rule *rule, struct span text,
                        struct found *found)
{
    struct span pattern = expand(tx, rule, rule->argument);
    int code;
    PCRE2_SIZE where;
    pcre2_code *re =
        pcre2_compile(pattern.p, pattern.len, PCRE2_DOTALL | PCRE2_MULTILINE, &code, &where, NULL);

    if (re == NULL)
        return false;
    bool matches = regex(tx, regex_match(tx->engine, re, text), found);
    pcre2_code_free(re);
    return matches;
}

static bool pattern(struct waf_tx *tx, const struct image_rule *rule, struct span text,
                    struct found *found)
{
    struct pattern *pattern = &tx->engine->patterns[rule->pattern - 1];

    if (pattern->image->kind == IMAGE_REGEX)
        return regex(tx, pattern_match(tx->engine, pattern, text), found);
    *found = (struct found){0};
    if (!phrases_find(pattern->bytes, text, &found->at, &found->len))
        return false;
    found->capture = span_of(text.p + found->at, found->len);
    return true;
}

static bool other(struct waf_tx *tx, const struct image_rule *rule, struct span text,
                  struct found *out)
{
    struct waf_op_found found = {.len = text.len};
    struct span argument = expand(tx, rule, rule->argument);

    if (!waf_op_match((enum waf_op)rule->op, image_bytes(tx->engine->image, rule->blob),
                      tx->engine->states[rule - tx->engine->rules], argument, text, &tx->op,
                      &found))
        return false;
    *out = (struct found){.at = found.offset, .len = found.len, .capture = found.capture};
    return true;
}

static bool operate(struct waf_tx *tx, const struct image_rule *rule, struct span text,
                    struct found *found)
{
    *found = (struct found){.len = text.len};
    if (!tx_work(tx, text.len + 1))
        return false;
    bool matches;
    if (rule->pattern != 0)
        matches = pattern(tx, rule, text, found);
    else if (rule->op == WAF_OP_RX || rule->op == WAF_OP_RX_GLOBAL)
        matches = regex_macro(tx, rule, text, found);
    else
        matches = other(tx, rule, text, found);
    if ((rule->flags & IMAGE_NEGATE) == 0)
        return matches;
    if (!matches)
        *found = (struct found){.len = text.len};
    return !matches;
}

/* ------------------------------------------------------------------ a match */

/* Groups beyond those of the match are forgotten: TX.1 of another rule would be mistaken for one.
 */
static void capture(struct waf_tx *tx, struct span text, const struct found *found)
{
    const PCRE2_SIZE *pairs = pcre2_get_ovector_pointer(tx->engine->found);
    uint32_t groups = found->is_regex ? NUM_MIN(tx->engine->groups, (uint32_t)CAPTURES) : 0;

    for (uint32_t i = 0; i < CAPTURES; i++)
        tx->slots[i] = (struct span){0};
    if (found->capture.p != NULL)
        tx->slots[0] = found->capture;
    for (uint32_t i = 0; i < groups; i++)
        if (pairs[2 * i] != PCRE2_UNSET && pairs[2 * i] <= pairs[2 * i + 1])
            tx->slots[i] = span_of(text.p + pairs[2 * i], pairs[2 * i + 1] - pairs[2 * i]);
}

static void remember(struct waf_tx *tx, enum waf_var var, const struct value *value,
                     struct span text, const struct found *found)
{
    if (!tx_grow(tx, &tx->matched, tx->matched_count, &tx->matched_cap, sizeof(*tx->matched)))
        return;
    tx->matched[tx->matched_count++] = (struct match){
        .var = var, .key = value->key, .text = text, .at = found->at, .len = found->len};
}

static bool try_text(struct waf_tx *tx, const struct image_rule *rule, enum waf_var var,
                     const struct value *value, struct span text)
{
    struct found found;

    if (!operate(tx, rule, text, &found))
        return false;
    if ((rule->flags & IMAGE_CAPTURE) != 0 && (found.is_regex || found.capture.p != NULL))
        capture(tx, text, &found);
    remember(tx, var, value, text, &found);
    if (rule->severity < tx->highest_severity)
        tx->highest_severity = rule->severity;
    run_actions(tx, rule, rule->on_match);
    return true;
}

/* multiMatch: behind each step that changed something. */
static bool try_steps(struct waf_tx *tx, const struct image_rule *rule, enum waf_var var,
                      struct value *value, uint32_t chain)
{
    bool matched = false;

    if (chain == 0)
        return try_text(tx, rule, var, value, value->text);
    uint32_t parent = tx->engine->chains[chain].parent;
    matched = try_steps(tx, rule, var, value, parent);
    struct span before = transformed(tx, value, parent);
    struct span after = transformed(tx, value, chain);
    if (!span_eq(before, after))
        matched |= try_text(tx, rule, var, value, after);
    return matched;
}

/* The database has seen that nothing is there. */
static bool is_ruled_out(const struct waf_tx *tx, const struct image_rule *rule,
                         const struct value *value)
{
    return rule->partition != 0 && value->is_fixed &&
           tx->scanned[rule->partition - 1] == SCAN_DONE &&
           (value->hits == NULL || !bit_is_set(value->hits, rule->pattern - 1));
}

static bool try_target(struct waf_tx *tx, const struct image_rule *rule,
                       const struct image_target *target)
{
    size_t from = gather(tx, rule, target);
    size_t to = tx->gathered_count;
    enum waf_var var = (enum waf_var)target->var;
    bool matched = false;

    for (size_t i = from; i < to; i++) {
        struct value *value = tx->gathered[i];
        if (is_ruled_out(tx, rule, value))
            continue;
        if ((rule->flags & IMAGE_MULTIMATCH) != 0)
            matched |= try_steps(tx, rule, var, value, rule->chain);
        else
            matched |= try_text(tx, rule, var, value, transformed(tx, value, rule->chain));
    }
    tx->gathered_count = from;
    return matched;
}

static bool try_rule(struct waf_tx *tx, const struct image_rule *rule)
{
    bool matched = false;

    if ((rule->flags & IMAGE_UNCONDITIONAL) != 0) {
        run_actions(tx, rule, rule->on_match);
        return true;
    }
    for (uint32_t i = 0; i < rule->targets.count; i++)
        matched |= try_target(tx, rule, &tx->engine->targets[rule->targets.at + i]);
    return matched;
}

/* ------------------------------------------------------------------ the hit */

static void note_texts(struct waf_tx *tx, const struct image_rule *rule, struct waf_hit *hit)
{
    if (rule->msg.count > 0)
        hit->msg = expand(tx, rule, rule->msg);
    if (rule->logdata.count > 0)
        hit->logdata = expand(tx, rule, rule->logdata);
    if (tx->matched_count == 0)
        return;
    const struct match *last = &tx->matched[tx->matched_count - 1];
    hit->variable = match_name(tx, last->var, last->key);
    hit->value = last->text;
    hit->at = (uint32_t)last->at;
    hit->len = (uint32_t)last->len;
}

static void note_tags(struct waf_tx *tx, const struct image_rule *rule, struct waf_hit *hit)
{
    const struct image_tag *tags = snapshot_records(tx->engine->image, IMAGE_TAGS);
    struct span *texts = tx_alloc(tx, (rule->tags.count + 1) * sizeof(*texts));

    if (texts == NULL)
        return;
    for (uint32_t i = 0; i < rule->tags.count; i++)
        texts[i] = expand(tx, rule, tags[rule->tags.at + i].parts);
    hit->tags = texts;
    hit->tag_count = rule->tags.count;
}

static void add_hit(struct waf_tx *tx, const struct image_rule *rule, struct waf_hit *hit)
{
    const struct snapshot *image = tx->engine->image;

    if (!tx_grow(tx, &tx->hits.items, tx->hits.count, &tx->hits.cap, sizeof(*tx->hits.items)))
        return;
    hit->rule = rule->id;
    hit->line = rule->line;
    hit->file = image_bytes(image, rule->file);
    hit->phase = (uint8_t)rule->phase;
    hit->severity = (uint8_t)rule->severity;
    hit->maturity = (uint8_t)rule->maturity;
    hit->accuracy = (uint8_t)rule->accuracy;
    hit->disruptive = rule->disruptive >= IMAGE_DO_DENY;
    hit->audit = (rule->flags & IMAGE_AUDIT) != 0 && !tx->audit_off;
    hit->ver = image_bytes(image, rule->ver);
    hit->rev = image_bytes(image, rule->rev);
    note_tags(tx, rule, hit);
    tx->hits.items[tx->hits.count++] = *hit;
}

/* The rules behind one that matched, and then what the whole chain does. */
static bool finish_chain(struct waf_tx *tx, const struct image_rule *rule, bool noted,
                         struct waf_hit *hit)
{
    if (noted)
        note_texts(tx, rule, hit);
    if (rule->next != 0) {
        const struct image_rule *next = &tx->engine->rules[rule->next - 1];
        if (!try_rule(tx, next) || !finish_chain(tx, next, noted, hit))
            return false;
    }
    run_actions(tx, rule, rule->on_chain);
    return true;
}

static bool finish_rule(struct waf_tx *tx, const struct image_rule *rule)
{
    bool noted = (rule->flags & (IMAGE_LOG | IMAGE_AUDIT)) != 0;
    struct waf_hit hit = {.msg = span_str(""),
                          .logdata = span_str(""),
                          .variable = span_str(""),
                          .value = span_str("")};

    if (!finish_chain(tx, rule, noted, &hit))
        return false;
    if (noted)
        add_hit(tx, rule, &hit);
    run_disruptive(tx, rule);
    return true;
}

bool run_rule(struct waf_tx *tx, const struct image_rule *rule)
{
    tx->rule = rule;
    tx->matched_count = 0;
    return try_rule(tx, rule) && finish_rule(tx, rule);
}
