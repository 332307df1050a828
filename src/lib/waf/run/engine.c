/* SPDX-License-Identifier: Apache-2.0 */
/* An image with what cannot lie in one: compiled patterns, databases, scratch memory. */
#include "scanner/scanner.h"
#include "waf/run/run.h"

#include "base/mem.h"

enum { STACK_FIRST = 32 * 1024, STACK_MAX = 1024 * 1024 };

static void free_pattern(struct pattern *pattern)
{
    pcre2_code_free(pattern->code);
    free(pattern->slots);
}

static void free_patterns(struct waf_engine *engine)
{
    for (uint32_t i = 0; engine->patterns != NULL && i < engine->pattern_count; i++)
        free_pattern(&engine->patterns[i]);
    for (uint32_t i = 0; engine->partitions != NULL && i < engine->partition_count; i++) {
        hs_free_database(engine->partitions[i].database);
        free(engine->partitions[i].all);
        free(engine->partitions[i].looks);
    }
    for (uint32_t i = 0; engine->states != NULL && i < engine->rule_count; i++)
        waf_op_state_free(engine->states[i]);
    free(engine->patterns);
    free(engine->partitions);
    free(engine->states);
    free(engine->steps);
}

void waf_engine_free(struct waf_engine *engine)
{
    if (engine == NULL)
        return;
    free_patterns(engine);
    free(engine->chain_traits);
    hs_free_scratch(engine->scratch);
    pcre2_match_context_free(engine->limits);
    pcre2_match_data_free(engine->found);
    pcre2_jit_stack_free(engine->stack);
    waf_geo_free(engine->geo);
    free(engine);
}

void waf_engine_free_ptr(struct waf_engine **engine)
{
    waf_engine_free(*engine);
}

static void find_sections(struct waf_engine *engine, const struct snapshot *image)
{
    engine->image = image;
    engine->head = snapshot_records(image, IMAGE_HEAD);
    engine->rules = snapshot_records(image, IMAGE_RULES);
    engine->targets = snapshot_records(image, IMAGE_TARGETS);
    engine->parts = snapshot_records(image, IMAGE_PARTS);
    engine->actions = snapshot_records(image, IMAGE_ACTIONS);
    engine->chains = snapshot_records(image, IMAGE_CHAINS);
    engine->indexes = snapshot_records(image, IMAGE_INDEXES);
    engine->rule_count = snapshot_count(image, IMAGE_RULES);
    engine->chain_count = snapshot_count(image, IMAGE_CHAINS);
    engine->chain_words = (engine->chain_count + 63) / 64;
    engine->slot_count = snapshot_count(image, IMAGE_SLOTS);
    engine->pattern_count = snapshot_count(image, IMAGE_PATTERNS);
    engine->partition_count = snapshot_count(image, IMAGE_PARTITIONS);
    engine->xpath_count = snapshot_count(image, IMAGE_XPATHS);
    if (engine->head->unicode_map.count > 0)
        engine->map = (const void *)image_bytes(image, engine->head->unicode_map).p;
}

static int load_patterns(struct waf_engine *engine, struct err *err)
{
    const struct image_pattern *images = snapshot_records(engine->image, IMAGE_PATTERNS);

    engine->patterns = mem_new_array(engine->pattern_count + 1, sizeof(*engine->patterns));
    for (uint32_t i = 0; i < engine->pattern_count; i++) {
        struct span bytes = image_bytes(engine->image, images[i].bytes);
        engine->patterns[i] = (struct pattern){.image = &images[i], .bytes = bytes};
        if (images[i].kind == IMAGE_PHRASES && !phrases_valid(bytes))
            return err_set(err, ERR_CORRUPT, "%s is refused: its phrases are wrong",
                           waf_snapshot.file);
    }
    return 0;
}

/* No error: a database of another version or processor, or a library that misses matches. Then
 * patterns are looked for one by one. */
