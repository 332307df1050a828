/* SPDX-License-Identifier: Apache-2.0 */
/* Partitions and their databases: the patterns of many rules, looked for in one pass. A database
 * says which rules may match; PCRE2 or the trie of phrases then says whether and where. */
#include "waf/compile/compile.h"
#include "waf/compile/database.h"
#include "waf/compile/lines.h"
#include "waf/compile/needs.h"
#include "waf/run/traits.h"

#include "base/mem.h"

enum { GUARDS_MAX = 64, PARTITIONS_MAX = 256, ODD_BYTE = 1 };

/* A rule such as TX:PARANOIA "@lt 2" that skips what follows. */
struct guard {
    uint32_t rule;
    uint32_t end;
};

struct partition {
    uint32_t phase;
    uint32_t guard;   /* 1 + a rule like it; 0: always on */
    uint32_t family;  /* of transformations */
    uint32_t breadth; /* of targets */
    struct vec rules; /* numbers */
    uint32_t index;
};

struct scan {
    struct compiler *c;
    struct partition partitions[PARTITIONS_MAX];
    size_t count;
};

static struct image_rule *rule_at(struct compiler *c, uint32_t index)
{
    return snapshot_writer_at(c->writer, IMAGE_RULES, index);
}

static const struct image_target *target_at(struct compiler *c, uint32_t index)
{
    return snapshot_writer_at(c->writer, IMAGE_TARGETS, index);
}

static bool is_numeric(uint32_t op)
{
    return op == WAF_OP_EQ || op == WAF_OP_GE || op == WAF_OP_GT || op == WAF_OP_LE ||
           op == WAF_OP_LT;
}

static bool is_guard(struct compiler *c, const struct image_rule *rule)
{
    return rule->jump != 0 && rule->next == 0 && rule->targets.count == 1 && is_numeric(rule->op) &&
           target_at(c, rule->targets.at)->slot != 0;
}

static bool same_guard(struct compiler *c, uint32_t a, uint32_t b)
{
    const struct model_rule *x = c->flat.items[a];
    const struct model_rule *y = c->flat.items[b];

    return x->op == y->op && x->negate == y->negate && span_eq(x->argument, y->argument) &&
           target_at(c, rule_at(c, a)->targets.at)->slot ==
               target_at(c, rule_at(c, b)->targets.at)->slot;
}

static bool is_scanned_var(uint32_t var)
{
    return var == VAR_XML || (waf_var_flags((enum waf_var)var) & VAR_FIXED) != 0;
}

/* Whether the pattern's values are known ahead: of all targets, or of some. */
static bool can_scan(struct compiler *c, const struct image_rule *rule, bool *all)
{
    bool some = false;

    *all = true;
    if (rule->pattern == 0 || (rule->flags & IMAGE_NEGATE) != 0)
        return false;
    for (uint32_t i = 0; i < rule->targets.count; i++) {
        const struct image_target *target = target_at(c, rule->targets.at + i);
        if ((target->flags & IMAGE_COUNT) == 0 && is_scanned_var(target->var))
            some = true;
        else
            *all = false;
    }
    return some;
}

enum breadth { OF_ARGUMENTS, OF_BODIES, OF_OTHERS };
enum { FAMILY_ALWAYS = 1 << 30, FAMILY_NEWLINE = 1 << 29, FAMILY_RARE = 1 << 28 };

/* What makes something else of most texts: patterns that look at the same text are kept together,
 * so that each text is scanned for them alone. */
static uint32_t family_of(struct compiler *c, uint32_t chain)
{
    const struct image_chain *chains =
        snapshot_records(snapshot_writer_view(c->writer), IMAGE_CHAINS);
    uint32_t family = 0;

    for (uint32_t at = chain; at != 0; at = chains[at].parent) {
        enum waf_transform step = (enum waf_transform)chains[at].step;
        if (traits_needed(step) == TRAITS_ALWAYS)
            return FAMILY_ALWAYS | chain;
        family |= step == WAF_T_LOWERCASE             ? 1U
                  : step == WAF_T_CMD_LINE            ? 2U
                  : step == WAF_T_REMOVE_WHITESPACE   ? 4U
                  : step == WAF_T_COMPRESS_WHITESPACE ? 8U
                                                      : 0U;
    }
    return family;
}

/* What looks for newlines would find the ends of lines. It is kept apart when its lines may end
 * with another byte. So is what needs a mark that few values have: others are not scanned for it.
 */
static uint32_t family_of_pattern(struct compiler *c, const struct image_rule *rule)
{
    const struct snapshot *view = snapshot_writer_view(c->writer);
    const struct image_pattern *patterns = snapshot_records(view, IMAGE_PATTERNS);
    const struct image_pattern *pattern = &patterns[rule->pattern - 1];
    struct lines lines;

    buf_reset(&c->scratch);
    bool apart = pattern->kind == IMAGE_REGEX &&
                 lines_of(image_bytes(view, pattern->bytes), &lines, &c->scratch) &&
                 lines.newline && !lines.anchored;
    return family_of(c, rule->chain) | (apart ? (uint32_t)FAMILY_NEWLINE : 0U) |
           (needs_are_rare(pattern->needs) ? (uint32_t)FAMILY_RARE : 0U);
}

/* A body is scanned only for those that ask for it as a whole: its arguments are scanned anyway. */
static uint32_t breadth_of(struct compiler *c, const struct image_rule *rule)
{
    uint32_t breadth = OF_OTHERS;

    for (uint32_t i = 0; i < rule->targets.count; i++) {
        uint32_t var = target_at(c, rule->targets.at + i)->var;
        if (var == VAR_REQUEST_BODY || var == VAR_FULL_REQUEST)
            return OF_BODIES;
        if (var == VAR_ARGS || var == VAR_ARGS_NAMES)
            breadth = OF_ARGUMENTS;
    }
    return breadth;
}