static int load_partitions(struct waf_engine *engine, struct err *err)
{
    const struct image_partition *images = snapshot_records(engine->image, IMAGE_PARTITIONS);

    bool sound = scanner_is_sound();

    engine->partitions = mem_new_array(engine->partition_count + 1, sizeof(*engine->partitions));
    for (uint32_t i = 0; i < engine->partition_count; i++) {
        struct partition *partition = &engine->partitions[i];
        struct span bytes = image_bytes(engine->image, images[i].database);
        partition->image = &images[i];
        if (!sound || bytes.len == 0 ||
            hs_deserialize_database((const char *)bytes.p, bytes.len, &partition->database) !=
                HS_SUCCESS)
            continue;
        if (hs_alloc_scratch(partition->database, &engine->scratch) != HS_SUCCESS)
            return err_set(err, ERR_INTERNAL, "no scratch memory for the databases of patterns");
    }
    return 0;
}

static int load_operators(struct waf_engine *engine, struct err *err)
{
    engine->states = mem_new_array(engine->rule_count + 1, sizeof(struct waf_op_state *));
    for (uint32_t i = 0; i < engine->rule_count; i++) {
        enum waf_op op = (enum waf_op)engine->rules[i].op;
        if (op <= WAF_OP_PM_FROM_FILE)
            continue;
        if (waf_op_load(op, image_bytes(engine->image, engine->rules[i].blob), &engine->states[i],
                        err) < 0)
            return err_wrap(err, "rule %u", engine->rules[i].id);
    }
    if (engine->head->geo_database.count > 0)
        TRY(waf_geo_open((const char *)snapshot_text(engine->image, engine->head->geo_database).p,
                         &engine->geo, err));
    return 0;
}

static void find_traits(struct waf_engine *engine)
{
    engine->chain_traits = mem_new_array(engine->chain_count, sizeof(*engine->chain_traits));
    for (uint32_t i = 1; i < engine->chain_count; i++)
        engine->chain_traits[i] = engine->chain_traits[engine->chains[i].parent] |
                                  traits_needed((enum waf_transform)engine->chains[i].step);
    for (uint32_t i = 0; i < engine->partition_count; i++) {
        struct partition *partition = &engine->partitions[i];
        const uint32_t *chains = engine->indexes + partition->image->chains.at;
        partition->all = mem_new_array(engine->chain_words, sizeof(*partition->all));
        for (uint32_t j = 0; j < partition->image->chains.count; j++) {
            partition->traits |= engine->chain_traits[chains[j]];
            bit_set(partition->all, chains[j]);
        }
    }
}

static bool has_look(const struct partition *partition, const struct look *wanted)
{
    for (size_t i = 0; i < partition->look_count; i++) {
        const struct look *look = &partition->looks[i];
        if (look->var == wanted->var &&
            (!look->keyed || (wanted->keyed && span_eq_nocase(look->key, wanted->key))))
            return true;
    }
    return false;
}

static void add_look(struct waf_engine *engine, struct partition *partition,
                     const struct image_target *target)
{
    enum waf_var var = (enum waf_var)target->var;
    struct look look = {.var = var,
                        .keyed = (target->flags & IMAGE_KEYED) != 0 && target->pattern == 0,
                        .key = image_bytes(engine->image, target->key)};

    if ((waf_var_flags(var) & VAR_FIXED) == 0 || target->xpath != 0 || has_look(partition, &look))
        return;
    partition->looks = mem_resize_array(partition->looks, partition->look_count + 1, sizeof(look));
    partition->looks[partition->look_count++] = look;
}

static bool is_wide(const struct image_target *target)
{
    return target->xpath != 0 ||
           ((waf_var_flags((enum waf_var)target->var) & VAR_COLLECTION) != 0 &&
            ((target->flags & IMAGE_KEYED) == 0 || target->pattern != 0));
}