static struct partition *partition_of(struct scan *scan, const struct image_rule *rule,
                                      uint32_t guard)
{
    struct partition wanted = {.phase = rule->phase,
                               .guard = guard,
                               .family = family_of_pattern(scan->c, rule),
                               .breadth = breadth_of(scan->c, rule)};

    for (size_t i = 0; i < scan->count; i++) {
        struct partition *p = &scan->partitions[i];
        if (p->phase == wanted.phase && p->family == wanted.family &&
            p->breadth == wanted.breadth && (p->guard == 0) == (guard == 0) &&
            (guard == 0 || same_guard(scan->c, p->guard - 1, guard - 1)))
            return p;
    }
    if (scan->count == PARTITIONS_MAX)
        return NULL;
    scan->partitions[scan->count] = wanted;
    return &scan->partitions[scan->count++];
}

static void add_to_partition(struct scan *scan, uint32_t index, uint32_t guard)
{
    struct image_rule *rule = rule_at(scan->c, index);
    bool all;

    if (!can_scan(scan->c, rule, &all))
        return;
    struct partition *partition = partition_of(scan, rule, guard);
    if (partition == NULL)
        return;
    struct image_pattern *pattern =
        snapshot_writer_at(scan->c->writer, IMAGE_PATTERNS, rule->pattern - 1);
    pattern->multi = (rule->flags & IMAGE_MULTIMATCH) != 0;
    vec_add(&partition->rules, (void *)(uintptr_t)index);
    rule->flags |= all ? IMAGE_SILENT : 0;
}

static void find_partitions(struct scan *scan, struct snapshot_ref rules)
{
    struct guard guards[GUARDS_MAX];
    size_t depth = 0;

    for (uint32_t i = rules.at; i < rules.at + rules.count; i++) {
        const struct image_rule *rule = rule_at(scan->c, i);
        while (depth > 0 && guards[depth - 1].end <= i)
            depth--;
        add_to_partition(scan, i, depth > 0 ? guards[depth - 1].rule + 1 : 0);
        if (is_guard(scan->c, rule) && depth < GUARDS_MAX)
            guards[depth++] = (struct guard){.rule = i, .end = rule->jump - 1};
    }
}

/* ------------------------------------------------------------------ what it looks at */

static void put_set(struct compiler *c, const uint8_t *set, uint32_t count,
                    struct snapshot_ref *out)
{
    out->at = snapshot_count(snapshot_writer_view(c->writer), IMAGE_INDEXES);
    out->count = 0;
    for (uint32_t i = 0; i < count; i++)
        if (set[i] != 0) {
            snapshot_writer_add(c->writer, IMAGE_INDEXES, &i);
            out->count++;
        }
}

static void add_chains(struct compiler *c, const struct image_rule *rule, uint8_t *chains)
{
    const struct image_chain *records =
        snapshot_records(snapshot_writer_view(c->writer), IMAGE_CHAINS);
    uint32_t chain = rule->chain;

    chains[chain] = 1;
    while ((rule->flags & IMAGE_MULTIMATCH) != 0 && chain != 0) {
        chain = records[chain].parent;
        chains[chain] = 1;
    }
}

static int add_partition(struct scan *scan, struct partition *partition, struct err *err)
{
    struct compiler *c = scan->c;
    const struct snapshot *view = snapshot_writer_view(c->writer);
    uint32_t chain_count = snapshot_count(view, IMAGE_CHAINS);
    uint32_t xpath_count = snapshot_count(view, IMAGE_XPATHS);
    CLEANUP_FREE uint8_t *chains = mem_new(chain_count + 1);
    CLEANUP_FREE uint8_t *xpaths = mem_new(xpath_count + 1);
    CLEANUP(database_free) struct expressions e = {0};
    struct image_partition out = {.phase = partition->phase};

    for (size_t i = 0; i < partition->rules.count; i++) {
        const struct image_rule *rule = rule_at(c, (uint32_t)(uintptr_t)partition->rules.items[i]);
        if (!database_add(c, &e, rule->pattern - 1))
            continue;
        add_chains(c, rule, chains);
        for (uint32_t j = 0; j < rule->targets.count; j++) {
            const struct image_target *target = target_at(c, rule->targets.at + j);
            if (target->xpath != 0)
                xpaths[target->xpath - 1] = 1;
        }
    }
    out.separator = e.anchored ? '\n' : ODD_BYTE;
    TRY(database_put(c, &e, &out.database, err));
    put_set(c, chains, chain_count, &out.chains);
    put_set(c, xpaths, xpath_count, &out.xpaths);
    partition->index = snapshot_writer_add(c->writer, IMAGE_PARTITIONS, &out);
    for (size_t i = 0; i < partition->rules.count; i++) {
        struct image_rule *rule = rule_at(c, (uint32_t)(uintptr_t)partition->rules.items[i]);
        if (out.database.count > 0 && database_has(&e, rule->pattern - 1))
            rule->partition = 1 + partition->index;
        else
            rule->flags &= ~(uint32_t)IMAGE_SILENT;
    }
    return 0;
}

int compile_partitions(struct compiler *c, struct err *err)
{
    CLEANUP_FREE struct scan *scan = mem_new(sizeof(*scan));
    int result = 0;

    if (c->options->no_scan)
        return 0;
    scan->c = c;
    for (unsigned phase = 1; phase <= PHASES; phase++)
        find_partitions(scan, c->head.phases[phase - 1]);
    for (size_t i = 0; i < scan->count && result == 0; i++)
        result = add_partition(scan, &scan->partitions[i], err);
    for (size_t i = 0; i < scan->count; i++)
        vec_free(&scan->partitions[i].rules);
    return result;
}