static uint64_t traits_of_needs(const uint32_t needs[IMAGE_NEEDS])
{
    uint64_t traits = 0;
    bool all = true;

    for (uint32_t byte = 0; byte <= UINT8_MAX; byte++) {
        if ((needs[byte / 32] >> (byte % 32) & 1) != 0)
            traits |= traits_of_byte((uint8_t)byte);
        else
            all = false;
    }
    return all ? TRAITS_ALWAYS : traits;
}

/* What the rules of a partition look at; of headers, most partitions want one or two. */
static void find_looks(struct waf_engine *engine)
{
    for (uint32_t i = 0; i < engine->rule_count; i++) {
        const struct image_rule *rule = &engine->rules[i];
        for (uint32_t j = 0; rule->partition != 0 && j < rule->targets.count; j++) {
            const struct image_target *target = &engine->targets[rule->targets.at + j];
            if ((target->flags & IMAGE_COUNT) != 0)
                continue;
            add_look(engine, &engine->partitions[rule->partition - 1], target);
            engine->patterns[rule->pattern - 1].wide |= is_wide(target);
        }
        if (rule->partition != 0)
            engine->partitions[rule->partition - 1].needs |=
                traits_of_needs(engine->patterns[rule->pattern - 1].image->needs);
    }
}

/* A value that has nothing to decode becomes nothing that its bytes do not tell. */
static void find_asks(struct waf_engine *engine)
{
    for (uint32_t i = 0; i < engine->partition_count; i++) {
        struct partition *partition = &engine->partitions[i];
        const uint32_t *chains = engine->indexes + partition->image->chains.at;
        partition->asks = partition->needs;
        if ((partition->needs & TRAITS_MADE) != 0)
            partition->asks = TRAITS_ALWAYS;
        for (uint32_t j = 0; j < partition->image->chains.count; j++)
            for (uint32_t at = chains[j]; at != 0; at = engine->chains[at].parent)
                partition->asks |= traits_decoded((enum waf_transform)engine->chains[at].step);
    }
}

static void find_uses(struct waf_engine *engine)
{
    for (uint32_t i = 0; i < snapshot_count(engine->image, IMAGE_TARGETS); i++)
        engine->uses[engine->targets[i].var] = true;
    for (uint32_t i = 0; i < snapshot_count(engine->image, IMAGE_PARTS); i++)
        if (engine->parts[i].var < VAR_COUNT)
            engine->uses[engine->parts[i].var] = true;
    for (unsigned i = 0; i < VAR_COUNT; i++) {
        unsigned flags = waf_var_flags((enum waf_var)i);
        if (engine->uses[i] && (flags & VAR_FIXED) != 0 && (flags & VAR_COLLECTION) == 0)
            engine->scalars[engine->scalar_count++] = (enum waf_var)i;
    }
}

bool waf_engine_is_repeatable(const struct waf_engine *engine)
{
    static const enum waf_var changing[] = {
        VAR_DURATION, VAR_REMOTE_PORT, VAR_TIME,     VAR_TIME_DAY,  VAR_TIME_EPOCH, VAR_TIME_HOUR,
        VAR_TIME_MIN, VAR_TIME_MON,    VAR_TIME_SEC, VAR_TIME_WDAY, VAR_TIME_YEAR,  VAR_UNIQUE_ID,
    };

    for (size_t i = 0; i < ARRAY_LEN(changing); i++)
        if (engine->uses[changing[i]])
            return false;
    return !engine->has_store;
}

static int new_matcher(struct waf_engine *engine, struct err *err)
{
    engine->limits = pcre2_match_context_create(NULL);
    engine->found = pcre2_match_data_create(PAIRS_MAX, NULL);
    engine->stack = pcre2_jit_stack_create(STACK_FIRST, STACK_MAX, NULL);
    if (engine->limits == NULL || engine->found == NULL)
        return err_set(err, ERR_INTERNAL, "no memory for patterns");
    pcre2_set_match_limit(engine->limits, (uint32_t)engine->head->pcre_match_limit);
    if (engine->stack != NULL)
        pcre2_jit_stack_assign(engine->limits, NULL, engine->stack);
    return 0;
}

static int load(struct waf_engine *engine, struct err *err)
{
    TRY(image_check(engine->image, err));
    find_sections(engine, engine->image);
    TRY(load_patterns(engine, err));
    TRY(load_partitions(engine, err));
    TRY(load_operators(engine, err));
    find_traits(engine);
    find_looks(engine);
    find_asks(engine);
    find_steps(engine);
    find_uses(engine);
    return new_matcher(engine, err);
}

int waf_engine_new(const struct snapshot *image, const struct waf_engine_options *options,
                   struct waf_engine **out, struct err *err)
{
    CLEANUP(waf_engine_free_ptr) struct waf_engine *engine = mem_new(sizeof(*engine));

    INVARIANT(image->type == &waf_snapshot);
    if (options != NULL)
        engine->options = *options;
    if (engine->options.store != NULL) {
        engine->store = *engine->options.store;
        engine->has_store = true;
    }
    if (engine->options.work_max == 0)
        engine->options.work_max = WAF_WORK_DEFAULT;
    if (engine->options.memory_max == 0)
        engine->options.memory_max = WAF_MEMORY_DEFAULT;
    engine->image = image;
    TRY(load(engine, err));
    *out = engine;
    engine = NULL;
    return 0;
}

void waf_image_spend(struct snapshot *image)
{
    const struct image_partition *images = snapshot_records(image, IMAGE_PARTITIONS);

    for (uint32_t i = 0; i < snapshot_count(image, IMAGE_PARTITIONS); i++)
        snapshot_spend(image, image_bytes(image, images[i].database));
}

/* ------------------------------------------------------------------ answers */

struct waf_answer_limits waf_engine_answer_limits(const struct waf_engine *engine)
{
    return (struct waf_answer_limits){.bytes = engine->head->response_body_limit,
                                      .rejects = engine->head->response_limit_action == 0};
}

bool waf_engine_takes_type(const struct waf_engine *engine, struct span type)
{
    const struct image_type *types = snapshot_records(engine->image, IMAGE_TYPES);
    uint32_t count = engine->head->types.count;
    const uint8_t *end = type.len > 0 ? memchr(type.p, ';', type.len) : NULL;

    type = span_trim(end == NULL ? type : span_of(type.p, (size_t)(end - type.p)));
    for (uint32_t i = 0; i < count; i++)
        if (span_eq_nocase(type, image_bytes(engine->image, types[i].text)))
            return true;
    return count == 0;
}

/* ------------------------------------------------------------------ matching */

static bool compile(struct pattern *pattern)
{
    int code;
    PCRE2_SIZE where;

    pattern->code = pcre2_compile(pattern->bytes.p, pattern->bytes.len,
                                  PCRE2_DOTALL | PCRE2_MULTILINE, &code, &where, NULL);
    if (pattern->code == NULL)
        return false;
    /* Where memory may not be both written and run, the interpreter does it. */
    (void)pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
    return true;
}

enum regex_result regex_match(struct waf_engine *engine, const pcre2_code *code, struct span text)
{
    static const uint8_t nothing[1];
    int rc = pcre2_match(code, text.p != NULL ? text.p : nothing, text.len, 0, 0, engine->found,
                         engine->limits);

    engine->groups = rc > 0 ? (uint32_t)rc : PAIRS_MAX;
    if (rc >= 0)
        return REGEX_YES;
    return rc == PCRE2_ERROR_NOMATCH ? REGEX_NO : REGEX_LIMIT;
}

enum regex_result pattern_match(struct waf_engine *engine, struct pattern *pattern,
                                struct span text)
{
    if (pattern->code == NULL && !compile(pattern))
        return REGEX_LIMIT;
    return regex_match(engine, pattern->code, text);
}
